package controllers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// between is here's catalogue with a second zone, whose nodes may also show the first one's signals.
func between() *trust.View {
	zone := func(name, key, value string) v1alpha1.Zone {
		return v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ZoneSpec{
			Country: "FR", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{key: v1alpha1.LabelValue(value)}},
		}}
	}
	return trust.Compile(trust.Objects{Zones: []v1alpha1.Zone{zone("z", "place", "here"), zone("y", "rack", "r1")}}).At(noon)
}

func TestWhyANodeIsNotRecognised(t *testing.T) {
	world := nodeWorld{nodes: []corev1.Node{
		node("suspect", map[string]string{v1alpha1.ZoneLabel: "z"}),
		node("either", map[string]string{"place": "here", "rack": "r1"}),
		node("stranger", nil),
		node("known", map[string]string{"place": "here"}),
	}}
	got := decideStanding(between(), world, noon).told
	if diff := cmp.Diff(&v1alpha1.NodeCounts{Total: 4, Recognised: 1, Suspect: 1, Evidence: v1alpha1.EvidenceCounts{Claimed: 1}}, got.nodes); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
	want := []v1alpha1.UnrecognisedNode{
		{Node: "either", State: "Ambiguous", Reason: "SeveralZonesMatch"},
		{Node: "stranger", State: "Unknown", Reason: "NoZoneMatches"},
		{Node: "suspect", State: "Suspect", Reason: "SignalMissing"},
	}
	for i := range got.unrecognised {
		if !strings.Contains(got.unrecognised[i].Message, got.unrecognised[i].Node) {
			t.Errorf("the message about %s is %q", got.unrecognised[i].Node, got.unrecognised[i].Message)
		}
		got.unrecognised[i].Message = ""
	}
	if diff := cmp.Diff(want, got.unrecognised); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

// Whatever happens, what is told is stored, and then says the same in the next pass.
func TestWhatIsToldOfNodesCanBeStored(t *testing.T) {
	for what, c := range map[string]struct{ nodes, levels, wantNodes, wantLevels int }{
		"a few nodes with a few levels":              {3, 4, 3, 4},
		"a level too many":                           {3, 300, 3, 256},
		"a large cluster keeps every node":           {5000, 20, 5000, 1},
		"what is more than can be stored is cut off": {20000, 300, 1, 1},
	} {
		t.Run(what, func(t *testing.T) {
			all := told{revoking: losses(c.nodes, c.levels)}
			for i := range c.nodes {
				all.unrecognised = append(all.unrecognised, v1alpha1.UnrecognisedNode{Node: fmt.Sprintf("n%05d", c.nodes-i), Message: "m"})
			}
			got := all.bounded()
			if n := len(got.revoking); n < c.wantNodes || n > mostRevoking {
				t.Errorf("%d of %d nodes are listed", n, c.nodes)
			}
			for _, r := range got.revoking {
				if n := len(r.TrustLevels); n < c.wantLevels || n > mostRevoked {
					t.Fatalf("node %s is listed with %d of %d levels", r.Node, n, c.levels)
				}
			}
			if n := len(got.unrecognised); n > mostUnrecognised || got.unrecognised[0].Node != "n00001" {
				t.Errorf("%d nodes are listed as not recognised, from %s", n, got.unrecognised[0].Node)
			}
			// Twice: the owner of the fields is stored beside them.
			if text, err := json.Marshal(got.revoking); err != nil || 2*len(text) > 1_500_000 {
				t.Errorf("it takes about %d bytes (%v)", 2*len(text), err)
			}
			if !got.same(got.bounded()) {
				t.Error("it is cut again in the next pass")
			}
			if len(all.revoking[0].TrustLevels) != c.levels || all.revoking[0].Node != fmt.Sprintf("ip-10-0-%05d.compute.internal", c.nodes) {
				t.Error("what was handed over was changed")
			}
		})
	}
}

// losses are nodes, in the wrong order, that lose levels.
func losses(nodes, levels int) []v1alpha1.RevokingNode {
	var names []string
	for i := range levels {
		names = append(names, fmt.Sprintf("level-%03d", i))
	}
	var found []v1alpha1.RevokingNode
	for i := range nodes {
		found = append(found, v1alpha1.RevokingNode{Node: fmt.Sprintf("ip-10-0-%05d.compute.internal", nodes-i), TrustLevels: names, Until: metav1.NewTime(noon)})
	}
	return found
}

func TestAnEmptyListIsWritten(t *testing.T) {
	got, err := told{nodes: &v1alpha1.NodeCounts{Total: 1, Recognised: 1}}.status()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"revoking": []any{}, "unrecognised": []any{}, "nodes": map[string]any{
			"total": int64(1), "recognised": int64(1), "suspect": int64(0),
			"evidence": map[string]any{"claimed": int64(0), "listed": int64(0), "cloudController": int64(0), "corroborated": int64(0)},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestPodsThatOweALevelAreCounted(t *testing.T) {
	on := func(node string, phase corev1.PodPhase) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "free"}, Status: corev1.PodStatus{Phase: phase},
			Spec: corev1.PodSpec{NodeName: node, NodeSelector: map[string]string{heldHere: "true"}},
		}
	}
	other := on("here", corev1.PodRunning)
	other.Spec.NodeSelector = map[string]string{"disk": "fast"}
	for what, c := range map[string]struct {
		pod          corev1.Pod
		pods, astray int32
	}{
		"a pod where the level holds":               {on("here", corev1.PodRunning), 1, 0},
		"one where it does not":                     {on("there", corev1.PodRunning), 1, 1},
		"one on a node that is gone":                {on("gone", corev1.PodPending), 1, 1},
		"one that waits for a node":                 {on("", corev1.PodPending), 0, 0},
		"one that is finished":                      {on("there", corev1.PodSucceeded), 0, 0},
		"one whose node lacks a signal for a while": {on("suspect", corev1.PodRunning), 1, 0},
		"one that owes nothing":                     {other, 0, 0},
	} {
		t.Run(what, func(t *testing.T) {
			got := decideUsage(policy.Compile(policy.Objects{}), here(), usageWorld{pods: []*seenPod{seen(t, &c.pod)}, nodes: []corev1.Node{
				node("here", map[string]string{"place": "here"}), node("there", map[string]string{"place": "there"}), node("suspect", map[string]string{v1alpha1.ZoneLabel: "z"}),
			}})
			level := newTeller(trust.Compile(trust.Objects{}), here(), got).level(&v1alpha1.TrustLevel{ObjectMeta: metav1.ObjectMeta{Name: "here"}})
			if level.Status.Pods != c.pods || level.Status.Astray != c.astray {
				t.Errorf("%d pods, %d astray, not %d and %d", level.Status.Pods, level.Status.Astray, c.pods, c.astray)
			}
			if want := noon.Add(trust.SuspectFor); !got.next.Equal(want) {
				t.Errorf("the next pass is at %s, not at %s, when the suspect node ceases to be one", got.next, want)
			}
		})
	}
}
