package keys

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// worlds is how many random keys each law is tried on.
const worlds = 20000

// chance makes keys, stores and observations from a small vocabulary, so that they contradict each other and sometimes make no sense.
type chance struct{ *rand.Rand }

func seeded(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 11))} }

func (r chance) one(of int) bool { return r.IntN(of) == 0 }

func pick[T any](r chance, words ...T) T { return words[r.IntN(len(words))] }

// moment is one of a few around noon, and before it unless later is true.
func (r chance) moment(later bool) time.Time {
	hours := -r.IntN(6)
	if r.one(12) {
		hours = -r.IntN(30)
	}
	if later {
		hours += 40
	}
	return noon.Add(time.Duration(hours) * time.Hour)
}

func (r chance) someTime(later bool) *metav1.Time {
	if r.one(2) {
		return nil
	}
	return &metav1.Time{Time: r.moment(later)}
}

func (r chance) fact(name string) Fact {
	value := pick(r, "true", "true", "true", "false", "")
	switch name {
	case FactAlgorithm:
		value = pick(r, "AES", "AES", "RSA", "DES3")
	case FactBits:
		value = pick(r, "256", "256", "128", "x")
	case FactOrigin:
		value = pick(r, OriginGenerated, OriginGenerated, OriginImported)
	case FactState:
		value = pick(r, StateActive, StateActive, StateActive, StatePreActive, StateDeactivated, StateCompromised, "Odd")
	case FactNotAfter, FactNotBefore:
		value = pick(r, moment(r.moment(name == FactNotAfter)), moment(r.moment(r.one(2))), "soon")
	case FactProtection:
		value = pick(r, "HSM", "Software")
	}
	return Fact{Name: name, Value: value, Evidence: pick(r, v1alpha1.EvidenceReported, v1alpha1.EvidenceTested, v1alpha1.EvidenceAttested), Since: r.moment(false)}
}

func (r chance) facts() []Fact {
	all := wellMade()
	for _, name := range []string{FactAlgorithm, FactBits, FactNonExtractable, FactNeverExtractable, FactOrigin, FactPrivate, FactUsable} {
		if r.one(50) {
			all = slices.DeleteFunc(all, func(f Fact) bool { return f.Name == name })
		}
		if r.one(50) {
			all = append(all, r.fact(name))
		}
	}
	for _, name := range []string{FactProtection, FactState, FactNotBefore, FactNotAfter, FactCustody, FactHome} {
		if r.one(10) {
			all = append(all, r.fact(name))
		}
	}
	return all
}

func (r chance) observation(observer string) Observation {
	o := Observation{
		Observer: observer, Message: pick(r, "", "m"), Since: r.moment(false), Facts: r.facts(), Fingerprint: pick(r, first, first, first, first, first, first, first, first, second, ""),
		Outcome: pick(r, v1alpha1.OutcomeFound, v1alpha1.OutcomeFound, v1alpha1.OutcomeFound, v1alpha1.OutcomeFound, v1alpha1.OutcomeNotFound, v1alpha1.OutcomeAmbiguous,
			v1alpha1.OutcomeDestroyed, v1alpha1.OutcomeForbidden, v1alpha1.OutcomeUnreachable, v1alpha1.OutcomeUnauthenticated, v1alpha1.OutcomeMisconfigured, "Odd"),
	}
	o.Confirmed = later(o.Since, r.moment(false))
	if o.Outcome != v1alpha1.OutcomeFound && r.one(2) {
		o.LastFound = o.Since
	}
	return o
}

func (r chance) observations() []Observation {
	observers := pick(r, []string{}, []string{"manager"}, []string{"manager"}, []string{"par-1", "par-2"}, []string{"par-1", "par-2", "lyo-1"})
	var all []Observation
	for _, observer := range observers {
		all = append(all, r.observation(observer))
	}
	return all
}

func (r chance) requirements() v1alpha1.KeyRequirements {
	return v1alpha1.KeyRequirements{
		Algorithms: pick(r, nil, []v1alpha1.KeyAlgorithm{"AES"}, []v1alpha1.KeyAlgorithm{"AES", "RSA", "EC", "ChaCha20"}), MinBits: pick[int32](r, 0, 1, 128, 256),
		Extractable: pick[v1alpha1.Extractable](r, "", v1alpha1.ExtractableForbidden, v1alpha1.ExtractableForbiddenNow, v1alpha1.ExtractableAllowed),
		Origin:      pick[v1alpha1.KeyOriginDemand](r, "", v1alpha1.OriginGeneratedInStore, v1alpha1.OriginAny),
	}
}

