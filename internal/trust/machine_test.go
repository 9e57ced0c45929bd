package trust

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// settled is a node with the labels that Terroir leaves on it after it has looked, and what it saw.
func settled(v *View, n NodeFacts) (NodeFacts, Assessment) {
	a := v.Assess(n)
	labels := a.Labels(n.Labels, nil)
	for key, value := range n.Labels {
		if !WrittenLabel(key) {
			labels[key] = value
		}
	}
	n.Labels = labels
	return n, a
}

// openOn are the keys of the open labels of a node.
func openOn(n NodeFacts) []string {
	var keys []string
	for key := range n.Labels {
		if strings.HasPrefix(key, v1alpha1.OpenLabelPrefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestIdentity(t *testing.T) {
	const zoneKey, rack = "topology.kubernetes.io/zone", "rack"
	twoRooms := func(o *Objects) {
		o.Zones = append(o.Zones, v1alpha1.Zone{ObjectMeta: named("par-2"), Spec: v1alpha1.ZoneSpec{Country: "FR", Recognition: onLabel("par-2")}})
	}
	racked := func(name, label, value string) func(*Objects) {
		return func(o *Objects) {
			o.Zones = append(o.Zones, v1alpha1.Zone{ObjectMeta: named(name), Spec: v1alpha1.ZoneSpec{
				Country: "FR", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{label: v1alpha1.LabelValue(value)}},
			}})
		}
	}
	both := func(tweaks ...func(*Objects)) func(*Objects) {
		return func(o *Objects) {
			for _, tweak := range tweaks {
				tweak(o)
			}
		}
	}
	par1 := NodeFacts{Name: "n1", MachineID: "m", SystemUUID: "U", Labels: map[string]string{zoneKey: "par-1"}}
	oks := NodeFacts{
		Name: "n1", MachineID: "m", ProviderID: "aws:///cloudgouv-eu-west-1a/i-1", CSIDrivers: []string{"bsu.csi.outscale.com"},
		Labels: map[string]string{zoneKey: "cloudgouv-eu-west-1a"},
	}
	relabel := func(value string) func(*NodeFacts) {
		return func(n *NodeFacts) { *n = with(*n, label{zoneKey, value}) }
	}
	for sentence, test := range map[string]struct {
		node   NodeFacts
		first  func(*Objects)   // the catalogue in which it is recognised first
		moves  func(*NodeFacts) // what then becomes of the node
		then   func(*Objects)   // and of the catalogue; nil: it stays
		state  RecognitionState
		reason Reason
		zone   string
		says   string
	}{
		"nothing happens":                      {node: par1, state: Recognised, reason: OneZoneMatches, zone: "par-1"},
		"its machine id is another":            {node: par1, moves: func(n *NodeFacts) { n.MachineID = "x" }, reason: MachineChanged, says: "its machine id is another; undo that, or delete the Node"},
		"its machine id is gone":               {node: par1, moves: func(n *NodeFacts) { n.MachineID = "" }, reason: MachineChanged, says: "its machine id is gone"},
		"its system UUID is another":           {node: par1, moves: func(n *NodeFacts) { n.SystemUUID = "V" }, reason: MachineChanged, says: "its system UUID is another"},
		"it is another machine altogether":     {node: oks, moves: func(n *NodeFacts) { n.MachineID, n.ProviderID = "x", "" }, reason: MachineChanged, says: "its machine id is another and its providerID is gone"},
		"its system UUID is written otherwise": {node: par1, moves: func(n *NodeFacts) { n.SystemUUID = "u" }, state: Recognised, reason: OneZoneMatches, zone: "par-1"},
		"the cloud controller sets its providerID later": {
			node: par1, moves: func(n *NodeFacts) { n.ProviderID = "scaleway://instance/fr-par-2/x" }, state: Recognised, reason: OneZoneMatches, zone: "par-1",
		},
		"it shows another zone's label": {node: par1, first: twoRooms, moves: relabel("par-2"), reason: ZoneChanged, says: "it was in zone par-1 and now shows the signals of par-2: its label topology.kubernetes.io/zone is par-2, not par-1; undo that"},
		"it shows no zone's label":      {node: par1, moves: relabel("par-9"), reason: SignalChanged, says: "it was in zone par-1, and now its label topology.kubernetes.io/zone is par-9, not par-1; undo that"},
		"a signal is missing":           {node: oks, moves: func(n *NodeFacts) { n.CSIDrivers = nil }, state: Suspect, reason: SignalMissing, zone: "oks-a"},
		"a signal is missing, and it fits another zone without": {
			node: with(par1, label{rack, "7"}), first: both(func(o *Objects) { o.zone("par-1").Recognition.Labels["rack"] = "7" }, racked("wide", "room", "1")),
			moves: func(n *NodeFacts) {
				*n = with(*n, label{"room", "1"})
				delete(n.Labels, rack)
			}, reason: ZoneChanged, says: "it has no label rack, which should be 7",
		},
		"another provider's CSI driver is there instead": {node: oks, moves: func(n *NodeFacts) { n.CSIDrivers = []string{"ebs.csi.aws.com"} }, reason: SignalChanged, says: "ebs.csi.aws.com is one of aws"},
		"it shows another zone's label besides its own":  {node: par1, first: racked("rack-7", rack, "7"), moves: func(n *NodeFacts) { *n = with(*n, label{rack, "7"}) }, state: Ambiguous, reason: SeveralZonesMatch},
		"a label that no zone reads":                     {node: par1, moves: func(n *NodeFacts) { *n = with(*n, label{rack, "7"}) }, state: Recognised, reason: OneZoneMatches, zone: "par-1"},
		"its zone has another name now": {
			node: oks, then: func(o *Objects) { o.Zones[2].Name = "oks-b" }, state: Recognised, reason: OneZoneMatches, zone: "oks-b",
		},
		"its zone has another name now, and its CSI driver restarts": {
			node: oks, moves: func(n *NodeFacts) { n.CSIDrivers = nil }, then: func(o *Objects) { o.Zones[2].Name = "oks-b" }, reason: NoZoneMatches, says: "not recognised as in zone oks-b",
		},
		"its zone is gone": {node: par1, then: func(o *Objects) { o.Zones = o.Zones[1:] }, reason: NoZoneMatches},
		"its zone asks for something else": {
			node: par1, then: func(o *Objects) { o.zone("par-1").Recognition = onLabel("par-9") }, reason: NoZoneMatches, says: "it is not recognised as in zone par-1 any more: its label",
		},
		"its zone asks for something else, and another zone fits": {
			node: par1, first: twoRooms,
			then: func(o *Objects) {
				o.zone("par-1").Recognition, o.zone("par-2").Recognition = onLabel("par-9"), onLabel("par-1")
			},
			state: Recognised, reason: OneZoneMatches, zone: "par-2",
		},
		"its zone asks for something that it does not show yet": {
			node: par1, then: func(o *Objects) { o.zone("par-1").Recognition.CSIDrivers = []v1alpha1.CSIDriverName{"d"} }, state: Suspect, reason: SignalMissing, zone: "par-1",
		},
		"its zone is gone, and it shows another one's label": {
			node: par1, first: twoRooms, moves: relabel("par-2"), then: func(o *Objects) { o.Zones = o.Zones[1:] }, reason: ZoneChanged, says: "it does not show any more what it showed there",
		},
		"its zone is gone, and it shows another label": {
			node: par1, moves: relabel("par-9"), then: func(o *Objects) { o.Zones = o.Zones[1:] }, reason: SignalChanged, says: "it does not show any more what it showed there",
		},
		"first the node is relabelled, and then its zone follows": {
			node: par1, moves: relabel("par-9"), then: func(o *Objects) { o.zone("par-1").Recognition = onLabel("par-9") }, state: Recognised, reason: OneZoneMatches, zone: "par-1",
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			if test.first != nil {
				test.first(&o)
			}
			v := Compile(o).At(now)
			n, first := settled(v, test.node)
			if first.State != Recognised {
				t.Fatalf("at first it is %v: %s", first.State, first.Message)
			}
			if test.moves != nil {
				test.moves(&n)
			}
			if test.then != nil {
				test.then(&o)
				v = Compile(o).At(now)
			}
			n, got := settled(v, n)
			if got.State != test.state || got.Reason != test.reason || got.Zone != test.zone || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %v %s zone %q: %s\nwant %v %s zone %q, saying %q", got.State, got.Reason, got.Zone, got.Message, test.state, test.reason, test.zone, test.says)
			}
			if again, _ := settled(v, n); !maps.Equal(again.Labels, n.Labels) {
				t.Errorf("it does not settle: %s", cmp.Diff(n.Labels, again.Labels))
			}
		})
	}
}

