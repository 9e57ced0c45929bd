package keys

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

type keyCase struct {
	key     func(*v1alpha1.EncryptionKey)
	store   func(*v1alpha1.KeyStore)
	noStore bool
	seen    []Observation

	phase  v1alpha1.KeyPhase
	reason string
	says   string // part of the message
	since  time.Time
	until  time.Time
}

func (c keyCase) judge(now time.Time) Verdict {
	key, store := kek(), hsm()
	if c.key != nil {
		c.key(key)
	}
	if c.store != nil {
		c.store(store)
	}
	if c.noStore {
		store = nil
	}
	return Compile(key, store).Judge(c.seen, now)
}

func (c keyCase) check(t *testing.T) {
	t.Helper()
	v := c.judge(noon)
	reason := c.reason
	if reason == "" {
		reason = string(c.phase)
	}
	if v.Phase != c.phase || v.Reason != reason || !strings.Contains(v.Message, c.says) {
		t.Errorf("%s for %s: %q; wanted %s for %s: … %s …", v.Phase, v.Reason, v.Message, c.phase, reason, c.says)
	}
	if !v.RevokedSince.Equal(c.since) {
		t.Errorf("revoked since %s, not %s", v.RevokedSince, c.since)
	}
	if !v.VerifiedUntil.Equal(c.until) {
		t.Errorf("verified until %s, not %s", v.VerifiedUntil, c.until)
	}
	slices.Reverse(c.seen)
	if diff := cmp.Diff(withoutKey(v), withoutKey(c.judge(noon))); diff != "" {
		t.Errorf("in another order (-was +is):\n%s", diff)
	}
}

func withoutKey(v Verdict) Verdict {
	v.Key = nil
	return v
}

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// Whoever found the key a minute ago, or an hour ago, earned a lease of a day.
var (
	renewed = noon.Add(day - minute)
	earned  = noon.Add(day - hour)
)

func requires(change func(*v1alpha1.KeyRequirements)) func(*v1alpha1.EncryptionKey) {
	return func(k *v1alpha1.EncryptionKey) { change(&k.Spec.Requirements) }
}

