package trust

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// standingCase tweaks the world and asks one level of one zone. Without reason, Satisfied is expected.
type standingCase struct {
	zone   string
	level  v1alpha1.TrustLevelSpec
	tweak  func(*Objects)
	reason Reason
	says   string
	by     string
	until  string
	worth  Worth // when it is neither Open nor None
}

func runStandings(t *testing.T, cases map[string]standingCase) {
	t.Helper()
	for sentence, test := range cases {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			o.TrustLevels = append(o.TrustLevels, v1alpha1.TrustLevel{ObjectMeta: named("asked"), Spec: test.level})
			if test.tweak != nil {
				test.tweak(&o)
			}
			got := Compile(o).At(now).Standing(test.zone, "asked")
			want, worth := test.reason, test.worth
			if want == "" {
				want, worth = Satisfied, Open
			}
			if got.Reason != want || got.Worth != worth || !strings.Contains(got.Message, test.says) {
				t.Errorf("got %v %s: %s\nwant %v %s, saying %q", got.Worth, got.Reason, got.Message, worth, want, test.says)
			}
			if by := strings.Join(got.By, " "); by != test.by {
				t.Errorf("it rests on %q; want %q", by, test.by)
			}
			if test.until != "" && !got.Until.Equal(at(test.until)) {
				t.Errorf("it ends at %s; want %s", got.Until, test.until)
			}
		})
	}
}

func TestCountries(t *testing.T) {
	in := func(words ...v1alpha1.Territory) v1alpha1.TrustLevelSpec {
		return v1alpha1.TrustLevelSpec{Countries: words}
	}
	runStandings(t, map[string]standingCase{
		"the zone is in the country":                {zone: "par-1", level: in("FR")},
		"the zone is in the Union":                  {zone: "par-1", level: in("EU")},
		"the zone is in the Economic Area":          {zone: "par-1", level: in("EEA")},
		"the zone is elsewhere":                     {zone: "par-1", level: in("DE", "BE"), reason: CountryNotAllowed, says: "zone par-1 does not satisfy asked: it stands in FR, not in BE or DE"},
		"Norway is in the Economic Area":            {zone: "par-1", level: in("EEA"), tweak: func(o *Objects) { o.zone("par-1").Country = "NO" }},
		"Norway is not in the Union":                {zone: "par-1", level: in("EU"), tweak: func(o *Objects) { o.zone("par-1").Country = "NO" }, reason: CountryNotAllowed},
		"the United Kingdom is in neither":          {zone: "par-1", level: in("EU", "EEA"), tweak: func(o *Objects) { o.zone("par-1").Country = "GB" }, reason: CountryNotAllowed},
		"a zone with provider and no offer is fine": {zone: "fr-par-1", level: in("FR"), tweak: func(o *Objects) { o.zone("fr-par-1").Offer = "" }},
		"the provider does not exist":               {zone: "fr-par-1", level: in("FR"), tweak: func(o *Objects) { o.zone("fr-par-1").Provider = "scalway" }, reason: ProviderUnknown, says: "there is no CloudProvider scalway (did you mean scaleway?)"},
		"the offer does not exist":                  {zone: "fr-par-1", level: in("FR"), tweak: func(o *Objects) { o.zone("fr-par-1").Offer = "kapsul" }, reason: OfferUnknown, says: "provider scaleway has no offer kapsul (did you mean kapsule?)"},
		"a subcontractor works elsewhere": {zone: "oks-a", level: in("FR"), tweak: func(o *Objects) {
			o.offer("outscale", 0).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "US"}}
		}, reason: CountryNotAllowed, says: "IBM, subcontractor of outscale/iaas, works from US, not FR"},
		"a chain with a hole": {
			zone: "oks-a", level: in("FR"), tweak: func(o *Objects) { o.offer("outscale", 1).HostedOn[0].Offer = "metal" }, reason: OfferUnknown,
			says: "outscale/oks is hosted on outscale/metal, and provider outscale has no offer metal",
		},
		"a chain in a circle": {zone: "oks-a", level: in("FR"), tweak: func(o *Objects) {
			o.offer("outscale", 0).HostedOn = []v1alpha1.Hosting{{Provider: "outscale", Offer: "oks"}}
		}, reason: HostingCycle, says: "leads in a circle"},
	})
}

func TestSeat(t *testing.T) {
	level := v1alpha1.TrustLevelSpec{SeatIn: []v1alpha1.Territory{"EU"}}
	runStandings(t, map[string]standingCase{
		"provider and parent are in the Union": {zone: "oks-a", level: level},
		"the provider is elsewhere":            {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Seat = "US" }, reason: SeatNotAllowed, says: "outscale has its seat in US, not in EU"},
		"the parent is elsewhere":              {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Parent.Country = "US" }, reason: SeatNotAllowed, says: "Dassault Systèmes SE, which controls outscale, is established in US"},
		"other owners are not asked":           {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Owners = []v1alpha1.Company{{Name: "X", Country: "US"}} }},
		"whoever hosts the offer is asked":     {zone: "oks-a", level: level, tweak: func(o *Objects) { *o.zone("oks-a") = numspot(o); o.provider("outscale").Parent.Country = "US" }, reason: SeatNotAllowed, says: "which controls outscale"},
		"a subcontractor is asked": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			o.offer("outscale", 1).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "US"}}
		}, reason: SeatNotAllowed, says: "IBM, subcontractor of outscale/oks, is established in US"},
		"a zone without provider cannot be told": {zone: "par-1", level: level, reason: ZoneIncomplete, says: "it does not say its provider: set spec.provider and spec.offer"},
		"a zone without offer cannot be told":    {zone: "oks-a", level: level, tweak: func(o *Objects) { o.zone("oks-a").Offer = "" }, reason: ZoneIncomplete, says: "set spec.offer"},
		"a provider that is malformed":           {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Seat = "EL" }, reason: ProviderInvalid, says: "provider outscale is not valid: spec.seat"},
	})
}

