package controllers

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

var fingerprint = "sha256:" + strings.Repeat("a", 64)

func before(d time.Duration) metav1.Time { return metav1.NewTime(noon.Add(-d)) }

// keyStore is a store that the manager asks.
func keyStore(name string) *v1alpha1.KeyStore {
	return &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)}, Spec: v1alpha1.KeyStoreSpec{
		Type: v1alpha1.KeyStoreKMIP, Probe: v1alpha1.KeyProbe{From: v1alpha1.ProbeFromManager, LeaseDuration: "24h"},
		Declared: &v1alpha1.KeyStoreDeclaration{Custody: v1alpha1.CustodyCustomer, Protection: v1alpha1.ProtectionHSM},
	}}
}

func encryptionKey(name string) v1alpha1.EncryptionKey {
	return v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), Generation: 2}, Spec: v1alpha1.EncryptionKeySpec{
		Store: "s", Ref: v1alpha1.KeyReference{KMIP: &v1alpha1.KMIPKey{UniqueID: "1"}},
		NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": "health"}},
	}}
}

// observed is what the manager saw of a good key, since an hour.
func observed(key string) *v1alpha1.KeyObservation {
	o := &v1alpha1.KeyObservation{Spec: v1alpha1.KeyObservationSpec{
		Key: v1alpha1.KeyName(key), KeyUID: key, Store: "s", Observer: v1alpha1.ManagerObserver, Outcome: v1alpha1.OutcomeFound, Since: before(time.Hour), Fingerprint: fingerprint,
	}}
	for name, value := range map[string]string{
		keys.FactAlgorithm: "AES", keys.FactBits: "256", keys.FactNonExtractable: "true", keys.FactNeverExtractable: "true",
		keys.FactOrigin: keys.OriginGenerated, keys.FactUsable: "true",
	} {
		o.Spec.Facts = append(o.Spec.Facts, v1alpha1.ObservedFact{Name: name, Value: value, Evidence: v1alpha1.EvidenceReported, Since: before(time.Hour)})
	}
	return o
}

// oneKey is a world with one good key, which was last seen so a minute ago.
func oneKey() keysWorld {
	return keysWorld{
		stores: map[string]*v1alpha1.KeyStore{"s": keyStore("s")}, keys: []v1alpha1.EncryptionKey{encryptionKey("k")},
		observations: map[string][]*v1alpha1.KeyObservation{"k": {observed("k")}},
		renewed:      map[string]time.Time{"keys.s.manager": noon.Add(-time.Minute)},
		zones:        map[string]bool{"par-1": true},
	}
}

func TestWhoseWordAboutAKeyCounts(t *testing.T) {
	fromAgents := func(w keysWorld) { w.stores["s"].Spec.Probe.From = v1alpha1.ProbeFromAgent }
	for what, c := range map[string]struct {
		change    func(keysWorld)
		confirmed time.Duration // before noon; negative: nobody's word counts
	}{
		"the manager's, as young as its last sweep":          {func(keysWorld) {}, time.Minute},
		"as young as itself, if there was no sweep since":    {func(w keysWorld) { w.renewed["keys.s.manager"] = noon.Add(-2 * time.Hour) }, time.Hour},
		"as young as itself, without any sweep":              {func(w keysWorld) { delete(w.renewed, "keys.s.manager") }, time.Hour},
		"another observer's sweep confirms nothing":          {func(w keysWorld) { clear(w.renewed); w.renewed["keys.s.par-1"] = noon }, time.Hour},
		"not what was said of a key that is gone":            {func(w keysWorld) { w.keys[0].UID = "another" }, -1},
		"not what was said of another store":                 {func(w keysWorld) { w.observations["k"][0].Spec.Store = "t" }, -1},
		"not an agent's, where the manager asks":             {func(w keysWorld) { w.observations["k"][0].Spec.Observer = "par-1" }, -1},
		"not the manager's, where agents ask":                {fromAgents, -1},
		"an agent's, where agents ask":                       {func(w keysWorld) { fromAgents(w); w.observations["k"][0].Spec.Observer = "par-1" }, time.Hour},
		"not that of an agent in a zone that does not exist": {func(w keysWorld) { fromAgents(w); w.observations["k"][0].Spec.Observer = "par-9" }, -1},
		"nobody's, where there is no store":                  {func(w keysWorld) { delete(w.stores, "s") }, -1},
	} {
		t.Run(what, func(t *testing.T) {
			w := oneKey()
			c.change(w)
			seen := w.seenOf(&w.keys[0])
			if c.confirmed < 0 {
				if len(seen) > 0 {
					t.Errorf("counts: %+v", seen)
				}
				return
			}
			if len(seen) != 1 || !seen[0].Confirmed.Equal(noon.Add(-c.confirmed)) {
				t.Errorf("counts: %+v", seen)
			}
		})
	}
}

