package controllers

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

const (
	openHere = v1alpha1.OpenLabelPrefix + "here"
	heldHere = v1alpha1.HeldLabelPrefix + "here"
)

// here is a catalogue with one zone, whose nodes carry the label place: here, and one level that holds there.
func here() *trust.View {
	zone := v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: "z"}, Spec: v1alpha1.ZoneSpec{
		Country: "FR", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"place": "here"}},
	}}
	level := v1alpha1.TrustLevel{ObjectMeta: metav1.ObjectMeta{Name: "here"}, Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}}}
	return trust.Compile(trust.Objects{Zones: []v1alpha1.Zone{zone}, TrustLevels: []v1alpha1.TrustLevel{level}}).At(noon)
}

func node(name string, labels map[string]string) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// remembered are the labels by which a node of here's zone is known again: digests of "place" and of "here", and of no machine at all.
func remembered(besides map[string]string) map[string]string {
	labels := map[string]string{
		v1alpha1.ZoneLabel: "z", v1alpha1.MachineLabel: "none.none.none", v1alpha1.SeenLabelPrefix + "81df63580cc9ff15": "fcec91509759ad99",
	}
	maps.Copy(labels, besides)
	return labels
}

func TestDecideStanding(t *testing.T) {
	later := metav1.NewTime(noon.Add(revokeFor))
	granted := remembered(map[string]string{openHere: "z", heldHere: "true", v1alpha1.EvidenceLabel: "Claimed"})
	settled := remembered(map[string]string{"place": "here", openHere: "z", heldHere: "true", v1alpha1.EvidenceLabel: "Claimed"})
	astray := remembered(map[string]string{"place": "there", openHere: "z", heldHere: "true", v1alpha1.EvidenceLabel: "Claimed"})
	stamped := remembered(map[string]string{"place": "here", openHere: "z", heldHere: "true", v1alpha1.EvidenceLabel: "Claimed", v1alpha1.ProviderIDFromLabel: "kubelet"})
	requested := map[string][]trust.CertificateRequest{"n": {{Name: "early", At: noon}, {Name: "csr", Requester: "bob", At: noon.Add(time.Second)}}}
	young := node("n", settled)
	young.CreationTimestamp = metav1.NewTime(noon)
	for what, c := range map[string]struct {
		node     corev1.Node
		requests map[string][]trust.CertificateRequest
		owing    bool
		revoking []v1alpha1.RevokingNode

		want         map[string]string // our labels after the pass; nil: no change
		wantRevoking []v1alpha1.RevokingNode
	}{
		"a node that is recognised gets its labels": {
			node: node("n", map[string]string{"place": "here"}),
			want: granted,
		},
		"a node that has them is left alone":     {node: node("n", settled)},
		"so is what says who set its providerID": {node: node("n", stamped)},
		"a certificate that somebody else asked for is remembered, and takes nothing yet": {
			node: young, requests: requested,
			want: remembered(map[string]string{openHere: "z", heldHere: "true", v1alpha1.EvidenceLabel: "Claimed", v1alpha1.ContestedLabel: "20261123T120000Z"}),
		},
		"a node that nobody knows gets none": {node: node("n", map[string]string{"place": "there"})},
		"a node that is lost loses open, and is revoked; held stays meanwhile, since a pod may just have been bound": {
			node: node("n", astray), want: remembered(map[string]string{heldHere: "true"}),
			wantRevoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
		},
		"a lost node keeps held while a pod there owes the level": {
			node: node("n", astray), owing: true, want: remembered(map[string]string{heldHere: "true"}),
			wantRevoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
		},
		"a revoked node stays listed for its time": {
			node:         node("n", remembered(map[string]string{"place": "there", heldHere: "true"})),
			revoking:     []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
			wantRevoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
		},
		"and no longer, nor does it stay held": {
			node: node("n", remembered(map[string]string{"place": "there", heldHere: "true"})), want: remembered(nil),
			revoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: metav1.NewTime(noon)}},
		},
		"a revoked node that has its level back is no longer listed": {
			node: node("n", settled), revoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
		},
		"a revoked node is listed while it is held for a level that the list had no room for": {
			node:         node("n", with(settled, v1alpha1.HeldLabelPrefix+"cut")),
			revoking:     []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
			wantRevoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
		},
		"a node that is gone is no longer listed": {
			node: node("other", settled), revoking: []v1alpha1.RevokingNode{{Node: "n", TrustLevels: []string{"here"}, Until: later}},
		},
	} {
		t.Run(what, func(t *testing.T) {
			world := nodeWorld{nodes: []corev1.Node{c.node}, requests: c.requests, told: told{revoking: c.revoking}, owing: map[string]map[string]bool{c.node.Name: {"here": c.owing}}}
			got := decideStanding(here(), world, noon)
			var labels map[string]string
			if len(got.changes) > 0 {
				labels = got.changes[0].want
			}
			if diff := cmp.Diff(c.want, labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.wantRevoking, got.told.revoking); diff != "" {
				t.Errorf("revoking (-want +got):\n%s", diff)
			}
		})
	}
}