// numspot is oks-a, bought from NumSpot.
func numspot(o *Objects) v1alpha1.ZoneSpec {
	z := *o.zone("oks-a").DeepCopy()
	z.Provider, z.Offer = "numspot", "kubernetes"
	return z
}

func TestAdministration(t *testing.T) {
	level := v1alpha1.TrustLevelSpec{AdministrationFrom: []v1alpha1.Territory{"EU"}}
	runStandings(t, map[string]standingCase{
		"the whole chain is administered from the Union":      {zone: "oks-a", level: level},
		"the offer is also administered from elsewhere":       {zone: "oks-a", level: level, tweak: func(o *Objects) { o.offer("outscale", 1).AdministrationFrom = []v1alpha1.Country{"FR", "IN"} }, reason: AdministrationNotAllowed, says: "outscale/oks is also administered from IN, not only from EU"},
		"what it is hosted on is administered from elsewhere": {zone: "oks-a", level: level, tweak: func(o *Objects) { o.offer("outscale", 0).AdministrationFrom = []v1alpha1.Country{"US"} }, reason: AdministrationNotAllowed, says: "outscale/iaas"},
		"it is not known from where":                          {zone: "fr-par-1", level: level, reason: AdministrationUnknown, says: "it is not known from where scaleway/kapsule is administered, and EU is required"},
		"it is not known of what it is hosted on":             {zone: "oks-a", level: level, tweak: func(o *Objects) { o.offer("outscale", 0).AdministrationFrom = nil }, reason: AdministrationUnknown, says: "outscale/iaas"},
		"a subcontractor works from elsewhere": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			o.offer("outscale", 1).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "US"}}
		}, reason: AdministrationNotAllowed, says: "IBM"},
		"a zone without provider cannot be told, nor satisfied": {zone: "par-1", level: level, reason: ZoneIncomplete},
	})
}

func TestSupport(t *testing.T) {
	level := v1alpha1.TrustLevelSpec{SupportFrom: []v1alpha1.Territory{"FR"}}
	runStandings(t, map[string]standingCase{
		"support is given from there":       {zone: "oks-a", level: level},
		"support is also given from abroad": {zone: "oks-a", level: level, tweak: func(o *Objects) { o.offer("outscale", 0).SupportFrom = []v1alpha1.Country{"MA", "FR"} }, reason: SupportNotAllowed, says: "support for outscale/iaas is also given from MA, not only from FR"},
		"it is not known from where":        {zone: "fr-par-1", level: level, reason: SupportUnknown, says: "it is not known from where support for scaleway/kapsule is given"},
		"a subcontractor's country says not": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			o.offer("outscale", 0).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "US"}}
		}},
		"a zone without provider": {zone: "par-1", level: level, reason: ZoneIncomplete},
	})
}

func TestExposure(t *testing.T) {
	level := v1alpha1.TrustLevelSpec{NotExposedTo: []v1alpha1.Term{"US-CLOUD-Act"}}
	both := v1alpha1.TrustLevelSpec{NotExposedTo: []v1alpha1.Term{"US-CLOUD-Act", "US-FISA-702"}}
	runStandings(t, map[string]standingCase{
		"an opinion with its basis":     {zone: "oks-a", level: level},
		"an opinion without basis":      {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Exposures[0].Basis = "  " }, reason: ExposureUndetermined, says: "whether outscale can be compelled under US-CLOUD-Act is undetermined"},
		"no opinion":                    {zone: "fr-par-1", level: level, reason: ExposureUndetermined, says: "whether scaleway"},
		"an opinion on one of two laws": {zone: "oks-a", level: both, reason: ExposureUndetermined, says: "US-FISA-702"},
		"stated as undetermined":        {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Exposures[0].State = v1alpha1.Undetermined }, reason: ExposureUndetermined},
		"stated as exposed":             {zone: "oks-a", level: level, tweak: func(o *Objects) { o.provider("outscale").Exposures[0].State = v1alpha1.Exposed }, reason: Exposed, says: "outscale can be compelled under US-CLOUD-Act"},
		"two opinions: the worse one": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			o.provider("outscale").Exposures = append(o.provider("outscale").Exposures, v1alpha1.Exposure{Law: "US-CLOUD-Act", State: v1alpha1.Undetermined})
		}, reason: ExposureUndetermined},
		"a fact is told before homework": {zone: "oks-a", level: both, tweak: func(o *Objects) {
			o.provider("outscale").Exposures = []v1alpha1.Exposure{{Law: "US-FISA-702", State: v1alpha1.Exposed}}
		}, reason: Exposed, says: "US-FISA-702"},
		"whoever hosts the offer": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			*o.zone("oks-a") = numspot(o)
			o.provider("numspot").Exposures = o.provider("outscale").Exposures
			o.provider("outscale").Exposures = nil
		}, reason: ExposureUndetermined, says: "whether outscale"},
		"a subcontractor nobody judged": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			o.offer("outscale", 0).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "FR"}}
		}, reason: ExposureUndetermined, says: "whether IBM, subcontractor of outscale/iaas, can be compelled"},
		"a subcontractor that is out of it": {zone: "oks-a", level: level, tweak: func(o *Objects) {
			o.offer("outscale", 0).Subcontractors = []v1alpha1.Subcontractor{{Name: "IBM", Country: "FR", Exposures: []v1alpha1.Exposure{notExposed("US-CLOUD-Act")}}}
		}},
		"a zone without provider": {zone: "par-1", level: level, reason: ZoneIncomplete},
	})
}

