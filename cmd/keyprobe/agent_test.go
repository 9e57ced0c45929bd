package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/packages"
	"github.com/terroir-dev/terroir/test/softhsm"
	"github.com/terroir-dev/terroir/test/terroir"
)

const stored = `
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: hsm}
spec:
  type: PKCS11
  pkcs11: {module: ` + softhsm.Module + `, tokenLabel: sov-par1}
  credentialsSecretRef: {name: paris-hsm-pin}
  probe: {interval: 1s, timeout: 900ms}
---
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: other}
spec:
  type: PKCS11
  pkcs11: {module: /usr/lib/other.so, tokenLabel: sov-par1}
  credentialsSecretRef: {name: paris-hsm-pin}
---
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: kek}
spec: {store: hsm, ref: {pkcs11: {label: kek}}}
---
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: elsewhere}
spec: {store: other, ref: {pkcs11: {label: kek}}}
`

// The agent as it is deployed: a process with the permissions of its manifests and no others, on a real API server, with a real token.
func TestAnAgentTellsWhatItSees(t *testing.T) {
	a := begin(t)
	a.seen("kek", v1alpha1.OutcomeNotFound)
	if err := a.token.Generate(t.Context(), softhsm.Key{Label: "kek", ID: 1}); err != nil {
		t.Fatal(err)
	}
	found := a.seen("kek", v1alpha1.OutcomeFound)
	facts := map[string]string{}
	for _, f := range found.Spec.Facts {
		facts[f.Name] = f.Value + " " + string(f.Evidence)
	}
	if facts["nonExtractable"] != "true Tested" || facts["usable"] != "true Tested" || found.Spec.Fingerprint == "" {
		t.Errorf("seen: %v, fingerprint %q; want a key that cannot be extracted and can be used", facts, found.Spec.Fingerprint)
	}
	a.eventually("what was told is confirmed", func() error {
		return a.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: keystore.LeaseName("hsm", v1alpha1.AgentObserver)}, &coordinationv1.Lease{})
	})
	if err := a.token.Destroy(t.Context(), "kek"); err != nil {
		t.Fatal(err)
	}
	a.seen("kek", v1alpha1.OutcomeNotFound)
	a.seen("elsewhere", v1alpha1.OutcomeMisconfigured) // a module that it was not told of

	a.pin(t.Context(), "not-the-pin")
	a.login(v1alpha1.LoginFailed)
	a.seen("kek", v1alpha1.OutcomeUnauthenticated)
	a.pin(t.Context(), a.token.PIN)
	a.login(v1alpha1.LoginSucceeded)
	a.seen("kek", v1alpha1.OutcomeNotFound)

	log := a.log()
	for _, word := range []string{a.token.PIN, "not-the-pin", "forbidden"} {
		if strings.Contains(log, word) {
			t.Errorf("the agent's log contains %q: either a PIN, or something that its manifests do not let it do:\n%s", word, log)
		}
	}
	if !strings.Contains(log, leaseName(v1alpha1.AgentObserver)) {
		t.Errorf("the agent's log does not tell of its Lease; is this the log?\n%s", log)
	}
}

func TestAnAgentReadsNoSecretButThoseThatItsManifestsName(t *testing.T) {
	a := begin(t)
	config := a.cluster.Config()
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:terroir-system:terroir-keyprobe",
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:terroir-system", "system:authenticated"},
	}
	agent, err := client.New(config, client.Options{Scheme: a.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "paris-hsm-pin"}, &corev1.Secret{}); err != nil {
		t.Errorf("the agent cannot read the PIN: %v", err)
	}
	for _, get := range []func() error{
		func() error {
			return agent.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "terroir-webhook-cert"}, &corev1.Secret{})
		},
		func() error {
			return agent.List(t.Context(), &corev1.SecretList{}, client.InNamespace(v1alpha1.SystemNamespace))
		},
	} {
		if err := get(); !apierrors.IsForbidden(err) {
			t.Errorf("the agent asked for other Secrets, and the answer was: %v; want that it is forbidden", err)
		}
	}
}

