package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// loss is what follows when a qualification is suspended. Times count from the moment at which the API server has said that it is.
type loss struct {
	// edit is how long the API server took to say so.
	edit time.Duration
	// refused is when the first binding to a node that lost its level was refused; bound when the last one was sent that was not; zero
	// if none was.
	refused, bound time.Duration
	// first and last are when the first and the last node was no longer open.
	first, last time.Duration
}

// scheduler is who may bind pods.
const scheduler = "system:kube-scheduler"

// lose suspends a qualification and restores it, several times.
func (b *bench) lose(ctx context.Context, l *lab, f *figures) error {
	if err := l.terroir.client.Create(ctx, waiting()); err != nil {
		return fmt.Errorf("creating a pod that waits: %w", err)
	}
	tries, err := b.tries(l.terroir)
	if err != nil {
		return err
	}
	f.lostNodes = b.lost
	if f.byHand, err = b.labelByHand(ctx, l.terroir); err != nil {
		return err
	}
	b.say("a qualification under %d nodes is suspended, %d times", b.lost, b.losses)
	for range b.losses {
		if err := l.bindable(ctx, tries[0]); err != nil {
			return err
		}
		this, err := b.loseOnce(ctx, l.terroir, tries)
		if err != nil {
			return err
		}
		f.losses = append(f.losses, this)
		if _, _, err := l.terroir.qualify(ctx, v1alpha1.QualificationGranted); err != nil {
			return err
		}
		err = eventually(ctx, "the nodes to be open again", func(ctx context.Context) error { return l.terroir.opened(ctx, "bench-lost", b.lost) })
		if err != nil {
			return err
		}
	}
	return nil
}

// tries are bindings of the waiting pod to each node that will lose its level, as dry runs.
func (b *bench) tries(s *site) ([]creation, error) {
	by, err := s.ConfigFor(scheduler)
	if err != nil {
		return nil, err //nolint:wrapcheck // says what it was doing
	}
	all := make([]creation, b.lost)
	for i := range all {
		body, err := encoded(&corev1.Binding{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Binding"},
			ObjectMeta: metav1.ObjectMeta{Namespace: governed, Name: waiting().Name}, Target: corev1.ObjectReference{Kind: "Node", Name: nodeName(i)},
		})
		if err != nil {
			return nil, err
		}
		if all[i], err = s.request(by, "/api/v1/namespaces/"+governed+"/pods/"+waiting().Name+"/binding?dryRun=All", body); err != nil {
			return nil, err
		}
		all[i].client = all[0].client // one connection
	}
	return all, nil
}

// bindable sees that a binding would be accepted.
func (l *lab) bindable(ctx context.Context, try creation) error {
	return eventually(ctx, "bindings to be accepted", func(ctx context.Context) error {
		_, err := try.must(ctx)
		return err
	})
}

// labelByHand writes a label on the nodes that will lose their level: what anybody's writing costs here at this moment.
func (b *bench) labelByHand(ctx context.Context, s *site) (time.Duration, error) {
	begun := time.Now()
	err := inParallelly(b.lost, func(i int) error {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i)}}
		if err := s.client.Patch(ctx, n, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"bench/by-hand":"true"}}}`))); err != nil {
			return fmt.Errorf("labelling a node by hand: %w", err)
		}
		return nil
	})
	return time.Since(begun), err
}

// qualify sets the state of the qualification that is lost, and tells when the API server had said yes and how long it took.
func (s *site) qualify(ctx context.Context, state v1alpha1.QualificationState) (at time.Time, took time.Duration, err error) {
	begun := time.Now()
	q := &v1alpha1.Qualification{ObjectMeta: metav1.ObjectMeta{Name: "bench-lost"}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"state":%q}}`, state))
	if err := s.client.Patch(ctx, q, patch); err != nil {
		return time.Time{}, 0, fmt.Errorf("making a qualification %s: %w", state, err)
	}
	return time.Now(), time.Since(begun), nil
}