func TestQualifications(t *testing.T) {
	of := func(alternatives ...v1alpha1.Alternative) v1alpha1.TrustLevelSpec {
		return accepts("", alternatives...).Spec
	}
	iaas := func(change func(*v1alpha1.QualificationSpec)) func(*Objects) {
		return func(o *Objects) { change(o.qualification("outscale-iaas")) }
	}
	state := func(s v1alpha1.QualificationState) func(*Objects) {
		return iaas(func(q *v1alpha1.QualificationSpec) { q.State = s })
	}
	ensAt := func(level, wanted v1alpha1.Term) standingCase {
		return standingCase{
			zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: "ens", Levels: []v1alpha1.Term{wanted}}),
			tweak: func(o *Objects) {
				o.Qualifications = append(o.Qualifications, granted("ens-1", "ens", level, "outscale", "iaas"))
			}, by: "ens-1",
		}
	}
	under := func(framework v1alpha1.ObjectName, level v1alpha1.Term, tweak func(*Objects), reason Reason, says string) standingCase {
		c := standingCase{
			zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: framework, Levels: []v1alpha1.Term{level}}), reason: reason, says: says,
			tweak: func(o *Objects) {
				o.Qualifications = append(o.Qualifications, granted("extra", framework, level, "outscale", "iaas"))
				if tweak != nil {
					tweak(o)
				}
			},
		}
		if reason == "" {
			c.by = "extra"
		}
		return c
	}
	superseded := func(until *metav1.Time) func(*Objects) {
		return func(o *Objects) {
			o.framework("c5-2020").Lifecycle, o.framework("c5-2020").AcceptUntil = v1alpha1.LifecycleSuperseded, until
		}
	}
	cases := map[string]standingCase{
		"granted, in its dates, in scope": {
			zone: "outscale-a", level: of(snc()), by: "outscale-iaas", until: "2029-01-01T00:00:00Z",
			says: "zone outscale-a satisfies asked until 2029-01-01T00:00:00Z by outscale-iaas",
		},
		"in evaluation":  {zone: "fr-par-1", level: of(snc()), reason: QualificationNotGranted, says: "zone fr-par-1 does not satisfy asked: scaleway/kapsule is in evaluation for secnumcloud-3.2 (J0), not granted"},
		"announced":      {zone: "outscale-a", level: of(snc()), tweak: state("Announced"), reason: QualificationNotGranted, says: "is announced for secnumcloud-3.2, not granted"},
		"applied for":    {zone: "outscale-a", level: of(snc()), tweak: state("Applied"), reason: QualificationNotGranted, says: "has applied for"},
		"suspended":      {zone: "outscale-a", level: of(snc()), tweak: state("Suspended"), reason: QualificationNotGranted, says: "qualification outscale-iaas of outscale/iaas for secnumcloud-3.2 is suspended"},
		"withdrawn":      {zone: "outscale-a", level: of(snc()), tweak: state("Withdrawn"), reason: QualificationNotGranted, says: "was withdrawn"},
		"none":           {zone: "bleu-1", level: of(snc()), reason: NotQualified, says: "bleu/aks has no qualification for secnumcloud-3.2 qualified"},
		"no provider":    {zone: "par-1", level: of(snc()), reason: ZoneIncomplete},
		"no such scheme": {zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: "secnumcloud-3.3", Levels: []v1alpha1.Term{"qualified"}}), reason: FrameworkUnknown, says: "there is no Framework secnumcloud-3.3 (did you mean secnumcloud-3.2?)"},

		"it ends at this second":   {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidUntil = &metav1.Time{Time: now} }), reason: QualificationExpired, says: "ended at 2026-11-23T12:00:00Z"},
		"it ends in a second":      {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidUntil = &metav1.Time{Time: now.Add(time.Second)} }), by: "outscale-iaas", until: "2026-11-23T12:00:01Z"},
		"it begins at this second": {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidFrom = &metav1.Time{Time: now} }), by: "outscale-iaas"},
		"it begins in a second":    {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidFrom = &metav1.Time{Time: now.Add(time.Second)} }), reason: QualificationNotYetValid, says: "begins at 2026-11-23T12:00:01Z"},
		"it has no beginning":      {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidFrom = nil }), by: "outscale-iaas"},
		"it has no end":            {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidUntil = nil }), reason: QualificationEndless},
		"it ends before it begins": {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.ValidUntil = when("2025-01-01T00:00:00Z") }), reason: QualificationInvalid, says: "validUntil must be after validFrom"},
		"another takes over at its end": {zone: "outscale-a", level: of(snc()), by: "outscale-iaas", until: "2032-01-01T00:00:00Z", tweak: func(o *Objects) {
			next := granted("renewed", "secnumcloud-3.2", "qualified", "outscale", "iaas")
			next.Spec.ValidFrom, next.Spec.ValidUntil = when("2029-01-01T00:00:00Z"), when("2032-01-01T00:00:00Z")
			o.Qualifications = append(o.Qualifications, next)
		}},
		"another takes over a second after its end": {zone: "outscale-a", level: of(snc()), by: "outscale-iaas", until: "2029-01-01T00:00:00Z", tweak: func(o *Objects) {
			next := granted("renewed", "secnumcloud-3.2", "qualified", "outscale", "iaas")
			next.Spec.ValidFrom, next.Spec.ValidUntil = when("2029-01-01T00:00:01Z"), when("2032-01-01T00:00:00Z")
			o.Qualifications = append(o.Qualifications, next)
		}},
		"of two that count the longer one is told": {zone: "outscale-a", level: of(snc()), by: "another", until: "2031-01-01T00:00:00Z", tweak: func(o *Objects) {
			longer := granted("another", "secnumcloud-3.2", "qualified", "outscale", "iaas")
			longer.Spec.ValidUntil = when("2031-01-01T00:00:00Z")
			o.Qualifications = append(o.Qualifications, longer)
		}},

		"a draft satisfies nothing":               under("eucs", "high", nil, FrameworkNotInForce, "eucs is a draft, and a draft satisfies nothing"),
		"a proposal satisfies nothing":            under("cada", "level-4", nil, FrameworkNotInForce, "cada is only proposed"),
		"a draft under which nobody is qualified": {zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: "eucs", Levels: []v1alpha1.Term{"high"}}), reason: FrameworkNotInForce},
		"superseded, and still accepted":          under("c5-2020", "type-2", superseded(when("2027-06-01T00:00:00Z")), "", "until 2027-06-01T00:00:00Z"),
		"superseded, and no longer accepted":      under("c5-2020", "type-2", superseded(&metav1.Time{Time: now}), FrameworkNotInForce, "superseded and was accepted until 2026-11-23T12:00:00Z"),
		"superseded, without a last day":          under("c5-2020", "type-2", superseded(nil), FrameworkNotInForce, "c5-2020 is superseded"),
		"a lifecycle nobody knows":                under("c5-2020", "type-2", func(o *Objects) { o.framework("c5-2020").Lifecycle = "Eternal" }, QualificationInvalid, "framework c5-2020 is not valid"),
		"a higher level includes the one wanted":  ensAt("alta", "media"),
		"it does so through others":               ensAt("alta", "basica"),
		"the level wanted":                        ensAt("media", "media"),
		"a lower level":                           failing(ensAt("basica", "media"), WrongLevel, "outscale/iaas has ens basica, not media"),
		"a type 1 attestation is no type 2": {zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}}), tweak: func(o *Objects) {
			o.Qualifications = append(o.Qualifications, granted("c5", "c5-2020", "type-1", "outscale", "iaas"))
		}, reason: WrongLevel},
		"one scheme does not stand in for another": {zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}}), reason: NotQualified},
		"the service model wanted":                 {zone: "outscale-a", level: of(snc(models("IaaS", "CaaS"))), by: "outscale-iaas"},
		"another service model":                    {zone: "outscale-a", level: of(snc(models("CaaS"))), reason: WrongServiceModel, says: "outscale/iaas is qualified for secnumcloud-3.2 as IaaS, not as CaaS"},
		"the zone's region is in scope":            {zone: "outscale-a", level: of(snc()), tweak: scoped("eu-west-2"), by: "outscale-iaas"},
		"announced, at another level, is not called qualified": {zone: "outscale-a", level: ensAt("basica", "media").level, tweak: func(o *Objects) {
			ensAt("basica", "media").tweak(o)
			o.Qualifications[len(o.Qualifications)-1].Spec.State = v1alpha1.QualificationAnnounced
		}, reason: QualificationNotGranted, says: "outscale/iaas is announced for ens, not granted"},
		"one that counts elsewhere is nearer than one that is announced elsewhere": {zone: "outscale-a", level: of(snc()), tweak: func(o *Objects) {
			announced := granted("a-first-by-name", "secnumcloud-3.2", "qualified", "outscale", "iaas")
			announced.Spec.State = v1alpha1.QualificationAnnounced
			o.Qualifications = append(o.Qualifications, announced)
			for i := range o.Qualifications {
				o.Qualifications[i].Spec.Subject.Everywhere, o.Qualifications[i].Spec.Subject.Regions = false, []v1alpha1.Term{"cloudgouv-eu-west-1"}
			}
		}, reason: ServiceNotInScope, says: "not in eu-west-2"},
		"one that is announced for here is nearer than one that counts elsewhere": {zone: "outscale-a", level: of(snc()), tweak: func(o *Objects) {
			scoped("cloudgouv-eu-west-1")(o)
			announced := granted("z-last-by-name", "secnumcloud-3.2", "qualified", "outscale", "iaas")
			announced.Spec.State = v1alpha1.QualificationAnnounced
			o.Qualifications = append(o.Qualifications, announced)
		}, reason: QualificationNotGranted},
		"the zone's region is not in scope": {zone: "outscale-a", level: of(snc()), tweak: scoped("cloudgouv-eu-west-1"), reason: ServiceNotInScope, says: "in cloudgouv-eu-west-1, not in eu-west-2"},
		"the zone does not say its region":  {zone: "outscale-a", level: of(snc()), tweak: func(o *Objects) { scoped("eu-west-2")(o); o.zone("outscale-a").Region = "" }, reason: ServiceNotInScope, says: "the zone does not say its region: set spec.region"},
		"the zone's site is in scope":       {zone: "outscale-a", level: of(snc()), tweak: sited("paris-1"), by: "outscale-iaas"},
		"the zone's site is not in scope":   {zone: "outscale-a", level: of(snc()), tweak: sited("paris-9"), reason: ServiceNotInScope, says: "in paris-9, not at site paris-1"},
		"region fits and site does not": {zone: "outscale-a", level: of(snc()), tweak: func(o *Objects) {
			scoped("eu-west-2")(o)
			o.qualification("outscale-iaas").Subject.Sites = []v1alpha1.SiteName{"paris-9"}
		}, reason: ServiceNotInScope},
		"an empty subject is nowhere":             {zone: "outscale-a", level: of(snc()), tweak: scoped(), reason: QualificationInvalid, says: "say where"},
		"a region without name is nowhere":        {zone: "outscale-a", level: of(snc()), tweak: func(o *Objects) { scoped("")(o); o.zone("outscale-a").Region = "" }, reason: QualificationInvalid},
		"everywhere and somewhere is nowhere":     {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.Subject.Regions = []v1alpha1.Term{"eu-west-2"} }), reason: QualificationInvalid},
		"a qualification of an offer that is not": {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.Subject.Offer = "aas" }), reason: NotQualified},
		"a qualification at a level that is not":  {zone: "outscale-a", level: of(snc()), tweak: iaas(func(q *v1alpha1.QualificationSpec) { q.Levels = append(q.Levels, "super") }), reason: QualificationInvalid, says: "has no level super"},

		"every entry must hold": {zone: "outscale-a", level: v1alpha1.TrustLevelSpec{Qualifications: []v1alpha1.QualificationDemand{
			{AnyOf: []v1alpha1.Alternative{snc()}}, {AnyOf: []v1alpha1.Alternative{{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}}}},
		}}, reason: NotQualified, says: "c5-2020"},
		"every entry holds": {
			zone: "outscale-a", level: v1alpha1.TrustLevelSpec{Qualifications: []v1alpha1.QualificationDemand{
				{AnyOf: []v1alpha1.Alternative{snc()}}, {AnyOf: []v1alpha1.Alternative{{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-1"}}}},
			}}, by: "c5 outscale-iaas", until: "2027-01-01T00:00:00Z",
			tweak: withC5,
		},
		"any alternative holds":                 {zone: "outscale-a", level: of(v1alpha1.Alternative{Framework: "ens", Levels: []v1alpha1.Term{"alta"}}, snc()), by: "outscale-iaas"},
		"of several misses the nearest is told": {zone: "fr-par-1", level: of(v1alpha1.Alternative{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}}, snc(), v1alpha1.Alternative{Framework: "eucs", Levels: []v1alpha1.Term{"high"}}), reason: QualificationNotGranted, says: "in evaluation"},
		"of two alternatives that hold, the one that lasts": {
			zone: "outscale-a", level: of(snc(ends("2026-12-24T00:00:00Z")), v1alpha1.Alternative{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}}),
			tweak: withC5, by: "c5", until: "2027-01-01T00:00:00Z",
		},
		"an alternative for other countries":              {zone: "outscale-a", level: of(snc(only("DE"))), reason: AlternativeNotForCountry, says: "secnumcloud-3.2 qualified is accepted only in zones in DE, and it stands in FR"},
		"an alternative for this country":                 {zone: "outscale-a", level: of(snc(only("EU"))), by: "outscale-iaas"},
		"an alternative that ends later":                  {zone: "outscale-a", level: of(snc(ends("2027-06-01T00:00:00Z"))), by: "outscale-iaas", until: "2027-06-01T00:00:00Z"},
		"an alternative that ends at this second":         {zone: "outscale-a", level: of(snc(ends("2026-11-23T12:00:00Z"))), reason: AlternativeEnded, says: "secnumcloud-3.2 qualified was accepted until 2026-11-23T12:00:00Z"},
		"an alternative that ended would not have helped": {zone: "fr-par-1", level: of(v1alpha1.Alternative{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}, Until: when("2026-01-01T00:00:00Z"), Basis: "b"}, snc()), reason: QualificationNotGranted},
		"the period ended not too long ago":               {zone: "outscale-a", level: of(c5("8760h")), tweak: withC5, by: "c5", until: "2027-01-01T00:00:00Z"},
		"the period ends the level before the end":        {zone: "outscale-a", level: of(c5("6000h")), tweak: withC5, by: "c5", until: "2026-12-08T00:00:00Z"},
		"the period ended too long ago":                   {zone: "outscale-a", level: of(c5("24h")), tweak: withC5, reason: PeriodTooOld, says: "ended at 2026-04-02T00:00:00Z, longer than 24h ago"},
		"the period is not over":                          {zone: "outscale-a", level: of(c5("24h")), tweak: func(o *Objects) { withC5(o); o.qualification("c5").Period.To = *when("2026-12-01T00:00:00Z") }, reason: PeriodNotOver},
		"a period is wanted, and there is none":           {zone: "outscale-a", level: of(c5("24h")), tweak: func(o *Objects) { withC5(o); o.qualification("c5").Period = nil }, reason: PeriodMissing},
	}
	runStandings(t, cases)
}

