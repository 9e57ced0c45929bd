package trust

import (
	"strings"
	"testing"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

const vouched, selfMade = v1alpha1.ProviderIDFromCloudController, "kubelet"

// stampedBy is the node with who set its providerID.
func stampedBy(n NodeFacts, who string) NodeFacts {
	return with(n, label{v1alpha1.ProviderIDFromLabel, who})
}

func TestEvidence(t *testing.T) {
	const uuid, restricted = "4c4c4544-0042-3510-8054-b4c04f4d3332", "example.com.node-restriction.kubernetes.io/rack"
	oks := NodeFacts{ProviderID: "aws:///cloudgouv-eu-west-1a/i-1", Labels: map[string]string{"topology.kubernetes.io/zone": "cloudgouv-eu-west-1a"}, CSIDrivers: []string{"bsu.csi.outscale.com"}}
	scaleway := NodeFacts{ProviderID: "scaleway://instance/fr-par-1/x"}
	plain := NodeFacts{ProviderID: "scaleway://instance/fr-par-2/x", Labels: map[string]string{"topology.kubernetes.io/zone": "par-1"}}
	for sentence, test := range map[string]struct {
		node  NodeFacts
		tweak func(*Objects)
		want  Evidence
	}{
		"a label that anybody may set":                               {node: plain, want: Claimed},
		"a providerID of which nobody knows who set it":              {node: scaleway, want: Claimed},
		"one that the kubelet set":                                   {node: stampedBy(scaleway, selfMade), want: Claimed},
		"one that somebody set":                                      {node: stampedBy(scaleway, v1alpha1.ProviderIDFromOther), want: Claimed},
		"one that the cloud controller set":                          {node: stampedBy(scaleway, vouched), want: CloudController},
		"so it did, and the zone does not ask for it":                {node: stampedBy(plain, vouched), want: Claimed},
		"so it did, and the CSI driver agrees":                       {node: stampedBy(oks, vouched), want: Corroborated},
		"a CSI driver beside the kubelet's own providerID":           {node: stampedBy(oks, selfMade), want: Claimed},
		"so it does for a while in which its CSI driver restarts":    {node: with(driver(stampedBy(oks, vouched)), label{v1alpha1.ZoneLabel, "oks-a"}), want: Corroborated},
		"a machine on the zone's list":                               {node: uuided(plain, uuid), want: Listed, tweak: func(o *Objects) { o.zone("par-1").Recognition.SystemUUIDs = []v1alpha1.SystemUUID{uuid} }},
		"of a listed machine and the cloud controller, the stronger": {node: uuided(stampedBy(scaleway, vouched), uuid), want: CloudController, tweak: func(o *Objects) { o.zone("fr-par-1").Recognition.SystemUUIDs = []v1alpha1.SystemUUID{uuid} }},
		"a label that kubelets cannot set": {node: with(plain, label{restricted, "7"}), want: Listed, tweak: func(o *Objects) {
			o.zone("par-1").Recognition.Labels[restricted] = "7"
		}},
		"such a label that the zone does not ask for": {node: with(plain, label{restricted, "7"}), want: Claimed},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			if test.tweak != nil {
				test.tweak(&o)
			}
			test.node.Name = "n1"
			got := Compile(o).At(now).Assess(test.node)
			if (got.State != Recognised && got.State != Suspect) || got.Evidence != test.want {
				t.Errorf("got %v, %v: %s; want %v", got.State, got.Evidence, got.Message, test.want)
			}
		})
	}
}

