package keystore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

const (
	// abandonedAfter is after how long an attempt of somebody else is taken to be one that nobody will finish.
	abandonedAfter = 10 * time.Minute
	// settleWithin is how long a write of the latch may take. It goes on when the probe's time is over: what was tried must be told.
	settleWithin = 30 * time.Second
	// settleEvery is how long it waits before it tries to write again.
	settleEvery = 500 * time.Millisecond
)

// secretVersion is one version of a Secret.
type secretVersion struct {
	name, uid, version string
}

// statusLatch is the latch in KeyStore.status.login.
//
// Its law: a PIN is tried only by whoever has just written, under optimistic concurrency, that he tries this very version of the Secret. He may write
// that if nobody tried this version, or if it was accepted before and nothing speaks against it; never if it was refused, and never if nobody knows
// what came of the last try. Whatever cannot be read or written means: do not try.
type statusLatch struct {
	live     client.Reader
	writer   client.Client
	store    types.NamespacedName // the KeyStore
	secret   secretVersion        // whose PIN the prober has
	observer string
	now      func() time.Time

	// turn is held by whoever enters or leaves: a library that does not come back in time may be left by one who has gone on.
	turn chan struct{}
	// mine is the attempt that was entered and not left, and answer what came of it, as long as that could not be written.
	mine   *v1alpha1.KeyStoreLogin
	answer v1alpha1.LoginState
	// passing says that the last refusal will pass without anybody doing anything.
	passing atomic.Bool
}

// newLatch makes the latch of a store for one version of its Secret.
func newLatch(o *Observer, store string, secret secretVersion) *statusLatch {
	return &statusLatch{
		live: o.Live, writer: o.Client, store: types.NamespacedName{Name: store}, secret: secret, observer: o.Name, now: o.Now, turn: make(chan struct{}, 1),
	}
}

// Enter implements [Latch].
func (l *statusLatch) Enter(ctx context.Context, countLow bool) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("the PIN is not tried: the last login has not ended yet: %w", ctx.Err())
	}
	defer func() { <-l.turn }()
	l.passing.Store(false)
	if l.answer != "" {
		if err := l.settle(ctx); err != nil {
			return err
		}
	}
	for {
		store, err := l.read(ctx)
		if err != nil {
			return err
		}
		if err := l.mayTry(store.Status.Login, countLow); err != nil {
			return err
		}
		err = l.claim(ctx, store)
		if apierrors.IsConflict(err) && ctx.Err() == nil {
			continue // somebody else wrote: look again
		}
		return err
	}
}

// read gives the KeyStore as it is, if the Secret still is what the PIN was read from. The KeyStore comes first: a write that builds on it then fails if
// somebody has tried a newer version meanwhile.
func (l *statusLatch) read(ctx context.Context) (*v1alpha1.KeyStore, error) {
	store := &v1alpha1.KeyStore{}
	if err := l.live.Get(ctx, l.store, store); err != nil {
		return nil, fmt.Errorf("the PIN is not tried: reading whether it was tried before failed: %w", err)
	}
	secret := &corev1.Secret{}
	if err := l.live.Get(ctx, types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: l.secret.name}, secret); err != nil {
		return nil, fmt.Errorf("the PIN is not tried: reading whether Secret %s is still the same failed: %w", l.secret.name, err)
	}
	if string(secret.UID) != l.secret.uid || secret.ResourceVersion != l.secret.version {
		l.passing.Store(true)
		return nil, fmt.Errorf("the PIN is not tried: Secret %s has changed since it was read", l.secret.name)
	}
	return store, nil
}

// mayTry decides. Nil: nothing stands against it.
func (l *statusLatch) mayTry(login *v1alpha1.KeyStoreLogin, countLow bool) error {
	if login == nil || login.SecretUID != l.secret.uid || login.SecretVersion != l.secret.version {
		return nil
	}
	switch login.State {
	case v1alpha1.LoginSucceeded:
		return nil
	case v1alpha1.LoginFailed:
		return fmt.Errorf("the PIN in Secret %s (version %s) was refused once; it is not tried again until the Secret changes", l.secret.name, l.secret.version)
	case v1alpha1.LoginTrying:
		return l.mayTryAgain(login, countLow)
	default: // nobody knows what it means
		return fmt.Errorf("the PIN in Secret %s is not tried: status.login.state is %q", l.secret.name, login.State)
	}
}

