package keys

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// rank orders words, the worst first. Up to rankExpired they revoke; up to rankVerified they are definite.
type rank int

const (
	rankDestroyed rank = iota
	rankCompromised
	rankReplaced
	rankDeactivated
	rankExpired
	rankAmbiguous
	rankNotFound
	rankNotYet
	rankUnverified
	rankVerified
	// Whoever has found the key and not used it yet, or is not let to see it, or cannot tell, takes nothing from what others say.
	rankUntried
	rankForbidden
	rankUnknown
)

// word is what one observer, or the clock, says of a key.
type word struct {
	rank            rank
	phase           v1alpha1.KeyPhase
	reason, message string
	// observed is the fingerprint of another key that is there.
	observed string
	// since is when a revocation was found, and confirmed when that was last seen so. clock: time itself says so, and needs no confirmation.
	since, confirmed time.Time
	clock            bool
}

func (w word) revokes() bool { return w.rank <= rankExpired }

// sighting is what an observer saw, as it counts at one moment.
type sighting struct {
	Observation
	facts known
	// fresh says that it was so less than a lease ago.
	fresh bool
	// sound says that the key is what it must be, or was when it was last found.
	sound bool
}

func (s sighting) found() bool { return s.Outcome == v1alpha1.OutcomeFound }

// lastFound is when the observer last found the key; zero: never.
func (s sighting) lastFound() time.Time {
	if s.found() {
		return s.Confirmed
	}
	return s.LastFound
}

// foundBefore says that the observer itself knows that the key was there.
func (s sighting) foundBefore() bool { return !s.LastFound.IsZero() || s.Fingerprint != "" }

// of says whether what was seen is the key of this fingerprint, or is not known to be another.
func (s sighting) of(fingerprint string) bool {
	return s.Fingerprint == "" || s.Fingerprint == fingerprint
}

// sightings puts observations in an order that does not depend on how they came. What is dated after now was seen now: a clock that is
// ahead must not make a lease longer.
func (k *Key) sightings(observations []Observation, now time.Time) []sighting {
	var all []sighting
	for _, o := range observations {
		o.Since, o.Confirmed, o.LastFound = notAfter(o.Since, now), notAfter(o.Confirmed, now), notAfter(o.LastFound, now)
		all = append(all, sighting{Observation: o, facts: knownTo(o, k.declared), fresh: now.Before(o.Confirmed.Add(k.pace.lease))})
	}
	slices.SortFunc(all, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.Observer, b.Observer), a.Since.Compare(b.Since), a.Confirmed.Compare(b.Confirmed),
			cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Fingerprint, b.Fingerprint), cmp.Compare(a.Message, b.Message))
	})
	return all
}

func notAfter(t, now time.Time) time.Time {
	if t.After(now) {
		return now
	}
	return t
}

// foundBy says that some observer finds the key, or did.
func foundBy(all []sighting) bool {
	return slices.ContainsFunc(all, func(s sighting) bool { return s.found() || s.foundBefore() })
}

// hear says what one observer's sighting means. Whatever is older than a lease is no word, unless it was the end of the key: that
// stands until the store says otherwise.
func (k *Key) hear(s sighting, meant string, elsewhere bool, now time.Time) word {
	w := k.interpret(s, meant, elsewhere, now)
	if s.fresh {
		w.confirmed = s.Confirmed
	}
	if w.revokes() { // whoever does not say since when says so now
		w.since = notAfter(firstSet(w.since, s.Since, now), now)
	}
	if !w.revokes() && !s.fresh {
		w.rank, w.phase, w.reason = rankUnknown, v1alpha1.PhaseUnknown, ReasonSilent
		w.message = fmt.Sprintf("nothing was heard of the key since %s: see to whoever asks KeyStore/%s", moment(s.Confirmed), k.Store)
	}
	if zone, ok := ZoneOf(s.Observer); ok && w.rank != rankVerified {
		w.message = "seen from zone " + zone + ": " + w.message
	}
	return w
}

