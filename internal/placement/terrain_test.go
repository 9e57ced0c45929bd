package placement

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
	"github.com/terroir-dev/terroir/internal/trust"
)

const zoneLabel = "topology.kubernetes.io/zone"

// terrain is of two French zones and a German one, recognised by their label but for the second, where providerIDs are asked; a level
// asks for France. Each has a node, and zone a one more that is not recognised, since it also shows the signals of zone
// b. Two more places have a node each that claims zone b, beside one that is foreign, or that shows nothing yet.
func terrain() *Terrain {
	zone := func(name, country string, recognition v1alpha1.ZoneRecognition) v1alpha1.Zone {
		return v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ZoneSpec{Country: v1alpha1.Country(country), Recognition: recognition}}
	}
	label := func(value string) v1alpha1.ZoneRecognition {
		return v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{zoneLabel: v1alpha1.LabelValue(value)}}
	}
	machine := v1alpha1.ZoneRecognition{ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"p://b/"}}
	driven := label("driven")
	driven.CSIDrivers = []v1alpha1.CSIDriverName{"csi.example.org"}
	view := trust.Compile(trust.Objects{
		Zones:       []v1alpha1.Zone{zone("a", "FR", label("a")), zone("b", "FR", machine), zone("d", "DE", label("d")), zone("empty", "FR", label("empty")), zone("driven", "FR", driven)},
		TrustLevels: []v1alpha1.TrustLevel{{ObjectMeta: metav1.ObjectMeta{Name: "french"}, Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}}}},
	}).At(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC))
	node := func(name, zone, providerID string) *corev1.Node {
		return &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{zoneLabel: zone, corev1.LabelHostname: name}}, Spec: corev1.NodeSpec{ProviderID: providerID},
		}
	}
	nodes := []*corev1.Node{
		node("na", "a", ""), node("nb", "b", "p://b/1"), node("nd", "d", ""), node("joining", "a", "p://b/2"), node("stranger", "nowhere", ""),
		node("vouching", "claimed", "p://b/3"), node("foreign", "claimed", "elsewhere://1"), node("late", "claimed-by-all", "p://b/4"), node("unnamed", "claimed-by-all", ""),
	}
	worth := map[string]trust.Assessment{}
	for _, n := range nodes {
		worth[n.Name] = view.Assess(trust.NodeFacts{Name: n.Name, ProviderID: n.Spec.ProviderID, Labels: n.Labels})
	}
	return NewTerrain(view, nodes, worth)
}

// lying is a volume that is reached from nodes with the label.
func lying(key string, operator corev1.NodeSelectorOperator, values ...string) *corev1.PersistentVolume {
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "v"},
		Spec: corev1.PersistentVolumeSpec{NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: operator, Values: values}}},
		}}}},
	}
}

func TestJudgeVolume(t *testing.T) {
	const in = corev1.NodeSelectorOpIn
	driven := lying(zoneLabel, in, "driven")
	driven.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "csi.example.org"}
	local := lying(corev1.LabelHostname, in, "nd")
	local.Spec.Local = &corev1.LocalVolumeSource{}
	for what, c := range map[string]struct {
		volume *corev1.PersistentVolume
		rule   string // empty: it may hold what is owed
		says   string
	}{
		"in a qualified zone, where another node is just joining":   {volume: lying(zoneLabel, in, "a")},
		"in one that is recognised by machines":                     {volume: lying(zoneLabel, in, "b")},
		"in two of them":                                            {volume: lying(zoneLabel, in, "a", "b")},
		"on the disk of a qualified node":                           {volume: lying(corev1.LabelHostname, in, "nb")},
		"in a zone without nodes that is recognised by its label":   {volume: lying(zoneLabel, in, "empty")},
		"and by the driver":                                         {volume: driven},
		"in a zone that only Terroir names":                         {lying(v1alpha1.ZoneLabel, in, "a"), RuleVolumePlace, "there is none"},
		"not without the driver":                                    {lying(zoneLabel, in, "driven"), RuleVolumePlace, "with topology.kubernetes.io/zone=driven, and there is none"},
		"in an unqualified zone":                                    {lying(zoneLabel, in, "d"), RuleVolume, "Pod/p requires trust level french, which volume v does not satisfy: it is reached from node nd: "},
		"on the disk of an unqualified node":                        {local, RuleVolume, "it lies on the disk of node nd: "},
		"also in one":                                               {lying(zoneLabel, in, "a", "d"), RuleVolume, "node nd"},
		"also in one that is not known":                             {lying(zoneLabel, in, "a", "moon"), RuleVolumePlace, "with topology.kubernetes.io/zone=moon, and there is none"},
		"where one node names a good zone, and another none":        {lying(zoneLabel, in, "claimed"), RuleVolumePlace, "not recognised: node foreign"},
		"where one node names a good zone, and another nothing yet": {volume: lying(zoneLabel, in, "claimed-by-all")},
		"on the disk of a node that is not recognised":              {lying(corev1.LabelHostname, in, "stranger"), RuleVolumePlace, "reached from nodes that are not recognised: node stranger"},
		"on the disk of a node that is gone":                        {lying(corev1.LabelHostname, in, "gone"), RuleVolumePlace, "there is none"},
		"anywhere but there":                                        {lying(zoneLabel, corev1.NodeSelectorOpNotIn, "a", "b", "nowhere", "claimed", "claimed-by-all"), RuleVolume, "node nd"},
		"anywhere, strangers included":                              {lying(zoneLabel, corev1.NodeSelectorOpNotIn, "d"), RuleVolumePlace, "not recognised"},
		"wherever there are no nodes":                               {lying("x", corev1.NodeSelectorOpExists), RuleVolumePlace, "it is reached from no node"},
		"nowhere that it says":                                      {&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "v"}}, RuleVolumePlace, "it does not say where: give it a node affinity"},
	} {
		t.Run(what, func(t *testing.T) {
			owed := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "Pod", Name: "p"}, Levels: []string{"french"}})
			land := terrain()
			for range 2 { // what it remembers is what it found
				v := land.JudgeVolume(owed, storage.Of(c.volume))
				if v.Allowed() != (c.rule == "") {
					t.Fatalf("allowed: %v, %s", v.Allowed(), v.Message())
				}
				if c.rule != "" && (v.Denials[0].Rule != c.rule || !strings.Contains(v.Message(), c.says)) {
					t.Errorf("%s: %s", v.Denials[0].Rule, v.Message())
				}
			}
		})
	}
}

