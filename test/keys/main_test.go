// Package keys tests Terroir's proof of encryption on a real control plane: with SoftHSM2 behind the agent, a KMIP server and a transit server
// behind the operator, simulated nodes, and a provisioner that makes volumes as CSI drivers do.
//
// Tests share one installation and run one after the other. Each has a namespace, keys and classes of its own.
package keys

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/packages"
	"github.com/terroir-dev/terroir/test/provisioner"
	"github.com/terroir-dev/terroir/test/softhsm"
	"github.com/terroir-dev/terroir/test/terroir"
)

// patience is how long a condition may take on a busy machine. Nothing measures time here.
const patience = 90 * time.Second

// world is the installation that the tests share.
type world struct {
	cluster *cluster.Cluster
	client.Client
	token *softhsm.Token
	bao   *terroir.Bao
	agent terroir.Agent
}

var shared *world

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	log.SetLogger(logr.Discard()) // clients would complain that they have nowhere to log to
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop, err := begin(ctx)
	defer stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// begin makes the world. What it started ends with stop, or with the process.
func begin(ctx context.Context) (stop func(), err error) {
	stop = func() {}
	if err := packages.Ensure(ctx, os.Stderr, "testing keys", softhsm.Needed()...); err != nil {
		return stop, err
	}
	c, err := cluster.Start(ctx, cluster.Options{Progress: os.Stderr})
	if err != nil {
		return stop, err
	}
	stop = func() { _ = c.Stop() } // its lifeline ends it anyway
	w := &world{cluster: c}
	if w.Client, err = terroir.Client(c); err != nil {
		return stop, err
	}
	if w.token, err = softhsm.New(ctx, filepath.Join(c.Dir(), "softhsm"), "sov-par1", "4711"); err != nil {
		return stop, err
	}
	if w.bao, err = terroir.StartBao(c); err != nil {
		return stop, err
	}
	if err := errors.Join(terroir.Install(ctx, c), terroir.Apply(ctx, c, "-k", "config/keyprobe/rbac")); err != nil {
		return stop, err
	}
	w.agent = terroir.Agent{Observer: v1alpha1.AgentObserver, Modules: []string{softhsm.Module}, Environment: []string{w.token.Environment()}}
	if err := terroir.StartAgent(ctx, c, w.agent); err != nil {
		return stop, err
	}
	go provisioner.Run(ctx, w.Client)
	shared = w
	return stop, w.furnish(ctx)
}

// ground is a country, two zones in it and one outside, and two nodes in each.
const ground = `
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: par-1}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: par-2}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-2}}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: lon-1}
spec: {country: GB, recognition: {labels: {topology.kubernetes.io/zone: lon-1}}}
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: in-france}
spec: {countries: [FR]}
`

func (w *world) furnish(ctx context.Context) error {
	found, err := terroir.Objects([]byte(ground))
	for _, o := range found {
		err = errors.Join(err, w.Create(ctx, o))
	}
	for _, zone := range []string{"par-1", "par-2", "lon-1"} {
		for _, n := range []string{"a", "b"} {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: zone + n, Labels: map[string]string{
				corev1.LabelTopologyZone: zone, corev1.LabelHostname: zone + n,
			}}}
			err = errors.Join(err, w.Create(ctx, node))
		}
	}
	for _, secret := range append(w.bao.Secrets(), terroir.Secret("paris-hsm-pin", "pin", w.token.PIN)) {
		err = errors.Join(err, w.Create(ctx, secret))
	}
	return err
}

// create creates everything in YAML and deletes it at the test's end.
func (w *world) create(t *testing.T, text string) {
	t.Helper()
	for _, o := range terroir.MustObjects(t, text) {
		if err := w.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		t.Cleanup(func() {
			err := w.Delete(context.Background(), o, client.PropagationPolicy(metav1.DeletePropagationBackground), client.GracePeriodSeconds(0)) // the test's own context has ended
			if client.IgnoreNotFound(err) != nil {
				t.Errorf("deleting %s %s: %v", o.GetKind(), o.GetName(), err)
			}
		})
	}
}

// try creates the one object in YAML and returns the error.
func (w *world) try(t *testing.T, text string) error {
	t.Helper()
	return w.Create(t.Context(), terroir.MustObjects(t, text)[0])
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	terroir.Eventually(t, patience, what, check)
}

// as is a client that acts as somebody.
func (w *world) as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	config := w.cluster.Config()
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append(groups, "system:authenticated")}
	c, err := client.New(config, client.Options{Scheme: w.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hsm is a KeyStore over the token, under a name of the test's own.
func hsm(name string) string {
	return fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: %s}
spec:
  type: PKCS11
  pkcs11: {module: %s, tokenLabel: sov-par1}
  credentialsSecretRef: {name: paris-hsm-pin}
  probe: {interval: 2s, roundTripInterval: 2s, timeout: 1500ms}
  declared: {custody: Customer, protection: HSM, zones: {home: [par-1]}}
  revocation: {confirmations: 2, delay: 1s}
---
`, name, softhsm.Module)
}

// vault is a KeyStore over the transit server, declared to be more than it is.
func (w *world) vault(name string) string {
	return fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: %s}
spec:
  type: Transit
  transit: {address: %q}
  tls: {caSecretRef: {name: bao-ca}}
  credentialsSecretRef: {name: bao-token}
  probe: {interval: 2s, roundTripInterval: 2s, timeout: 1500ms}
  declared: {custody: Customer, protection: HSM, zones: {home: [par-1]}}
---
`, name, w.bao.Address())
}

