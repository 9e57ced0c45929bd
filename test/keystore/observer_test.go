// Package keystore tests observers of keys on a real API server: that what they write is what the schemas take, that they hear of changes through a
// real cache, and that the latch on PINs holds where writes really conflict.
package keystore

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
	"github.com/terroir-dev/terroir/internal/keystore/transit"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
	server "github.com/terroir-dev/terroir/test/transit"
)

// patience is how long a condition may take on a busy machine. Nothing measures time here.
const patience = 60 * time.Second

// world is a cluster with the kinds of keys.
type world struct {
	*testing.T
	client.Client

	cluster *cluster.Cluster
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOf(t, cluster.Shared(t))
}

func worldOf(t *testing.T, c *cluster.Cluster) *world {
	t.Helper()
	log.SetLogger(logr.Discard())
	if _, err := envtest.InstallCRDs(c.Config(), envtest.CRDInstallOptions{Paths: []string{filepath.Join("..", "..", "config", "crd", "bases")}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		t.Fatal(err)
	}
	config := c.Config()
	config.QPS = -1
	direct, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, Client: direct, cluster: c}
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
	if err := w.Create(t.Context(), home); client.IgnoreAlreadyExists(err) != nil {
		t.Fatal(err)
	}
	return w
}

// add creates objects, and deletes them when the test ends.
func (w *world) add(objects ...client.Object) {
	w.Helper()
	for _, o := range objects {
		if err := w.Create(w.Context(), o); err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = w.Delete(context.Background(), o) })
	}
}

func (w *world) secret(name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}, Data: data}
}

// observe starts an observer of that name, as the operator and the agent do.
func (w *world) observe(name string, openers map[v1alpha1.KeyStoreType]keystore.Opener) {
	w.Helper()
	mgr, err := ctrl.NewManager(w.cluster.Config(), ctrl.Options{Scheme: w.Scheme(), Cache: controllers.CacheOptions(), Metrics: metricsserver.Options{BindAddress: "0"}})
	if err != nil {
		w.Fatal(err)
	}
	observer := keystore.NewObserver(keystore.ObserverOptions{
		Name: name, Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Openers: openers, Now: time.Now, Log: logr.Discard(),
	})
	if err := observer.SetupWithManager(w.Context(), mgr); err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	w.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.Error(err)
		}
	})
}

// eventually waits until it holds; what says what there was instead.
func (w *world) eventually(sentence string, holds func(context.Context) (held bool, what any)) {
	w.Helper()
	var last any
	err := wait.PollUntilContextTimeout(w.Context(), 50*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		held, what := holds(ctx)
		last = what
		return held, nil
	})
	if err != nil {
		w.Fatalf("%s: %v; last: %+v", sentence, err, last)
	}
}

// tells waits until an observer tells this of a key.
func (w *world) tells(observer, key string, outcome v1alpha1.ProbeOutcome) v1alpha1.KeyObservationSpec {
	w.Helper()
	o := &v1alpha1.KeyObservation{}
	w.eventually(fmt.Sprintf("%s is told of %s", outcome, key), func(ctx context.Context) (bool, any) {
		err := w.Get(ctx, client.ObjectKey{Name: key + "." + observer}, o)
		return err == nil && o.Spec.Outcome == outcome, o.Spec
	})
	return o.Spec
}

func (w *world) confirmed(store string) time.Time {
	w.Helper()
	lease := &coordinationv1.Lease{}
	if err := w.Get(w.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: keystore.LeaseName(store, "manager")}, lease); err != nil {
		return time.Time{}
	}
	return lease.Spec.RenewTime.Time
}