// loseOnce suspends the qualification while it goes on trying to bind and watches the labels go.
func (b *bench) loseOnce(ctx context.Context, s *site, tries []creation) (loss, error) {
	labels, err := s.watchOpen(ctx)
	if err != nil {
		return loss{}, err
	}
	defer labels.Stop()
	binding, stop := context.WithCancel(ctx)
	defer stop()
	var tried []attempt
	var trying error
	var done sync.WaitGroup
	refused := make(chan struct{})
	done.Go(func() { tried, trying = tryAll(binding, tries, sync.OnceFunc(func() { close(refused) })) })
	if err := pause(ctx, 300*time.Millisecond); err != nil {
		return loss{}, err
	}
	suspended, edit, err := s.qualify(ctx, v1alpha1.QualificationSuspended)
	if err != nil {
		return loss{}, err
	}
	gone, err := awaitGone(ctx, labels, b.lost)
	if err != nil {
		return loss{}, err
	}
	select { // the labels of a few nodes may be gone before a single binding was tried
	case <-refused:
	case <-time.After(time.Minute):
	}
	stop()
	done.Wait()
	if trying != nil {
		return loss{}, trying
	}
	l, err := lossOf(suspended, gone, tried)
	l.edit = edit
	return l, err
}

func (s *site) watchOpen(ctx context.Context) (watch.Interface, error) {
	clientset, err := kubernetes.NewForConfig(s.Config())
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	labels, err := clientset.CoreV1().Nodes().Watch(ctx, metav1.ListOptions{LabelSelector: open + "=bench-lost"})
	if err != nil {
		return nil, fmt.Errorf("watching nodes: %w", err)
	}
	return labels, nil
}

// awaitGone waits until so many nodes have ceased to be open, and tells when each did.
func awaitGone(ctx context.Context, labels watch.Interface, count int) ([]time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var gone []time.Time
	for len(gone) < count {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for nodes to cease to be open, of which %d of %d have: %w", len(gone), count, ctx.Err())
		case event, ok := <-labels.ResultChan():
			if !ok {
				return nil, errors.New("the watch for nodes ended")
			}
			if event.Type == watch.Deleted { // it no longer matches the selector
				gone = append(gone, time.Now())
			}
		}
	}
	return gone, nil
}

// attempt is one binding that was tried.
type attempt struct {
	sent, answered time.Time
	bound          bool
}

// tryAll tries to bind, node after node, until it is told to stop, and calls refused when a try was.
func tryAll(ctx context.Context, tries []creation, refused func()) ([]attempt, error) {
	var tried []attempt
	for i := 0; ; i++ {
		sent := time.Now()
		status, answer, err := tries[i%len(tries)].send(ctx)
		if ctx.Err() != nil {
			return tried, nil //nolint:nilerr // told to stop, in the middle of a try
		}
		switch {
		case err != nil:
			return nil, err
		case status != http.StatusCreated && status != http.StatusForbidden && status != http.StatusUnprocessableEntity && status != http.StatusServiceUnavailable:
			return nil, fmt.Errorf("binding: status %d: %s", status, answer)
		}
		tried = append(tried, attempt{sent: sent, answered: time.Now(), bound: status == http.StatusCreated})
		if status != http.StatusCreated {
			refused()
		}
	}
}

func lossOf(suspended time.Time, gone []time.Time, tried []attempt) (loss, error) {
	l := loss{first: gone[0].Sub(suspended), last: gone[len(gone)-1].Sub(suspended)}
	refused := slices.IndexFunc(tried, func(a attempt) bool { return !a.bound })
	if refused < 0 {
		return loss{}, errors.New("no binding was refused while the nodes lost their level")
	}
	l.refused = tried[refused].answered.Sub(suspended)
	for _, a := range tried {
		if a.answered.Before(suspended) {
			continue
		}
		if a.bound && a.sent.After(suspended) {
			l.bound = a.sent.Sub(suspended)
		}
	}
	return l, nil
}