func (k *Key) interpret(s sighting, meant string, elsewhere bool, now time.Time) word {
	switch s.Outcome {
	case v1alpha1.OutcomeFound:
		if s.Fingerprint != "" && s.Fingerprint != meant {
			return k.replaced(s, meant, now)
		}
		return k.weigh(s, now)
	case v1alpha1.OutcomeDestroyed:
		return word{
			rank: rankDestroyed, phase: v1alpha1.PhaseDestroyed, reason: ReasonDestroyed, since: s.Since,
			message: fmt.Sprintf("KeyStore/%s says that the key is destroyed", k.Store) + more(s.Message),
		}
	case v1alpha1.OutcomeNotFound:
		return k.missing(s, elsewhere)
	case v1alpha1.OutcomeAmbiguous:
		return word{
			rank: rankAmbiguous, phase: v1alpha1.PhaseAmbiguous, reason: ReasonAmbiguous,
			message: fmt.Sprintf("several keys in KeyStore/%s fit spec.ref: take all but one away, or create an EncryptionKey whose ref fits one alone", k.Store) + more(s.Message),
		}
	case v1alpha1.OutcomeForbidden:
		return word{
			rank: rankForbidden, phase: v1alpha1.PhaseForbidden, reason: ReasonForbidden,
			message: fmt.Sprintf("KeyStore/%s does not let Terroir see the key: let it, or correct which key is meant", k.Store) + more(s.Message),
		}
	default:
		return k.untold(s)
	}
}

// untold is the word of an observer who cannot tell.
func (k *Key) untold(s sighting) word {
	w := word{rank: rankUnknown, phase: v1alpha1.PhaseUnknown, reason: string(s.Outcome)}
	switch s.Outcome {
	case v1alpha1.OutcomeUnauthenticated:
		w.message = fmt.Sprintf("KeyStore/%s does not take the credentials, or nobody dares to try them", k.Store)
	case v1alpha1.OutcomeMisconfigured:
		w.message = fmt.Sprintf("KeyStore/%s cannot be asked", k.Store)
	default: // an outcome that this version does not know tells nothing, either
		w.reason, w.message = ReasonUnreachable, fmt.Sprintf("KeyStore/%s does not answer", k.Store)
	}
	w.message += more(s.Message)
	return w
}

// missing tells a key that is gone from one that never was. Where another observer found it and this one never did,
// it has not arrived here.
func (k *Key) missing(s sighting, elsewhere bool) word {
	if s.foundBefore() || !elsewhere && k.everFound() {
		return word{
			rank: rankDestroyed, phase: v1alpha1.PhaseDestroyed, reason: ReasonDestroyed, since: s.Since,
			message: fmt.Sprintf("the key was in KeyStore/%s, and is not any more", k.Store) + more(s.Message),
		}
	}
	return word{
		rank: rankNotFound, phase: v1alpha1.PhaseNotFound, reason: ReasonNotFound,
		message: fmt.Sprintf("KeyStore/%s has no such key: make it there, or create an EncryptionKey whose ref names one that is there", k.Store) + more(s.Message),
	}
}

// everFound says that earlier judgements knew the key to be there. A fingerprint that somebody wrote into the spec says nothing of that.
func (k *Key) everFound() bool {
	return !k.recorded.until.IsZero() || !k.recorded.revokedSince.IsZero() || k.spec.Fingerprint == "" && k.recorded.fingerprint != ""
}

// replaced is told since it was seen; but where somebody has written which key is meant, not before that was judged: an edit must not look like an old loss.
func (k *Key) replaced(s sighting, meant string, now time.Time) word {
	since := s.Since
	if k.spec.Fingerprint != "" {
		since = k.told(since, now)
	}
	return word{
		rank: rankReplaced, phase: v1alpha1.PhaseReplaced, reason: ReasonReplaced, since: since, observed: s.Fingerprint,
		message: fmt.Sprintf("another key answers to spec.ref, with fingerprint %s and not %s: if that was meant, write the new one into spec.fingerprint", s.Fingerprint, meant),
	}
}

// told is the later of a moment and of when a revocation was first written into the status, or else now.
func (k *Key) told(t, now time.Time) time.Time {
	switch r := k.recorded.revokedSince; {
	case r.IsZero() || r.After(now):
		return now
	case r.After(t):
		return r
	default:
		return t
	}
}