func TestAnObserverOnARealAPIServer(t *testing.T) {
	w := newWorld(t)
	authority := certtest.New(t)
	bao, err := server.Start(server.Options{Certificate: authority.Server(t, "localhost").TLS(t), Token: "hvs.token"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bao.Close() })
	for _, name := range []string{"first", "second"} {
		if err := bao.Create(name, server.Key{Type: server.AES256}); err != nil {
			t.Fatal(err)
		}
	}
	w.observe(v1alpha1.ManagerObserver, map[v1alpha1.KeyStoreType]keystore.Opener{v1alpha1.KeyStoreTransit: transit.Open})

	store := &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "bao"}, Spec: v1alpha1.KeyStoreSpec{
		Type: v1alpha1.KeyStoreTransit, Transit: &v1alpha1.TransitStore{Address: bao.Address()}, CredentialsSecretRef: &v1alpha1.SecretReference{Name: "bao-token"},
		TLS: &v1alpha1.KeyStoreTLS{CASecretRef: &v1alpha1.SecretReference{Name: "bao-ca"}}, Probe: v1alpha1.KeyProbe{Interval: "2s", Timeout: "1s"},
	}}
	first := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: "first"}, Spec: v1alpha1.EncryptionKeySpec{Store: "bao", Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: "first"}}}}
	w.add(store, first)
	w.tells(v1alpha1.ManagerObserver, "first", v1alpha1.OutcomeMisconfigured) // there are no Secrets
	w.add(w.secret("bao-token", map[string][]byte{"token": []byte("hvs.token")}), w.secret("bao-ca", authority.Secret()))
	found := w.tells(v1alpha1.ManagerObserver, "first", v1alpha1.OutcomeFound)
	if found.Fingerprint == "" || len(found.Facts) == 0 || found.LastFound != nil {
		t.Errorf("told %+v", found)
	}
	w.eventually("a Lease confirms it", func(context.Context) (bool, any) { at := w.confirmed("bao"); return !at.IsZero(), at })

	second := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: "second"}, Spec: v1alpha1.EncryptionKeySpec{Store: "bao", Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: "second"}}}}
	w.add(second)
	w.tells(v1alpha1.ManagerObserver, "second", v1alpha1.OutcomeFound)

	bao.Be(server.Sealed)
	if told := w.tells(v1alpha1.ManagerObserver, "first", v1alpha1.OutcomeUnreachable); told.LastFound == nil || told.Fingerprint != found.Fingerprint || told.Message != "the server is sealed" {
		t.Errorf("told %+v", told)
	}
	bao.Be(server.Active)
	if told := w.tells(v1alpha1.ManagerObserver, "first", v1alpha1.OutcomeFound); told.LastFound != nil {
		t.Errorf("told %+v", told)
	}
	bao.Delete("first")
	if told := w.tells(v1alpha1.ManagerObserver, "first", v1alpha1.OutcomeNotFound); told.LastFound == nil || told.Fingerprint != "" || len(told.Facts) > 0 {
		t.Errorf("told %+v", told)
	}

	if err := w.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	w.eventually("the observation of a key that is gone goes", func(ctx context.Context) (bool, any) {
		err := w.Get(ctx, client.ObjectKey{Name: "second.manager"}, &v1alpha1.KeyObservation{})
		return apierrors.IsNotFound(err), err
	})
	if err := w.Delete(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	w.eventually("the observations of a store that is gone go", func(ctx context.Context) (bool, any) {
		err := w.Get(ctx, client.ObjectKey{Name: "first.manager"}, &v1alpha1.KeyObservation{})
		return apierrors.IsNotFound(err), err
	})
}