// key is one with a status that earlier judgements could have left.
func (r chance) key() *v1alpha1.EncryptionKey {
	k := kek()
	k.Spec.Requirements = r.requirements()
	k.Spec.Fingerprint = pick[v1alpha1.Fingerprint](r, "", "", "", v1alpha1.Fingerprint(first), v1alpha1.Fingerprint(first), v1alpha1.Fingerprint(second))
	if r.one(6) {
		k.Spec.NotAfter = r.someTime(r.one(2))
	}
	if r.one(2) {
		k.Status.Fingerprint = pick(r, first, first, first, first, first, second)
		k.Status.VerifiedUntil = r.someTime(true)
	}
	if r.one(6) {
		k.Status.Phase, k.Status.RevokedSince, k.Status.VerifiedUntil = pick(r, v1alpha1.PhaseDestroyed, v1alpha1.PhaseCompromised, v1alpha1.PhaseReplaced, v1alpha1.PhaseExpired), r.someTime(false), nil
		k.Status.ObservedFingerprint = pick(r, "", second)
	}
	return k
}

func (r chance) store() *v1alpha1.KeyStore {
	if r.one(20) {
		return nil
	}
	s := hsm()
	s.Spec.Type = pick(r, v1alpha1.KeyStorePKCS11, v1alpha1.KeyStorePKCS11, v1alpha1.KeyStorePKCS11, v1alpha1.KeyStorePKCS11, v1alpha1.KeyStoreKMIP, v1alpha1.KeyStoreDeclared)
	s.Spec.Probe.LeaseDuration = pick[v1alpha1.ProbeDuration](r, "24h", "24h", "24h", "24h", "1h", "x", "")
	s.Spec.Revocation.Delay = pick[v1alpha1.ProbeDuration](r, "15m", "0s", "x", "")
	if r.one(4) {
		s.Spec.Declared = nil
	}
	return s
}

// lawfully runs a law on many random worlds and names the seed of the one that breaks it.
func lawfully(t *testing.T, law func(t *testing.T, r chance)) {
	t.Helper()
	for seed := range uint64(worlds) {
		law(t, seeded(seed))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestOfNothingNothingIsKnown(t *testing.T) {
	if v := (Verdict{}); v.Verified() || v.Live("", noon) || v.Live(first, noon) || v.Revoked() || v.Confirmed {
		t.Error("the zero verdict lets something happen")
	}
	if v := (&Key{}).Judge([]Observation{found(facts())}, noon); v.Phase != v1alpha1.PhaseUnknown || v.Verified() || v.Live(first, noon) || v.Confirmed {
		t.Errorf("a key that nobody compiled is %s", v.Phase)
	}
}

func TestWhatIsVerifiedIsProvenAndNotRevoked(t *testing.T) {
	verified, live, revoked := 0, 0, 0
	lawfully(t, func(t *testing.T, r chance) {
		key, store := r.key(), r.store()
		v := Compile(key, store).Judge(r.observations(), noon)
		declared := store != nil && store.Spec.Type == v1alpha1.KeyStoreDeclared
		if v.Verified() {
			verified++
			if v.Revoked() || !declared && !v.Live(v.Fingerprint, noon) || declared && !v.VerifiedUntil.IsZero() {
				t.Errorf("verified until %s, revoked since %s", v.VerifiedUntil, v.RevokedSince)
			}
		}
		if v.Live(v.Fingerprint, noon) {
			live++
		}
		if v.Revoked() {
			revoked++
			if !v.VerifiedUntil.IsZero() || v.RevokedSince.After(noon) {
				t.Errorf("revoked since %s, verified until %s", v.RevokedSince, v.VerifiedUntil)
			}
		}
		if v.Confirmed && !v.Revoked() || v.Message == "" || v.Reason == "" || v.Phase == "" {
			t.Errorf("an incomplete verdict: %+v", v)
		}
	})
	if verified < worlds/20 || live < verified+worlds/100 || revoked < worlds/20 {
		t.Errorf("%d verified, %d live, %d revoked of %d: the law was hardly tried", verified, live, revoked, worlds)
	}
}

func TestWhatNobodyCanTellRevokesNothing(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		key := r.key()
		key.Spec.NotAfter, key.Status.RevokedSince = nil, nil
		all := r.observations()
		for i := range all {
			all[i].Outcome = pick(r, v1alpha1.OutcomeUnreachable, v1alpha1.OutcomeUnauthenticated, v1alpha1.OutcomeMisconfigured, v1alpha1.OutcomeForbidden, v1alpha1.OutcomeAmbiguous, "Odd")
		}
		if v := Compile(key, r.store()).Judge(all, noon); v.Revoked() {
			t.Errorf("%s: %s", v.Phase, v.Message)
		}
	})
}