// A record that only Terroir could have written, and that it did not write, proves nothing.
func TestARecordThatCannotBeReadIsNone(t *testing.T) {
	for _, record := range []string{"", "x", "none.none", "none.none.none.none", "..", "a.b.c"} {
		n := NodeFacts{Name: "n1", MachineID: "m", SystemUUID: "u", ProviderID: "p", Labels: map[string]string{"topology.kubernetes.io/zone": "par-1", v1alpha1.MachineLabel: record}}
		if got := Compile(world()).At(now).Assess(n); got.State != Unknown || got.Reason != MachineChanged {
			t.Errorf("with record %q it is %v: %s", record, got.State, got.Message)
		}
	}
}

// An older Terroir wrote the zone alone. What it recognised is recorded when it is looked at next.
func TestANodeOfAnOlderTerroirIsRecorded(t *testing.T) {
	n := NodeFacts{Name: "n1", MachineID: "m", Labels: map[string]string{"topology.kubernetes.io/zone": "par-1", v1alpha1.ZoneLabel: "par-1"}}
	after, a := settled(Compile(world()).At(now), n)
	if a.State != Recognised || after.Labels[v1alpha1.MachineLabel] != digest("m")+".none.none" {
		t.Errorf("it is %v with %v", a.State, after.Labels)
	}
	n.Labels["topology.kubernetes.io/zone"] = "par-9"
	after, a = settled(Compile(world()).At(now), n)
	if a.Reason != SignalChanged || after.Labels[v1alpha1.ZoneLabel] != "" {
		t.Errorf("it is %s with %v", a.Reason, after.Labels)
	}
}