func TestDemandedEvidence(t *testing.T) {
	scaleway := NodeFacts{Name: "n1", ProviderID: "scaleway://instance/fr-par-1/x"}
	for sentence, test := range map[string]struct {
		demanded v1alpha1.NodeEvidence
		node     NodeFacts
		tweak    func(*Objects)
		worth    Worth
		reason   Reason
		says     string
	}{
		"nothing is demanded":                      {demanded: "", node: scaleway, worth: Open, reason: Satisfied},
		"a claim is enough":                        {demanded: "Claimed", node: scaleway, worth: Open, reason: Satisfied},
		"as much as there is":                      {demanded: "CloudController", node: stampedBy(scaleway, vouched), worth: Open, reason: Satisfied},
		"less than there is":                       {demanded: "Listed", node: stampedBy(scaleway, vouched), worth: Open, reason: Satisfied},
		"a list, and there is only a claim":        {demanded: "Listed", node: scaleway, reason: EvidenceTooWeak, says: "recognised on the word of its kubelet alone (Claimed); list the machine in the zone's systemUUIDs"},
		"the kubelet set the providerID":           {demanded: "CloudController", node: stampedBy(scaleway, selfMade), reason: EvidenceTooWeak, says: "its providerID was set by its kubelet, or when nobody wrote down by whom: it counts when"},
		"somebody else set it":                     {demanded: "CloudController", node: stampedBy(scaleway, v1alpha1.ProviderIDFromOther), reason: EvidenceTooWeak, says: "by none of TerroirConfig's cloudControllerUsers"},
		"nobody knows who set it":                  {demanded: "CloudController", node: scaleway, reason: EvidenceTooWeak, says: "or when nobody wrote down by whom"},
		"the zone asks for no CSI driver":          {demanded: "Corroborated", node: stampedBy(scaleway, vouched), reason: EvidenceTooWeak, says: "the zone has to ask for csiDrivers, too"},
		"the zone asks for no providerID":          {demanded: "Corroborated", node: NodeFacts{Labels: map[string]string{"topology.kubernetes.io/zone": "par-1"}}, reason: EvidenceTooWeak, says: "the zone has to ask for providerIDPrefixes"},
		"a word that nobody knows":                 {demanded: "Certain", node: stampedBy(scaleway, vouched), reason: LevelInvalid, says: "must be Claimed, Listed, CloudController or Corroborated"},
		"what the zone lacks is told in its place": {demanded: "Listed", node: scaleway, tweak: func(o *Objects) { o.zone("fr-par-1").Country = "DE" }, reason: CountryNotAllowed},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			o.level("in-france").NodeEvidence = test.demanded
			if test.tweak != nil {
				test.tweak(&o)
			}
			v := Compile(o).At(now)
			got := v.Assess(test.node).Standings[0]
			if got.Level != "in-france" || got.Worth != test.worth || got.Reason != test.reason || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %v %s: %s\nwant %v %s, saying %q", got.Worth, got.Reason, got.Message, test.worth, test.reason, test.says)
			}
			if of := v.Standing(got.Zone, "in-france"); test.reason == EvidenceTooWeak && of.Worth != Open {
				t.Errorf("the zone's own standing was changed: %v %s", of.Worth, of.Message)
			}
		})
	}
}

func TestMoreEvidenceDemandedNeverAdmitsMore(t *testing.T) {
	refused := 0
	lawfully(t, func(t *testing.T, r chance) {
		o := r.objects()
		level := r.level()
		o.TrustLevels = nil
		for i, grade := range grades {
			level.NodeEvidence = grade
			o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{ObjectMeta: named("t" + string(rune('0'+i))), Spec: level})
		}
		v := Compile(o).At(now)
		for range 20 {
			a := v.Assess(r.node())
			for i := range a.Standings {
				is := a.Standings[i].Worth
				if i > 0 && is > a.Standings[i-1].Worth {
					t.Errorf("%s for %v, then %s for %v", a.Standings[i-1].Message, a.Standings[i-1].Worth, a.Standings[i].Message, is)
				}
				if enough := Evidence(i) <= a.Evidence; enough && is != a.Standings[0].Worth || !enough && is != None {
					t.Errorf("with %v, %v is %v", a.Evidence, Evidence(i), is)
				}
				if a.Standings[i].Reason == EvidenceTooWeak {
					refused++
				}
			}
		}
	})
	if refused < worlds/3 {
		t.Errorf("only %d standings were refused for want of evidence: the law was hardly tried", refused)
	}
}