// mayTryAgain decides where an attempt was begun and its end never told.
func (l *statusLatch) mayTryAgain(login *v1alpha1.KeyStoreLogin, countLow bool) error {
	abandoned := login.Observer == l.observer || l.now().Sub(login.At.Time) > abandonedAfter
	switch {
	case !abandoned:
		l.passing.Store(true)
		return fmt.Errorf("observer %s is trying the PIN in Secret %s", login.Observer, l.secret.name)
	case !login.Succeeded:
		return fmt.Errorf("observer %s began to try the PIN in Secret %s (version %s), and what came of it is not known; it is not tried again until the Secret changes",
			login.Observer, l.secret.name, l.secret.version)
	case countLow:
		return fmt.Errorf("the token counts a failed login, and what came of the last one with Secret %s (version %s) is not known; it is not tried again until the Secret changes, or somebody logs in",
			l.secret.name, l.secret.version)
	default:
		return nil
	}
}

// claim writes that this observer tries, if the KeyStore is still as it was read. It is not interrupted: whether it was written would not be known.
func (l *statusLatch) claim(ctx context.Context, store *v1alpha1.KeyStore) error {
	before := store.Status.Login
	login := &v1alpha1.KeyStoreLogin{
		SecretUID: l.secret.uid, SecretVersion: l.secret.version, State: v1alpha1.LoginTrying, Observer: l.observer,
		At:        metav1.NewTime(seconds(l.now())),
		Succeeded: before != nil && before.SecretUID == l.secret.uid && before.SecretVersion == l.secret.version && (before.Succeeded || before.State == v1alpha1.LoginSucceeded),
	}
	writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	if err := l.write(writing, store, login); err != nil {
		return fmt.Errorf("the PIN is not tried: writing that it will be failed: %w", err)
	}
	l.mine = login
	if ctx.Err() == nil {
		return nil
	}
	// Too late to try: whoever asked has gone. What was not tried need not be remembered.
	l.mine = nil
	if err := l.write(writing, store, before); err != nil {
		return fmt.Errorf("the PIN was not tried in time, and taking back that it would be failed: %w", err)
	}
	l.passing.Store(true)
	return fmt.Errorf("the PIN was not tried in time: %w", ctx.Err())
}

// Leave implements [Latch].
func (l *statusLatch) Leave(ctx context.Context, accepted bool) error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	if l.mine == nil {
		return errors.New("leaving a login that was never entered")
	}
	l.answer = v1alpha1.LoginFailed
	if accepted {
		l.answer = v1alpha1.LoginSucceeded
	}
	return l.settle(ctx)
}

// settle writes what came of the attempt, again and again. What is not written in time is remembered, and written before the next attempt; if the process
// ends before, the attempt remains one whose end nobody knows.
func (l *statusLatch) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleWithin)
	defer cancel()
	again := time.NewTicker(settleEvery)
	defer again.Stop()
	for {
		err := l.tell(ctx)
		if err == nil {
			l.mine, l.answer = nil, ""
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("writing what came of the login with Secret %s: %w", l.secret.name, err)
		case <-again.C:
		}
	}
}

// tell writes what came of the attempt, if the latch still tells of it: somebody may have gone on with another version of the Secret.
func (l *statusLatch) tell(ctx context.Context) error {
	store := &v1alpha1.KeyStore{}
	if err := l.live.Get(ctx, l.store, store); err != nil {
		return client.IgnoreNotFound(err) // with the KeyStore its latch is gone
	}
	if !equality.Semantic.DeepEqual(store.Status.Login, l.mine) {
		return nil
	}
	login := *l.mine
	login.State, login.Succeeded = l.answer, l.answer == v1alpha1.LoginSucceeded
	return l.write(ctx, store, &login)
}

// write writes status.login and nothing else, if the KeyStore is still the one that was read, and unchanged. The KeyStore then is as the API server answers.
func (l *statusLatch) write(ctx context.Context, store *v1alpha1.KeyStore, login *v1alpha1.KeyStoreLogin) error {
	var told any // null takes it away
	if login != nil {
		told = map[string]any{ // every field, so that none of an earlier login remains
			"secretUID": login.SecretUID, "secretVersion": login.SecretVersion, "state": login.State, "succeeded": login.Succeeded,
			"observer": login.Observer, "at": login.At,
		}
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": store.UID, "resourceVersion": store.ResourceVersion},
		"status":   map[string]any{"login": told},
	})
	if err != nil {
		return fmt.Errorf("encoding status.login of KeyStore %s: %w", l.store.Name, err)
	}
	if err := l.writer.Status().Patch(ctx, store, client.RawPatch(types.MergePatchType, patch), fieldOwner(l.observer)); err != nil {
		return fmt.Errorf("writing status.login of KeyStore %s: %w", l.store.Name, err)
	}
	return nil
}

// fieldOwner is the field manager under which an observer writes.
func fieldOwner(observer string) client.FieldOwner {
	return client.FieldOwner(v1alpha1.FieldOwner + "-" + observer)
}

// seconds is a time as API objects keep it.
func seconds(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
