package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestRecognition(t *testing.T) {
	const net, zoneKey, uuid = "topology.outscale.com/net", "topology.kubernetes.io/zone", "4c4c4544-0042-3510-8054-b4c04f4d3332"
	twin := NodeFacts{ProviderID: "aws:///eu-west-2a/i-1", Labels: map[string]string{regionLabel: "eu-west-2", zoneKey: "eu-west-2a"}}
	oks := NodeFacts{ProviderID: "aws:///cloudgouv-eu-west-1a/i-1", Labels: map[string]string{zoneKey: "cloudgouv-eu-west-1a"}, CSIDrivers: []string{"bsu.csi.outscale.com"}}
	noZoneOf := func(names ...string) func(*Objects) {
		return func(o *Objects) {
			kept := o.Zones[:0]
			for _, z := range o.Zones {
				if !strings.Contains(" "+strings.Join(names, " ")+" ", " "+z.Name+" ") {
					kept = append(kept, z)
				}
			}
			o.Zones = kept
		}
	}
	addZone := func(name string, spec v1alpha1.ZoneSpec) func(*Objects) {
		return func(o *Objects) { o.Zones = append(o.Zones, v1alpha1.Zone{ObjectMeta: named(name), Spec: spec}) }
	}
	awsZone := v1alpha1.ZoneSpec{Country: "GB", Provider: "aws", Offer: "ec2", Recognition: v1alpha1.ZoneRecognition{
		ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"aws:///eu-west-2a/"}, CSIDrivers: []v1alpha1.CSIDriverName{"ebs.csi.aws.com"},
	}}

	for sentence, test := range map[string]struct {
		node   NodeFacts
		tweak  func(*Objects)
		state  RecognitionState
		reason Reason
		zone   string
		says   string
	}{
		"a label names the zone":                       {node: NodeFacts{Labels: map[string]string{zoneKey: "par-1"}}, state: Recognised, reason: OneZoneMatches, zone: "par-1"},
		"a node that shows nothing is unknown":         {node: NodeFacts{}, state: Unknown, reason: NoZoneMatches, says: "no zone has its signals"},
		"a prefix does not match half a word":          {node: NodeFacts{ProviderID: "scaleway://instance/fr-par-10/x"}, state: Unknown, reason: NoZoneMatches, says: "looks like a node of scaleway"},
		"all kinds of signal hold":                     {node: oks, state: Recognised, reason: OneZoneMatches, zone: "oks-a"},
		"one kind of several is missing":               {node: NodeFacts{ProviderID: oks.ProviderID, CSIDrivers: oks.CSIDrivers}, state: Unknown, reason: NoZoneMatches, says: "not recognised as in zone oks-a: it has no label " + zoneKey},
		"one kind of several is another":               {node: with(oks, label{zoneKey, "cloudgouv-eu-west-1b"}), state: Unknown, reason: NoZoneMatches, says: "cloudgouv-eu-west-1b, not cloudgouv-eu-west-1a"},
		"the twin of Outscale in London, nothing told": {node: twin, state: Ambiguous, reason: LooksLikeAnother, says: "nodes of aws look the same; it would be told by a CSI driver such as bsu.csi.outscale.com or a label such as topology.outscale.com/net"},
		"the twin, with Outscale's CSI driver":         {node: driver(twin, "bsu.csi.outscale.com"), state: Recognised, reason: OneZoneMatches, zone: "outscale-a"},
		"the twin, with a label key of Outscale":       {node: with(twin, label{net, "vpc-1"}), state: Recognised, reason: OneZoneMatches, zone: "outscale-a"},
		"the twin, with AWS's CSI driver":              {node: driver(twin, "ebs.csi.aws.com"), state: Ambiguous, reason: SignalContradicts, says: "its CSI driver is ebs.csi.aws.com, a sign of aws and not of outscale"},
		"the twin, with both CSI drivers":              {node: driver(twin, "ebs.csi.aws.com", "bsu.csi.outscale.com"), state: Ambiguous, reason: LooksLikeAnother},
		"the twin, with a CSI driver nobody knows":     {node: driver(twin, "nfs.csi.k8s.io"), state: Ambiguous, reason: LooksLikeAnother},
		"the twin, in a region AWS does not have":      {node: with(twin, label{regionLabel, "eu-west-9"}), state: Recognised, reason: OneZoneMatches, zone: "outscale-a"},
		"the twin, where AWS is not in the catalogue": {
			node: twin, tweak: func(o *Objects) { o.Providers = append(o.Providers[:1], o.Providers[2:]...) },
			state: Recognised, reason: OneZoneMatches, zone: "outscale-a",
		},
		"the twin, where zones speak of AWS elsewhere": {
			node: twin, tweak: addZone("ireland", v1alpha1.ZoneSpec{Country: "IE", Provider: "aws", Recognition: onPrefix("aws:///eu-west-1a/")}),
			state: Ambiguous, reason: LooksLikeAnother,
		},
		"the twin, where zones speak of AWS by label only": {
			node: twin, tweak: addZone("london", v1alpha1.ZoneSpec{Country: "GB", Provider: "aws", Recognition: onLabel("eu-west-2b")}),
			state: Ambiguous, reason: LooksLikeAnother,
		},
		"the twin of AWS, starting: its zone waits for a driver": {node: twin, tweak: addZone("london", awsZone), state: Ambiguous, reason: LooksLikeAnother},
		"the twin of AWS, recognised by its own zone, which lies within Outscale's": {
			node: driver(twin, "ebs.csi.aws.com"), tweak: addZone("london", awsZone),
			state: Ambiguous, reason: SeveralZonesMatch, says: "zones london and outscale-a",
		},
		"zones that speak of both decide by label": {node: with(twin, label{"rack", "o"}), tweak: func(o *Objects) {
			o.zone("outscale-a").Recognition.Labels = map[string]v1alpha1.LabelValue{"rack": "o"}
			london := *awsZone.DeepCopy()
			london.Recognition = v1alpha1.ZoneRecognition{ProviderIDPrefixes: awsZone.Recognition.ProviderIDPrefixes, Labels: map[string]v1alpha1.LabelValue{"rack": "a"}}
			addZone("london", london)(o)
		}, state: Recognised, reason: OneZoneMatches, zone: "outscale-a"},
		"zones divide the ground by label, and one of AWS waits for its driver": {node: with(twin, label{"rack", "o"}), tweak: func(o *Objects) {
			o.zone("outscale-a").Recognition.Labels = map[string]v1alpha1.LabelValue{"rack": "o"}
			divided, starting := *awsZone.DeepCopy(), *awsZone.DeepCopy()
			divided.Recognition = v1alpha1.ZoneRecognition{ProviderIDPrefixes: awsZone.Recognition.ProviderIDPrefixes, Labels: map[string]v1alpha1.LabelValue{"rack": "a"}}
			addZone("london", divided)(o)
			addZone("london-starting", starting)(o)
		}, state: Ambiguous, reason: LooksLikeAnother},
		"a malformed zone of AWS divides nothing": {node: with(twin, label{"rack", "o"}), tweak: func(o *Objects) {
			o.zone("outscale-a").Recognition.Labels = map[string]v1alpha1.LabelValue{"rack": "o"}
			addZone("london", v1alpha1.ZoneSpec{Country: "UK", Provider: "aws", Recognition: v1alpha1.ZoneRecognition{
				ProviderIDPrefixes: awsZone.Recognition.ProviderIDPrefixes, Labels: map[string]v1alpha1.LabelValue{"rack": "a"},
			}})(o)
		}, state: Ambiguous, reason: LooksLikeAnother},
		"our own label is no signal": {node: NodeFacts{Labels: map[string]string{v1alpha1.OpenLabelPrefix + "x": "y"}}, tweak: func(o *Objects) {
			o.zone("par-1").Recognition.Labels = map[string]v1alpha1.LabelValue{v1alpha1.OpenLabelPrefix + "x": "y"}
		}, state: Unknown, reason: NoZoneMatches},
		"a listed machine has no twin": {node: uuided(twin, strings.ToUpper(uuid)), tweak: func(o *Objects) {
			o.zone("outscale-a").Recognition.SystemUUIDs = []v1alpha1.SystemUUID{uuid}
		}, state: Recognised, reason: OneZoneMatches, zone: "outscale-a"},
		"another machine is not a listed one": {node: uuided(twin, "11111111-0042-3510-8054-b4c04f4d3332"), tweak: func(o *Objects) {
			o.zone("outscale-a").Recognition.SystemUUIDs = []v1alpha1.SystemUUID{uuid}
		}, state: Unknown, reason: NoZoneMatches},
		"NumSpot stands on Outscale: the zone says under which offer": {node: driver(twin, "bsu.csi.outscale.com"), tweak: func(o *Objects) {
			o.zone("outscale-a").Provider, o.zone("outscale-a").Offer = "numspot", "kubernetes"
			o.provider("numspot").Recognition.LabelKeys = []v1alpha1.LabelKey{"numspot.com/id"}
			o.provider("aws").Recognition = nil
		}, state: Recognised, reason: OneZoneMatches, zone: "outscale-a"},
		"a zone without provider, where one provider's nodes look so": {
			node:  NodeFacts{ProviderID: "scaleway://instance/fr-par-2/x", Labels: map[string]string{zoneKey: "par-1"}},
			state: Recognised, reason: OneZoneMatches, zone: "par-1",
		},
		"a zone without provider, where two providers' nodes look so": {
			node: driver(twin, "ebs.csi.aws.com"), tweak: func(o *Objects) {
				o.zone("outscale-a").Provider, o.zone("outscale-a").Offer, o.zone("outscale-a").Region = "", "", ""
			},
			state: Ambiguous, reason: LooksLikeAnother, says: "set its spec.provider",
		},
		"Bleu by its region": {node: NodeFacts{ProviderID: "azure:///subscriptions/x", Labels: map[string]string{regionLabel: "bleufrancecentral"}}, state: Recognised, reason: OneZoneMatches, zone: "bleu-1"},
		"Azure by its region": {
			node: NodeFacts{ProviderID: "azure:///subscriptions/x", Labels: map[string]string{regionLabel: "westeurope"}}, state: Ambiguous, reason: SignalContradicts,
			says: "its region is westeurope, a sign of azure and not of bleu",
		},
		"Bleu or Azure, no region told": {node: NodeFacts{ProviderID: "azure:///subscriptions/x"}, state: Ambiguous, reason: LooksLikeAnother, says: "told by the label " + regionLabel},
		"two zones match": {
			node: NodeFacts{Labels: map[string]string{zoneKey: "par-1", "rack": "7"}}, tweak: addZone("rack-7", v1alpha1.ZoneSpec{Country: "FR", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"rack": "7"}}}),
			state: Ambiguous, reason: SeveralZonesMatch, says: "zones par-1 and rack-7",
		},
		"a providerID of another provider": {
			node: NodeFacts{ProviderID: "scaleway://instance/fr-par-1/x", Labels: map[string]string{"rack": "7"}},
			tweak: func(o *Objects) {
				addZone("rack-7", v1alpha1.ZoneSpec{Country: "FR", Provider: "outscale", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"rack": "7"}}})(o)
				noZoneOf("fr-par-1")(o)
			}, state: Ambiguous, reason: SignalContradicts, says: "scaleway://instance/, a sign of scaleway",
		},
		"a CSI driver alone": {
			node: NodeFacts{CSIDrivers: []string{"linstor.csi.linbit.com"}}, tweak: addZone("linstor", v1alpha1.ZoneSpec{Country: "FR", Recognition: v1alpha1.ZoneRecognition{CSIDrivers: []v1alpha1.CSIDriverName{"linstor.csi.linbit.com"}}}),
			state: Recognised, reason: OneZoneMatches, zone: "linstor",
		},
		"a malformed zone still recognises, and is worth nothing": {
			node: NodeFacts{Labels: map[string]string{zoneKey: "par-1"}}, tweak: func(o *Objects) { o.zone("par-1").Country = "XX" },
			state: Recognised, reason: OneZoneMatches, zone: "par-1",
		},
		"a zone whose name is too long for a label": {
			node: NodeFacts{Labels: map[string]string{zoneKey: "par-1"}}, tweak: func(o *Objects) { o.Zones[0].Name = strings.Repeat("z", 64) },
			state: Unknown, reason: ZoneInvalid, says: "at most 63 characters",
		},
		"somebody else's label whose domain contains our name is a signal": {node: NodeFacts{Labels: map[string]string{"grandterroir.example/rack": "7"}}, tweak: addZone("rack-7", v1alpha1.ZoneSpec{
			Country: "FR", Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"grandterroir.example/rack": "7"}},
		}), state: Recognised, reason: OneZoneMatches, zone: "rack-7"},
		"of several zones, the one that fails in the fewest signals is told": {node: driver(oks, "nfs.csi.k8s.io"), tweak: func(o *Objects) {
			far := *o.zone("oks-a").DeepCopy()
			far.Recognition.Labels = map[string]v1alpha1.LabelValue{zoneKey: "elsewhere", "rack": "7"}
			addZone("a-far", far)(o)
		}, state: Unknown, reason: NoZoneMatches, says: "it is not recognised as in zone oks-a: the CSI driver bsu.csi.outscale.com is not registered on it"},
		"of zones that fail in as many signals, the first by name": {node: driver(oks), tweak: func(o *Objects) {
			addZone("b-far", *o.zone("oks-a").DeepCopy())(o)
			addZone("oks", *o.zone("oks-a").DeepCopy())(o)
		}, state: Unknown, reason: NoZoneMatches, says: "it is not recognised as in zone b-far"},
		"of several look-alikes, the one that lists such nodes most specifically": {node: twin, tweak: func(o *Objects) {
			o.offer("numspot", 0).HostedOn = nil
		}, state: Ambiguous, reason: LooksLikeAnother, says: "nodes of numspot look the same"},
		"of look-alikes as specific, the first by name": {node: twin, tweak: func(o *Objects) {
			o.offer("numspot", 0).HostedOn = nil
			o.provider("aws").Recognition.ProviderIDPrefixes = []v1alpha1.ProviderIDPrefix{"aws:///", "aws:///eu-west-2a/"}
		}, state: Ambiguous, reason: LooksLikeAnother, says: "nodes of aws look the same"},
		"a zone without signals contains nothing": {node: NodeFacts{}, tweak: func(o *Objects) { o.zone("par-1").Recognition = v1alpha1.ZoneRecognition{} }, state: Unknown, reason: NoZoneMatches},
		"a prefix without slash recognises nothing": {
			node: NodeFacts{ProviderID: "scaleway://instance/fr-par-1/x"}, tweak: func(o *Objects) { o.zone("fr-par-1").Recognition = onPrefix("scaleway://instance/fr-par-1") },
			state: Unknown, reason: NoZoneMatches,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			if test.tweak != nil {
				test.tweak(&o)
			}
			test.node.Name = "n1"
			got := Compile(o).At(now).Assess(test.node)
			if got.State != test.state || got.Reason != test.reason || got.Zone != test.zone || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %v %s zone %q: %s\nwant %v %s zone %q, saying %q", got.State, got.Reason, got.Zone, got.Message, test.state, test.reason, test.zone, test.says)
			}
			if recognised := test.state == Recognised; recognised != (len(got.Standings) > 0) {
				t.Errorf("a node that is %v has %d standings", got.State, len(got.Standings))
			}
		})
	}
}