// weigh judges a key by what is known of it, the worst first: what its store says of its life, its time, and then what it must be.
func (k *Key) weigh(s sighting, now time.Time) word {
	ends, hasEnd := s.facts.moment(FactNotAfter)
	begins, hasBeginning := s.facts.moment(FactNotBefore)
	state, hasState := s.facts[FactState]
	switch {
	case state.Value == StateCompromised:
		return word{
			rank: rankCompromised, phase: v1alpha1.PhaseCompromised, reason: ReasonCompromised, since: state.Since,
			message: fmt.Sprintf("KeyStore/%s says that others may know the key: replace it, and encrypt anew what is under it", k.Store),
		}
	case state.Value == StateDeactivated:
		return word{
			rank: rankDeactivated, phase: v1alpha1.PhaseDeactivated, reason: ReasonDeactivated, since: state.Since,
			message: fmt.Sprintf("KeyStore/%s has deactivated the key: activate it, or use another", k.Store),
		}
	case hasEnd && !now.Before(ends):
		return word{
			rank: rankExpired, phase: v1alpha1.PhaseExpired, reason: ReasonExpired, since: later(ends, s.facts[FactNotAfter].Since),
			message: fmt.Sprintf("it expired at %s, as KeyStore/%s says: extend it there, or use another", moment(ends), k.Store),
		}
	case state.Value == StatePreActive:
		return word{
			rank: rankNotYet, phase: v1alpha1.PhaseDeactivated, reason: ReasonPreActive,
			message: fmt.Sprintf("KeyStore/%s has not activated the key yet: activate it", k.Store),
		}
	case hasBeginning && now.Before(begins):
		return word{
			rank: rankNotYet, phase: v1alpha1.PhaseDeactivated, reason: ReasonNotYetValid,
			message: fmt.Sprintf("KeyStore/%s means the key to be used from %s on", k.Store, moment(begins)),
		}
	case hasState && state.Value != StateActive:
		return unverified(objection{ReasonStateUnknown, fmt.Sprintf("KeyStore/%s calls the key's state %s, and only Active ones are used: activate it", k.Store, state.Value)})
	case s.Fingerprint == "":
		return unverified(objection{ReasonNoFingerprint, fmt.Sprintf("KeyStore/%s tells nothing by which the key could be known again", k.Store)})
	case !hasEnd && s.facts[FactNotAfter].Value != "", !hasBeginning && s.facts[FactNotBefore].Value != "":
		return unverified(objection{ReasonTimeUnreadable, fmt.Sprintf("when the key may be used, as KeyStore/%s tells it, cannot be read", k.Store)})
	default:
		return k.meet(s.facts)
	}
}

// meet says whether a key that is in use is what it must be.
func (k *Key) meet(f known) word {
	against := objections(k.spec.Requirements, k.Store, f)
	if f.isNot(FactUsable) {
		against = append(against, objection{ReasonNotUsable, "it was tried, and neither encrypts and decrypts nor signs and verifies: see to what its store lets it be used for"})
	}
	switch {
	case len(against) > 0:
		return unverified(against...)
	case !f.is(FactUsable):
		return word{rank: rankUntried, phase: v1alpha1.PhaseUnverified, reason: ReasonNotTried, message: "it is there, and nobody has used it yet: that is tried once per spec.probe.roundTripInterval of its store"}
	default:
		return word{rank: rankVerified, phase: v1alpha1.PhaseVerified, reason: ReasonVerified, message: "it is in KeyStore/" + k.Store + ", and is what it must be"}
	}
}

func unverified(against ...objection) word {
	messages := make([]string, len(against))
	for i, o := range against {
		messages[i] = o.message
	}
	return word{rank: rankUnverified, phase: v1alpha1.PhaseUnverified, reason: against[0].reason, message: strings.Join(messages, "; ")}
}

// expired is the word of the clock about spec.notAfter. Like a fingerprint, it may have been written a moment ago.
func (k *Key) expired(now time.Time) []word {
	end := k.spec.NotAfter
	if end == nil || now.Before(end.Time) {
		return nil
	}
	return []word{{
		rank: rankExpired, phase: v1alpha1.PhaseExpired, reason: ReasonExpired, since: k.told(end.Time, now), clock: true,
		message: fmt.Sprintf("it expired at %s, by spec.notAfter: extend it, or use another key", moment(end.Time)),
	}}
}

// kept is what was found against the key before, where nobody can say anything definite now. It is confirmed by nobody.
func (k *Key) kept(meant string) []word {
	w := word{phase: k.recorded.phase, reason: string(k.recorded.phase), since: k.recorded.revokedSince}
	switch {
	case w.since.IsZero():
		return nil
	case w.phase == v1alpha1.PhaseDestroyed:
		w.rank = rankDestroyed
	case w.phase == v1alpha1.PhaseCompromised:
		w.rank = rankCompromised
	case w.phase == v1alpha1.PhaseDeactivated:
		w.rank = rankDeactivated
	case w.phase == v1alpha1.PhaseReplaced && k.recorded.observed != "" && k.recorded.observed != meant:
		w.rank, w.observed = rankReplaced, k.recorded.observed
	default:
		return nil
	}
	w.message = fmt.Sprintf("it was found %s, and nobody can say now that it is not: see to KeyStore/%s", strings.ToLower(string(w.phase)), k.Store)
	return []word{w}
}

// more appends what an observer has to add.
func more(message string) string {
	if message == "" {
		return ""
	}
	return ": " + message
}

// moment writes a time as messages do: in UTC, to the second.
func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// firstSet gives the first moment that is one.
func firstSet(moments ...time.Time) time.Time {
	for _, t := range moments {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier gives the earlier of two moments, of which the zero one is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