func failing(c standingCase, reason Reason, says string) standingCase {
	c.reason, c.says, c.by = reason, says, ""
	return c
}

func models(m ...v1alpha1.ServiceModel) func(*v1alpha1.Alternative) {
	return func(a *v1alpha1.Alternative) { a.ServiceModels = m }
}

func only(t ...v1alpha1.Territory) func(*v1alpha1.Alternative) {
	return func(a *v1alpha1.Alternative) { a.Countries = t }
}

func ends(t string) func(*v1alpha1.Alternative) {
	return func(a *v1alpha1.Alternative) { a.Until, a.Basis = when(t), "for the transition" }
}

func c5(maxAge string) v1alpha1.Alternative {
	return v1alpha1.Alternative{Framework: "c5-2020", Levels: []v1alpha1.Term{"type-2"}, MaxPeriodAge: duration(maxAge)}
}

func withC5(o *Objects) {
	q := granted("c5", "c5-2020", "type-2", "outscale", "iaas")
	q.Spec.Period = &v1alpha1.Period{From: *when("2025-04-02T00:00:00Z"), To: *when("2026-04-02T00:00:00Z")}
	q.Spec.ValidUntil = when("2027-01-01T00:00:00Z")
	o.Qualifications = append(o.Qualifications, q)
}