func TestRivals(t *testing.T) {
	const uuid = "4c4c4544-0042-3510-8054-b4c04f4d3332"
	listed := func(o *Objects) { o.zone("par-1").Recognition.SystemUUIDs = []v1alpha1.SystemUUID{uuid} }
	cloud := func(name string) NodeFacts {
		return NodeFacts{Name: name, ProviderID: "scaleway://instance/fr-par-1/x"}
	}
	metal := func(name string) NodeFacts {
		return NodeFacts{Name: name, SystemUUID: uuid, Labels: map[string]string{"topology.kubernetes.io/zone": "par-1"}}
	}
	for sentence, test := range map[string]struct {
		tweak       func(*Objects)
		first       []NodeFacts // are there already
		later       []NodeFacts
		recognised  []string
		message, of string
	}{
		"two that come at the same time":        {later: []NodeFacts{cloud("a"), cloud("b")}, message: "node b shows the same providerID; delete the Node that is not that machine", of: "a"},
		"one that was there before":             {first: []NodeFacts{cloud("b")}, later: []NodeFacts{cloud("a"), cloud("c")}, recognised: []string{"b"}, message: "node b shows the same providerID", of: "c"},
		"two of a machine on the list":          {tweak: listed, later: []NodeFacts{metal("a"), uuided(metal("b"), strings.ToUpper(uuid))}, message: "node a shows the same system UUID", of: "b"},
		"one of them was there before":          {tweak: listed, first: []NodeFacts{metal("a")}, later: []NodeFacts{metal("b")}, recognised: []string{"a"}},
		"a system UUID that no zone asks for":   {later: []NodeFacts{metal("a"), metal("b")}, recognised: []string{"a", "b"}},
		"machines that show nothing":            {later: []NodeFacts{uuided(metal("a"), ""), uuided(metal("b"), "")}, recognised: []string{"a", "b"}},
		"one alone":                             {later: []NodeFacts{cloud("a")}, recognised: []string{"a"}},
		"a node that becomes another's machine": {tweak: listed, first: []NodeFacts{metal("a"), cloud("b")}, later: []NodeFacts{}, recognised: []string{"a", "b"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			if test.tweak != nil {
				test.tweak(&o)
			}
			v := Compile(o).At(now)
			all := slices.Clone(test.first)
			for i := range all {
				all[i], _ = settled(v, all[i])
			}
			all = WithRivals(append(all, test.later...))
			var recognised []string
			for _, n := range all {
				a := v.Assess(n)
				if a.State == Recognised {
					recognised = append(recognised, n.Name)
				} else if a.State != Ambiguous || a.Reason != MachineClaimedTwice {
					t.Errorf("%s is %v %s: %s", n.Name, a.State, a.Reason, a.Message)
				}
				if n.Name == test.of && !strings.Contains(a.Message, test.message) {
					t.Errorf("of %s it is said: %s", n.Name, a.Message)
				}
			}
			if diff := cmp.Diff(test.recognised, recognised); diff != "" {
				t.Errorf("recognised (-want +got):\n%s", diff)
			}
		})
	}
}