func with(labels map[string]string, key string) map[string]string {
	more := maps.Clone(labels)
	more[key] = "true"
	return more
}

func TestWakeAt(t *testing.T) {
	for what, c := range map[string]struct {
		moments []time.Time
		want    time.Duration
	}{
		"nothing to wait for":          {nil, 0},
		"zero moments are none":        {[]time.Time{{}}, 0},
		"the earliest":                 {[]time.Time{noon.Add(time.Minute), {}, noon.Add(time.Second)}, time.Second},
		"what is past is done at once": {[]time.Time{noon.Add(-time.Hour)}, time.Millisecond},
		"years are cut short":          {[]time.Time{noon.Add(10000 * time.Hour)}, longestSleep},
	} {
		t.Run(what, func(t *testing.T) {
			if got := wakeAt(noon, c.moments...).RequeueAfter; got != c.want {
				t.Errorf("waits %s, not %s", got, c.want)
			}
		})
	}
}

func TestAPolicySaysWhatFollowsFromItsProblem(t *testing.T) {
	for reason, want := range map[policy.Reason]string{
		policy.TrustLevelNotFound:    "m; pods in the namespaces concerned are refused until it does",
		policy.EncryptionKeyNotFound: "m; no volume can be under it until it does",
		policy.SelectorInvalid:       "m; the policy governs no namespace",
		policy.NamespaceExempt:       "m",
	} {
		_, _, message := readiness(v1alpha1.EnforcementEnforce, tally{}, []policy.Problem{{Reason: reason, Message: "m"}}, true)
		if message != want {
			t.Errorf("of %s it says %q", reason, message)
		}
	}
}

func TestReadinessOfAPolicy(t *testing.T) {
	problem := []policy.Problem{{Reason: policy.TrustLevelNotFound, Message: `requires trust level "x", which does not exist`}}
	for what, c := range map[string]struct {
		enforcement v1alpha1.Enforcement
		problems    []policy.Problem
		unwritten   int32
		inForce     bool
		ready       bool
		reason      string
	}{
		"enforced":                             {v1alpha1.EnforcementEnforce, nil, 0, true, true, "Enforced"},
		"not before every floor is written":    {v1alpha1.EnforcementEnforce, nil, 1, true, false, "Writing"},
		"not before new namespaces are marked": {v1alpha1.EnforcementEnforce, nil, 0, false, false, "Starting"},
		"not with a level that does not exist": {v1alpha1.EnforcementEnforce, problem, 0, true, false, "TrustLevelNotFound"},
		"neither when it only observes":        {v1alpha1.EnforcementAudit, problem, 0, true, false, "TrustLevelNotFound"},
		"observing needs no floors":            {v1alpha1.EnforcementWarn, nil, 1, false, true, "Observing"},
	} {
		t.Run(what, func(t *testing.T) {
			ready, reason, _ := readiness(c.enforcement, tally{namespaces: 2, unwritten: c.unwritten}, c.problems, c.inForce)
			if ready != c.ready || reason != c.reason {
				t.Errorf("ready %v for %s, not %v for %s", ready, reason, c.ready, c.reason)
			}
		})
	}
}