func scoped(regions ...v1alpha1.Term) func(*Objects) {
	return func(o *Objects) {
		s := &o.qualification("outscale-iaas").Subject
		s.Everywhere, s.Regions = false, regions
	}
}

func sited(sites ...v1alpha1.SiteName) func(*Objects) {
	return func(o *Objects) {
		s := &o.qualification("outscale-iaas").Subject
		s.Everywhere, s.Sites = false, sites
	}
}

func TestUnderlying(t *testing.T) {
	of := func(tweaks ...func(*v1alpha1.Alternative)) v1alpha1.TrustLevelSpec {
		return accepts("", snc(tweaks...)).Spec
	}
	atNumspot := func(change func(*Objects)) func(*Objects) {
		return func(o *Objects) {
			*o.zone("oks-a") = numspot(o)
			if change != nil {
				change(o)
			}
		}
	}
	hosting := func(o *Objects) *v1alpha1.Hosting { return &o.offer("numspot", 0).HostedOn[0] }
	runStandings(t, map[string]standingCase{
		"hosted on a qualified offer is not qualified": {
			zone: "oks-a", level: of(), reason: OnlyUnderlyingQualified,
			says: "outscale/oks is hosted on outscale/iaas, which is qualified for secnumcloud-3.2, and outscale/oks itself is required to be",
		},
		"the level lets the underlying one count":              {zone: "oks-a", level: of(orUnderlying), by: "outscale-iaas"},
		"the service model is asked of the one that counts":    {zone: "oks-a", level: of(orUnderlying, models("CaaS")), reason: WrongServiceModel, says: "outscale/iaas is qualified for secnumcloud-3.2 as IaaS, not as CaaS"},
		"and satisfied by it":                                  {zone: "oks-a", level: of(orUnderlying, models("IaaS")), by: "outscale-iaas"},
		"the same provider: only the zone's region is asked":   {zone: "oks-a", level: of(orUnderlying), tweak: scoped("cloudgouv-eu-west-1"), by: "outscale-iaas"},
		"the same provider: and the zone's site":               {zone: "oks-a", level: of(orUnderlying), tweak: sited("paris-2"), by: "outscale-iaas"},
		"the same provider, the zone's region is not in scope": {zone: "oks-a", level: of(orUnderlying), tweak: scoped("eu-west-2"), reason: ServiceNotInScope},
		"the same provider, the zone's region is not listed":   {zone: "oks-a", level: of(orUnderlying), tweak: func(o *Objects) { scoped("cloudgouv-eu-west-1")(o); o.zone("oks-a").Region = "eu-west-7" }, reason: ServiceNotInScope, says: "not in eu-west-2"},
		"another provider: all its regions are covered":        {zone: "oks-a", level: of(orUnderlying), tweak: atNumspot(scoped("cloudgouv-eu-west-1", "eu-west-2")), by: "outscale-iaas"},
		"another provider: one of its regions is not covered": {zone: "oks-a", level: of(orUnderlying), tweak: atNumspot(func(o *Objects) {
			scoped("cloudgouv-eu-west-1")(o)
			hosting(o).Regions = append(hosting(o).Regions, "eu-west-2")
		}), reason: ServiceNotInScope},
		"another provider: its site is not known": {zone: "oks-a", level: of(orUnderlying), tweak: atNumspot(sited("paris-2")), reason: ServiceNotInScope, says: "in which building it is used here is not known"},
		"regions unknown: everywhere covers":      {zone: "oks-a", level: of(orUnderlying), tweak: atNumspot(func(o *Objects) { hosting(o).Regions = nil }), by: "outscale-iaas"},
		"regions unknown: nothing else covers":    {zone: "oks-a", level: of(orUnderlying), tweak: atNumspot(func(o *Objects) { scoped("cloudgouv-eu-west-1")(o); hosting(o).Regions = nil }), reason: ServiceNotInScope, says: "in which regions it is used here is not known"},
		"an offer hosted on nothing":              {zone: "bleu-1", level: of(orUnderlying), reason: NotQualified},
		"one of two hosts is not qualified": {zone: "oks-a", level: of(orUnderlying), tweak: func(o *Objects) {
			o.offer("outscale", 1).HostedOn = append(o.offer("outscale", 1).HostedOn, v1alpha1.Hosting{Provider: "aws", Offer: "ec2"})
		}, reason: NotQualified, says: "aws/ec2 has no qualification"},
		"two steps down":               {zone: "oks-a", level: of(orUnderlying), tweak: atNumspot(func(o *Objects) { *hosting(o) = v1alpha1.Hosting{Provider: "outscale", Offer: "oks"} }), by: "outscale-iaas"},
		"a host that does not exist":   {zone: "oks-a", level: of(orUnderlying), tweak: func(o *Objects) { o.offer("outscale", 1).HostedOn[0].Provider = "outscal" }, reason: NotQualified},
		"hosted in a circle":           {zone: "oks-a", level: of(orUnderlying), tweak: func(o *Objects) { o.offer("outscale", 1).HostedOn[0].Offer = "oks" }, reason: NotQualified},
		"the underlying one has ended": {zone: "oks-a", level: of(), tweak: func(o *Objects) { o.qualification("outscale-iaas").ValidUntil = &metav1.Time{Time: now} }, reason: NotQualified},
		"the offer's own evaluation is nearer than what is below": {zone: "oks-a", level: of(), reason: QualificationNotGranted, tweak: func(o *Objects) {
			q := granted("oks", "secnumcloud-3.2", "qualified", "outscale", "oks")
			q.Spec.State = v1alpha1.QualificationInEvaluation
			o.Qualifications = append(o.Qualifications, q)
		}, says: "outscale/oks is in evaluation"},
	})
}