// shows changes something that a node says of itself.
func (r chance) shows(n *NodeFacts) {
	other := r.node()
	switch r.IntN(4) {
	case 0:
		n.CSIDrivers = other.CSIDrivers
	case 1:
		n.ProviderID, n.SystemUUID, n.MachineID = other.ProviderID, other.SystemUUID, other.MachineID
	default:
		key := pick(r, "zone", "zone", regionLabel, "k0", "k1", "k2")
		*n = with(*n, label{key, pick(r, "1", "2", "3", "4", "r0", "r1")})
		if r.one(4) {
			delete(n.Labels, key)
		}
	}
}

// However a node wanders, while the catalogue stays it is recognised where it was first, or nowhere.
func TestANodeNeverWandersFromZoneToZone(t *testing.T) {
	again, elsewhere := 0, 0
	lawfully(t, func(t *testing.T, r chance) {
		c := Compile(r.objects())
		for range 10 {
			n, first := settled(c.At(now), r.node())
			if first.State != Recognised {
				continue
			}
			for step := range 8 {
				r.shows(&n)
				var a Assessment
				n, a = settled(c.At(now.Add(time.Duration(step*r.IntN(5))*time.Minute)), n)
				if a.State == Recognised && a.Zone != first.Zone {
					t.Errorf("it was in %s and is in %s: %+v", first.Zone, a.Zone, n)
				}
				if a.Reason == ZoneChanged {
					elsewhere++
				}
				if a.State == Recognised && step > 3 {
					again++
				}
				if a.State != Recognised && a.State != Suspect && len(openOn(n)) > 0 {
					t.Errorf("%v %s, and yet %v", a.State, a.Reason, openOn(n))
				}
			}
		}
	})
	if again < worlds/2 || elsewhere < worlds/20 {
		t.Errorf("%d nodes were recognised again, %d showed another zone: the law was hardly tried", again, elsewhere)
	}
}