// Whoever cannot tell takes nothing from what the others prove.
func TestOneWhoCannotTellTakesNothingAway(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		k, all := Compile(r.key(), r.store()), r.observations()
		dark := Observation{Observer: "zzz", Outcome: v1alpha1.OutcomeUnreachable, Since: noon, Confirmed: noon}
		before, after := k.Judge(all, noon), k.Judge(append(all, dark), noon)
		if len(all) == 0 {
			return
		}
		if before.Verified() != after.Verified() || before.Revoked() != after.Revoked() || before.VerifiedUntil.After(after.VerifiedUntil) {
			t.Errorf("%s until %s, then %s until %s", before.Phase, before.VerifiedUntil, after.Phase, after.VerifiedUntil)
		}
	})
}

func TestMoreRequirementsNeverAdmitMore(t *testing.T) {
	differ := 0
	lawfully(t, func(t *testing.T, r chance) {
		key, store, all := r.key(), r.store(), r.observations()
		key.Spec.Requirements = v1alpha1.KeyRequirements{Algorithms: []v1alpha1.KeyAlgorithm{"AES", "RSA", "EC", "ChaCha20"}, MinBits: 1, Extractable: v1alpha1.ExtractableAllowed, Origin: v1alpha1.OriginAny}
		if r.one(2) {
			key.Spec.Requirements = r.requirements()
		}
		less := Compile(key, store).Judge(all, noon)
		tighter := key.DeepCopy()
		switch q := &tighter.Spec.Requirements; r.IntN(5) {
		case 0:
			q.Algorithms = []v1alpha1.KeyAlgorithm{"AES"}
		case 1:
			q.MinBits = 256
		case 2:
			q.Extractable = v1alpha1.ExtractableForbidden
		case 3:
			q.Origin = v1alpha1.OriginGeneratedInStore
		case 4:
			if end := r.moment(r.one(2)); key.Spec.NotAfter == nil || end.Before(key.Spec.NotAfter.Time) {
				tighter.Spec.NotAfter = &metav1.Time{Time: end}
			}
		}
		more := Compile(tighter, store).Judge(all, noon)
		if more.Verified() && !less.Verified() || more.VerifiedUntil.After(less.VerifiedUntil) && (less.Verified() || more.Live(first, noon) && !less.Live(first, noon)) {
			t.Errorf("less: %s until %s (%s)\nmore: %s until %s (%s)", less.Phase, less.VerifiedUntil, less.Message, more.Phase, more.VerifiedUntil, more.Message)
		}
		if less.Verified() != more.Verified() {
			differ++
		}
	})
	if differ < worlds/250 {
		t.Errorf("only %d of %d verdicts differed: the law was hardly tried", differ, worlds)
	}
}

func TestTheOrderOfObservationsDoesNotMatter(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		key, store, all := r.key(), r.store(), r.observations()
		before := Compile(key, store).Judge(all, noon)
		shuffled := slices.Clone(all)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for i := range shuffled {
			shuffled[i].Facts = slices.Clone(shuffled[i].Facts)
			r.Shuffle(len(shuffled[i].Facts), func(a, b int) {
				shuffled[i].Facts[a], shuffled[i].Facts[b] = shuffled[i].Facts[b], shuffled[i].Facts[a]
			})
		}
		if diff := cmp.Diff(withoutKey(before), withoutKey(Compile(key, store).Judge(shuffled, noon))); diff != "" {
			t.Errorf("in another order (-was +is):\n%s", diff)
		}
	})
}