func statuses(w keysWorld, relied map[string]reliance) keyStatuses {
	return decideKeys(w, judgeKeys(w, noon), relied, noon)
}

func TestStatusOfAKey(t *testing.T) {
	outcome := func(o v1alpha1.ProbeOutcome) func(keysWorld) {
		return func(w keysWorld) { w.observations["k"][0].Spec.Outcome = o }
	}
	for what, c := range map[string]struct {
		change         func(keysWorld)
		phase          v1alpha1.KeyPhase
		ready, revoked metav1.ConditionStatus
		reason         string
	}{
		"verified":      {func(keysWorld) {}, v1alpha1.PhaseVerified, metav1.ConditionTrue, metav1.ConditionFalse, "Verified"},
		"destroyed":     {outcome(v1alpha1.OutcomeDestroyed), v1alpha1.PhaseDestroyed, metav1.ConditionFalse, metav1.ConditionTrue, "Destroyed"},
		"not to be had": {outcome(v1alpha1.OutcomeUnreachable), v1alpha1.PhaseUnknown, metav1.ConditionUnknown, metav1.ConditionUnknown, "Unreachable"},
		"hidden":        {outcome(v1alpha1.OutcomeForbidden), v1alpha1.PhaseForbidden, metav1.ConditionUnknown, metav1.ConditionUnknown, "Forbidden"},
		"without facts": {func(w keysWorld) { w.observations["k"][0].Spec.Facts = nil }, v1alpha1.PhaseUnverified, metav1.ConditionFalse, metav1.ConditionFalse, "AlgorithmUnknown"},
		"without store": {func(w keysWorld) { delete(w.stores, "s") }, v1alpha1.PhaseUnknown, metav1.ConditionFalse, metav1.ConditionFalse, "StoreNotFound"},
	} {
		t.Run(what, func(t *testing.T) {
			w := oneKey()
			c.change(w)
			got := statuses(w, nil).keys[0]
			s := got.wanted.Status
			ready, revoked := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionRevoked)
			if ready == nil || revoked == nil {
				t.Fatalf("conditions %+v", s.Conditions)
			}
			if s.Phase != c.phase || ready.Status != c.ready || revoked.Status != c.revoked || ready.Reason != c.reason || s.ObservedGeneration != 2 {
				t.Errorf("%s, %+v, %+v", s.Phase, ready, revoked)
			}
			if (s.RevokedSince != nil) != (c.revoked == metav1.ConditionTrue) || s.RevokedSince != nil && s.VerifiedUntil != nil {
				t.Errorf("revoked since %s, verified until %s", s.RevokedSince, s.VerifiedUntil)
			}
			w.keys[0].Status = s
			if again := statuses(w, nil).keys[0].wanted.Status; !equality.Semantic.DeepEqual(again, s) {
				t.Errorf("a second pass writes something else (-first +second):\n%s", cmp.Diff(s, again))
			}
		})
	}
}

func TestAStatusHoldsWhatIsKnownOfAKey(t *testing.T) {
	w := oneKey()
	w.keys[0].Spec.NamespaceSelector = nil
	s := statuses(w, nil).keys[0].wanted.Status
	if s.Fingerprint != fingerprint || s.Zones != "" || !s.VerifiedUntil.Equal(moment(noon.Add(24*time.Hour-time.Minute))) {
		t.Errorf("fingerprint %s, zones %s, until %s", s.Fingerprint, s.Zones, s.VerifiedUntil)
	}
	i := slices.IndexFunc(s.Facts, func(f v1alpha1.KeyFact) bool { return f.Name == keys.FactUsable })
	if i < 0 || s.Facts[i].Source != v1alpha1.ManagerObserver || !s.Facts[i].Time.Equal(moment(noon.Add(-time.Hour))) {
		t.Errorf("facts %+v", s.Facts)
	}
	i = slices.IndexFunc(s.Facts, func(f v1alpha1.KeyFact) bool { return f.Name == keys.FactCustody })
	if i < 0 || s.Facts[i].Evidence != v1alpha1.EvidenceDeclared || s.Facts[i].Source != "KeyStore/s" || s.Facts[i].Time != nil {
		t.Errorf("facts %+v", s.Facts)
	}
	if c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); !strings.Contains(c.Message, "no namespace may ask for it") {
		t.Errorf("it says %q", c.Message)
	}
}

