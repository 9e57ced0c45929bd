package keystore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func hsm() *v1alpha1.KeyStore {
	return keyStore("hsm", func(s *v1alpha1.KeyStore) {
		s.Spec.Type = v1alpha1.KeyStorePKCS11
		s.Spec.CredentialsSecretRef.Name = "pin"
		s.Status.Keys = 7 // somebody else's
	})
}

// latchWorld is a cluster with an HSM whose PIN is in a Secret.
type latchWorld struct {
	testing.TB
	client.WithWatch
}

func newLatchWorld(t testing.TB, s *v1alpha1.KeyStore, funcs interceptor.Funcs) *latchWorld {
	t.Helper()
	tester, ok := t.(*testing.T)
	if !ok {
		t.Fatal("not a test")
	}
	built := fake.NewClientBuilder().WithScheme(scheme(tester)).WithStatusSubresource(&v1alpha1.KeyStore{}).WithObjects(s, secret("pin")).Build()
	return &latchWorld{t, interceptor.NewClient(built, funcs)}
}

// latch is that of an observer who has just read the Secret.
func (w *latchWorld) latch(observer string) *statusLatch {
	w.Helper()
	is := secret("pin")
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(is), is); err != nil {
		w.Fatal(err)
	}
	o := NewObserver(ObserverOptions{Name: observer, Client: w.WithWatch, Live: w.WithWatch, Now: time.Now})
	return newLatch(o, "hsm", secretVersion{"pin", string(is.UID), is.ResourceVersion})
}

func (w *latchWorld) login() *v1alpha1.KeyStoreLogin {
	w.Helper()
	s := &v1alpha1.KeyStore{}
	if err := w.Get(w.Context(), client.ObjectKey{Name: "hsm"}, s); err != nil {
		w.Fatal(err)
	}
	if s.Status.Keys != 7 {
		w.Error("the latch wrote over the rest of the status")
	}
	return s.Status.Login
}

func (w *latchWorld) newPIN(pin string) {
	w.Helper()
	is := secret("pin")
	if err := w.Get(w.Context(), client.ObjectKeyFromObject(is), is); err != nil {
		w.Fatal(err)
	}
	is.Data["pin"] = []byte(pin)
	if err := w.Update(w.Context(), is); err != nil {
		w.Fatal(err)
	}
}

func (w *latchWorld) refused(l *statusLatch, countLow bool, says string) {
	w.Helper()
	before := w.login()
	err := l.Enter(w.Context(), countLow)
	if err == nil || !strings.Contains(err.Error(), says) {
		w.Errorf("got %v; want a refusal that says %q", err, says)
	}
	if strings.Contains(err.Error(), "1234") {
		w.Error("the refusal tells the PIN")
	}
	if after := w.login(); (before == nil) != (after == nil) || before != nil && *before != *after {
		w.Errorf("a refusal wrote %+v", after)
	}
}

func (w *latchWorld) entered(l *statusLatch, countLow bool) {
	w.Helper()
	if err := l.Enter(w.Context(), countLow); err != nil {
		w.Fatalf("refused: %v", err)
	}
	if is := w.login(); is == nil || is.State != v1alpha1.LoginTrying || is.Observer != l.observer || is.SecretVersion != l.secret.version {
		w.Fatalf("entered, and the latch says %+v", is)
	}
}

func (w *latchWorld) left(l *statusLatch, accepted bool, state v1alpha1.LoginState) {
	w.Helper()
	if err := l.Leave(w.Context(), accepted); err != nil {
		w.Fatal(err)
	}
	if is := w.login(); is.State != state || is.Succeeded != accepted {
		w.Fatalf("left, and the latch says %+v", is)
	}
}

func TestAWrongPINIsTriedOnce(t *testing.T) {
	w := newLatchWorld(t, hsm(), interceptor.Funcs{})
	l := w.latch("manager")
	w.entered(l, false)
	w.left(l, false, v1alpha1.LoginFailed)
	w.refused(l, false, "was refused once; it is not tried again until the Secret changes")
	w.refused(w.latch("manager"), false, "was refused once") // started again
	w.refused(w.latch("par1"), false, "was refused once")    // somebody else
	w.newPIN("5678")
	w.refused(l, false, "Secret pin has changed since it was read") // who holds the old one still
	next := w.latch("manager")
	w.entered(next, true) // the count is low because the old one was refused
	w.left(next, true, v1alpha1.LoginSucceeded)
}