// key is an EncryptionKey that the namespace of the same name may ask for, and the class whose volumes are under it.
func key(name, store, ref, more string) string {
	return fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: EncryptionKey
metadata: {name: %[1]s}
spec:
  store: %[2]s
  ref: {%[3]s}
  storage: [{driver: block-storage.csi.stackit.cloud, keyID: id-%[1]s}]
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %[1]s}}
  %[4]s
---
%[5]s
---
`, name, store, ref, more, class(name, "id-"+name))
}

// class is a StorageClass of which a provider encrypts the volumes under a key.
func class(name, keyID string) string {
	return fmt.Sprintf(`
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: %s}
provisioner: block-storage.csi.stackit.cloud
parameters: {type: premium, encrypted: "true", kmsKeyID: %s, kmsKeyringID: ring, kmsKeyVersion: "1", kmsServiceAccount: terroir@example.org}
volumeBindingMode: WaitForFirstConsumer
---
`, name, keyID)
}

// governed is a namespace that owes encryption, in the words of a policy's field.
func governed(name, encryption string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s, labels: {owes: %[1]s}}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: %[1]s}
spec:
  namespaceSelector: {matchLabels: {owes: %[1]s}}
  trustLevels: [in-france]
  enforcement: Enforce
  nodeLocalStorage: Deny
  encryption: {%[2]s}
---
`, name, encryption)
}

// database is a StatefulSet of one pod with a claim.
func database(namespace, class string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: %s}
spec:
  serviceName: db
  replicas: 1
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: x, volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], storageClassName: %s, resources: {requests: {storage: 1Gi}}}
---
`, namespace, class)
}

// settled waits until a namespace owes what its policy says.
func (w *world) settled(t *testing.T, namespace string) {
	t.Helper()
	eventually(t, namespace+" owes encryption", func() error {
		n := &corev1.Namespace{}
		if err := w.Get(t.Context(), client.ObjectKey{Name: namespace}, n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.EncryptedLabel] != "true" {
			return fmt.Errorf("its labels are %v", n.Labels)
		}
		return nil
	})
}

// phase waits until a key is in a phase, and gives it.
func (w *world) phase(t *testing.T, name string, phase v1alpha1.KeyPhase, words ...string) *v1alpha1.EncryptionKey {
	t.Helper()
	k := &v1alpha1.EncryptionKey{}
	eventually(t, fmt.Sprintf("key %s is %s", name, phase), func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Name: name}, k); err != nil {
			return err
		}
		if k.Status.Phase != phase {
			return fmt.Errorf("it is %+v", k.Status)
		}
		message := fmt.Sprint(k.Status.Conditions)
		for _, word := range words {
			if !strings.Contains(message, word) {
				return fmt.Errorf("its conditions are %s; they should say %q", message, word)
			}
		}
		return nil
	})
	return k
}

// waits sees that the pod db-0 of a namespace is told, in its condition and in an event, why it waits.
func (w *world) waits(t *testing.T, namespace string, words ...string) {
	t.Helper()
	p := &corev1.Pod{}
	eventually(t, "the pod of "+namespace+" waits and says why", func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "db-0"}, p); err != nil {
			return err
		}
		if !gated(p) {
			return fmt.Errorf("it has the gates %v and is on %q", p.Spec.SchedulingGates, p.Spec.NodeName)
		}
		told := why(p)
		for _, word := range words {
			if !strings.Contains(told, word) {
				return fmt.Errorf("its condition says %q; it should say %q", told, word)
			}
		}
		return w.event(t, p, words...)
	})
}

func gated(p *corev1.Pod) bool {
	for _, g := range p.Spec.SchedulingGates {
		if g.Name == v1alpha1.EncryptionGate {
			return true
		}
	}
	return false
}

func why(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == v1alpha1.EncryptionProvenCondition {
			return string(c.Status) + ": " + c.Message
		}
	}
	return "nothing"
}

// event looks for an event about a pod with these words.
func (w *world) event(t *testing.T, p *corev1.Pod, words ...string) error {
	t.Helper()
	var events eventsv1.EventList
	if err := w.List(t.Context(), &events, client.InNamespace(p.Namespace)); err != nil {
		return err
	}
	var notes []string
	for i := range events.Items {
		e := &events.Items[i]
		if e.Regarding.UID == p.UID && contains(e.Note, words) {
			return nil
		}
		notes = append(notes, e.Regarding.Name+": "+e.Note)
	}
	return fmt.Errorf("no event says %q; there are %q", words, notes)
}

func contains(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// runs waits until the pod db-0 of a namespace runs, and gives it. It is another one than that of the given UID.
func (w *world) runs(t *testing.T, namespace string, otherThan types.UID) *corev1.Pod {
	t.Helper()
	p := &corev1.Pod{}
	eventually(t, "the pod of "+namespace+" runs", func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "db-0"}, p); err != nil {
			return err
		}
		if p.UID == otherThan || p.Status.Phase != corev1.PodRunning || !strings.HasPrefix(p.Spec.NodeName, "par-") {
			return fmt.Errorf("it is %s on %q, gates %v, encryption proven: %s", p.Status.Phase, p.Spec.NodeName, p.Spec.SchedulingGates, why(p))
		}
		return nil
	})
	return p
}

// kill deletes the pod db-0 of a namespace, as a failed node's is.
func (w *world) kill(t *testing.T, p *corev1.Pod) {
	t.Helper()
	if err := w.Delete(t.Context(), p, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
}
