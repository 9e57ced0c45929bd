package trust

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestLabels(t *testing.T) {
	const zone, since, evidence = v1alpha1.ZoneLabel, v1alpha1.SuspectSinceLabel, v1alpha1.EvidenceLabel
	const machine, contested, seen = v1alpha1.MachineLabel, v1alpha1.ContestedLabel, v1alpha1.SeenLabelPrefix + "x"
	held, open := v1alpha1.HeldLabelPrefix, v1alpha1.OpenLabelPrefix
	type labels = map[string]string
	standings := []Standing{{Level: "a", Worth: Open}, {Level: "b", Worth: Held}, {Level: "c", Worth: None}}
	recognised := Assessment{Recognition{State: Recognised, Zone: "z", Site: "s"}, standings}
	remembered := Assessment{Recognition{State: Recognised, Zone: "z", Site: "s", Evidence: Listed, Machine: "m", Seen: map[string]string{"x": "1"}}, standings[1:2]}
	moved := Assessment{Recognition: Recognition{State: Unknown, Remembered: true}}
	suspect := Assessment{Recognition{State: Suspect, Zone: "z", Site: "s", SuspectSince: now}, standings}
	moment := now.Format(v1alpha1.SuspectSinceLayout)
	for sentence, test := range map[string]struct {
		assessment Assessment
		current    labels
		stay       []string // levels that pods which still run there owe
		want       labels
	}{
		"a recognised node gets what it is worth":          {recognised, nil, nil, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true"}},
		"a lost level goes where no pod owes it":           {recognised, labels{held + "c": "true", open + "c": "s"}, nil, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true"}},
		"a lost level is held where a pod owes it":         {recognised, labels{held + "c": "true", open + "c": "s"}, []string{"c"}, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true", held + "c": "true"}},
		"a lost level that the node did not have":          {recognised, labels{}, []string{"c"}, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true"}},
		"a level that is gone is held where a pod owes it": {recognised, labels{held + "gone": "true", held + "gone2": "true"}, []string{"gone"}, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true", held + "gone": "true"}},
		"foreign labels are not ours to name":              {recognised, labels{"kubernetes.io/os": "linux"}, []string{"kubernetes.io/os"}, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true"}},
		"suspicion that is over leaves no trace":           {recognised, labels{since: moment}, nil, labels{zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true"}},
		"a suspect node keeps what it has": {
			suspect,
			labels{zone: "z", held + "a": "true", open + "a": "s", held + "b": "true", since: "20260101T000000Z", "x": "y"},
			nil,
			labels{zone: "z", held + "a": "true", open + "a": "s", held + "b": "true", since: moment},
		},
		"a suspect node gains nothing":                          {suspect, labels{zone: "z"}, nil, labels{zone: "z", since: moment}},
		"a suspect node loses what its zone lost":               {suspect, labels{zone: "z", held + "c": "true", open + "c": "s", open + "b": "s"}, nil, labels{zone: "z", since: moment}},
		"a suspect node holds a lost level where a pod owes it": {suspect, labels{zone: "z", held + "c": "true", open + "c": "s"}, []string{"c"}, labels{zone: "z", held + "c": "true", since: moment}},
		"an unknown node has none":                              {Assessment{}, labels{zone: "z", held + "a": "true", open + "a": "s", since: moment}, nil, labels{}},
		"an unknown node holds a level where a pod owes it":     {Assessment{}, labels{zone: "z", held + "a": "true", open + "a": "s", held + "b": "true"}, []string{"a"}, labels{held + "a": "true"}},
		"an ambiguous node has none":                            {Assessment{Recognition: Recognition{State: Ambiguous}}, labels{zone: "z", open + "a": "s"}, []string{"a"}, labels{}},
		"by what a recognised node is known again is written with its labels": {
			remembered,
			labels{seen: "0", v1alpha1.SeenLabelPrefix + "old": "1", machine: "none"},
			nil,
			labels{zone: "z", evidence: "Listed", machine: "m", seen: "1", held + "b": "true"},
		},
		"a suspect node keeps what it is known by, and nothing new is written down": {
			Assessment{Recognition{State: Suspect, Zone: "z", Site: "s", Evidence: Listed, SuspectSince: now}, standings},
			labels{zone: "z", evidence: "Listed", machine: "m", seen: "1"},
			nil,
			labels{zone: "z", evidence: "Listed", machine: "m", seen: "1", since: moment},
		},
		"of a node that moved, all that is remembered stays, and nothing else": {
			moved,
			labels{zone: "z", evidence: "Listed", machine: "m", seen: "1", since: moment, held + "b": "true", open + "a": "s"},
			nil,
			labels{zone: "z", machine: "m", seen: "1", since: moment},
		},
		"where the catalogue moved, the machine alone is remembered": {
			Assessment{}, labels{zone: "z", evidence: "Listed", machine: "m", seen: "1", since: moment}, nil, labels{machine: "m"},
		},
		"that somebody else may act in its name is written down": {
			Assessment{Recognition: Recognition{ContestedSince: now}}, nil, nil, labels{contested: moment},
		},
		"and stays as it was written": {recognised, labels{contested: "20260101T000000Z"}, nil, labels{
			contested: "20260101T000000Z", zone: "z", evidence: "Claimed", held + "a": "true", open + "a": "s", held + "b": "true",
		}},
		"who set the providerID is not ours to write":             {Assessment{}, labels{v1alpha1.ProviderIDFromLabel: "kubelet"}, nil, labels{}},
		"a held label of another value is not one that pods want": {Assessment{}, labels{held + "a": "false"}, []string{"a"}, labels{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := test.assessment.Labels(test.current, func(level string) bool { return slices.Contains(test.stay, level) })
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			for key := range got {
				if !OwnLabel(key) {
					t.Errorf("%s is not ours", key)
				}
			}
		})
	}
	if got := (Assessment{}).Labels(map[string]string{held + "a": "true"}, nil); len(got) > 0 {
		t.Errorf("nobody said that anything stays, and %v does", got)
	}
}

func TestOwnLabel(t *testing.T) {
	for key, want := range map[string]bool{
		v1alpha1.ZoneLabel: true, v1alpha1.SuspectSinceLabel: true, v1alpha1.HeldLabelPrefix + "x": true, v1alpha1.OpenLabelPrefix + "x": true,
		"new.terroir.node-restriction.kubernetes.io/x": true, "xterroir.node-restriction.kubernetes.io/x": false,
		"terroir.node-restriction.kubernetes.io": false, "node-restriction.kubernetes.io/x": false, "kubernetes.io/os": false, "": false,
	} {
		if got := OwnLabel(key); got != want {
			t.Errorf("OwnLabel(%q) = %v", key, got)
		}
	}
}

func TestWrittenLabel(t *testing.T) {
	for key, want := range map[string]bool{
		v1alpha1.ZoneLabel: true, v1alpha1.MachineLabel: true, v1alpha1.SeenLabelPrefix + "x": true, v1alpha1.HeldLabelPrefix + "x": true,
		v1alpha1.ProviderIDFromLabel: false, "kubernetes.io/os": false,
	} {
		if got := WrittenLabel(key); got != want {
			t.Errorf("WrittenLabel(%q) = %v", key, got)
		}
	}
}

func TestOwnDomainsAreNoSignal(t *testing.T) {
	for key, want := range map[string]bool{
		v1alpha1.ZoneLabel: true, v1alpha1.HeldLabelPrefix + "x": true, v1alpha1.GovernedLabel: true, v1alpha1.InheritedTrustLevelAnnotation: true, "new.terroir.dev/x": true,
		"grandterroir.dev/x": false, "grandterroir.example/rack": false, "terroir.example.org/rack": false, "example.org/terroir.dev": false, "terroir.dev": false, "rack": false, "": false,
	} {
		if got := isOwnLabel(key); got != want {
			t.Errorf("isOwnLabel(%q) = %v", key, got)
		}
	}
}

// A suspect node's labels go round: what is written is read as the same suspicion a moment later.
func TestSuspicionIsCountedFromItsFirstMoment(t *testing.T) {
	c := Compile(world())
	n := NodeFacts{ProviderID: "aws:///cloudgouv-eu-west-1a/i-1", Labels: map[string]string{"topology.kubernetes.io/zone": "cloudgouv-eu-west-1a", v1alpha1.ZoneLabel: "oks-a"}}
	first := c.At(now.Add(300 * time.Millisecond)).Assess(n)
	for key, value := range first.Labels(n.Labels, nil) {
		n.Labels[key] = value
	}
	if second := c.At(now.Add(5 * time.Minute)).Assess(n); !second.SuspectSince.Equal(first.SuspectSince) || second.State != Suspect {
		t.Errorf("suspect since %s, then %v since %s", first.SuspectSince, second.State, second.SuspectSince)
	}
	if last := c.At(first.NextChange).Assess(n); last.State != Unknown {
		t.Errorf("at its end the suspicion is %v", last.State)
	}
}
