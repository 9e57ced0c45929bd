package trust

import (
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// chance makes catalogues and nodes from a small vocabulary, so that things refer to each other, contradict each other, and
// sometimes refer to nothing.
type chance struct{ *rand.Rand }

func seeded(seed uint64) chance { return chance{rand.New(rand.NewPCG(seed, 7))} }

func (r chance) one(of int) bool { return r.IntN(of) == 0 }

func pick[T any](r chance, words ...T) T { return words[r.IntN(len(words))] }

func some[T any](r chance, words ...T) []T {
	var out []T
	for _, word := range words {
		if r.one(2) {
			out = append(out, word)
		}
	}
	return out
}

// someTime is one of a few moments around now, or none.
func (r chance) someTime() *metav1.Time {
	if r.one(4) {
		return nil
	}
	return &metav1.Time{Time: now.Add(time.Duration(r.IntN(21)-8) * 24 * time.Hour)}
}

var (
	providerNames = []string{"p0", "p0", "p1", "p1", "p2"}
	offerNames    = []v1alpha1.Term{"o0", "o1"}
	regionNames   = []v1alpha1.Term{"r0", "r1", "r2"}
	driverNames   = []v1alpha1.CSIDriverName{"d0", "d1", "d2", "d3"}
	keyNames      = []v1alpha1.LabelKey{"k0", "k1", "k2"}
	prefixNames   = []v1alpha1.ProviderIDPrefix{"a:///", "a:///x/", "a:///x/1/", "a:///y/", "b:///"}
	machineIDs    = []string{"a:///x/1/i", "a:///x/2/i", "a:///y/i", "b:///i", "c:///i", ""}
	uuidNames     = []v1alpha1.SystemUUID{"4c4c4544-0042-3510-8054-b4c04f4d3331", "4C4C4544-0042-3510-8054-B4C04F4D3332"}
	countryNames  = []v1alpha1.Country{"FR", "FR", "FR", "DE", "US"}
	territoryName = []v1alpha1.Territory{"FR", "DE", "EU"}
	lawNames      = []v1alpha1.Term{"l0", "l1"}
	states        = []v1alpha1.QualificationState{"Granted", "Granted", "Granted", "InEvaluation", "Suspended"}
)

func (r chance) objects() Objects {
	var o Objects
	for _, name := range []string{"f0", "f1"} {
		w := schemeOf(name, pick(r, v1alpha1.LifecycleInForce, v1alpha1.LifecycleInForce, v1alpha1.LifecycleInForce, v1alpha1.LifecycleInForce, v1alpha1.LifecycleSuperseded, v1alpha1.LifecycleDraft), rung("low"), rung("high", "low"))
		if w.Spec.Lifecycle == v1alpha1.LifecycleSuperseded {
			w.Spec.AcceptUntil = r.someTime()
		}
		o.Frameworks = append(o.Frameworks, w)
	}
	for _, name := range []string{"p0", "p1", "p2"}[:2+r.IntN(2)] {
		o.Providers = append(o.Providers, v1alpha1.CloudProvider{ObjectMeta: named(name), Spec: r.provider()})
	}
	for i := range 2 + r.IntN(4) {
		o.Zones = append(o.Zones, v1alpha1.Zone{ObjectMeta: named("z" + string(rune('0'+i))), Spec: r.zone(i)})
	}
	for i := range 4 + r.IntN(20) {
		o.Qualifications = append(o.Qualifications, v1alpha1.Qualification{ObjectMeta: named("q" + string(rune('a'+i))), Spec: r.qualification()})
	}
	for i := range 1 + r.IntN(4) {
		o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{ObjectMeta: named("t" + string(rune('0'+i))), Spec: r.level()})
	}
	return o
}

func (r chance) exposures() []v1alpha1.Exposure {
	var out []v1alpha1.Exposure
	for _, law := range some(r, lawNames...) {
		out = append(out, v1alpha1.Exposure{Law: law, State: pick(r, v1alpha1.NotExposed, v1alpha1.NotExposed, v1alpha1.Exposed, v1alpha1.Undetermined), Basis: pick(r, "", "b", "b")})
	}
	return out
}

func (r chance) countries() []v1alpha1.Country {
	return some(r, v1alpha1.Country("FR"), "DE")
}

func (r chance) provider() v1alpha1.CloudProviderSpec {
	s := v1alpha1.CloudProviderSpec{LegalEntity: "L", Seat: pick(r, countryNames...), Exposures: r.exposures()}
	if r.one(3) {
		s.Parent = &v1alpha1.Company{Name: "Parent", Country: pick(r, countryNames...)}
	}
	if !r.one(3) {
		s.Recognition = &v1alpha1.ProviderRecognition{ProviderIDPrefixes: some(r, prefixNames...), CSIDrivers: some(r, driverNames...), Regions: some(r, regionNames...), LabelKeys: some(r, keyNames...)}
	}
	for _, name := range offerNames {
		offer := v1alpha1.Offer{Name: name, ServiceModel: pick(r, v1alpha1.IaaS, v1alpha1.CaaS), AdministrationFrom: r.countries(), SupportFrom: r.countries()}
		for r.one(4) && len(offer.HostedOn) < 3 {
			offer.HostedOn = append(offer.HostedOn, v1alpha1.Hosting{Provider: v1alpha1.ObjectName(pick(r, providerNames...)), Offer: pick(r, offerNames...), Regions: some(r, regionNames...)})
		}
		if r.one(8) {
			offer.Subcontractors = []v1alpha1.Subcontractor{{Name: "S", Country: pick(r, countryNames...), Exposures: r.exposures()}}
		}
		s.Offers = append(s.Offers, offer)
	}
	return s
}