func TestAGoodPINIsTriedAgain(t *testing.T) {
	w := newLatchWorld(t, hsm(), interceptor.Funcs{})
	for range 3 {
		l := w.latch("manager")
		w.entered(l, false)
		w.left(l, true, v1alpha1.LoginSucceeded)
	}
	l := w.latch("par1")
	w.entered(l, true) // somebody else's typing error is no reason
	w.left(l, false, v1alpha1.LoginFailed)
	w.refused(w.latch("manager"), false, "was refused once")
}

func TestWhoDiesTryingLeavesTheLatchClosed(t *testing.T) {
	now := time.Now()
	trying := func(observer string, age time.Duration, succeeded bool) *v1alpha1.KeyStoreLogin {
		return &v1alpha1.KeyStoreLogin{State: v1alpha1.LoginTrying, Observer: observer, At: metav1.NewTime(now.Add(-age).Truncate(time.Second)), Succeeded: succeeded}
	}
	for sentence, c := range map[string]struct {
		left     *v1alpha1.KeyStoreLogin
		countLow bool
		refusal  string // empty: none
		passing  bool
	}{
		"I, and it had never succeeded":                             {trying("manager", time.Hour, false), false, "what came of it is not known", false},
		"I, and it had succeeded before":                            {trying("manager", 0, true), false, "", false},
		"I, it had succeeded, and the token counts a failure":       {trying("manager", 0, true), true, "the token counts a failed login", false},
		"another, just now":                                         {trying("par1", time.Minute, false), false, "observer par1 is trying the PIN", true},
		"another, just now, and it had succeeded before":            {trying("par1", time.Minute, true), false, "observer par1 is trying the PIN", true},
		"another, long ago, and it had never succeeded":             {trying("par1", time.Hour, false), false, "what came of it is not known", false},
		"another, long ago, and it had succeeded":                   {trying("par1", time.Hour, true), false, "", false},
		"another, long ago, it had succeeded, and a failure counts": {trying("par1", time.Hour, true), true, "the token counts a failed login", false},
		"a state that nobody knows":                                 {&v1alpha1.KeyStoreLogin{State: "Pondering", Observer: "par1", Succeeded: true}, false, `"Pondering"`, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := newLatchWorld(t, hsm(), interceptor.Funcs{})
			l := w.latch("manager")
			s := hsm()
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil {
				t.Fatal(err)
			}
			s.Status.Login = c.left
			s.Status.Login.SecretUID, s.Status.Login.SecretVersion = l.secret.uid, l.secret.version
			if err := w.Status().Update(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if c.refusal == "" {
				w.entered(l, c.countLow)
				if !w.login().Succeeded {
					t.Error("that it had succeeded is forgotten")
				}
				return
			}
			w.refused(l, c.countLow, c.refusal)
			if l.passing.Load() != c.passing {
				t.Errorf("passing: %t", l.passing.Load())
			}
		})
	}
}

func TestOfManyWhoRaceForAWrongPINOneTries(t *testing.T) {
	const racers = 100
	var reads, tried atomic.Int32
	var racing sync.WaitGroup
	allHaveRead := make(chan struct{}) // before that nobody writes
	w := newLatchWorld(t, hsm(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			err := c.Get(ctx, key, o, opts...)
			if _, ok := o.(*v1alpha1.KeyStore); ok && reads.Add(1) == racers {
				close(allHaveRead)
			}
			return err
		},
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			<-allHaveRead
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	for i := range racers {
		l := w.latch([]string{"manager", "par1", "par2"}[i%3])
		racing.Go(func() {
			if l.Enter(t.Context(), false) != nil {
				return
			}
			tried.Add(1)
			if err := l.Leave(t.Context(), false); err != nil {
				t.Error(err)
			}
		})
	}
	racing.Wait()
	if n := tried.Load(); n != 1 {
		t.Errorf("a wrong PIN was tried %d times", n)
	}
	if is := w.login(); is.State != v1alpha1.LoginFailed {
		t.Errorf("the latch says %+v", is)
	}
}

func TestNothingIsTriedWhenTheLatchCannotBeWritten(t *testing.T) {
	down := errors.New("the API server is away")
	for sentence, funcs := range map[string]interceptor.Funcs{
		"the KeyStore cannot be read": {Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, ok := o.(*v1alpha1.KeyStore); ok {
				return down
			}
			return c.Get(ctx, key, o, opts...)
		}},
		"the status cannot be written": {SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return down
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			l := newLatchWorld(t, hsm(), funcs).latch("manager")
			if err := l.Enter(t.Context(), false); !errors.Is(err, down) {
				t.Errorf("got %v", err)
			}
			if err := l.Leave(t.Context(), true); err == nil {
				t.Error("left what was not entered")
			}
		})
	}
}