func TestEvidenceAge(t *testing.T) {
	level := func(age string, stale v1alpha1.StaleEvidence) v1alpha1.TrustLevelSpec {
		s := accepts("", snc()).Spec
		s.MaxEvidenceAge, s.StaleEvidence = duration(age), stale
		return s
	}
	verified := func(at *metav1.Time) func(*Objects) {
		return func(o *Objects) { o.qualification("outscale-iaas").LastVerified = at }
	}
	runStandings(t, map[string]standingCase{
		"fresh":                           {zone: "outscale-a", level: level("8760h", "Hold"), by: "outscale-iaas", until: "2027-11-01T00:00:00Z"},
		"fresh, and staleness only warns": {zone: "outscale-a", level: level("8760h", "Warn"), by: "outscale-iaas", until: "2029-01-01T00:00:00Z"},
		"stale, and that only warns":      {zone: "outscale-a", level: level("24h", "Warn"), by: "outscale-iaas"},
		"stale, with Warn by default":     {zone: "outscale-a", level: level("24h", ""), by: "outscale-iaas"},
		"stale, and that holds": {
			zone: "outscale-a", level: level("24h", "Hold"), reason: EvidenceStale, worth: Held, by: "outscale-iaas",
			says: "zone outscale-a satisfies asked for pods that run there, and admits no new ones: qualification outscale-iaas was last verified at 2026-11-01T00:00:00Z, longer than 24h ago",
		},
		"stale at this second":   {zone: "outscale-a", level: level("24h", "Hold"), tweak: verified(&metav1.Time{Time: now.Add(-24 * time.Hour)}), reason: EvidenceStale, worth: Held, by: "outscale-iaas"},
		"never verified":         {zone: "outscale-a", level: level("24h", "Hold"), tweak: verified(nil), reason: EvidenceStale, worth: Held, by: "outscale-iaas", says: "nobody has verified qualification outscale-iaas"},
		"verified in the future": {zone: "outscale-a", level: level("24h", "Hold"), tweak: verified(&metav1.Time{Time: now.Add(time.Hour)}), reason: EvidenceStale, worth: Held, by: "outscale-iaas", says: "that has not come yet"},
		"a fresh one is preferred": {zone: "outscale-a", level: level("24h", "Hold"), by: "fresh", tweak: func(o *Objects) {
			q := granted("fresh", "secnumcloud-3.2", "qualified", "outscale", "iaas")
			q.Spec.LastVerified, q.Spec.ValidUntil = &metav1.Time{Time: now}, when("2027-01-01T00:00:00Z")
			o.Qualifications = append(o.Qualifications, q)
		}},
		"stale, and another demand fails": {zone: "outscale-a", reason: SeatNotAllowed, level: func() v1alpha1.TrustLevelSpec {
			s := level("24h", "Hold")
			s.SeatIn = []v1alpha1.Territory{"DE"}
			return s
		}()},
	})
	o := world()
	o.TrustLevels = []v1alpha1.TrustLevel{{ObjectMeta: named("asked"), Spec: level("24h", "Warn")}}
	want := []string{"qualification outscale-iaas was last verified at 2026-11-01T00:00:00Z, longer than 24h ago"}
	if diff := cmp.Diff(want, Compile(o).At(now).Standing("outscale-a", "asked").Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestMalformedLevelsAndZones(t *testing.T) {
	france := v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}}
	invalid := func(level v1alpha1.TrustLevelSpec, says string) standingCase {
		return standingCase{zone: "outscale-a", level: level, reason: LevelInvalid, says: says}
	}
	zone := func(tweak func(z *v1alpha1.ZoneSpec), says string) standingCase {
		return standingCase{zone: "par-1", level: france, tweak: func(o *Objects) { tweak(o.zone("par-1")) }, reason: ZoneInvalid, says: says}
	}
	empty := accepts("", v1alpha1.Alternative{Framework: "ens"}).Spec
	aged := accepts("", snc()).Spec
	aged.MaxEvidenceAge = duration("a year")
	runStandings(t, map[string]standingCase{
		"a level without demands":               invalid(v1alpha1.TrustLevelSpec{}, "at least one demand must be given"),
		"a level with an unknown country":       invalid(v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR", "UK"}}, "the United Kingdom is GB"),
		"a level that wants none of anything":   invalid(v1alpha1.TrustLevelSpec{Qualifications: []v1alpha1.QualificationDemand{{}}}, "nothing can satisfy none"),
		"an alternative without levels":         invalid(empty, "say which levels of ens are accepted"),
		"a length of time that does not parse":  invalid(aged, "must be a positive length of time"),
		"an evidence age with no evidence":      invalid(v1alpha1.TrustLevelSpec{Countries: france.Countries, MaxEvidenceAge: duration("1h")}, "none is demanded"),
		"a word that staleEvidence has not":     invalid(v1alpha1.TrustLevelSpec{Countries: france.Countries, StaleEvidence: "Ignore"}, "must be Warn or Hold"),
		"an empty law":                          invalid(v1alpha1.TrustLevelSpec{NotExposedTo: []v1alpha1.Term{"", "US-CLOUD-Act"}}, "an empty name is no name"),
		"a word that appliesTo has not":         invalid(accepts("", snc(func(a *v1alpha1.Alternative) { a.AppliesTo = "Underlying" })).Spec, "must be Offer or OfferOrUnderlying"),
		"a service model there is not":          invalid(accepts("", snc(models("FaaS"))).Spec, "must be IaaS"),
		"an end without a basis":                invalid(accepts("", snc(func(a *v1alpha1.Alternative) { a.Until = when("2030-01-01T00:00:00Z") })).Spec, "needs a basis"),
		"a zone in no country":                  zone(func(z *v1alpha1.ZoneSpec) { z.Country = "" }, "spec.country"),
		"a zone in a country in small letters":  zone(func(z *v1alpha1.ZoneSpec) { z.Country = "fr" }, "did you mean FR?"),
		"a zone without signals":                zone(func(z *v1alpha1.ZoneSpec) { z.Recognition = v1alpha1.ZoneRecognition{} }, "would contain every node"),
		"a zone that relies on our own label":   zone(func(z *v1alpha1.ZoneSpec) { z.Recognition.Labels[v1alpha1.ZoneLabel] = "x" }, "Terroir writes it"),
		"a zone whose site cannot be a label":   zone(func(z *v1alpha1.ZoneSpec) { z.Site = "Paris 1" }, "must be usable as a label value"),
		"a zone with an offer and no provider":  zone(func(z *v1alpha1.ZoneSpec) { z.Offer = "iaas" }, "offer needs provider"),
		"a zone with a region and no provider":  zone(func(z *v1alpha1.ZoneSpec) { z.Region = "r" }, "region needs provider"),
		"a zone whose site is also elsewhere":   {zone: "par-1", level: france, tweak: func(o *Objects) { o.zone("par-1").Site = "paris-1"; o.zone("outscale-a").Country = "GB" }, reason: ZoneInvalid, says: "site paris-1 is in FR here and in GB in zone outscale-a"},
		"a zone of which another has all nodes": {zone: "oks-a", level: france, tweak: func(o *Objects) { o.zone("par-1").Recognition = onLabel("cloudgouv-eu-west-1a") }, reason: ZoneInvalid, says: "every node with these signals also shows those of zone par-1"},
		"the wider one keeps the other nodes":   {zone: "par-1", level: france, tweak: func(o *Objects) { o.zone("par-1").Recognition = onLabel("cloudgouv-eu-west-1a") }},
	})
}

func TestNamesThatDoNotExist(t *testing.T) {
	v := Compile(world()).At(now)
	for want, got := range map[Reason]Standing{NoSuchZone: v.Standing("par-2", "in-france"), NoSuchLevel: v.Standing("par-1", "in-frence")} {
		if got.Worth != None || got.Reason != want || !strings.Contains(got.Message, "did you mean") {
			t.Errorf("got %v %s: %s; want None %s", got.Worth, got.Reason, got.Message, want)
		}
	}
	if got := new(Catalogue).At(now); got.Standing("a", "b").Worth != None || got.Assess(NodeFacts{ProviderID: "a://b/"}).State != Unknown {
		t.Error("the zero catalogue is worth something")
	}
}
