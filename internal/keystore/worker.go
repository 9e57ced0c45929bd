package keystore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

const (
	// firstRetry is how soon a store that did not answer is asked again at first. Each time that it does not it is twice as long, up to the store's interval.
	firstRetry = 5 * time.Second
	// idle is how long a worker waits whose store is gone. It will be stopped before.
	idle = time.Minute
)

// worker asks one store: all keys once an interval, new ones at once, one after the other.
type worker struct {
	*Observer

	store string
	wake  chan struct{} // one place
	stop  context.CancelFunc
	done  chan struct{}

	connection *connection
	keys       map[string]*memory
	// confirmed is when a sweep last began that found all keys as they are told. Zero: not known.
	confirmed time.Time
	recalled  bool
	// trouble is what the store as a whole last said instead of answering. Nil: it answered.
	trouble  *Sighting
	failures int
	// due is when all keys are to be looked at again, and swept the store as it was when they last were.
	due   time.Time
	swept basis
}

func newWorker(o *Observer, store string, stop context.CancelFunc) *worker {
	return &worker{Observer: o, store: store, wake: make(chan struct{}, 1), stop: stop, done: make(chan struct{}), keys: map[string]*memory{}}
}

// poke has the worker look at what is new.
func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

func (w *worker) run(ctx context.Context) {
	defer close(w.done)
	defer func() { w.connection.close(w.Observer) }()
	for {
		timer := time.NewTimer(w.turn(ctx))
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// world is what a worker sees of the cluster: its store, and by their names the store's keys and what this observer told of them.
type world struct {
	store *v1alpha1.KeyStore
	keys  []*v1alpha1.EncryptionKey // sorted by name
	told  map[string]*v1alpha1.KeyObservation
}

// turn does what is to be done now, and says when there is more.
func (w *worker) turn(ctx context.Context) time.Duration {
	world, err := w.gather(ctx)
	if client.IgnoreNotFound(err) != nil {
		w.Log.Error(err, "looking at a key store failed", "store", w.store)
		return firstRetry
	}
	if err != nil {
		return idle
	}
	w.recall(ctx, world)
	w.forget(ctx, world)
	began := w.Now()
	is := basis{uid: world.store.UID, generation: world.store.Generation}
	if w.swept != is || !began.Before(w.due) {
		w.sweep(ctx, world, began)
		w.swept = is
	} else {
		w.lookAtNew(ctx, world)
	}
	return max(0, w.due.Sub(w.Now()))
}

func (w *worker) gather(ctx context.Context) (world, error) {
	found := world{store: &v1alpha1.KeyStore{}, told: map[string]*v1alpha1.KeyObservation{}}
	if err := w.Client.Get(ctx, client.ObjectKey{Name: w.store}, found.store); err != nil {
		return world{}, fmt.Errorf("reading KeyStore %s: %w", w.store, err)
	}
	var all v1alpha1.EncryptionKeyList
	if err := w.Client.List(ctx, &all); err != nil {
		return world{}, fmt.Errorf("listing encryption keys: %w", err)
	}
	for i := range all.Items {
		if string(all.Items[i].Spec.Store) == w.store {
			found.keys = append(found.keys, &all.Items[i])
		}
	}
	slices.SortFunc(found.keys, func(a, b *v1alpha1.EncryptionKey) int { return strings.Compare(a.Name, b.Name) })
	var told v1alpha1.KeyObservationList
	if err := w.Client.List(ctx, &told); err != nil {
		return world{}, fmt.Errorf("listing key observations: %w", err)
	}
	for i := range told.Items {
		if string(told.Items[i].Spec.Observer) == w.Name {
			found.told[string(told.Items[i].Spec.Key)] = &told.Items[i]
		}
	}
	return found, nil
}

// recall begins to remember keys that are new to this worker, with what was told of them before.
func (w *worker) recall(ctx context.Context, world world) {
	if !w.recalled {
		w.confirmed, w.recalled = w.lastSweep(ctx), true
	}
	for _, key := range world.keys {
		if m := w.keys[key.Name]; m != nil && m.uid == key.UID {
			continue
		}
		var told *v1alpha1.KeyObservationSpec
		if o := world.told[key.Name]; o != nil {
			told = &o.Spec
		}
		w.keys[key.Name] = remember(key, told, w.confirmed)
	}
}

// forget takes back what was told of keys that are not in the store any more.
func (w *worker) forget(ctx context.Context, world world) {
	is := map[string]bool{}
	for _, key := range world.keys {
		is[key.Name] = true
	}
	for name := range w.keys {
		if !is[name] {
			delete(w.keys, name)
		}
	}
	for name, told := range world.told {
		if is[name] || string(told.Spec.Store) != w.store {
			continue
		}
		if err := w.delete(ctx, told); err != nil {
			w.Log.Error(err, "taking back what was told of a key failed", "store", w.store) // the next turn tries again
		}
	}
}

// sweep looks at every key, and confirms that all are as they are told.
func (w *worker) sweep(ctx context.Context, world world, began time.Time) {
	a := w.ask(ctx, world, world.keys)
	if ctx.Err() != nil {
		return
	}
	if a.complete() {
		if err := w.confirm(ctx, world.store, began); err != nil {
			w.Log.Error(err, "confirming what was told of keys failed", "store", w.store)
			a.unwritten = true
		}
	}
	interval := intervalOf(world.store)
	w.due = later(began.Add(jitter(interval)), w.Now().Add(interval/10)) // a store that is slow has a rest, too
	w.pace(a, interval)
}

// lookAtNew looks at keys that are new or were changed, and writes again what somebody deleted.
func (w *worker) lookAtNew(ctx context.Context, world world) {
	var fresh []*v1alpha1.EncryptionKey
	for _, key := range world.keys {
		m := w.keys[key.Name]
		switch {
		case m.told.Since.IsZero() || m.generation != key.Generation:
			fresh = append(fresh, key)
		case world.told[key.Name] == nil:
			if err := w.tell(ctx, key, m, nil); err != nil {
				w.Log.Error(err, "telling again what was seen of a key failed", "store", w.store) // the next sweep tries again
			}
		}
	}
	if len(fresh) == 0 {
		return
	}
	a := w.ask(ctx, world, fresh)
	if ctx.Err() == nil {
		w.pace(a, intervalOf(world.store))
	}
}

// pace decides when the store is asked again after what came of asking it. Without trouble that is when it is due anyway.
func (w *worker) pace(a asked, interval time.Duration) {
	if a.remembered && !a.unwritten {
		return
	}
	w.trouble = a.trouble
	if a.trouble == nil && !a.unwritten || a.final {
		w.failures = 0
		return
	}
	wait := min(interval, firstRetry<<min(w.failures, 16))
	w.failures++
	w.due = w.Now().Add(jitter(wait))
}

// intervalOf is how often all keys of a store are looked at.
func intervalOf(store *v1alpha1.KeyStore) time.Duration {
	return duration(store.Spec.Probe.Interval, 5*time.Minute)
}

// duration reads a span of time. The API server has defaulted and checked it; what is no span, or none at all, is the default.
func duration(d v1alpha1.ProbeDuration, absent time.Duration) time.Duration {
	parsed, err := time.ParseDuration(string(d))
	if err != nil || parsed <= 0 {
		return absent
	}
	return parsed
}

// jitter makes a span of time up to a tenth longer or shorter, so that stores are not asked all at once.
func jitter(d time.Duration) time.Duration {
	return d*9/10 + rand.N(d/5+1) //nolint:gosec // nobody gains by guessing it
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