func keysThatAreThere() map[string]keyCase {
	allowed := requires(func(r *v1alpha1.KeyRequirements) { r.Extractable = v1alpha1.ExtractableAllowed })
	now := requires(func(r *v1alpha1.KeyRequirements) { r.Extractable = v1alpha1.ExtractableForbiddenNow })
	anyOrigin := requires(func(r *v1alpha1.KeyRequirements) { r.Origin = v1alpha1.OriginAny })
	imported := facts(FactOrigin, OriginImported, FactNeverExtractable, "false")
	return map[string]keyCase{
		"well made, it is verified": {seen: []Observation{found(facts())}, phase: v1alpha1.PhaseVerified, says: "KeyStore/paris-hsm", until: renewed},
		"hardened later, it may have been copied": {
			seen: []Observation{found(facts(FactNeverExtractable, "false"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonHardenedLater, says: "a copy may exist",
		},
		"hardened later, it is accepted where only now counts": {key: now, seen: []Observation{found(facts(FactNeverExtractable, "false"))}, phase: v1alpha1.PhaseVerified, until: renewed},
		"imported, it was outside":                             {seen: []Observation{found(imported)}, phase: v1alpha1.PhaseUnverified, reason: ReasonImported, says: "spec.requirements.origin to Any and"},
		"imported, any origin alone does not make it one that never left": {
			key: anyOrigin, seen: []Observation{found(imported)}, phase: v1alpha1.PhaseUnverified, reason: ReasonImported, says: "spec.requirements.extractable to ForbiddenNow",
		},
		"imported, it is accepted where neither matters": {
			key: requires(func(r *v1alpha1.KeyRequirements) {
				r.Origin, r.Extractable = v1alpha1.OriginAny, v1alpha1.ExtractableForbiddenNow
			}),
			seen: []Observation{found(imported)}, phase: v1alpha1.PhaseVerified, until: renewed,
		},
		"of unknown origin, it is not taken for generated":                   {seen: []Observation{found(facts(FactOrigin, ""))}, phase: v1alpha1.PhaseUnverified, reason: ReasonOriginUnknown},
		"extractable, it can leave":                                          {seen: []Observation{found(facts(FactNonExtractable, "false"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonExtractable},
		"extractable, it is accepted where that is allowed":                  {key: allowed, seen: []Observation{found(facts(FactNonExtractable, "false", FactNeverExtractable, "false"))}, phase: v1alpha1.PhaseVerified, until: renewed},
		"extractable, it is not accepted where only history does not matter": {key: now, seen: []Observation{found(facts(FactNonExtractable, "false"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonExtractable},
		"of which nobody can tell whether it can leave":                      {seen: []Observation{found(facts(FactNonExtractable, ""))}, phase: v1alpha1.PhaseUnverified, reason: ReasonExtractabilityUnknown},
		"of which nobody can tell whether it once could":                     {seen: []Observation{found(facts(FactNeverExtractable, ""))}, phase: v1alpha1.PhaseUnverified, reason: ReasonHistoryUnknown},
		"public, anybody uses it":                                            {seen: []Observation{found(facts(FactPrivate, "false"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonPublic, says: "--private"},
		"public, it is accepted where it may be extractable":                 {key: allowed, seen: []Observation{found(facts(FactPrivate, "false"))}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of a store that knows no public objects":                            {seen: []Observation{found(facts(FactPrivate, ""))}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of another algorithm":                                               {seen: []Observation{found(facts(FactAlgorithm, "RSA"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonAlgorithmNotAccepted, says: "accept RSA"},
		"of another algorithm that is accepted": {
			key:  requires(func(r *v1alpha1.KeyRequirements) { r.Algorithms = []v1alpha1.KeyAlgorithm{"RSA", "AES"} }),
			seen: []Observation{found(facts(FactAlgorithm, "RSA", FactBits, "3072"))}, phase: v1alpha1.PhaseVerified, until: renewed,
		},
		"of an unknown algorithm":                            {seen: []Observation{found(facts(FactAlgorithm, ""))}, phase: v1alpha1.PhaseUnverified, reason: ReasonAlgorithmUnknown},
		"too short":                                          {seen: []Observation{found(facts(FactBits, "128"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonTooShort, says: "128 bits"},
		"of unknown length":                                  {seen: []Observation{found(facts(FactBits, ""))}, phase: v1alpha1.PhaseUnverified, reason: ReasonLengthUnknown},
		"of a length that is none":                           {seen: []Observation{found(facts(FactBits, "many"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonTooShort},
		"that does not encrypt":                              {seen: []Observation{found(facts(FactUsable, "false"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonNotUsable},
		"that was never used":                                {seen: []Observation{found(facts(FactUsable, ""))}, phase: v1alpha1.PhaseUnverified, reason: ReasonNotTried},
		"with all that stands against it, in one message":    {seen: []Observation{found(facts(FactBits, "128", FactUsable, "false"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonTooShort, says: "ask for less; it was tried"},
		"without a fingerprint, it could not be known again": {seen: []Observation{withFingerprint("")}, phase: v1alpha1.PhaseUnverified, reason: ReasonNoFingerprint},
		"in a state that nobody knows":                       {seen: []Observation{found(facts(FactState, "Odd"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonStateUnknown},
		"whose end cannot be read":                           {seen: []Observation{found(facts(FactNotAfter, "soon"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonTimeUnreadable},
		"active, it is verified":                             {seen: []Observation{found(facts(FactState, StateActive))}, phase: v1alpha1.PhaseVerified, until: renewed},
		"not yet active, it is no revocation":                {seen: []Observation{found(facts(FactState, StatePreActive))}, phase: v1alpha1.PhaseDeactivated, reason: ReasonPreActive},
		"not yet valid, it is no revocation, either":         {seen: []Observation{found(facts(FactNotBefore, "2026-11-23T12:00:01Z"))}, phase: v1alpha1.PhaseDeactivated, reason: ReasonNotYetValid, says: "2026-11-23T12:00:01Z"},
		"valid from now on":                                  {seen: []Observation{found(facts(FactNotBefore, "2026-11-23T12:00:00Z"))}, phase: v1alpha1.PhaseVerified, until: renewed},
		"deactivated":                                        {seen: []Observation{found(facts(FactState, StateDeactivated))}, phase: v1alpha1.PhaseDeactivated, since: noon.Add(-hour)},
		"compromised, whatever else is wrong":                {seen: []Observation{found(facts(FactState, StateCompromised, FactBits, "128", FactUsable, "false"))}, phase: v1alpha1.PhaseCompromised, since: noon.Add(-hour)},
		"expired by its store, the end being exclusive":      {seen: []Observation{found(facts(FactNotAfter, "2026-11-23T12:00:00Z"))}, phase: v1alpha1.PhaseExpired, since: noon},
		"about to expire, its lease ends with it":            {seen: []Observation{found(facts(FactNotAfter, "2026-11-23T12:00:01Z"))}, phase: v1alpha1.PhaseVerified, until: noon.Add(time.Second)},
		"expired by spec, which nobody had told before":      {key: func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter = at(-hour) }, seen: []Observation{found(facts())}, phase: v1alpha1.PhaseExpired, says: "spec.notAfter", since: noon},
		"expired by spec as its status says already": {
			key:  func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter, k.Status.RevokedSince = at(-hour), at(-minute) },
			seen: []Observation{found(facts())}, phase: v1alpha1.PhaseExpired, since: noon.Add(-minute),
		},
		"that expires by spec before its store says so": {
			key:  func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter = at(hour) },
			seen: []Observation{found(facts(FactNotAfter, "2026-11-24T00:00:00Z"))}, phase: v1alpha1.PhaseVerified, until: noon.Add(hour),
		},
	}
}

func TestAKeyThatIsThere(t *testing.T) {
	for what, c := range keysThatAreThere() {
		t.Run(what, c.check)
	}
}

func withFingerprint(f string) Observation {
	o := found(facts())
	o.Fingerprint = f
	return o
}

func keysThatAreNotWhatTheyWere() map[string]keyCase {
	pinned := func(k *v1alpha1.EncryptionKey) { k.Status.Fingerprint = first }
	wrote := func(f string) func(*v1alpha1.EncryptionKey) {
		return func(k *v1alpha1.EncryptionKey) {
			k.Status.Fingerprint, k.Spec.Fingerprint = first, v1alpha1.Fingerprint(f)
		}
	}
	was := func(phase v1alpha1.KeyPhase) func(*v1alpha1.EncryptionKey) {
		return func(k *v1alpha1.EncryptionKey) {
			k.Status.Phase, k.Status.RevokedSince, k.Status.Fingerprint, k.Status.ObservedFingerprint = phase, at(-2*hour), first, second
		}
	}
	gone := found(nil).but(v1alpha1.OutcomeNotFound)
	return map[string]keyCase{
		"gone after it was found, it is destroyed": {seen: []Observation{gone}, phase: v1alpha1.PhaseDestroyed, says: "not any more", since: noon.Add(-hour)},
		"gone after it was pinned, too":            {key: pinned, seen: []Observation{gone.never()}, phase: v1alpha1.PhaseDestroyed, since: noon.Add(-hour)},
		"never there, it is not found":             {seen: []Observation{gone.never()}, phase: v1alpha1.PhaseNotFound, says: "no such key"},
		"never there, whatever fingerprint somebody wrote": {key: func(k *v1alpha1.EncryptionKey) {
			k.Status.Fingerprint, k.Spec.Fingerprint = first, v1alpha1.Fingerprint(first)
		}, seen: []Observation{gone.never()}, phase: v1alpha1.PhaseNotFound},
		"destroyed, as its store says":                         {seen: []Observation{found(nil).but(v1alpha1.OutcomeDestroyed)}, phase: v1alpha1.PhaseDestroyed, says: "says that", since: noon.Add(-hour)},
		"replaced, it waits for a person":                      {key: pinned, seen: []Observation{withFingerprint(second)}, phase: v1alpha1.PhaseReplaced, says: "write the new one into spec.fingerprint", since: noon.Add(-day)},
		"replaced and acknowledged, it is verified":            {key: wrote(second), seen: []Observation{withFingerprint(second)}, phase: v1alpha1.PhaseVerified, until: renewed},
		"another than the one somebody just wrote, since now":  {key: wrote(second), seen: []Observation{withFingerprint(first)}, phase: v1alpha1.PhaseReplaced, since: noon},
		"twice there, it is ambiguous, and keeps what it has":  {key: func(k *v1alpha1.EncryptionKey) { k.Status.VerifiedUntil = at(hour) }, seen: []Observation{found(nil).but(v1alpha1.OutcomeAmbiguous)}, phase: v1alpha1.PhaseAmbiguous, until: noon.Add(hour)},
		"hidden, it is no revocation":                          {seen: []Observation{found(facts()).but(v1alpha1.OutcomeForbidden)}, phase: v1alpha1.PhaseForbidden, until: earned},
		"out of reach, its lease lives on":                     {seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: earned},
		"out of reach, without facts only what was written":    {key: func(k *v1alpha1.EncryptionKey) { k.Status.VerifiedUntil = at(hour) }, seen: []Observation{found(nil).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: noon.Add(hour)},
		"out of reach, one that never was good earned nothing": {seen: []Observation{found(facts(FactBits, "128")).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable},
		"out of reach and never found, it has no lease":        {seen: []Observation{found(nil).but(v1alpha1.OutcomeUnreachable).never()}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable},
		"behind a wrong PIN":                                   {seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnauthenticated)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnauthenticated, until: earned},
		"behind a broken configuration":                        {seen: []Observation{found(facts()).but(v1alpha1.OutcomeMisconfigured)}, phase: v1alpha1.PhaseUnknown, reason: ReasonMisconfigured, until: earned},
		"looked at by nobody yet":                              {phase: v1alpha1.PhaseUnknown, reason: ReasonNotObserved, says: "Terroir asks"},
		"looked at by no agent yet":                            {store: fromAgents, phase: v1alpha1.PhaseUnknown, reason: ReasonNotObserved, says: "run keyprobe"},
		"in a store that is missing":                           {noStore: true, seen: []Observation{found(facts())}, phase: v1alpha1.PhaseUnknown, reason: ReasonStoreNotFound, says: "KeyStore/paris-hsm does not exist"},
		"gone after it was revoked": {
			key: func(k *v1alpha1.EncryptionKey) {
				k.Status.Fingerprint, k.Spec.Fingerprint, k.Status.RevokedSince = first, v1alpha1.Fingerprint(first), at(-2*hour)
			},
			seen: []Observation{gone.never()}, phase: v1alpha1.PhaseDestroyed, since: noon.Add(-hour),
		},
		"not active at last, and now nobody can tell": {
			key:  func(k *v1alpha1.EncryptionKey) { k.Status.Phase = v1alpha1.PhaseDeactivated },
			seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: earned,
		},
		"another at last, and now nobody can tell, it has no lease": {
			key:  func(k *v1alpha1.EncryptionKey) { k.Status.Fingerprint, k.Status.VerifiedUntil = first, at(hour) },
			seen: []Observation{withFingerprint(second).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable,
		},
		"not valid yet at last, and now nobody can tell, it has earned nothing": {
			seen:  []Observation{found(facts(FactNotBefore, "2026-11-23T11:30:00Z")).but(v1alpha1.OutcomeUnreachable)},
			phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable,
		},
		"about to expire, and now nobody can tell": {
			seen:  []Observation{found(facts(FactNotAfter, "2026-11-23T13:00:00Z")).but(v1alpha1.OutcomeUnreachable)},
			phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: noon.Add(hour),
		},
		"in a store that was taken away": {
			noStore: true, key: func(k *v1alpha1.EncryptionKey) { k.Status.VerifiedUntil = at(hour) }, phase: v1alpha1.PhaseUnknown, reason: ReasonStoreNotFound, until: noon.Add(hour),
		},
		"in a store of another kind":                            {store: func(s *v1alpha1.KeyStore) { s.Spec.Type = v1alpha1.KeyStoreKMIP }, seen: []Observation{found(facts())}, phase: v1alpha1.PhaseUnknown, reason: ReasonReferenceMismatch, says: "gives pkcs11", until: renewed},
		"expired in a store that is missing":                    {noStore: true, key: func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter = at(-hour) }, phase: v1alpha1.PhaseExpired, since: noon},
		"found destroyed, and now nobody can tell":              {key: was(v1alpha1.PhaseDestroyed), seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseDestroyed, says: "was found destroyed", since: noon.Add(-2 * hour)},
		"found replaced, and now nobody can tell":               {key: was(v1alpha1.PhaseReplaced), seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseReplaced, since: noon.Add(-2 * hour)},
		"found replaced and acknowledged, and nobody can tell":  {key: func(k *v1alpha1.EncryptionKey) { was(v1alpha1.PhaseReplaced)(k); wrote(second)(k) }, seen: []Observation{withFingerprint(second).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: earned},
		"found expired by a spec that was changed since":        {key: was(v1alpha1.PhaseExpired), seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: earned},
		"found deactivated, and active again":                   {key: was(v1alpha1.PhaseDeactivated), seen: []Observation{found(facts())}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of which nothing was heard for as long as a lease":     {seen: []Observation{heard(found(facts()), -day)}, phase: v1alpha1.PhaseUnknown, reason: ReasonSilent, says: "since 2026-11-22T12:00:00Z", until: noon},
		"that was destroyed, and then nothing was heard of it":  {seen: []Observation{heard(found(nil).but(v1alpha1.OutcomeDestroyed), -day)}, phase: v1alpha1.PhaseDestroyed, since: noon.Add(-hour)},
		"no more what it must be, what was written still holds": {key: func(k *v1alpha1.EncryptionKey) { k.Status.VerifiedUntil = at(hour) }, seen: []Observation{found(facts(FactBits, "128"))}, phase: v1alpha1.PhaseUnverified, reason: ReasonTooShort, until: noon.Add(hour)},
		"seen by a clock that is ahead, it earns no more":       {seen: []Observation{heard(found(facts()), hour)}, phase: v1alpha1.PhaseVerified, until: noon.Add(day)},
	}
}

func TestAKeyThatIsNotWhatItWas(t *testing.T) {
	for what, c := range keysThatAreNotWhatTheyWere() {
		t.Run(what, c.check)
	}
}

func fromAgents(s *v1alpha1.KeyStore) { s.Spec.Probe.From = v1alpha1.ProbeFromAgent }

// heard has an observation last confirmed then.
func heard(o Observation, then time.Duration) Observation {
	o.Confirmed = noon.Add(then)
	return o
}

func keysOfSeveralAgents() map[string]keyCase {
	good := found(facts())
	newcomer := found(nil).but(v1alpha1.OutcomeNotFound).never()
	cases := map[string]keyCase{
		"that agree":                                     {seen: []Observation{good.by("par-1"), good.by("par-2")}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of which one cannot tell":                       {seen: []Observation{good.by("par-2"), good.by("par-1").but(v1alpha1.OutcomeUnreachable)}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of which one is not let to see it":              {seen: []Observation{good.by("par-2"), good.by("par-1").but(v1alpha1.OutcomeForbidden)}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of which one is silent":                         {seen: []Observation{good.by("par-2"), heard(good.by("par-1"), -day)}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of which one has not used it yet":               {seen: []Observation{good.by("par-2"), found(facts(FactUsable, "")).by("par-1")}, phase: v1alpha1.PhaseVerified, until: renewed},
		"of which one finds it destroyed":                {seen: []Observation{good.by("par-1"), good.by("par-2").but(v1alpha1.OutcomeDestroyed)}, phase: v1alpha1.PhaseDestroyed, says: "seen from zone par-2", since: noon.Add(-hour)},
		"of which one finds another key":                 {seen: []Observation{good.by("par-1"), younger(withFingerprint(second)).by("par-2")}, phase: v1alpha1.PhaseReplaced, says: "seen from zone par-2", since: noon.Add(-hour)},
		"of which one can take it out":                   {seen: []Observation{good.by("par-1"), found(facts(FactNonExtractable, "false")).by("par-2")}, phase: v1alpha1.PhaseUnverified, reason: ReasonExtractable, says: "seen from zone par-2"},
		"of which one has never had it":                  {seen: []Observation{good.by("par-1"), newcomer.by("par-2")}, phase: v1alpha1.PhaseNotFound, says: "seen from zone par-2"},
		"of which one has never had it, and one is dark": {seen: []Observation{good.by("par-1").but(v1alpha1.OutcomeUnreachable), newcomer.by("par-2")}, phase: v1alpha1.PhaseNotFound},
		"of which one has never had a key that was pinned": {
			key:  func(k *v1alpha1.EncryptionKey) { k.Status.Fingerprint = first },
			seen: []Observation{good.by("par-1").but(v1alpha1.OutcomeUnreachable), newcomer.by("par-2")}, phase: v1alpha1.PhaseNotFound,
		},
		"that both lost it": {
			seen:  []Observation{good.by("par-1").but(v1alpha1.OutcomeNotFound), younger(good.by("par-2").but(v1alpha1.OutcomeDestroyed))},
			phase: v1alpha1.PhaseDestroyed, says: "seen from zone par-1", since: noon.Add(-hour),
		},
		"that both cannot tell, the longer lease counts": {
			seen: []Observation{good.by("par-1").but(v1alpha1.OutcomeUnreachable), heard(good.by("par-2"), -day)}, phase: v1alpha1.PhaseUnknown, reason: ReasonUnreachable, until: earned,
		},
	}
	for what, c := range cases {
		c.store = fromAgents
		cases[what] = c
	}
	return cases
}

func TestSeveralAgents(t *testing.T) {
	for what, c := range keysOfSeveralAgents() {
		t.Run(what, c.check)
	}
}

// younger has an observation first seen an hour ago.
func younger(o Observation) Observation {
	o.Since = noon.Add(-hour)
	return o
}

func declaredKeys() map[string]keyCase {
	declared := func(r v1alpha1.KeyRequirements) func(*v1alpha1.EncryptionKey) {
		return func(k *v1alpha1.EncryptionKey) {
			k.Spec.Ref, k.Spec.Requirements = v1alpha1.KeyReference{Declared: &v1alpha1.DeclaredKey{}}, r
		}
	}
	nothing := v1alpha1.KeyRequirements{
		Algorithms: []v1alpha1.KeyAlgorithm{"AES", "RSA", "EC", "ChaCha20"}, MinBits: 1, Extractable: v1alpha1.ExtractableAllowed, Origin: v1alpha1.OriginAny,
	}
	but := func(change func(*v1alpha1.KeyRequirements)) v1alpha1.KeyRequirements {
		r := nothing
		change(&r)
		return r
	}
	cases := map[string]keyCase{
		"of which nothing is asked, it is verified":   {key: declared(nothing), phase: v1alpha1.PhaseVerified, says: "nobody can check"},
		"of which the usual is asked, it is not":      {key: declared(v1alpha1.KeyRequirements{}), phase: v1alpha1.PhaseUnverified, reason: ReasonAlgorithmUnknown, says: "minBits to 1"},
		"of which a length is asked, it is not":       {key: declared(but(func(r *v1alpha1.KeyRequirements) { r.MinBits = 2 })), phase: v1alpha1.PhaseUnverified, reason: ReasonLengthUnknown},
		"of which an origin is asked, it is not":      {key: declared(but(func(r *v1alpha1.KeyRequirements) { r.Origin = "" })), phase: v1alpha1.PhaseUnverified, reason: ReasonOriginUnknown},
		"which may not be extractable now, it is not": {key: declared(but(func(r *v1alpha1.KeyRequirements) { r.Extractable = v1alpha1.ExtractableForbiddenNow })), phase: v1alpha1.PhaseUnverified, reason: ReasonExtractabilityUnknown},
		"whatever somebody claims to have seen":       {key: declared(v1alpha1.KeyRequirements{}), seen: []Observation{found(facts())}, phase: v1alpha1.PhaseUnverified, reason: ReasonAlgorithmUnknown},
		"that has expired":                            {key: func(k *v1alpha1.EncryptionKey) { declared(nothing)(k); k.Spec.NotAfter = at(0) }, phase: v1alpha1.PhaseExpired, since: noon},
		"whose reference is that of another kind":     {key: func(k *v1alpha1.EncryptionKey) { k.Spec.Requirements = nothing }, phase: v1alpha1.PhaseUnknown, reason: ReasonReferenceMismatch, says: "of type Declared"},
	}
	for what, c := range cases {
		c.store = func(s *v1alpha1.KeyStore) { s.Spec.Type = v1alpha1.KeyStoreDeclared }
		cases[what] = c
	}
	return cases
}

func TestADeclaredKey(t *testing.T) {
	for what, c := range declaredKeys() {
		t.Run(what, func(t *testing.T) {
			c.check(t)
			for _, f := range c.judge(noon).Facts {
				if f.Evidence != v1alpha1.EvidenceDeclared {
					t.Errorf("%s is known as %s", f.Name, f.Evidence)
				}
			}
		})
	}
}

func TestConfirmedRevocations(t *testing.T) {
	// Probes come every five minutes; three in a row confirm, and nothing happens in the first quarter of an hour.
	destroyed := func(since, confirmed time.Duration) []Observation {
		o := heard(found(nil).but(v1alpha1.OutcomeDestroyed), confirmed)
		o.Since = noon.Add(since)
		return []Observation{o}
	}
	for what, c := range map[string]struct {
		keyCase
		want bool
	}{
		"seen three times, and the delay is over":     {keyCase{seen: destroyed(-15*minute, -5*minute)}, true},
		"seen three times, and the delay is not over": {keyCase{seen: destroyed(-15*minute+time.Second, 0)}, false},
		"seen twice only": {keyCase{seen: destroyed(-day, -day+10*minute-time.Second)}, false},
		"seen often enough, and then not for a lease": {keyCase{seen: destroyed(-3*day, -day)}, false},
		"seen once where once is enough":              {keyCase{store: func(s *v1alpha1.KeyStore) { s.Spec.Revocation = v1alpha1.KeyRevocation{Confirmations: 1, Delay: "0s"} }, seen: destroyed(0, 0)}, true},
		"with a delay that cannot be read":            {keyCase{store: func(s *v1alpha1.KeyStore) { s.Spec.Revocation.Delay = "soon" }, seen: destroyed(-day, 0)}, false},
		"with an interval that cannot be read":        {keyCase{store: func(s *v1alpha1.KeyStore) { s.Spec.Probe.Interval = "often" }, seen: destroyed(-day, 0)}, false},
		"not revoked":                                 {keyCase{seen: []Observation{found(facts())}}, false},
		"found before, and nobody can tell now": {keyCase{key: func(k *v1alpha1.EncryptionKey) {
			k.Status.Phase, k.Status.RevokedSince = v1alpha1.PhaseDestroyed, at(-day)
		}, seen: []Observation{found(nil).but(v1alpha1.OutcomeUnreachable)}}, false},
		"expired by a spec that was just written":            {keyCase{key: func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter = at(-day) }}, false},
		"expired by a spec, as was told long enough ago":     {keyCase{key: func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter, k.Status.RevokedSince = at(-day), at(-15*minute) }}, true},
		"expired by a spec, in a store that was taken away":  {keyCase{noStore: true, key: func(k *v1alpha1.EncryptionKey) { k.Spec.NotAfter, k.Status.RevokedSince = at(-day), at(-day) }}, false},
		"another than the fingerprint that was just written": {keyCase{key: func(k *v1alpha1.EncryptionKey) { k.Spec.Fingerprint = v1alpha1.Fingerprint(second) }, seen: []Observation{found(facts())}}, false},
	} {
		t.Run(what, func(t *testing.T) {
			if v := c.judge(noon); v.Confirmed != c.want {
				t.Errorf("confirmed: %v; %s since %s", v.Confirmed, v.Phase, v.RevokedSince)
			}
		})
	}
}

func TestFactsOfAKey(t *testing.T) {
	better := append(facts(), Fact{Name: FactProtection, Value: "Software", Evidence: v1alpha1.EvidenceReported, Since: noon})
	claims := append(facts(), Fact{Name: FactCustody, Value: "Provider", Evidence: v1alpha1.EvidenceTested}, Fact{Name: "favourite", Value: "yes", Evidence: v1alpha1.EvidenceTested},
		Fact{Name: FactState, Value: StateActive, Evidence: v1alpha1.EvidenceDeclared})
	for what, c := range map[string]struct {
		keyCase
		fact   string
		value  string
		grade  v1alpha1.KeyEvidence
		source string
	}{
		"what is declared counts where nothing better is known": {keyCase{seen: []Observation{found(facts())}}, FactProtection, "HSM", v1alpha1.EvidenceDeclared, "KeyStore/paris-hsm"},
		"what is seen goes before what is declared":             {keyCase{seen: []Observation{found(better)}}, FactProtection, "Software", v1alpha1.EvidenceReported, "manager"},
		"whose a store is no store tells":                       {keyCase{seen: []Observation{found(claims)}}, FactCustody, "Customer", v1alpha1.EvidenceDeclared, "KeyStore/paris-hsm"},
		"every place of a key is its home":                      {keyCase{}, FactHome, "lyo-1,par-1,par-2", v1alpha1.EvidenceDeclared, "KeyStore/paris-hsm"},
		"what nobody knows is no fact":                          {keyCase{seen: []Observation{found(claims)}}, "favourite", "", "", ""},
		"no observer declares":                                  {keyCase{seen: []Observation{found(claims)}}, FactState, "", "", ""},
		"the worst word of several counts": {
			keyCase{seen: []Observation{found(facts()).by("par-1"), found(facts(FactBits, "512")).by("par-2")}}, FactBits, "256", v1alpha1.EvidenceReported, "par-1",
		},
		"and the weakest evidence": {
			keyCase{seen: []Observation{found(facts()).by("par-1"), found(facts(FactNonExtractable, "true")).by("par-2")}}, FactNonExtractable, "true", v1alpha1.EvidenceReported, "par-2",
		},
		"what one does not know is not known": {keyCase{seen: []Observation{found(facts()).by("par-1"), found(facts(FactPrivate, "")).by("par-2")}}, FactPrivate, "", "", ""},
		"unless he has not used the key yet": {
			keyCase{seen: []Observation{found(facts()).by("par-1"), found(facts(FactUsable, "", FactPrivate, "")).by("par-2")}}, FactPrivate, "true", v1alpha1.EvidenceReported, "par-1",
		},
		"what was known stays known while nobody can tell": {keyCase{seen: []Observation{found(facts()).but(v1alpha1.OutcomeUnreachable)}}, FactBits, "256", v1alpha1.EvidenceReported, "manager"},
		"of another key nothing counts": {
			keyCase{key: func(k *v1alpha1.EncryptionKey) { k.Status.Fingerprint = first }, seen: []Observation{withFingerprint(second)}}, FactBits, "", "", "",
		},
	} {
		t.Run(what, func(t *testing.T) {
			f, _ := c.judge(noon).Fact(c.fact)
			if f.Value != c.value || f.Evidence != c.grade || f.Source != c.source {
				t.Errorf("%s is %q, %s by %s", c.fact, f.Value, f.Evidence, f.Source)
			}
		})
	}
}

func TestPlacesOfAKey(t *testing.T) {
	v := keyCase{store: fromAgents, seen: []Observation{
		found(facts()).by("par-2"), found(facts()).by("par-1"), found(facts(FactUsable, "false")).by("lyo-1"), found(facts()).by("lyo-2").but(v1alpha1.OutcomeUnreachable),
	}}.judge(noon)
	if diff := cmp.Diff([]string{"par-1", "par-2"}, v.Zones); diff != "" {
		t.Errorf("usable from (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"lyo-1", "par-1", "par-2"}, v.Home); diff != "" {
		t.Errorf("at home in (-want +got):\n%s", diff)
	}
	nowhere := keyCase{store: func(s *v1alpha1.KeyStore) { s.Spec.Declared.Zones.Home = nil }}.judge(noon)
	if _, told := nowhere.Fact(FactHome); told || len(nowhere.Home) > 0 {
		t.Errorf("where its backups lie is taken for all places: %v", nowhere.Home)
	}
	if v := (keyCase{seen: []Observation{found(facts())}}).judge(noon); len(v.Zones) > 0 {
		t.Errorf("the manager is in no zone, and not in %v", v.Zones)
	}
}

func TestWhoMayAskForAKey(t *testing.T) {
	health := map[string]string{"data-class": "health"}
	for what, c := range map[string]struct {
		selector  *v1alpha1.NamespaceSelector
		namespace map[string]string
		want      bool
	}{
		"nobody, if nobody is selected":          {nil, health, false},
		"nobody, if everybody is":                {&v1alpha1.NamespaceSelector{}, health, false},
		"who is selected":                        {&v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data-class": "health"}}, health, true},
		"not who is not":                         {&v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data-class": "health"}}, nil, false},
		"nobody, if the selector makes no sense": {&v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{{Key: "data-class", Operator: "Like"}}}, health, false},
		"who is selected by an expression":       {&v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{{Key: "data-class", Operator: "Exists"}}}, health, true},
	} {
		key := kek()
		key.Spec.NamespaceSelector = c.selector
		if got := Compile(key, hsm()).Allows(c.namespace); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}

func TestHowDriversNameAKey(t *testing.T) {
	key := kek()
	one, other := v1alpha1.StorageKey{Driver: "a.csi.example", KeyID: "1"}, v1alpha1.StorageKey{Driver: "b.csi.example", KeyID: "2"}
	key.Spec.Storage = []v1alpha1.StorageKey{other, one, other}
	if diff := cmp.Diff([]v1alpha1.StorageKey{one, other}, Compile(key, nil).Storage()); diff != "" {
		t.Errorf("each name once (-want +got):\n%s", diff)
	}
}