// Between now and NextChange nothing changes, but for since when a revocation is told that nobody told before.
func TestTimeAloneChangesNothingBeforeItsMoment(t *testing.T) {
	changed := 0
	lawfully(t, func(t *testing.T, r chance) {
		k, all := Compile(r.key(), r.store()), r.observations()
		v := k.Judge(all, noon)
		if v.NextChange.IsZero() {
			return
		}
		if !v.NextChange.After(noon) {
			t.Errorf("changes at %s, which is past", v.NextChange)
		}
		still := k.Judge(all, v.NextChange.Add(-time.Nanosecond))
		if v.RevokedSince.Equal(noon) {
			return
		}
		if diff := cmp.Diff(withoutKey(v), withoutKey(still)); diff != "" {
			t.Errorf("before its moment (-was +is):\n%s", diff)
		}
		if then := k.Judge(all, v.NextChange); then.Phase != v.Phase || then.Confirmed != v.Confirmed {
			changed++
		}
	})
	if changed < worlds/20 {
		t.Errorf("only %d of %d verdicts changed: the law was hardly tried", changed, worlds)
	}
}

// Silence never makes a proof longer.
func TestNoProofOutlivesItsLease(t *testing.T) {
	lawfully(t, func(t *testing.T, r chance) {
		k, all := Compile(r.key(), r.store()), r.observations()
		v := k.Judge(all, noon)
		for d := time.Duration(0); d < 50*time.Hour; d += 7 * time.Hour {
			then := k.Judge(all, noon.Add(d))
			if k.kind != v1alpha1.KeyStoreDeclared && (then.Verified() || then.Live(then.Fingerprint, noon.Add(d))) && !noon.Add(d).Before(then.VerifiedUntil) {
				t.Errorf("%s at %s, until %s", then.Phase, noon.Add(d), then.VerifiedUntil)
			}
			if v.Verified() && then.VerifiedUntil.After(v.VerifiedUntil) {
				t.Errorf("until %s, then until %s", v.VerifiedUntil, then.VerifiedUntil)
			}
		}
	})
}

func FuzzJudge(f *testing.F) {
	f.Add("paris-hsm", "Found", "sha256:a", "usable", "true", "Tested", "Forbidden", "24h", int64(0), int64(60))
	f.Add("", "Destroyed", "", "notAfter", "2026-11-23T12:00:00Z", "Reported", "", "", int64(-3600), int64(0))
	f.Fuzz(func(t *testing.T, store, outcome, fingerprint, name, value, evidence, extractable, lease string, since, confirmed int64) {
		key, s := kek(), hsm()
		key.Spec.Store = v1alpha1.ObjectName(store)
		key.Spec.Requirements.Extractable = v1alpha1.Extractable(extractable)
		s.Spec.Probe.LeaseDuration = v1alpha1.ProbeDuration(lease)
		o := found(append(facts(), Fact{Name: name, Value: value, Evidence: v1alpha1.KeyEvidence(evidence), Since: time.Unix(since, 0)}))
		o.Outcome, o.Fingerprint = v1alpha1.ProbeOutcome(outcome), fingerprint
		o.Since, o.Confirmed = noon.Add(time.Duration(since)*time.Second), noon.Add(time.Duration(confirmed)*time.Second)
		v, again := Compile(key, s).Judge([]Observation{o}, noon), Compile(key, s).Judge([]Observation{o}, noon)
		if diff := cmp.Diff(withoutKey(v), withoutKey(again)); diff != "" {
			t.Errorf("judged twice (-was +is):\n%s", diff)
		}
		if v.Verified() && (v.Revoked() || !v.Live(v.Fingerprint, noon) || v.Phase != v1alpha1.PhaseVerified || outcome != "Found") {
			t.Errorf("verified, and %+v", v)
		}
		if v.Revoked() != (v.VerifiedUntil.IsZero() && !v.RevokedSince.IsZero()) {
			t.Errorf("revoked since %s, verified until %s", v.RevokedSince, v.VerifiedUntil)
		}
	})
}