func TestWhoReliesOnAKeyStaysUntilItIsCounted(t *testing.T) {
	w := oneKey()
	w.keys[0].Status.Volumes, w.keys[0].Status.Claims = 3, []string{"n/c"}
	if s := statuses(w, nil).keys[0].wanted.Status; s.Volumes != 3 || len(s.Claims) != 1 {
		t.Errorf("nobody counted, and it says %d: %v", s.Volumes, s.Claims)
	}
	if s := statuses(w, map[string]reliance{}).keys[0].wanted.Status; s.Volumes != 0 || len(s.Claims) != 0 {
		t.Errorf("nobody relies on it, and it says %d: %v", s.Volumes, s.Claims)
	}
	many := make([]string, 20)
	if s := statuses(w, map[string]reliance{"k": {classes: many, claims: many, volumes: 20, pods: 4}}).keys[0].wanted.Status; s.Volumes != 20 || s.Pods != 4 || len(s.Claims) != 10 || len(s.StorageClasses) != 16 {
		t.Errorf("twenty rely on it, and it says %d: %v", s.Volumes, s.Claims)
	}
}

func TestALeaseMovesInSteps(t *testing.T) {
	const lease, most = 24 * time.Hour, 24*time.Hour - time.Minute
	for what, c := range map[string]struct {
		was    time.Duration // after noon; 0: none
		change func(keysWorld)
		want   time.Duration
	}{
		"it is told at first":                {0, nil, most},
		"it stays while little is over":      {most - lease/8 + time.Second, nil, most - lease/8 + time.Second},
		"it moves on when an eighth is":      {most - lease/8, nil, most},
		"it moves back at once":              {most + time.Second, nil, most},
		"it moves on when other things do":   {most - time.Minute, func(w keysWorld) { w.keys[0].Status.Zones = "par-1" }, most},
		"it stays, whole seconds being lost": {most - time.Second, func(w keysWorld) { w.renewed["keys.s.manager"] = noon.Add(-time.Minute + 900*time.Millisecond) }, most - time.Second},
		"it is cut where the key expires":    {most, func(w keysWorld) { w.keys[0].Spec.NotAfter = moment(noon.Add(time.Hour)) }, time.Hour},
		"it is told no longer than it is":    {0, func(w keysWorld) { w.renewed["keys.s.manager"] = noon.Add(-time.Minute + 900*time.Millisecond) }, most},
	} {
		t.Run(what, func(t *testing.T) {
			w := oneKey()
			w.keys[0].Status = statuses(w, nil).keys[0].wanted.Status
			w.keys[0].Status.VerifiedUntil = nil
			if c.was != 0 {
				w.keys[0].Status.VerifiedUntil = moment(noon.Add(c.was))
			}
			if c.change != nil {
				c.change(w)
			}
			if got := statuses(w, nil).keys[0].wanted.Status.VerifiedUntil; !got.Equal(moment(noon.Add(c.want))) {
				t.Errorf("until %s, not %s", got, noon.Add(c.want))
			}
		})
	}
}