// The operator has no more rights than its role says.
func TestTheOperatorAsksUnderItsOwnRights(t *testing.T) {
	c := cluster.New(t)
	if err := terroir.Install(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w := worldOf(t, c)
	authority := certtest.New(t)
	bao, err := server.Start(server.Options{Certificate: authority.Server(t, "localhost").TLS(t), Token: "hvs.token"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bao.Close() })
	if err := bao.Create("kek", server.Key{Type: server.AES256}); err != nil {
		t.Fatal(err)
	}
	w.add(
		w.secret("bao-token", map[string][]byte{"token": []byte("hvs.token")}), w.secret("bao-ca", authority.Secret()),
		&v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "bao"}, Spec: v1alpha1.KeyStoreSpec{
			Type: v1alpha1.KeyStoreTransit, Transit: &v1alpha1.TransitStore{Address: bao.Address()}, CredentialsSecretRef: &v1alpha1.SecretReference{Name: "bao-token"},
			TLS: &v1alpha1.KeyStoreTLS{CASecretRef: &v1alpha1.SecretReference{Name: "bao-ca"}}, Probe: v1alpha1.KeyProbe{Interval: "2s", Timeout: "1s"},
		}},
	)
	key := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: "kek"}, Spec: v1alpha1.EncryptionKeySpec{Store: "bao", Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: "kek"}}}}
	w.add(key)
	w.tells(v1alpha1.ManagerObserver, "kek", v1alpha1.OutcomeFound)
	w.eventually("a Lease confirms it", func(context.Context) (bool, any) { at := w.confirmed("bao"); return !at.IsZero(), at })
	bao.Delete("kek")
	w.tells(v1alpha1.ManagerObserver, "kek", v1alpha1.OutcomeNotFound)
	if err := w.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	w.eventually("the observation of a key that is gone goes", func(ctx context.Context) (bool, any) {
		err := w.Get(ctx, client.ObjectKey{Name: "kek.manager"}, &v1alpha1.KeyObservation{})
		return apierrors.IsNotFound(err), err
	})
}

// An HSM of several stores' observers, all of which learn of a wrong PIN at once.
func TestOfManyObserversOneTriesAWrongPIN(t *testing.T) {
	w := newWorld(t)
	pin := w.secret("hsm-pin", map[string][]byte{"pin": []byte("1234")})
	store := &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "hsm"}, Spec: v1alpha1.KeyStoreSpec{
		Type: v1alpha1.KeyStorePKCS11, PKCS11: &v1alpha1.PKCS11Store{Module: "/usr/lib/none.so", TokenLabel: "none"}, CredentialsSecretRef: &v1alpha1.SecretReference{Name: "hsm-pin"},
		Probe: v1alpha1.KeyProbe{Interval: "2s", Timeout: "1s"},
	}}
	key := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: "raced"}, Spec: v1alpha1.EncryptionKeySpec{Store: "hsm", Ref: v1alpha1.KeyReference{PKCS11: &v1alpha1.PKCS11Key{Label: "raced"}}}}
	w.add(pin, store, key)
	var tried, refused atomic.Int32
	const observers = 10
	for range observers { // all of one name, as replicas that do not know of each other are
		w.observe(v1alpha1.AgentObserver, map[v1alpha1.KeyStoreType]keystore.Opener{v1alpha1.KeyStorePKCS11: func(s keystore.Store) (keystore.Prober, error) {
			return &token{latch: s.Latch, tried: &tried, refused: func() { refused.Add(1) }}, nil
		}})
	}
	w.eventually("all of them were refused", func(context.Context) (bool, any) { n := refused.Load(); return n >= observers, n })
	if n := tried.Load(); n != 1 {
		t.Errorf("a wrong PIN was tried %d times", n)
	}
	told := w.tells(v1alpha1.AgentObserver, "raced", v1alpha1.OutcomeUnauthenticated)
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(store), store); err != nil {
		t.Fatal(err)
	}
	if login := store.Status.Login; login == nil || login.State != v1alpha1.LoginFailed || login.SecretVersion != pin.ResourceVersion {
		t.Errorf("the latch says %+v, and the observer %+v", login, told)
	}
}

// token takes no PIN.
type token struct {
	latch   keystore.Latch
	tried   *atomic.Int32
	refused func()
	asked   int
}

// Probe is refused three times before that counts: by then everybody has had his chance.
func (k *token) Probe(ctx context.Context, _ keystore.Key) keystore.Sighting {
	if err := k.latch.Enter(ctx, false); err != nil {
		k.asked++
		if k.asked == 3 {
			k.refused()
		}
		return keystore.Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: err.Error()}
	}
	k.tried.Add(1)
	if err := k.latch.Leave(ctx, false); err != nil {
		return keystore.Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: err.Error()}
	}
	return keystore.Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: "the PIN is refused"}
}

func (*token) Close() error { return nil }
