package keystore

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// mostFacts is how many facts the API server takes.
const mostFacts = 32

// memory is what an observer remembers of one key. The observation is what it told last; the times are finer than what is told.
type memory struct {
	uid        types.UID
	generation int64
	// told is the observation as it should be. Its Since is zero as long as nobody has asked.
	told v1alpha1.KeyObservationSpec
	// wrote is what of it was written. Nil: nothing.
	wrote *v1alpha1.KeyObservationSpec
	// foundAt is when the key was last found, and usedAt when it was last seen to encrypt and decrypt, or to sign and verify. Zero: never, since this
	// process began.
	foundAt, usedAt time.Time
}

// remember begins with what was told before, if it was of this very key: a key that comes by the name of another one is another one. confirmed is when a
// sweep last began that found all keys of the store as they are told.
func remember(key *v1alpha1.EncryptionKey, told *v1alpha1.KeyObservationSpec, confirmed time.Time) *memory {
	m := &memory{uid: key.UID, generation: key.Generation}
	if told == nil || told.KeyUID != string(key.UID) || told.Store != key.Spec.Store {
		return m
	}
	m.told, m.wrote = *told.DeepCopy(), told.DeepCopy()
	if told.Outcome == v1alpha1.OutcomeFound {
		m.foundAt = told.Since.Time
		if confirmed.After(m.foundAt) {
			m.foundAt = confirmed
		}
	}
	return m
}

// wantsRoundTrip reports whether the key should be used when it is looked at.
func (m *memory) wantsRoundTrip(every time.Duration, now time.Time) bool {
	i := slices.IndexFunc(m.told.Facts, func(f v1alpha1.ObservedFact) bool { return f.Name == keys.FactUsable })
	return i < 0 || m.told.Facts[i].Value != "true" || m.usedAt.IsZero() || now.Sub(m.usedAt) >= every
}

// replacedBy reports whether the sighting is of another key than the one that was last seen.
func (m *memory) replacedBy(s Sighting) bool {
	return s.Outcome == v1alpha1.OutcomeFound && m.told.Fingerprint != "" && s.Fingerprint != m.told.Fingerprint
}

// saysOfKey reports whether an outcome says something of the key. After others, what was known of it is known still.
func saysOfKey(o v1alpha1.ProbeOutcome) bool {
	switch o {
	case v1alpha1.OutcomeFound, v1alpha1.OutcomeNotFound, v1alpha1.OutcomeAmbiguous, v1alpha1.OutcomeDestroyed:
		return true
	case v1alpha1.OutcomeForbidden, v1alpha1.OutcomeUnreachable, v1alpha1.OutcomeUnauthenticated, v1alpha1.OutcomeMisconfigured:
		return false
	default:
		return false
	}
}

// see takes a sighting in. Since stays while the outcome and the key stay the same; each fact has its own.
func (m *memory) see(s Sighting, usedNow bool, now time.Time) {
	was := m.told
	is := was
	is.Outcome, is.Message = s.Outcome, clip(s.Message)
	if saysOfKey(s.Outcome) {
		is.Fingerprint = s.Fingerprint
		is.Facts = m.factsAfter(s, usedNow, now)
	}
	if was.Since.IsZero() || was.Outcome != is.Outcome || was.Fingerprint != is.Fingerprint {
		is.Since = metav1.NewTime(seconds(now))
	}
	switch {
	case s.Outcome == v1alpha1.OutcomeFound:
		is.LastFound, m.foundAt = nil, now
	case was.Outcome == v1alpha1.OutcomeFound:
		is.LastFound = new(metav1.NewTime(seconds(m.foundAt)))
	}
	if usedNow && s.Outcome == v1alpha1.OutcomeFound {
		m.usedAt = now
	}
	m.told = is
}

// factsAfter are the facts of a sighting, with since when each is so, sorted by name. That the key is usable is remembered between round trips.
func (m *memory) factsAfter(s Sighting, usedNow bool, now time.Time) []v1alpha1.ObservedFact {
	before := m.told.Facts
	if m.told.Fingerprint != s.Fingerprint {
		before = nil // they were of another key
	}
	var facts []v1alpha1.ObservedFact
	for _, f := range s.Facts {
		known := slices.ContainsFunc(facts, func(k v1alpha1.ObservedFact) bool { return k.Name == f.Name })
		if known || !presentable(f) || len(facts) == mostFacts {
			continue
		}
		fact := v1alpha1.ObservedFact{Name: f.Name, Value: f.Value, Evidence: f.Evidence, Since: metav1.NewTime(seconds(now))}
		for _, b := range before {
			if b.Name == f.Name && b.Value == f.Value && b.Evidence == f.Evidence {
				fact.Since = b.Since
			}
		}
		facts = append(facts, fact)
	}
	if s.Outcome == v1alpha1.OutcomeFound && !usedNow {
		facts = carry(facts, before)
	}
	slices.SortFunc(facts, func(a, b v1alpha1.ObservedFact) int { return strings.Compare(a.Name, b.Name) })
	return facts
}

// carry adds to facts that the key is usable, if that was known and nothing newer is said of it.
func carry(facts, before []v1alpha1.ObservedFact) []v1alpha1.ObservedFact {
	usable := func(f v1alpha1.ObservedFact) bool { return f.Name == keys.FactUsable }
	if i := slices.IndexFunc(before, usable); i >= 0 && !slices.ContainsFunc(facts, usable) {
		return append(facts, before[i])
	}
	return facts
}

// presentable reports whether the API server takes a fact. One that it does not take would keep it from all others, so it is left out, which is to say
// that it is not known.
func presentable(f Fact) bool {
	fits := func(s string, most int) bool {
		return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= most
	}
	return fits(f.Name, 32) && fits(f.Value, 256) && (f.Evidence == v1alpha1.EvidenceReported || f.Evidence == v1alpha1.EvidenceTested)
}

// clip keeps a message within what the schema admits.
func clip(message string) string {
	const most = 512
	runes := []rune(strings.ToValidUTF8(message, "?"))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}
