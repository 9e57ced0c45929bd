package keys

import (
	"cmp"
	"slices"
	"strings"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Judge says what the key is at now, from what observers saw of it. The order of observations does not matter.
func (k *Key) Judge(observations []Observation, now time.Time) Verdict {
	if k.kind == v1alpha1.KeyStoreDeclared || k.kind == "" {
		observations = nil // there is nobody to ask
	}
	seen := k.sightings(observations, now)
	v := Verdict{Key: k, Fingerprint: k.meant(seen)}
	for i := range seen {
		seen[i].sound = k.sound(seen[i], v.Fingerprint, now)
	}
	words := k.words(seen, v.Fingerprint, now)
	worst := words[0]
	v.Phase, v.Reason, v.Message, v.Observed = worst.phase, worst.reason, worst.message, worst.observed
	v.Facts = k.facts(seen, v.Fingerprint).sorted()
	v.Zones, v.Home = zonesOf(seen, v.Fingerprint), split(v.Facts)
	v.RevokedSince = revokedSince(words)
	v.Confirmed = v.Revoked() && k.confirmed(words, v.RevokedSince, now)
	v.VerifiedUntil = k.until(seen, v, worst.rank)
	v.NextChange = k.nextChange(seen, v, now)
	return v
}

// sound says that the key is what it must be, as an observer finds it now, or last did.
func (k *Key) sound(s sighting, meant string, now time.Time) bool {
	when := now
	if !s.found() {
		when = s.LastFound
	}
	return s.of(meant) && k.weigh(s, when).rank == rankVerified
}

// meant is the fingerprint of the key that is meant: the one that somebody wrote, or else the one that was pinned, or else the first that was seen.
func (k *Key) meant(seen []sighting) string {
	if written := cmp.Or(string(k.spec.Fingerprint), k.recorded.fingerprint); written != "" {
		return written
	}
	var first sighting
	for _, s := range seen {
		if s.Fingerprint != "" && (first.Fingerprint == "" || s.Since.Before(first.Since)) {
			first = s
		}
	}
	return first.Fingerprint
}

// words are what there is to say, the worst first: at least one.
func (k *Key) words(seen []sighting, meant string, now time.Time) []word {
	words := k.expired(now)
	if reason, message := k.flaw(); reason != "" {
		words = append(words, word{rank: rankUnknown, phase: v1alpha1.PhaseUnknown, reason: reason, message: message})
	} else {
		words = append(words, k.heard(seen, meant, now)...)
	}
	if !slices.ContainsFunc(words, func(w word) bool { return w.rank <= rankVerified }) {
		words = append(words, k.kept(meant)...)
	}
	slices.SortStableFunc(words, func(a, b word) int { return cmp.Compare(a.rank, b.rank) }) // sightings are in order already
	return words
}

func (k *Key) heard(seen []sighting, meant string, now time.Time) []word {
	if k.kind == v1alpha1.KeyStoreDeclared {
		return []word{k.declare()}
	}
	if len(seen) == 0 {
		return []word{k.unseen()}
	}
	var words []word
	elsewhere := foundBy(seen)
	for _, s := range seen {
		words = append(words, k.hear(s, meant, elsewhere, now))
	}
	return words
}

// declare judges a key that nobody can look at.
func (k *Key) declare() word {
	if against := objections(k.spec.Requirements, k.Store, known{}); len(against) > 0 {
		return unverified(against...)
	}
	return word{rank: rankVerified, phase: v1alpha1.PhaseVerified, reason: ReasonVerified, message: "nothing is required of it but what is declared of KeyStore/" + k.Store + ", which nobody can check"}
}

func (k *Key) unseen() word {
	message := "nobody has looked at the key yet: Terroir asks KeyStore/" + k.Store + " itself, or where it is of type PKCS11 the agent that runs beside it"
	if k.from == v1alpha1.ProbeFromAgent {
		message = "no agent has looked at the key yet: run keyprobe in a zone from which KeyStore/" + k.Store + " can be reached"
	}
	return word{rank: rankUnknown, phase: v1alpha1.PhaseUnknown, reason: ReasonNotObserved, message: message}
}

// facts are what is known of the key: by all who have found and tried it, or else by all who have found it, or else by those who
// once did. Where nobody ever did, what is declared.
func (k *Key) facts(seen []sighting, meant string) known {
	for _, counts := range []func(sighting) bool{
		func(s sighting) bool { return s.found() && s.fresh && s.facts[FactUsable].Value != "" },
		func(s sighting) bool { return s.found() && s.fresh },
		func(s sighting) bool { return len(s.Facts) > 0 },
	} {
		var observers []known
		for _, s := range seen {
			if s.of(meant) && counts(s) {
				observers = append(observers, s.facts)
			}
		}
		if len(observers) > 0 {
			return common(observers)
		}
	}
	return knownTo(Observation{}, k.declared)
}

// zonesOf are the Zones whose agents find the key, and found that it works.
func zonesOf(seen []sighting, meant string) []string {
	var zones []string
	for _, s := range seen {
		if zone, ok := ZoneOf(s.Observer); ok && s.found() && s.fresh && s.of(meant) && s.facts.is(FactUsable) {
			zones = append(zones, zone)
		}
	}
	return slices.Compact(zones)
}

func split(facts []Fact) []string {
	i := slices.IndexFunc(facts, func(f Fact) bool { return f.Name == FactHome })
	if i < 0 {
		return nil
	}
	return strings.Split(facts[i].Value, ",")
}

func revokedSince(words []word) time.Time {
	var since time.Time
	for _, w := range words {
		if w.revokes() {
			since = earlier(since, w.since)
		}
	}
	return since
}

// confirmed says whether a revocation may have consequences: its delay is over, and enough probes in a row, of one observer, have found it. The clock needs
// no second look.
func (k *Key) confirmed(words []word, since, now time.Time) bool {
	if k.kind == "" || now.Before(since.Add(k.pace.delay)) { // a store that does not exist says nothing of delays
		return false
	}
	least := k.pace.unbroken()
	return slices.ContainsFunc(words, func(w word) bool {
		return w.revokes() && (w.clock || !w.confirmed.IsZero() && w.confirmed.Sub(w.since) >= least)
	})
}

// until is when the last proof of the key ends. It is renewed while the key is Verified, and while nobody can tell it lasts as long as was earned when it
// was last found sound. Of a key that is found and is not what it must be, only that remains of it which was written while it was.
func (k *Key) until(seen []sighting, v Verdict, worst rank) time.Time {
	if v.Revoked() {
		return time.Time{}
	}
	if k.kind == "" && !k.recorded.until.IsZero() { // whoever takes a KeyStore away takes no lease with it
		return earlier(k.recorded.until, k.end(nil, ""))
	}
	renews := worst == rankVerified || worst == rankForbidden || worst == rankUnknown
	var until time.Time
	for _, s := range seen {
		found := s.lastFound()
		if found.IsZero() || !s.of(v.Fingerprint) {
			continue
		}
		end := found.Add(k.pace.lease)
		if expires, ok := s.facts.moment(FactNotAfter); ok {
			end = earlier(end, expires)
		}
		if !renews || !s.sound {
			end = capped(end, k.recorded.until)
		}
		until = later(until, end)
	}
	if until.IsZero() {
		return until
	}
	return earlier(until, k.end(seen, v.Fingerprint))
}

// capped gives the earlier of two moments, of which the zero one was never: then it is neither.
func capped(end, most time.Time) time.Time {
	if most.Before(end) {
		return most
	}
	return end
}

// end is when the key expires, by the word of all who find it; zero: never. What somebody saw who cannot tell now binds him alone.
func (k *Key) end(seen []sighting, meant string) time.Time {
	var end time.Time
	if k.spec.NotAfter != nil {
		end = k.spec.NotAfter.Time
	}
	for _, s := range seen {
		if t, ok := s.facts.moment(FactNotAfter); ok && s.found() && s.of(meant) {
			end = earlier(end, t)
		}
	}
	return end
}

// nextChange is when time alone may change the verdict: an end, a beginning, a word that grows too old, a lease, a delay.
func (k *Key) nextChange(seen []sighting, v Verdict, now time.Time) time.Time {
	moments := []time.Time{v.VerifiedUntil}
	if k.spec.NotAfter != nil {
		moments = append(moments, k.spec.NotAfter.Time)
	}
	if v.Revoked() && !v.Confirmed {
		moments = append(moments, v.RevokedSince.Add(k.pace.delay))
	}
	for _, s := range seen {
		moments = append(moments, s.Confirmed.Add(k.pace.lease))
		for _, name := range []string{FactNotBefore, FactNotAfter} {
			if t, ok := s.facts.moment(name); ok {
				moments = append(moments, t)
			}
		}
	}
	var next time.Time
	for _, m := range moments {
		if m.After(now) {
			next = earlier(next, m)
		}
	}
	return next
}