func (r chance) zone(i int) v1alpha1.ZoneSpec {
	z := v1alpha1.ZoneSpec{Country: pick(r, countryNames...), Site: pick(r, v1alpha1.SiteName(""), "", "", "", "", "s0")}
	if !r.one(12) {
		z.Provider, z.Region = v1alpha1.ObjectName(pick(r, providerNames...)), pick(r, append(regionNames, regionNames...)...)
		if !r.one(12) {
			z.Offer = pick(r, offerNames...)
		}
	}
	g := &z.Recognition
	if r.one(2) {
		g.ProviderIDPrefixes = []v1alpha1.ProviderIDPrefix{pick(r, prefixNames...)}
	}
	if r.one(3) {
		g.CSIDrivers = some(r, driverNames...)
	}
	if r.one(6) {
		g.SystemUUIDs = some(r, uuidNames...)
	}
	if !r.one(4) || len(g.ProviderIDPrefixes)+len(g.CSIDrivers)+len(g.SystemUUIDs) == 0 {
		own := v1alpha1.LabelValue(rune('1' + i))
		g.Labels = map[string]v1alpha1.LabelValue{"zone": pick(r, own, own, own, own, "1")}
	}
	return z
}

func (r chance) qualification() v1alpha1.QualificationSpec {
	q := v1alpha1.QualificationSpec{
		Framework: pick(r, v1alpha1.ObjectName("f0"), "f0", "f1"), Levels: []v1alpha1.Term{pick(r, v1alpha1.Term("low"), "high", "high")}, State: pick(r, states...),
		Subject:    v1alpha1.Subject{Provider: v1alpha1.ObjectName(pick(r, providerNames...)), Offer: pick(r, offerNames...), Everywhere: true},
		ValidUntil: r.someTime(), LastVerified: r.someTime(), Milestone: pick(r, "", "J1"),
	}
	if r.one(2) {
		q.ValidFrom = r.someTime()
	}
	if r.one(3) {
		q.Subject.Everywhere, q.Subject.Regions = false, some(r, regionNames...)
		if r.one(4) {
			q.Subject.Sites = []v1alpha1.SiteName{"s0"}
		}
	}
	if to := r.someTime(); to != nil && r.one(2) {
		q.Period = &v1alpha1.Period{From: metav1.Time{Time: to.Add(-time.Hour)}, To: *to}
	}
	return q
}

func (r chance) level() v1alpha1.TrustLevelSpec {
	var s v1alpha1.TrustLevelSpec
	for range pick(r, 0, 1, 1, 1, 2) {
		s.Qualifications = append(s.Qualifications, r.demand())
	}
	if len(s.Qualifications) > 0 && r.one(2) {
		s.MaxEvidenceAge, s.StaleEvidence = duration(pick(r, "24h", "72h", "240h")), pick(r, v1alpha1.StaleEvidenceHold, v1alpha1.StaleEvidenceWarn, "")
	}
	for _, list := range []*[]v1alpha1.Territory{&s.Countries, &s.SeatIn, &s.AdministrationFrom, &s.SupportFrom} {
		if r.one(4) {
			*list = some(r, territoryName...)
		}
	}
	if r.one(4) {
		s.NotExposedTo = some(r, lawNames...)
	}
	return s
}

func (r chance) demand() v1alpha1.QualificationDemand {
	var d v1alpha1.QualificationDemand
	for range 1 + r.IntN(2) {
		a := v1alpha1.Alternative{
			Framework: pick(r, v1alpha1.ObjectName("f0"), "f0", "f1"), Levels: []v1alpha1.Term{pick(r, v1alpha1.Term("low"), "high")},
			AppliesTo: pick(r, v1alpha1.AppliesToOffer, v1alpha1.AppliesToOfferOrUnderlying, v1alpha1.AppliesToOfferOrUnderlying),
		}
		if r.one(4) {
			a.ServiceModels = []v1alpha1.ServiceModel{pick(r, v1alpha1.IaaS, v1alpha1.CaaS)}
		}
		if r.one(4) {
			a.Countries = some(r, territoryName...)
		}
		if r.one(4) {
			a.MaxPeriodAge = duration(pick(r, "24h", "96h"))
		}
		if r.one(4) {
			a.Until, a.Basis = r.someTime(), "b"
		}
		d.AnyOf = append(d.AnyOf, a)
	}
	return d
}

func (r chance) node() NodeFacts {
	n := NodeFacts{Name: "n", ProviderID: pick(r, machineIDs...), CSIDrivers: texts(some(r, driverNames...)), Labels: map[string]string{}}
	if r.one(2) {
		n.SystemUUID = string(pick(r, uuidNames...))
	}
	for _, key := range some(r, "zone", regionLabel, "k0", "k1", "k2") {
		n.Labels[key] = pick(r, "1", "2", "3", "4", "r0", "r1")
	}
	if r.one(2) {
		n.Labels[v1alpha1.ProviderIDFromLabel] = pick(r, vouched, vouched, selfMade, v1alpha1.ProviderIDFromOther)
	}
	n.MachineID = pick(r, "", "m0", "m1")
	return n
}
