package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1ac "k8s.io/client-go/applyconfigurations/coordination/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// How often the stores of these tests are asked.
const (
	interval  = 5 * time.Minute
	roundTrip = time.Hour
)

// stage is a cluster with one observer, and the stores that it asks. It lives in a bubble in which time passes when everybody waits.
type stage struct {
	name string // of the observer
	*testing.T
	client.WithWatch

	observer *Observer
	store    *fakeStore
	stop     context.CancelFunc
	ended    chan struct{}
	refusing atomic.Bool // then nobody takes KeyObservations
	mu       sync.Mutex
	writes   []string
}

// fakeStore answers as it is told.
type fakeStore struct {
	mu      sync.Mutex
	answers map[string]func(context.Context, Key) Sighting
	every   func(context.Context, Key) Sighting // goes before answers
	asked   []Key
	opened  []Store
	closed  int
	refuse  error
}

func (f *fakeStore) open(s Store) (Prober, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened = append(f.opened, s)
	if f.refuse != nil {
		return nil, f.refuse
	}
	return f, nil
}

func (f *fakeStore) Probe(ctx context.Context, key Key) Sighting {
	f.mu.Lock()
	f.asked = append(f.asked, key)
	answer := f.every
	if answer == nil {
		answer = f.answers[key.Name]
	}
	f.mu.Unlock()
	if answer == nil {
		return Sighting{Outcome: v1alpha1.OutcomeNotFound}
	}
	return answer(ctx, key)
}

func (f *fakeStore) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return nil
}

// takeAsked gives the names of the keys that were asked for since it was last called; those that were to be used with an exclamation mark.
func (f *fakeStore) takeAsked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, k := range f.asked {
		name := k.Name
		if k.RoundTrip {
			name += "!"
		}
		names = append(names, name)
	}
	f.asked = nil
	return names
}

// set has the store answer this of the key kek.
func (f *fakeStore) set(answer func(context.Context, Key) Sighting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers["kek"] = answer
}

func (f *fakeStore) setAll(answer func(context.Context, Key) Sighting) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.every = answer
}

func print64(letter string) string {
	return "sha256:" + fmt.Sprintf("%064s", letter)
}

// good is a key that is what it should be.
func good(letter string, more ...Fact) func(context.Context, Key) Sighting {
	return func(_ context.Context, k Key) Sighting {
		facts := append([]Fact{{Name: keys.FactAlgorithm, Value: "AES", Evidence: v1alpha1.EvidenceReported}}, more...)
		if k.RoundTrip {
			facts = append(facts, Fact{Name: keys.FactUsable, Value: "true", Evidence: v1alpha1.EvidenceTested})
		}
		return Sighting{Outcome: v1alpha1.OutcomeFound, Fingerprint: print64(letter), Facts: facts}
	}
}

func saying(outcome v1alpha1.ProbeOutcome, message string) func(context.Context, Key) Sighting {
	return func(context.Context, Key) Sighting { return Sighting{Outcome: outcome, Message: message} }
}

func keyStore(name string, tweaks ...func(*v1alpha1.KeyStore)) *v1alpha1.KeyStore {
	s := &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-of-" + name), Generation: 1}}
	s.Spec = v1alpha1.KeyStoreSpec{
		Type: v1alpha1.KeyStoreTransit, CredentialsSecretRef: &v1alpha1.SecretReference{Name: "token"},
		Probe: v1alpha1.KeyProbe{From: v1alpha1.ProbeFromManager, Interval: "5m", RoundTripInterval: "1h", Timeout: "5s"},
	}
	for _, tweak := range tweaks {
		tweak(s)
	}
	return s
}

func encryptionKey(name, store string) *v1alpha1.EncryptionKey {
	k := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-of-" + name), Generation: 1}}
	k.Spec = v1alpha1.EncryptionKeySpec{Store: v1alpha1.ObjectName(store), Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: name}}}
	return k
}

func secret(name string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name, UID: types.UID("uid-of-" + name)},
		Data:       map[string][]byte{"token": []byte("hvs.secret"), "pin": []byte("1234")},
	}
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	if err := v1alpha1.AddToScheme(s); err != nil {
		t.Fatal(err)
	}
	return s
}

