package keystore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// asked is what came of asking a store for some of its keys.
type asked struct {
	// trouble is what the store as a whole said instead of answering: keys that were not asked for have it, too. Nil: every key was asked for.
	trouble *Sighting
	// final says that the trouble is nothing that passes soon: it is not worth while to ask before the next sweep.
	final bool
	// remembered says that nobody asked: the trouble is that of the last time.
	remembered bool
	// silent is the last sighting, if the store did not answer.
	silent *Sighting
	// answers is how many keys the store said something of.
	answers int
	// unwritten says that something that was seen could not be told.
	unwritten bool
}

// complete reports whether every key was asked for, and the store answered, and all is told.
func (a *asked) complete() bool { return a.trouble == nil && a.answers > 0 && !a.unwritten }

// note takes a sighting in.
//
// A store that is silent twice in a row is silent for all: nobody waits for it a thousand times. Once is not enough, or one key that a store chokes on would
// take away the proof of all others. Credentials that one key is refused for are refused for all.
func (a *asked) note(s Sighting) {
	switch s.Outcome {
	case v1alpha1.OutcomeUnreachable:
		if a.silent != nil {
			a.trouble = &s
		}
		a.silent = &s
	case v1alpha1.OutcomeUnauthenticated:
		a.trouble, a.final = &s, true
	case v1alpha1.OutcomeMisconfigured: // which may be the reference's fault, and was not the store's word
	case v1alpha1.OutcomeFound, v1alpha1.OutcomeNotFound, v1alpha1.OutcomeAmbiguous, v1alpha1.OutcomeDestroyed, v1alpha1.OutcomeForbidden:
		a.silent = nil
		a.answers++
	}
}

// end: a store of which nothing was heard but one silence is silent.
func (a *asked) end() {
	if a.trouble == nil && a.answers == 0 {
		a.trouble = a.silent
	}
}

// ask asks the store for keys, one after the other, and tells of each what was seen.
func (w *worker) ask(ctx context.Context, world world, keys []*v1alpha1.EncryptionKey) asked {
	var a asked
	if len(keys) == 0 {
		return a
	}
	if err := w.open(ctx, world.store, &a); err != nil {
		w.Log.Error(err, "opening a key store failed", "store", w.store)
		a.unwritten = true
		return a
	}
	for _, key := range keys {
		m := w.keys[key.Name]
		if !w.askFor(ctx, world.store, key, m, &a) {
			return a // whatever was seen while everything ends means nothing
		}
		if err := w.tell(ctx, key, m, world.told[key.Name]); err != nil {
			w.Log.Error(err, "telling what was seen of a key failed", "store", w.store)
			a.unwritten = true
		}
	}
	a.end()
	if c := w.connection; c != nil && c.latch != nil && c.latch.passing.Load() {
		a.final = false
	}
	return a
}

// open sees to the connection. An error means that nobody can tell, and nothing is to be told.
func (w *worker) open(ctx context.Context, store *v1alpha1.KeyStore, a *asked) error {
	c, err := w.connect(ctx, store, w.connection)
	if needed, ok := errors.AsType[*missing](err); ok {
		a.trouble = &Sighting{Outcome: v1alpha1.OutcomeMisconfigured, Message: needed.message}
		return nil
	}
	if err != nil {
		return err
	}
	reopened := c != w.connection
	w.connection = c
	if c.latch != nil {
		c.latch.passing.Store(false)
	}
	switch {
	case c.refused != nil:
		a.trouble, a.final = &Sighting{Outcome: v1alpha1.OutcomeMisconfigured, Message: c.refused.Error()}, true
	case w.trouble != nil && !reopened && w.Now().Before(w.due): // a new key is no reason to ask a store that is in trouble
		a.trouble, a.remembered = w.trouble, true
	}
	return nil
}

// askFor looks at one key, and remembers what was seen. It reports whether that means anything.
func (w *worker) askFor(ctx context.Context, store *v1alpha1.KeyStore, key *v1alpha1.EncryptionKey, m *memory, a *asked) bool {
	var used bool
	var s Sighting
	if a.trouble != nil {
		s = *a.trouble
	} else {
		s, used = w.lookAt(ctx, store, key, m)
		if ctx.Err() != nil {
			return false
		}
		a.note(s)
	}
	m.see(s, used, w.Now())
	m.generation = key.Generation
	m.told.Key, m.told.KeyUID, m.told.Store, m.told.Observer = v1alpha1.KeyName(key.Name), string(key.UID), key.Spec.Store, v1alpha1.ObjectName(w.Name)
	return true
}

// lookAt looks at one key. It says whether the key was used, too: that is asked for once in a while, and whenever it is another one than before.
func (w *worker) lookAt(ctx context.Context, store *v1alpha1.KeyStore, key *v1alpha1.EncryptionKey, m *memory) (Sighting, bool) {
	timeout := duration(store.Spec.Probe.Timeout, 5*time.Second)
	wanted := Key{Name: key.Name, Ref: *key.Spec.Ref.DeepCopy()}
	wanted.RoundTrip = m.wantsRoundTrip(duration(store.Spec.Probe.RoundTripInterval, time.Hour), w.Now())
	s := w.probe(ctx, timeout, wanted)
	if !wanted.RoundTrip && m.replacedBy(s) {
		wanted.RoundTrip = true
		s = w.probe(ctx, timeout, wanted)
	}
	return s, wanted.RoundTrip
}

// probe asks the prober. Whatever it does, an outcome comes of it: one that nobody knows, or a panic over a malformed answer, is Unreachable.
func (w *worker) probe(ctx context.Context, timeout time.Duration, key Key) (s Sighting) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := w.Now()
	defer func() {
		if p := recover(); p != nil {
			w.Log.Error(fmt.Errorf("panic of type %T", p), "asking a key store failed", "store", w.store, "stack", string(debug.Stack()))
			s = Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: "asking the store failed in a way that nobody expected; the observer's log tells more"}
			w.connection.spoiled = true
		}
		w.seen.count(w.store, s.Outcome, w.Now().Sub(began))
	}()
	s = w.connection.prober.Probe(ctx, key)
	if !known(s.Outcome) {
		s = Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: fmt.Sprintf("asking the store had the outcome %q, which nobody knows", s.Outcome)}
	}
	return s
}

func known(o v1alpha1.ProbeOutcome) bool {
	switch o {
	case v1alpha1.OutcomeFound, v1alpha1.OutcomeNotFound, v1alpha1.OutcomeAmbiguous, v1alpha1.OutcomeDestroyed,
		v1alpha1.OutcomeForbidden, v1alpha1.OutcomeUnreachable, v1alpha1.OutcomeUnauthenticated, v1alpha1.OutcomeMisconfigured:
		return true
	default:
		return false
	}
}