func TestBoundPolicies(t *testing.T) {
	p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{UID: "u", Generation: 1}}
	b := &boundPolicies{}
	if _, known := b.from(p); known {
		t.Error("nothing was written yet")
	}
	b.write([]metav1.Object{p.DeepCopy()}, noon)
	b.write([]metav1.Object{p.DeepCopy()}, noon.Add(time.Hour))
	if from, known := b.from(p); !known || !from.Equal(noon.Add(boundAfter)) {
		t.Errorf("in force from %s (%v); what stands already does not start again", from, known)
	}
	p.Generation = 2
	if _, known := b.from(p); known {
		t.Error("what was written is not the policy of now")
	}
}

func TestTallyListsTheFirstViolations(t *testing.T) {
	var all tally
	for i := range 26 {
		all.count(standing(t, "n", string(rune('z'-i)), "", nil), []problem{{reason: v1alpha1.NodeNotQualified}})
	}
	if all.violations != 26 || len(all.first) != listedViolations || all.first[0].Pod != "a" || all.first[9].Pod != "j" {
		t.Errorf("%d violations, listed %v", all.violations, all.first)
	}
	source := policy.Source{Kind: "PlacementPolicy", Namespace: "n", Name: "p"}
	teller := &policyTeller{census: census{source: all}, set: policy.Compile(policy.Objects{})}
	status := teller.status(source, &v1alpha1.PlacementPolicy{}, &v1alpha1.PlacementDemand{}, v1alpha1.PolicyStatus{})
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionCompliant); c == nil || c.Status != metav1.ConditionFalse {
		t.Errorf("conditions %+v", status.Conditions)
	}
}

func TestDecideNamespaces(t *testing.T) {
	set := policy.Compile(policy.Objects{Levels: []string{"here"}})
	pod := func(phase corev1.PodPhase, annotations map[string]string) *seenPod {
		return seen(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}, Status: corev1.PodStatus{Phase: phase}})
	}
	asks := map[string]string{v1alpha1.InheritedTrustLevelAnnotation: "here"}
	for what, c := range map[string]struct {
		namespace corev1.Namespace
		pods      []*seenPod
		governed  bool
		encrypted bool
	}{
		"one that asks for a key": {
			namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{v1alpha1.EncryptionKeyAnnotation: "kek"}}}, governed: true, encrypted: true,
		},
		"a free namespace":                {namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}},
		"one with an annotated pod":       {namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, pods: []*seenPod{pod(corev1.PodRunning, asks)}, governed: true},
		"one whose annotated pod is done": {namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, pods: []*seenPod{pod(corev1.PodSucceeded, asks)}},
		"one that asks by itself": {
			namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{v1alpha1.TrustLevelAnnotation: "here"}}}, governed: true,
		},
		"one whose annotation does not parse is governed, and refuses": {
			namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{v1alpha1.TrustLevelAnnotation: "!"}}}, governed: true,
		},
		"an exempt one": {
			namespace: corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kube-system", Annotations: map[string]string{v1alpha1.TrustLevelAnnotation: "here"}}},
			pods:      []*seenPod{pod(corev1.PodRunning, asks)},
		},
	} {
		t.Run(what, func(t *testing.T) {
			all := decideNamespaces(set, demandWorld{namespaces: []corev1.Namespace{c.namespace}, pods: map[string][]*seenPod{c.namespace.Name: c.pods}})
			if len(all) != 1 || all[0].governed != c.governed || all[0].encrypted != c.encrypted || (all[0].floor != nil) != c.governed {
				t.Errorf("decided %+v", all)
			}
		})
	}
}