// onStage plays a scenario in a bubble of time. The observer has been started, and has done what there was to do.
func onStage(t *testing.T, objects []client.Object, answers map[string]func(context.Context, Key) Sighting, play func(*stage)) {
	t.Helper()
	onStageAs(t, v1alpha1.ManagerObserver, objects, answers, play)
}

// onStageAs is onStage for an observer of another name than manager.
func onStageAs(t *testing.T, name string, objects []client.Object, answers map[string]func(context.Context, Key) Sighting, play func(*stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{T: t, name: name, store: &fakeStore{answers: answers}}
		built := fake.NewClientBuilder().WithScheme(scheme(t)).WithStatusSubresource(&v1alpha1.KeyStore{}).WithObjects(objects...).Build()
		s.WithWatch = interceptor.NewClient(built, s.counting())
		s.start()
		defer s.quit()
		play(s)
	})
}

// start starts an observer, or another one after the first has ended.
func (s *stage) start() {
	s.observer = NewObserver(ObserverOptions{
		Name: s.name, Client: s.WithWatch, Live: s.WithWatch, Now: time.Now, Log: logr.Discard(),
		Openers: map[v1alpha1.KeyStoreType]Opener{v1alpha1.KeyStoreTransit: s.store.open, v1alpha1.KeyStorePKCS11: s.store.open},
	})
	ctx, stop := context.WithCancel(s.Context())
	s.stop, s.ended = stop, make(chan struct{})
	go func() {
		defer close(s.ended)
		if err := s.observer.Start(ctx); err != nil {
			s.Error(err)
		}
	}()
	synctest.Wait()
}

func (s *stage) quit() {
	s.stop()
	<-s.ended
}

// later lets time pass, and everybody do what is due.
func (s *stage) later(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// sweep lets so much time pass that every store is swept, once.
func (s *stage) sweep() { s.later(interval*11/10 + time.Second) }

// touch tells the observer of a change, as the cache would.
func (s *stage) touch(store string) {
	s.observer.Touch(store)
	synctest.Wait()
}

// counting notes every write.
func (s *stage) counting() interceptor.Funcs {
	note := func(format string, a ...any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writes = append(s.writes, fmt.Sprintf(format, a...))
	}
	return interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			switch named := o.(type) {
			case interface{ GetName() *string }:
				note("apply %s", *named.GetName())
			case interface{ GetName() string }:
				note("apply %s", named.GetName())
			}
			if _, lease := o.(*coordinationv1ac.LeaseApplyConfiguration); s.refusing.Load() && !lease {
				return errors.New("refused")
			}
			return c.Apply(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			note("delete %s", o.GetName())
			return c.Delete(ctx, o, opts...)
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			note("patch %s of %s", sub, o.GetName())
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
}

// takeWrites gives what was written since it was last called.
func (s *stage) takeWrites() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes
	s.writes = nil
	slices.Sort(writes)
	return writes
}

// told is what the observer tells of a key. It fails the test if that is nothing.
func (s *stage) told(key string) v1alpha1.KeyObservationSpec {
	s.Helper()
	o := &v1alpha1.KeyObservation{}
	if err := s.Get(s.Context(), client.ObjectKey{Name: key + "." + s.name}, o); err != nil {
		s.Fatal(err)
	}
	return o.Spec
}

// confirmed is when a sweep last began that confirmed all. Zero: never.
func (s *stage) confirmed() time.Time {
	s.Helper()
	lease := &coordinationv1.Lease{}
	err := s.Get(s.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: LeaseName("bao", "manager")}, lease)
	if client.IgnoreNotFound(err) != nil {
		s.Fatal(err)
	}
	if err != nil {
		return time.Time{}
	}
	return lease.Spec.RenewTime.Time
}

// must fails the test if an error came of it.
func (s *stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// same compares.
func same[T any](t testing.TB, what string, got, want T, equal func(a, b T) bool) {
	t.Helper()
	if !equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func names(s *stage, what string, got []string, want ...string) {
	s.Helper()
	same(s, what, got, want, slices.Equal[[]string])
}
