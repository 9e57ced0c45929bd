package controllers

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

func TestWhoIsEvictedWhenAKeyIsRevoked(t *testing.T) {
	proof := "uid-data:kek:" + thumb
	for what, c := range map[string]struct {
		tweak   func(*sealed)
		evicted bool
		again   bool // somebody looks again soon
	}{
		"a running pod whose volume is proven under it":                  {func(*sealed) {}, true, true},
		"nobody, where the policy says no more than to report":           {func(w *sealed) { w.demand.Encryption.OnRevocation = v1alpha1.OnRevocationReport }, false, false},
		"nobody, where nothing is enforced":                              {func(w *sealed) { w.demand.Enforcement = v1alpha1.EnforcementAudit }, false, false},
		"nobody before the revocation is confirmed":                      {func(w *sealed) { w.key("kek", destroyed) }, false, false},
		"nobody while the store is silent":                               {func(w *sealed) { w.key("kek", silent) }, false, false},
		"nobody whose volume was never proven":                           {func(w *sealed) { delete(w.volumes[0].Annotations, v1alpha1.ProofAnnotation) }, false, false},
		"nobody by the proof of another claim":                           {func(w *sealed) { w.volumes[0].Annotations[v1alpha1.ProofAnnotation] = "uid-other:kek:" + thumb }, false, false},
		"nobody who waits":                                               {func(w *sealed) { w.pod.Spec.NodeName = "" }, false, false},
		"nobody who is finished":                                         {func(w *sealed) { w.pod.Status.Phase = corev1.PodFailed }, false, false},
		"nobody who is going, and then those who come after are seen to": {func(w *sealed) { w.pod.DeletionTimestamp = &metav1.Time{Time: noon} }, false, true},
	} {
		w := waiting()
		w.demand.Encryption.OnRevocation = v1alpha1.OnRevocationEvict
		w.pod.Spec.SchedulingGates, w.pod.Spec.NodeName = nil, "node-1"
		w.key("kek", func(v *keys.Verdict) { destroyed(v); v.Confirmed = true })
		w.bound(proof)
		c.tweak(w)
		g := w.world(t)
		bearers := bearersIn(g)
		if got := len(decideEvictions(bearers, g.keys, nil)) > 0; got != c.evicted {
			t.Errorf("%s: evicted %v", what, got)
		}
		if got := !g.evictsAgain(bearers).IsZero(); got != c.again {
			t.Errorf("%s: looked at again %v", what, got)
		}
		g.braked = map[string]bool{"hsm": true}
		if got := decideEvictions(bearers, g.keys, g.braked); len(got) > 0 || !g.evictsAgain(bearers).IsZero() {
			t.Errorf("%s: evicted while the store is braked", what)
		}
	}
}

func TestARevocationThatIsNotConfirmedIsLookedAtAgainWithinAnInterval(t *testing.T) {
	w := waiting()
	w.key("kek", func(v *keys.Verdict) { destroyed(v); v.VerifiedUntil = time.Time{} })
	if next := w.world(t).next(); !next.Equal(noon.Add(5 * time.Minute)) {
		t.Errorf("it is looked at again at %v", next)
	}
}