func TestStatusOfAStore(t *testing.T) {
	outcome := func(o v1alpha1.ProbeOutcome) func(*keysWorld) {
		return func(w *keysWorld) {
			w.observations["k"][0].Spec.Outcome, w.observations["k"][0].Spec.Message = o, "why"
		}
	}
	second := func(o v1alpha1.ProbeOutcome, observer v1alpha1.ObjectName) func(*keysWorld) {
		return func(w *keysWorld) {
			w.keys = append(w.keys, encryptionKey("l"))
			w.observations["l"] = []*v1alpha1.KeyObservation{observed("l")}
			w.observations["l"][0].Spec.Outcome, w.observations["l"][0].Spec.Observer = o, observer
		}
	}
	for what, c := range map[string]struct {
		change func(*keysWorld)
		ready  metav1.ConditionStatus
		reason string
		says   string
		braked bool
		counts storeCount
	}{
		"it answers":                       {func(*keysWorld) {}, metav1.ConditionTrue, "Answers", "", false, storeCount{1, 1, 0}},
		"it answers that there is none":    {outcome(v1alpha1.OutcomeNotFound), metav1.ConditionTrue, "Answers", "", false, storeCount{1, 0, 1}},
		"it does not answer":               {outcome(v1alpha1.OutcomeUnreachable), metav1.ConditionFalse, "Unreachable", "does not answer: why", false, storeCount{1, 0, 0}},
		"it does not take the credentials": {outcome(v1alpha1.OutcomeUnauthenticated), metav1.ConditionFalse, "Unauthenticated", "credentials", false, storeCount{1, 0, 0}},
		"it cannot be asked":               {outcome(v1alpha1.OutcomeMisconfigured), metav1.ConditionFalse, "Misconfigured", "cannot be asked", false, storeCount{1, 0, 0}},
		"it answers about one key":         {second(v1alpha1.OutcomeUnreachable, v1alpha1.ManagerObserver), metav1.ConditionTrue, "Answers", "", false, storeCount{2, 1, 0}},
		"nothing was heard of it": {func(w *keysWorld) {
			delete(w.renewed, "keys.s.manager")
			w.observations["k"][0].Spec.Since = before(24 * time.Hour)
		}, metav1.ConditionUnknown, "Silent", "longer than a lease", false, storeCount{1, 0, 0}},
		"nobody has asked it yet": {func(w *keysWorld) { w.observations = nil }, metav1.ConditionUnknown, "NotObserved", "", false, storeCount{1, 0, 0}},
		"nobody needs to ask it":  {func(w *keysWorld) { w.keys = nil }, metav1.ConditionUnknown, "NotAsked", "", false, storeCount{}},
		"nobody can ask it":       {func(w *keysWorld) { w.stores["s"].Spec.Type = v1alpha1.KeyStoreDeclared }, metav1.ConditionTrue, "Declared", "", false, storeCount{1, 0, 0}},
		"one of two agents gets no answer": {
			func(w *keysWorld) {
				w.stores["s"].Spec.Probe.From = v1alpha1.ProbeFromAgent
				w.zones["par-2"] = true
				w.observations["k"][0].Spec.Observer = "par-1"
				dark := observed("k")
				dark.Spec.Observer, dark.Spec.Outcome = "par-2", v1alpha1.OutcomeUnreachable
				w.observations["k"] = append(w.observations["k"], dark)
			}, metav1.ConditionFalse, "Unreachable", "seen from zone par-2", false, storeCount{1, 1, 0},
		},
		"two of its keys are gone, which is rather a fault": {
			func(w *keysWorld) {
				outcome(v1alpha1.OutcomeDestroyed)(w)
				second(v1alpha1.OutcomeDestroyed, v1alpha1.ManagerObserver)(w)
			}, metav1.ConditionTrue, "Answers", "", true, storeCount{2, 0, 2},
		},
		"two of its keys are gone, which may be": {
			func(w *keysWorld) {
				w.stores["s"].Spec.Revocation.MaxKeys = new(int32(2))
				outcome(v1alpha1.OutcomeDestroyed)(w)
				second(v1alpha1.OutcomeDestroyed, v1alpha1.ManagerObserver)(w)
			}, metav1.ConditionTrue, "Answers", "", false, storeCount{2, 0, 2},
		},
		"no key of it may be gone": {
			func(w *keysWorld) {
				w.stores["s"].Spec.Revocation.MaxKeys = new(int32(0))
				outcome(v1alpha1.OutcomeDestroyed)(w)
			}, metav1.ConditionTrue, "Answers", "", true, storeCount{1, 0, 1},
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := oneKey()
			c.change(&w)
			got := statuses(w, nil).stores[0].wanted.Status
			ready := meta.FindStatusCondition(got.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Status != c.ready || ready.Reason != c.reason || !strings.Contains(ready.Message, c.says) {
				t.Errorf("%+v", ready)
			}
			if meta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionBraked) != c.braked || brakedStores(w, judgeKeys(w, noon))["s"] != c.braked {
				t.Errorf("braked: %+v", got.Conditions)
			}
			if counts := (storeCount{got.Keys, got.Verified, got.Revoked}); counts != c.counts {
				t.Errorf("counts %+v", counts)
			}
		})
	}
}

