package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Pass is the one request of every loop: look at the world.
type Pass struct{}

// Clock gives the time. Loops ask it once per pass.
type Clock func() time.Time

// How long events gather before a pass. A loss has to be carried out within a second; counting can wait for company.
const (
	atOnce    = 20 * time.Millisecond
	shortly   = 100 * time.Millisecond
	atLeisure = 500 * time.Millisecond
)

// longestSleep bounds how long a loop waits for a moment it knows of. Timers run on the monotonic clock; should the wall clock be
// set forward, the loop notices by then.
const longestSleep = 10 * time.Minute

// wakeAt asks for a pass at the earliest of the given moments; zero moments are none.
func wakeAt(now time.Time, moments ...time.Time) reconcile.Result {
	wait := time.Duration(0)
	for _, m := range moments {
		if m.IsZero() {
			continue
		}
		until := min(max(m.Sub(now), time.Millisecond), longestSleep)
		if wait == 0 || until < wait {
			wait = until
		}
	}
	return reconcile.Result{RequeueAfter: wait}
}

// soon queues a pass that gathers events for a while.
func soon[O any](after time.Duration) handler.TypedEventHandler[O, Pass] {
	type queue = workqueue.TypedRateLimitingInterface[Pass]
	return handler.TypedFuncs[O, Pass]{
		CreateFunc:  func(_ context.Context, _ event.TypedCreateEvent[O], q queue) { q.AddAfter(Pass{}, after) },
		UpdateFunc:  func(_ context.Context, _ event.TypedUpdateEvent[O], q queue) { q.AddAfter(Pass{}, after) },
		DeleteFunc:  func(_ context.Context, _ event.TypedDeleteEvent[O], q queue) { q.AddAfter(Pass{}, after) },
		GenericFunc: func(_ context.Context, _ event.TypedGenericEvent[O], q queue) { q.AddAfter(Pass{}, after) },
	}
}

// watch is one kind of object whose events lead to a pass.
type watch struct {
	object client.Object
	after  time.Duration
	// news decides whether an update concerns the loop; nil: every one.
	news func(before, after client.Object) bool
	// about decides whether an object concerns the loop at all; nil: every one.
	about func(client.Object) bool
}

func (w watch) predicates() []builder.WatchesOption {
	concerns := func(o client.Object) bool { return w.about == nil || w.about(o) }
	return []builder.WatchesOption{builder.WithPredicates(predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return concerns(e.Object) },
		DeleteFunc: func(e event.DeleteEvent) bool { return concerns(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return concerns(e.ObjectNew) && (w.news == nil || w.news(e.ObjectOld, e.ObjectNew))
		},
	})}
}

// loop describes a controller of this package.
type loop struct {
	name string
	// everywhere: it runs on every replica, not on the leader alone.
	everywhere bool
	watches    []watch
	// after is how long an announcement of a new snapshot waits; announcements is nil where the loop does not depend on it.
	announcements *announcements
	after         time.Duration
	pass          func(context.Context) (reconcile.Result, error)
}

func (l loop) start(mgr ctrl.Manager) error {
	leader := !l.everywhere
	b := builder.TypedControllerManagedBy[Pass](mgr).Named(l.name).
		WithOptions(controller.TypedOptions[Pass]{NeedLeaderElection: &leader, MaxConcurrentReconciles: 1, RateLimiter: backoff()})
	for _, w := range l.watches {
		b = b.Watches(w.object, soon[client.Object](w.after), w.predicates()...)
	}
	if l.announcements != nil {
		b = b.WatchesRawSource(source.TypedChannel(l.announcements.subscribe(), soon[struct{}](l.after)))
	}
	b = b.WatchesRawSource(source.TypedFunc[Pass](func(_ context.Context, q workqueue.TypedRateLimitingInterface[Pass]) error {
		q.Add(Pass{}) // an empty cluster has no events, and still wants a first pass
		return nil
	}))
	reconciler := reconcile.TypedFunc[Pass](func(ctx context.Context, _ Pass) (reconcile.Result, error) { return l.pass(ctx) })
	if err := b.Complete(reconciler); err != nil {
		return fmt.Errorf("starting the loop %s: %w", l.name, err)
	}
	return nil
}

// backoff is short: a loop that failed has somebody waiting for it, and may have forgotten when a date passes.
func backoff() workqueue.TypedRateLimiter[Pass] {
	return workqueue.NewTypedItemExponentialFailureRateLimiter[Pass](50*time.Millisecond, 5*time.Second)
}

// announcements tell the loops that a new snapshot was published.
type announcements struct {
	subscribers []chan event.TypedGenericEvent[struct{}]
}

// subscribe must be called before the manager starts.
func (a *announcements) subscribe() <-chan event.TypedGenericEvent[struct{}] {
	c := make(chan event.TypedGenericEvent[struct{}], 1)
	a.subscribers = append(a.subscribers, c)
	return c
}

// announce never waits: a subscriber that has not yet taken the last announcement will see the newest snapshot anyway.
func (a *announcements) announce() {
	for _, c := range a.subscribers {
		select {
		case c <- event.TypedGenericEvent[struct{}]{}:
		default:
		}
	}
}