func TestVolumesOnNodesAreJudgedAsPoliciesSay(t *testing.T) {
	on := func(node string) *corev1.PersistentVolume {
		v := lying(corev1.LabelHostname, corev1.NodeSelectorOpIn, node)
		v.Spec.Local = &corev1.LocalVolumeSource{}
		return v
	}
	for what, c := range map[string]struct {
		says   v1alpha1.NodeLocalStorage
		volume *corev1.PersistentVolume
		rules  []string
	}{
		"qualified nodes, on one":                       {v1alpha1.NodeLocalStorageQualifiedNodes, on("na"), nil},
		"qualified nodes, on another":                   {v1alpha1.NodeLocalStorageQualifiedNodes, on("nd"), []string{RuleVolume}},
		"qualified nodes, on one that is gone":          {v1alpha1.NodeLocalStorageQualifiedNodes, on("gone"), []string{RuleVolumePlace}},
		"nothing, which means qualified nodes":          {"", on("nd"), []string{RuleVolume}},
		"allow: nobody judges":                          {v1alpha1.NodeLocalStorageAllow, on("nd"), nil},
		"allow, but the volume is not on a node's disk": {v1alpha1.NodeLocalStorageAllow, lying(zoneLabel, corev1.NodeSelectorOpIn, "d"), []string{RuleVolume}},
		"deny: wherever it is":                          {v1alpha1.NodeLocalStorageDeny, on("na"), []string{"node-local-storage"}},
		"deny, and the node is unqualified, too":        {v1alpha1.NodeLocalStorageDeny, on("nd"), []string{"node-local-storage", RuleVolume}},
	} {
		t.Run(what, func(t *testing.T) {
			owed := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "PlacementPolicy", Name: "p"}, Levels: []string{"french"}, NodeLocalStorage: c.says})
			var got []string
			for _, d := range terrain().JudgeVolume(owed, storage.Of(c.volume)).Denials {
				got = append(got, d.Rule)
			}
			if !slices.Equal(got, c.rules) {
				t.Errorf("denied by %v, not by %v", got, c.rules)
			}
		})
	}
}

func TestALevelThatDoesNotExistIsSatisfiedByNoVolume(t *testing.T) {
	owed := policy.Obligation{Levels: []string{"nonesuch"}}
	if v := terrain().JudgeVolume(owed, storage.Of(lying(zoneLabel, corev1.NodeSelectorOpIn, "a"))); v.Allowed() || !strings.Contains(v.Message(), "there is no trust level nonesuch") {
		t.Errorf("it says %q", v.Message())
	}
	if v := terrain().JudgeVolume(policy.Obligation{}, storage.Volume{}); !v.Allowed() {
		t.Errorf("where nothing is owed, nothing is denied: %s", v.Message())
	}
}

func TestJudgeDistribution(t *testing.T) {
	for what, c := range map[string]struct {
		minSites, skew int32
		bySite         map[string]int
		says           string // empty: as it should be
	}{
		"even":                   {3, 1, map[string]int{"a": 2, "b": 2, "c": 2}, ""},
		"within the skew":        {3, 1, map[string]int{"a": 2, "b": 1, "c": 1}, ""},
		"a site more than asked": {2, 1, map[string]int{"a": 1, "b": 1, "c": 1}, ""},
		"too few pods for the sites, each on its own": {3, 1, map[string]int{"a": 1, "b": 1}, ""},
		"too few pods, and together":                  {3, 1, map[string]int{"a": 2}, "no site has more than 1 pod above another, and of web site a has 2, another 0"},
		"one pod":                                     {3, 1, map[string]int{"a": 1}, ""},
		"too few sites":                               {3, 1, map[string]int{"a": 3, "b": 3}, "requires a spread over 3 sites, and the 6 pods of web are on 2"},
		"too few sites, whatever the skew":            {3, 5, map[string]int{"a": 2, "b": 1}, "are on 2"},
		"too much skew":                               {2, 1, map[string]int{"a": 1, "b": 3}, "of web site b has 3, another 1"},
		"more skew is allowed":                        {2, 2, map[string]int{"a": 1, "b": 3}, ""},
		"nothing is owed":                             {0, 0, map[string]int{"a": 9}, ""},
		"nothing is there":                            {3, 1, nil, ""},
	} {
		t.Run(what, func(t *testing.T) {
			owed := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "PlacementPolicy", Name: "p"}, MinSites: c.minSites, MaxSkew: c.skew})
			v := JudgeDistribution(owed, "web", c.bySite)
			if v.Allowed() != (c.says == "") || !strings.Contains(v.Message(), c.says) {
				t.Errorf("allowed: %v, %q", v.Allowed(), v.Message())
			}
		})
	}
}