func TestALoginIsItsObserversToWrite(t *testing.T) {
	w := oneKey()
	w.stores["s"].Status.Login = &v1alpha1.KeyStoreLogin{State: v1alpha1.LoginFailed}
	got := statuses(w, nil).stores[0]
	if got.is.Status.Login != nil || got.wanted.Status.Login != nil {
		t.Error("the login is among what is written")
	}
	if w.stores["s"].Status.Login == nil {
		t.Error("what the cache holds was changed")
	}
	w.stores["s"].Status = got.wanted.Status
	w.stores["s"].Status.Login = &v1alpha1.KeyStoreLogin{State: v1alpha1.LoginTrying}
	if again := statuses(w, nil).stores[0]; !equality.Semantic.DeepEqual(again.is, again.wanted) {
		t.Error("a login makes the status be written")
	}
}

func TestWhatAKeyIsIsNewsWhenItMatters(t *testing.T) {
	for what, c := range map[string]struct {
		was, is v1alpha1.KeyPhase
		want    []string
	}{
		"it is verified at first":   {"", v1alpha1.PhaseVerified, []string{"Normal R m"}},
		"it stays so":               {v1alpha1.PhaseVerified, v1alpha1.PhaseVerified, nil},
		"nobody can tell any more":  {v1alpha1.PhaseVerified, v1alpha1.PhaseUnknown, []string{"Warning R m"}},
		"nobody could tell before":  {"", v1alpha1.PhaseUnknown, nil},
		"it is destroyed":           {v1alpha1.PhaseUnknown, v1alpha1.PhaseDestroyed, []string{"Warning R m"}},
		"it stays destroyed":        {v1alpha1.PhaseDestroyed, v1alpha1.PhaseDestroyed, nil},
		"it is destroyed otherwise": {v1alpha1.PhaseExpired, v1alpha1.PhaseDestroyed, []string{"Warning R m"}},
		"it is verified again":      {v1alpha1.PhaseUnknown, v1alpha1.PhaseVerified, []string{"Normal R m"}},
		"it is not what it must be": {v1alpha1.PhaseNotFound, v1alpha1.PhaseUnverified, nil},
	} {
		recorder := events.NewFakeRecorder(2)
		news := keyNews{recorder: recorder}
		key := encryptionKey("k")
		key.Status.Phase = c.was
		verdict := keys.Verdict{Phase: c.is, Reason: "R", Message: "m"}
		if c.is == v1alpha1.PhaseDestroyed {
			verdict.RevokedSince = noon
		}
		for range 2 { // the second time, the cache has not seen yet what was written the first time
			all := []keyStatus{{&key, &key, verdict}}
			news.remember(all)
			news.tell(all[0])
		}
		if got := eventsOf(recorder); !slices.Equal(got, c.want) {
			t.Errorf("%s: told %v, not %v", what, got, c.want)
		}
		news.remember(nil)
		if len(news.told) > 0 {
			t.Errorf("%s: a key that is gone is remembered", what)
		}
	}
}

func TestMetricsOfKeys(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	m, err := newKeyMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	if got := gathered(t, registry); len(got) > 0 {
		t.Errorf("before the first pass it shows %v", got)
	}
	m.show(statuses(oneKey(), nil))
	want := map[string]float64{
		"terroir_encryption_key_phase{key=k,phase=Verified,store=s}": 1,
		"terroir_encryption_key_verified_until_seconds{key=k}":       float64(noon.Add(24*time.Hour - time.Minute).Unix()),
		"terroir_key_store_ready{store=s}":                           1,
	}
	if diff := cmp.Diff(want, gathered(t, registry)); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
	w := oneKey()
	w.observations["k"][0].Spec.Outcome = v1alpha1.OutcomeDestroyed
	delete(w.stores, "s")
	w.stores["t"] = keyStore("t")
	m.show(statuses(w, nil))
	want = map[string]float64{"terroir_encryption_key_phase{key=k,phase=Unknown,store=s}": 1, "terroir_key_store_ready{store=t}": 0}
	if diff := cmp.Diff(want, gathered(t, registry)); diff != "" {
		t.Errorf("what is no longer so is shown (-want +got):\n%s", diff)
	}
}

// gathered are the values of gauges, by name and labels.
func gathered(t *testing.T, from prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			var parts []string
			for _, name := range slices.Sorted(maps.Keys(labels)) {
				parts = append(parts, name+"="+labels[name])
			}
			values[f.GetName()+"{"+strings.Join(parts, ",")+"}"] = m.GetGauge().GetValue()
		}
	}
	return values
}