func TestSuspect(t *testing.T) {
	const zoneKey = "topology.kubernetes.io/zone"
	oks := NodeFacts{
		Name: "n1", ProviderID: "aws:///cloudgouv-eu-west-1a/i-1", CSIDrivers: []string{"bsu.csi.outscale.com"},
		Labels: map[string]string{zoneKey: "cloudgouv-eu-west-1a", v1alpha1.ZoneLabel: "oks-a"},
	}
	twin := NodeFacts{Name: "n1", ProviderID: "aws:///eu-west-2a/i-1", Labels: map[string]string{regionLabel: "eu-west-2", v1alpha1.ZoneLabel: "outscale-a"}}
	since := func(n NodeFacts, t time.Time) NodeFacts {
		return with(n, label{v1alpha1.SuspectSinceLabel, t.Format(v1alpha1.SuspectSinceLayout)})
	}
	for sentence, test := range map[string]struct {
		node   NodeFacts
		state  RecognitionState
		reason Reason
		since  time.Time
	}{
		"all is well":                                                           {oks, Recognised, OneZoneMatches, time.Time{}},
		"its CSI driver left CSINode":                                           {driver(oks), Suspect, SignalMissing, now},
		"its CSI driver left, others are there":                                 {driver(oks, "nfs.csi.k8s.io"), Suspect, SignalMissing, now},
		"another provider's driver is there instead":                            {driver(oks, "ebs.csi.aws.com"), Unknown, SignalChanged, time.Time{}},
		"its label is gone":                                                     {with(oks, label{zoneKey, ""}), Suspect, SignalMissing, now},
		"its label is another":                                                  {with(oks, label{zoneKey, "cloudgouv-eu-west-1b"}), Unknown, SignalChanged, time.Time{}},
		"its providerID is gone":                                                {NodeFacts{Name: "n1", Labels: oks.Labels, CSIDrivers: oks.CSIDrivers}, Suspect, SignalMissing, now},
		"its providerID is another":                                             {NodeFacts{Name: "n1", ProviderID: "aws:///cloudgouv-eu-west-1b/i-1", Labels: oks.Labels, CSIDrivers: oks.CSIDrivers}, Unknown, SignalChanged, time.Time{}},
		"a signal is missing and another contradicts":                           {with(driver(oks), label{regionLabel, "francecentral"}), Suspect, SignalMissing, now}, // outscale lists no regions here
		"it has been suspect for nearly ten minutes":                            {since(driver(oks), now.Add(-SuspectFor+time.Second)), Suspect, SignalMissing, now.Add(-SuspectFor + time.Second)},
		"it has been suspect for ten minutes":                                   {since(driver(oks), now.Add(-SuspectFor)), Unknown, SignalMissingTooLong, time.Time{}},
		"a fast clock wrote since when":                                         {since(driver(oks), now.Add(time.Hour)), Suspect, SignalMissing, now},
		"since when does not parse":                                             {with(driver(oks), label{v1alpha1.SuspectSinceLabel, "yesterday"}), Unknown, SignalMissingTooLong, time.Time{}},
		"it was in a zone that is gone":                                         {with(driver(oks), label{v1alpha1.ZoneLabel, "nowhere"}), Unknown, NoZoneMatches, time.Time{}},
		"the signal came back":                                                  {since(oks, now.Add(-time.Minute)), Recognised, OneZoneMatches, time.Time{}},
		"what told it from its twin left":                                       {twin, Suspect, SignalMissing, now},
		"what told it from its twin left long ago":                              {since(twin, now.Add(-SuspectFor)), Ambiguous, LooksLikeAnother, time.Time{}},
		"what tells its twin has come":                                          {driver(twin, "ebs.csi.aws.com"), Ambiguous, SignalContradicts, time.Time{}},
		"it was in another zone than the one it matches, and might be its twin": {with(twin, label{v1alpha1.ZoneLabel, "par-1"}), Ambiguous, LooksLikeAnother, time.Time{}},
	} {
		t.Run(sentence, func(t *testing.T) {
			for key, value := range test.node.Labels {
				if value == "" {
					delete(test.node.Labels, key)
				}
			}
			got := Compile(world()).At(now).Assess(test.node)
			if got.State != test.state || got.Reason != test.reason || !got.SuspectSince.Equal(test.since) {
				t.Errorf("got %v %s since %s: %s\nwant %v %s since %s", got.State, got.Reason, got.SuspectSince, got.Message, test.state, test.reason, test.since)
			}
			if end := test.since.Add(SuspectFor); got.State == Suspect && !got.NextChange.Equal(end) {
				t.Errorf("suspicion ends at %s; want %s", got.NextChange, end)
			}
		})
	}
}

