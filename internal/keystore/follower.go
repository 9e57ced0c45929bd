package keystore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// lookAgain is when the cluster is looked at again after that failed.
const lookAgain = 10 * time.Second

// follower has a worker for each store that is to be asked, and takes back what is told of others.
type follower struct {
	*Observer

	workers map[string]*worker
	running sync.WaitGroup
}

// Start implements manager.Runnable: it asks until the context ends.
func (o *Observer) Start(ctx context.Context) error {
	f := &follower{Observer: o, workers: map[string]*worker{}}
	defer f.running.Wait()
	for {
		again := time.NewTimer(lookAgain)
		if err := f.follow(ctx); err != nil {
			o.Log.Error(err, "following key stores failed")
		} else {
			again.Stop()
		}
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-o.news:
		case <-again.C:
		}
		again.Stop()
	}
}

// follow starts and stops workers, wakes those whose store was touched, and takes back what nobody stands for.
func (f *follower) follow(ctx context.Context) error {
	touched := f.take()
	var list v1alpha1.KeyStoreList
	if err := f.Client.List(ctx, &list); err != nil {
		return fmt.Errorf("listing key stores: %w", err)
	}
	stores := map[string]*v1alpha1.KeyStore{}
	for i := range list.Items {
		stores[list.Items[i].Name] = &list.Items[i]
	}
	for name, w := range f.workers {
		if s := stores[name]; s == nil || !f.asks(s) {
			w.stop()
		}
		if w.ended() {
			f.seen.forget(name)
			delete(f.workers, name)
		}
	}
	for name, s := range stores {
		switch w := f.workers[name]; {
		case !f.asks(s):
		case w == nil:
			f.workers[name] = f.start(ctx, name)
		case touched[name]:
			w.poke()
		}
	}
	return f.takeBack(ctx, stores)
}

// start begins to ask a store. When the worker ends, the follower looks again: by then the store may be one to ask again.
func (f *follower) start(ctx context.Context, store string) *worker {
	ctx, stop := context.WithCancel(ctx)
	w := newWorker(f.Observer, store, stop)
	f.running.Go(func() {
		defer f.Touch(store)
		w.run(ctx)
	})
	return w
}

// takeBack deletes this observer's observations of keys in stores that nobody asks under its name.
func (f *follower) takeBack(ctx context.Context, stores map[string]*v1alpha1.KeyStore) error {
	var told v1alpha1.KeyObservationList
	if err := f.Client.List(ctx, &told); err != nil {
		return fmt.Errorf("listing key observations: %w", err)
	}
	for i := range told.Items {
		o := &told.Items[i]
		store := string(o.Spec.Store)
		if string(o.Spec.Observer) != f.Name || f.workers[store] != nil || !f.disowns(stores[store]) {
			continue
		}
		if err := f.delete(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// delete deletes this very observation. One that is gone, or another one by now, is well.
func (o *Observer) delete(ctx context.Context, told *v1alpha1.KeyObservation) error {
	err := o.Client.Delete(ctx, told, client.Preconditions{UID: &told.UID})
	if ignoreGone(err) != nil {
		return fmt.Errorf("deleting key observation %s: %w", told.Name, err)
	}
	return nil
}
