package trust

import (
	"fmt"
	"testing"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// large is a catalogue of 50 providers, 300 zones and 500 qualifications, with 20 levels. Half of the zones are recognised by
// prefix, half by label; every fifth provider is hosted on its neighbour.
func large() Objects {
	o := world()
	o = Objects{Frameworks: o.Frameworks}
	for i := range 50 {
		name := fmt.Sprintf("provider-%d", i)
		p := v1alpha1.CloudProviderSpec{
			LegalEntity: name, Seat: "FR", Exposures: []v1alpha1.Exposure{notExposed("US-CLOUD-Act")},
			Recognition: &v1alpha1.ProviderRecognition{
				ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{v1alpha1.ProviderIDPrefix("aws:///" + name + "/")},
				CSIDrivers:         []v1alpha1.CSIDriverName{v1alpha1.CSIDriverName(name + ".csi.example")}, LabelKeys: []v1alpha1.LabelKey{v1alpha1.LabelKey("topology." + name + ".example/net")},
			},
		}
		for j := range 4 {
			offer := v1alpha1.Offer{Name: v1alpha1.Term(fmt.Sprintf("offer-%d", j)), ServiceModel: v1alpha1.IaaS, AdministrationFrom: []v1alpha1.Country{"FR"}, SupportFrom: []v1alpha1.Country{"FR"}}
			if i%5 == 4 {
				offer.HostedOn = []v1alpha1.Hosting{{Provider: v1alpha1.ObjectName(fmt.Sprintf("provider-%d", i-1)), Offer: offer.Name, Regions: []v1alpha1.Term{"region-0"}}}
			}
			p.Offers = append(p.Offers, offer)
		}
		o.Providers = append(o.Providers, v1alpha1.CloudProvider{ObjectMeta: named(name), Spec: p})
	}
	for i := range 300 {
		z := v1alpha1.ZoneSpec{Country: "FR", Provider: v1alpha1.ObjectName(fmt.Sprintf("provider-%d", i%50)), Offer: v1alpha1.Term(fmt.Sprintf("offer-%d", i%4)), Region: v1alpha1.Term(fmt.Sprintf("region-%d", i%3))}
		if i%2 == 0 {
			z.Recognition = onPrefix(fmt.Sprintf("aws:///provider-%d/zone-%d/", i%50, i))
		} else {
			z.Recognition = onLabel(fmt.Sprintf("zone-%d", i))
		}
		o.Zones = append(o.Zones, v1alpha1.Zone{ObjectMeta: named(fmt.Sprintf("zone-%d", i)), Spec: z})
	}
	for i := range 500 {
		q := granted(fmt.Sprintf("qualification-%d", i), "secnumcloud-3.2", "qualified", v1alpha1.ObjectName(fmt.Sprintf("provider-%d", i%50)), v1alpha1.Term(fmt.Sprintf("offer-%d", i/50%4)))
		q.Spec.Subject.Everywhere, q.Spec.Subject.Regions = false, []v1alpha1.Term{v1alpha1.Term(fmt.Sprintf("region-%d", i%3)), "region-0"}
		o.Qualifications = append(o.Qualifications, q)
	}
	for i := range 20 {
		l := accepts(fmt.Sprintf("level-%d", i), snc(orUnderlying), c5("8760h"))
		l.Spec.Countries, l.Spec.SeatIn, l.Spec.NotExposedTo = []v1alpha1.Territory{"EU"}, []v1alpha1.Territory{"EU"}, []v1alpha1.Term{"US-CLOUD-Act"}
		l.Spec.MaxEvidenceAge = duration(fmt.Sprintf("%dh", 1000+i))
		o.TrustLevels = append(o.TrustLevels, l)
	}
	return o
}

// nodesOf makes nodes that carry the thirty-odd labels of real ones.
func nodesOf(count int) []NodeFacts {
	nodes := make([]NodeFacts, count)
	for i := range nodes {
		zone, name := i%300, fmt.Sprintf("provider-%d", i%300%50)
		labels := map[string]string{regionLabel: "region-0", "topology.kubernetes.io/zone": fmt.Sprintf("zone-%d", zone), "kubernetes.io/hostname": fmt.Sprintf("node-%d", i)}
		for j := range 30 {
			labels[fmt.Sprintf("example.com/label-%d", j)] = "value"
		}
		nodes[i] = NodeFacts{Name: fmt.Sprintf("node-%d", i), ProviderID: fmt.Sprintf("aws:///%s/zone-%d/i-%d", name, zone, i), Labels: labels, CSIDrivers: []string{name + ".csi.example", "nfs.csi.k8s.io"}}
	}
	return nodes
}

func BenchmarkCompile50Providers300Zones500Qualifications(b *testing.B) {
	o := large()
	if problems := Compile(o).Problems(); len(problems) > 0 {
		b.Fatalf("the catalogue is not sound: %v", problems[0])
	}
	b.ReportAllocs()
	for b.Loop() {
		Compile(o)
	}
}

// BenchmarkAssess5000Nodes is a pass over a cluster at a new moment: 300 zones × 20 levels are worked out as well.
func BenchmarkAssess5000Nodes(b *testing.B) {
	c, nodes := Compile(large()), nodesOf(5000)
	b.ReportAllocs()
	for b.Loop() {
		v := fresh(c, now)
		for i := range nodes {
			if a := v.Assess(nodes[i]); a.State != Recognised || a.Standings[0].Worth == None && i%5 != 4 && i%3 == 0 {
				b.Fatalf("%s is %v: %s", nodes[i].Name, a.State, a.Message)
			}
		}
	}
}

// BenchmarkAssessOneNode is what a binding costs: the moment is new, its epoch is not.
func BenchmarkAssessOneNode(b *testing.B) {
	c, nodes := Compile(large()), nodesOf(300)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.At(now).Assess(nodes[i%300])
	}
}

func BenchmarkStandingsOfAllZones(b *testing.B) {
	c := Compile(large())
	b.ReportAllocs()
	for b.Loop() {
		fresh(c, now).Zones()
	}
}