// agent is an agent that runs, and the cluster and the token it looks at.
type agent struct {
	client.Client
	t       *testing.T
	cluster *cluster.Cluster
	token   *softhsm.Token
}

// begin starts a cluster with an agent. The cluster is the test's own, since others install Terroir as a whole.
func begin(t *testing.T) *agent {
	t.Helper()
	if err := packages.Ensure(t.Context(), os.Stderr, "the test of keyprobe", softhsm.Needed()...); err != nil {
		t.Fatal(err)
	}
	c, err := cluster.Start(t.Context(), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	a := &agent{t: t, cluster: c}
	if a.token, err = softhsm.New(t.Context(), filepath.Join(c.Dir(), "softhsm"), "sov-par1", "let-me-in-4711"); err != nil {
		t.Fatal(err)
	}
	for _, part := range []struct{ how, path string }{{"-k", "config/crd"}, {"-f", "config/namespace/namespace.yaml"}, {"-k", "config/keyprobe/rbac"}} {
		if err := terroir.Apply(t.Context(), c, part.how, part.path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := terroir.Kubectl(t.Context(), c, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		t.Fatal(err)
	}
	if a.Client, err = terroir.Client(c); err != nil {
		t.Fatal(err)
	}
	a.pin(t.Context(), a.token.PIN)
	for _, o := range terroir.MustObjects(t, stored) {
		a.eventually(fmt.Sprintf("%s %s is created", o.GetKind(), o.GetName()), func() error { return a.Create(t.Context(), o) }) // kinds that are new take a moment
	}
	err = terroir.StartAgent(t.Context(), c, terroir.Agent{
		Observer: v1alpha1.AgentObserver, Modules: []string{softhsm.Module}, Environment: []string{a.token.Environment()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// pin writes the Secret.
func (a *agent) pin(ctx context.Context, pin string) {
	a.t.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "paris-hsm-pin"}, Data: map[string][]byte{"pin": []byte(pin)}}
	err := a.Create(ctx, s)
	if apierrors.IsAlreadyExists(err) {
		err = a.Update(ctx, s)
	}
	if err != nil {
		a.t.Fatal(err)
	}
}

// seen waits until that was seen of a key.
func (a *agent) seen(key string, outcome v1alpha1.ProbeOutcome) *v1alpha1.KeyObservation {
	a.t.Helper()
	o := &v1alpha1.KeyObservation{}
	a.eventually(fmt.Sprintf("key %s is %s", key, outcome), func() error {
		if err := a.Get(a.t.Context(), client.ObjectKey{Name: key + "." + v1alpha1.AgentObserver}, o); err != nil {
			return err
		}
		if o.Spec.Outcome != outcome {
			return fmt.Errorf("it is %s: %s", o.Spec.Outcome, o.Spec.Message)
		}
		return nil
	})
	return o
}

// login waits until the latch is in a state.
func (a *agent) login(state v1alpha1.LoginState) {
	a.t.Helper()
	s := &v1alpha1.KeyStore{}
	a.eventually(fmt.Sprintf("the login is %s", state), func() error {
		if err := a.Get(a.t.Context(), client.ObjectKey{Name: "hsm"}, s); err != nil {
			return err
		}
		if s.Status.Login == nil || s.Status.Login.State != state {
			return fmt.Errorf("it is %+v", s.Status.Login)
		}
		return nil
	})
}

// eventually waits for a condition.
func (a *agent) eventually(what string, check func() error) {
	a.t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(a.t.Context(), 25*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		a.t.Fatalf("waited in vain until %s: %v\n%s", what, last, a.log())
	}
}

// log is what the agent wrote.
func (a *agent) log() string {
	a.t.Helper()
	text, err := os.ReadFile(a.cluster.Log(terroir.Agent{Observer: v1alpha1.AgentObserver}.Component()))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}