// Whatever else it shows, another machine under the same name is nowhere, and the machine that was there is where it was.
func TestAnotherMachineIsNeverOpen(t *testing.T) {
	tried := 0
	lawfully(t, func(t *testing.T, r chance) {
		v := Compile(r.objects()).At(now)
		for range 10 {
			n, first := settled(v, r.node())
			part := pick(r, &n.MachineID, &n.SystemUUID, &n.ProviderID)
			was := *part
			if first.State != Recognised || was == "" {
				continue
			}
			tried++
			*part = pick(r, "", "other://x/y")
			changed, a := settled(v, n)
			if a.State != Unknown || a.Reason != MachineChanged || len(openOn(changed)) > 0 {
				t.Errorf("it is %v %s with %v", a.State, a.Reason, changed.Labels)
			}
			*part = was
			n.Labels = changed.Labels
			if back, a := settled(v, n); a.State != Recognised || a.Zone != first.Zone || !slices.Equal(sorted(openOn(back)), sorted(openOn(withLabels(n, first)))) {
				t.Errorf("it is back, and %v %s in %q", a.State, a.Reason, a.Zone)
			}
		}
	})
	if tried < worlds {
		t.Errorf("only %d nodes changed their machine: the law was hardly tried", tried)
	}
}

// withLabels is a node with the labels that follow from an assessment.
func withLabels(n NodeFacts, a Assessment) NodeFacts {
	n.Labels = a.Labels(nil, nil)
	return n
}

// A node that does not change is judged, whatever catalogues it went through, as one that has just come. Signals that are merely missing get
// their time first.
func TestTheCatalogueIsFollowedWithoutDeletingNodes(t *testing.T) {
	moved, later := 0, now.Add(SuspectFor)
	lawfully(t, func(t *testing.T, r chance) {
		catalogues := []*Catalogue{Compile(r.objects()), Compile(r.objects()), Compile(r.objects())}
		for range 10 {
			fresh := r.node()
			n, first := settled(catalogues[0].At(now), fresh)
			n, _ = settled(catalogues[1].At(now), n)
			last := catalogues[2]
			for _, at := range []time.Time{now, later, later} { // suspect, no longer, forgotten
				n, _ = settled(last.At(at), n)
			}
			n, a := settled(last.At(later), n)
			want, w := settled(last.At(later), fresh)
			if a.State != w.State || a.Zone != w.Zone || !slices.Equal(sorted(openOn(n)), sorted(openOn(want))) {
				t.Errorf("it is %v %s with %v\na node that has just come is %v %s with %v", a.State, a.Message, n.Labels, w.State, w.Message, want.Labels)
			}
			if first.State == Recognised && w.State == Recognised && first.Zone != w.Zone {
				moved++
			}
		}
	})
	if moved < worlds/10 {
		t.Errorf("only %d nodes were followed into another zone: the law was hardly tried", moved)
	}
}

func TestOfNodesThatShowOneMachineAtMostOneIsRecognised(t *testing.T) {
	won := 0
	lawfully(t, func(t *testing.T, r chance) {
		v := Compile(r.objects()).At(now)
		var nodes []NodeFacts
		for range 6 {
			n := r.node()
			n.Name = "n" + string(rune('a'+len(nodes)))
			nodes = WithRivals(append(nodes, n))
			for i := range nodes {
				nodes[i], _ = settled(v, nodes[i])
			}
		}
		holders := map[string]string{}
		for _, n := range nodes {
			if n.ProviderID == "" || n.Labels[v1alpha1.EvidenceLabel] == "" {
				continue
			}
			if holders[n.ProviderID] != "" {
				t.Errorf("%s and %s are both recognised as %s", holders[n.ProviderID], n.Name, n.ProviderID)
			}
			holders[n.ProviderID] = n.Name
			if n.SameProviderID.Name != "" {
				won++
			}
		}
	})
	if won < worlds/10 {
		t.Errorf("only %d nodes had a rival: the law was hardly tried", won)
	}
}