func TestWhoeverWritesInBetweenIsReadFirst(t *testing.T) {
	var w *latchWorld
	var passed atomic.Bool
	w = newLatchWorld(t, hsm(), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if passed.CompareAndSwap(false, true) { // another one is faster, and his PIN is refused
				other := w.latch("par1")
				w.entered(other, false)
				w.left(other, false, v1alpha1.LoginFailed)
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	if err := w.latch("manager").Enter(t.Context(), false); err == nil || !strings.Contains(err.Error(), "was refused once") {
		t.Errorf("got %v", err)
	}
}

// What came of a login is told as soon as it can be, and before the next one.
func TestWhatCameOfALoginIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		w := newLatchWorld(t, hsm(), interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				if away.Load() {
					return apierrors.NewServiceUnavailable("away")
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		})
		l := w.latch("manager")
		w.entered(l, false)
		away.Store(true)
		ending, end := context.WithCancel(t.Context())
		end() // the probe's time is over
		if err := l.Leave(ending, true); err == nil {
			t.Fatal("left, and nothing was written")
		}
		if is := w.login(); is.State != v1alpha1.LoginTrying {
			t.Fatalf("the latch says %+v", is)
		}
		away.Store(false)
		w.entered(l, true)
		if !w.login().Succeeded {
			t.Error("that the PIN was accepted was not told before it was tried again")
		}
		w.left(l, true, v1alpha1.LoginSucceeded)

		w.entered(l, false)
		away.Store(true)
		go func() { <-time.After(5 * time.Second); away.Store(false) }()
		if err := l.Leave(ending, false); err != nil {
			t.Errorf("it did not go on trying: %v", err)
		}
		if is := w.login(); is.State != v1alpha1.LoginFailed || is.Succeeded {
			t.Errorf("the latch says %+v", is)
		}
	})
}

func TestWhoComesTooLateTriesNothingAndLeavesNoTrace(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newLatchWorld(t, hsm(), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			cancel()
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	l := w.latch("manager")
	if err := l.Enter(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if is := w.login(); is != nil {
		t.Errorf("the latch says %+v", is)
	}
	if !l.passing.Load() {
		t.Error("that is nothing that stays")
	}
}

func TestWhoLeavesLateDoesNotTouchANewerAttempt(t *testing.T) {
	w := newLatchWorld(t, hsm(), interceptor.Funcs{})
	slow := w.latch("manager")
	w.entered(slow, false)
	w.newPIN("5678")
	next := w.latch("par1")
	w.entered(next, false)
	if err := slow.Leave(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if is := w.login(); is.State != v1alpha1.LoginTrying || is.Observer != "par1" {
		t.Errorf("the latch says %+v", is)
	}
	w.left(next, true, v1alpha1.LoginSucceeded)
}

// Through the whole engine: the prober enters the latch at each login, and a wrong PIN costs one try, over sweeps, restarts and replicas.
func TestAnObserverTriesAWrongPINOnce(t *testing.T) {
	onStageAs(t, v1alpha1.AgentObserver, []client.Object{hsm(), secret("pin"), encryptionKey("a", "hsm"), encryptionKey("b", "hsm")}, answers{}, func(s *stage) {
		tried := map[string]int{}
		right := "5678"
		s.store.setAll(func(ctx context.Context, k Key) Sighting {
			s.store.mu.Lock()
			store := s.store.opened[len(s.store.opened)-1]
			s.store.mu.Unlock()
			if err := store.Latch.Enter(ctx, false); err != nil {
				return Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: err.Error()}
			}
			pin := string(store.Credentials.Secret["pin"])
			tried[pin]++
			if err := store.Latch.Leave(ctx, pin == right); err != nil {
				s.Error(err)
			}
			if pin != right {
				return Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: "the PIN is refused"}
			}
			return good("a")(ctx, k)
		})
		s.touch("hsm")
		for range 5 {
			s.sweep()
			s.quit()
			s.start()
		}
		if tried["1234"] != 1 {
			t.Errorf("the wrong PIN was tried %d times", tried["1234"])
		}
		if told := s.told("a"); told.Outcome != v1alpha1.OutcomeUnauthenticated || !strings.Contains(told.Message, "was refused once") || strings.Contains(told.Message, "1234") {
			t.Errorf("told %+v", told)
		}
		w := &latchWorld{t, s.WithWatch}
		w.newPIN(right)
		s.sweep()
		same(t, "outcome", s.told("b").Outcome, v1alpha1.OutcomeFound, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
		if tried["1234"] != 1 {
			t.Errorf("the wrong PIN was tried %d times", tried["1234"])
		}
	})
}