func TestNoBenefitOfTheDoubt(t *testing.T) {
	oks := NodeFacts{
		Name: "n1", ProviderID: "aws:///cloudgouv-eu-west-1a/i-1",
		Labels: map[string]string{"topology.kubernetes.io/zone": "cloudgouv-eu-west-1a", v1alpha1.ZoneLabel: "oks-a", regionLabel: "francecentral"},
	}
	twin := NodeFacts{Name: "n1", ProviderID: "aws:///eu-west-2a/i-1", Labels: map[string]string{regionLabel: "eu-west-2", v1alpha1.ZoneLabel: "outscale-a"}}
	for sentence, test := range map[string]struct {
		node   NodeFacts
		tweak  func(*Objects)
		reason Reason
	}{
		"a signal is missing, and the region is another provider's": {oks, func(o *Objects) {
			o.provider("outscale").Recognition.Regions = []v1alpha1.Term{"cloudgouv-eu-west-1"}
		}, SignalContradicts},
		"nothing is missing that could tell it from its twin": {twin, func(o *Objects) {
			o.provider("outscale").Recognition.CSIDrivers, o.provider("outscale").Recognition.LabelKeys = nil, nil
		}, LooksLikeAnother},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			test.tweak(&o)
			if got := Compile(o).At(now).Assess(test.node); got.State != Ambiguous || got.Reason != test.reason {
				t.Errorf("got %v %s: %s; want Ambiguous %s", got.State, got.Reason, got.Message, test.reason)
			}
		})
	}
}

func with(n NodeFacts, l label) NodeFacts {
	labels := map[string]string{l.key: l.value}
	for key, value := range n.Labels {
		if key != l.key {
			labels[key] = value
		}
	}
	n.Labels = labels
	return n
}

func driver(n NodeFacts, drivers ...string) NodeFacts { n.CSIDrivers = drivers; return n }

func uuided(n NodeFacts, uuid string) NodeFacts { n.SystemUUID = uuid; return n }
