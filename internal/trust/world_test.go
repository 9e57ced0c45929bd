package trust

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// now is the moment of the tests.
var now = at("2026-11-23T12:00:00Z")

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func when(s string) *metav1.Time { return &metav1.Time{Time: at(s)} }

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

func duration(s string) *v1alpha1.Duration { d := v1alpha1.Duration(s); return &d }

func schemeOf(name string, lifecycle v1alpha1.Lifecycle, levels ...v1alpha1.FrameworkLevel) v1alpha1.Framework {
	return v1alpha1.Framework{ObjectMeta: named(name), Spec: v1alpha1.FrameworkSpec{
		Title: name, Version: "1", Authority: v1alpha1.Authority{Name: "A", Kind: "State", Country: "FR"}, Lifecycle: lifecycle, Levels: levels,
	}}
}

func rung(name v1alpha1.Term, include ...v1alpha1.Term) v1alpha1.FrameworkLevel {
	return v1alpha1.FrameworkLevel{Name: name, Include: include}
}

func notExposed(law v1alpha1.Term) v1alpha1.Exposure {
	return v1alpha1.Exposure{Law: law, State: v1alpha1.NotExposed, Basis: "no establishment there"}
}

func onLabel(value string) v1alpha1.ZoneRecognition {
	return v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"topology.kubernetes.io/zone": v1alpha1.LabelValue(value)}}
}

func onPrefix(prefix string) v1alpha1.ZoneRecognition {
	return v1alpha1.ZoneRecognition{ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{v1alpha1.ProviderIDPrefix(prefix)}}
}

// accepts is a level that wants one alternative.
func accepts(name string, alternatives ...v1alpha1.Alternative) v1alpha1.TrustLevel {
	return v1alpha1.TrustLevel{ObjectMeta: named(name), Spec: v1alpha1.TrustLevelSpec{
		Qualifications: []v1alpha1.QualificationDemand{{AnyOf: alternatives}},
	}}
}

func snc(tweaks ...func(*v1alpha1.Alternative)) v1alpha1.Alternative {
	a := v1alpha1.Alternative{Framework: "secnumcloud-3.2", Levels: []v1alpha1.Term{"qualified"}}
	for _, tweak := range tweaks {
		tweak(&a)
	}
	return a
}

func orUnderlying(a *v1alpha1.Alternative) { a.AppliesTo = v1alpha1.AppliesToOfferOrUnderlying }

// granted is a qualification that counts at now, everywhere.
func granted(name string, fw v1alpha1.ObjectName, level v1alpha1.Term, p v1alpha1.ObjectName, o v1alpha1.Term) v1alpha1.Qualification {
	return v1alpha1.Qualification{ObjectMeta: named(name), Spec: v1alpha1.QualificationSpec{
		Framework: fw, Levels: []v1alpha1.Term{level}, Subject: v1alpha1.Subject{Provider: p, Offer: o, Everywhere: true},
		State: v1alpha1.QualificationGranted, ValidFrom: when("2026-01-01T00:00:00Z"), ValidUntil: when("2029-01-01T00:00:00Z"),
		LastVerified: when("2026-11-01T00:00:00Z"),
	}}
}

// world is a small catalogue of which every part is sound. The certificates in it are made up. Tests tweak one thing.
func world() Objects {
	scaleway := granted("scaleway-kapsule", "secnumcloud-3.2", "qualified", "scaleway", "kapsule")
	scaleway.Spec.State, scaleway.Spec.Milestone, scaleway.Spec.ValidUntil = v1alpha1.QualificationInEvaluation, "J0", nil
	return Objects{
		Frameworks: []v1alpha1.Framework{
			schemeOf("secnumcloud-3.2", v1alpha1.LifecycleInForce, rung("qualified")),
			schemeOf("c5-2020", v1alpha1.LifecycleInForce, rung("type-1"), rung("type-2", "type-1")),
			schemeOf("ens", v1alpha1.LifecycleInForce, rung("basica"), rung("media", "basica"), rung("alta", "media")),
			schemeOf("eucs", v1alpha1.LifecycleDraft, rung("high")),
			schemeOf("cada", v1alpha1.LifecycleProposed, rung("level-4")),
		},
		Providers:      providers(),
		Zones:          zones(),
		Qualifications: []v1alpha1.Qualification{granted("outscale-iaas", "secnumcloud-3.2", "qualified", "outscale", "iaas"), scaleway},
		TrustLevels: []v1alpha1.TrustLevel{
			accepts("secnumcloud", snc()),
			{ObjectMeta: named("in-france"), Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}}},
		},
	}
}

func providers() []v1alpha1.CloudProvider {
	french := []v1alpha1.Country{"FR"}
	return []v1alpha1.CloudProvider{
		{ObjectMeta: named("outscale"), Spec: v1alpha1.CloudProviderSpec{
			LegalEntity: "OUTSCALE SAS", Seat: "FR", Parent: &v1alpha1.Company{Name: "Dassault Systèmes SE", Country: "FR"},
			Exposures: []v1alpha1.Exposure{notExposed("US-CLOUD-Act")},
			Recognition: &v1alpha1.ProviderRecognition{
				ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"aws:///eu-west-2a/", "aws:///cloudgouv-eu-west-1a/"},
				CSIDrivers:         []v1alpha1.CSIDriverName{"bsu.csi.outscale.com"}, LabelKeys: []v1alpha1.LabelKey{"topology.outscale.com/net"},
			},
			Offers: []v1alpha1.Offer{
				{Name: "iaas", ServiceModel: v1alpha1.IaaS, AdministrationFrom: french, SupportFrom: french},
				{
					Name: "oks", ServiceModel: v1alpha1.CaaS, AdministrationFrom: french, SupportFrom: french,
					HostedOn: []v1alpha1.Hosting{{Provider: "outscale", Offer: "iaas", Regions: []v1alpha1.Term{"eu-west-2", "cloudgouv-eu-west-1"}}},
				},
			},
		}},
		{ObjectMeta: named("aws"), Spec: v1alpha1.CloudProviderSpec{
			LegalEntity: "Amazon Web Services, Inc.", Seat: "US", Exposures: []v1alpha1.Exposure{{Law: "US-CLOUD-Act", State: v1alpha1.Exposed, Basis: "seat"}},
			Recognition: &v1alpha1.ProviderRecognition{
				ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"aws:///"}, CSIDrivers: []v1alpha1.CSIDriverName{"ebs.csi.aws.com"}, Regions: []v1alpha1.Term{"eu-west-2"},
			},
			Offers: []v1alpha1.Offer{{Name: "ec2", ServiceModel: v1alpha1.IaaS, AdministrationFrom: []v1alpha1.Country{"US", "IN"}}},
		}},
		{ObjectMeta: named("numspot"), Spec: v1alpha1.CloudProviderSpec{
			LegalEntity: "NumSpot SAS", Seat: "FR",
			Recognition: &v1alpha1.ProviderRecognition{ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"aws:///eu-west-2a/", "aws:///cloudgouv-eu-west-1a/"}},
			Offers: []v1alpha1.Offer{{
				Name: "kubernetes", ServiceModel: v1alpha1.CaaS, AdministrationFrom: french, SupportFrom: french,
				HostedOn: []v1alpha1.Hosting{{Provider: "outscale", Offer: "iaas", Regions: []v1alpha1.Term{"cloudgouv-eu-west-1"}}},
			}},
		}},
		{ObjectMeta: named("scaleway"), Spec: v1alpha1.CloudProviderSpec{
			LegalEntity: "SCALEWAY SAS", Seat: "FR", Offers: []v1alpha1.Offer{{Name: "kapsule", ServiceModel: v1alpha1.CaaS}},
			Recognition: &v1alpha1.ProviderRecognition{ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"scaleway://instance/"}},
		}},
		{ObjectMeta: named("azure"), Spec: v1alpha1.CloudProviderSpec{
			LegalEntity: "Microsoft Corporation", Seat: "US",
			Recognition: &v1alpha1.ProviderRecognition{
				ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"azure:///"}, CSIDrivers: []v1alpha1.CSIDriverName{"disk.csi.azure.com"},
				Regions: []v1alpha1.Term{"francecentral", "westeurope"},
			},
		}},
		{ObjectMeta: named("bleu"), Spec: v1alpha1.CloudProviderSpec{
			LegalEntity: "Bleu SAS", Seat: "FR", Offers: []v1alpha1.Offer{{Name: "aks", ServiceModel: v1alpha1.CaaS}},
			Recognition: &v1alpha1.ProviderRecognition{
				ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"azure:///"}, CSIDrivers: []v1alpha1.CSIDriverName{"disk.csi.azure.com"},
				Regions: []v1alpha1.Term{"bleufrancecentral"},
			},
		}},
	}
}

func zones() []v1alpha1.Zone {
	return []v1alpha1.Zone{
		{ObjectMeta: named("par-1"), Spec: v1alpha1.ZoneSpec{Country: "FR", Recognition: onLabel("par-1")}},
		{ObjectMeta: named("outscale-a"), Spec: v1alpha1.ZoneSpec{
			Country: "FR", Provider: "outscale", Offer: "iaas", Region: "eu-west-2", Site: "paris-1",
			Recognition: onPrefix("aws:///eu-west-2a/"),
		}},
		{ObjectMeta: named("oks-a"), Spec: v1alpha1.ZoneSpec{
			Country: "FR", Provider: "outscale", Offer: "oks", Region: "cloudgouv-eu-west-1", Site: "paris-2",
			Recognition: v1alpha1.ZoneRecognition{
				ProviderIDPrefixes: []v1alpha1.ProviderIDPrefix{"aws:///cloudgouv-eu-west-1a/"}, CSIDrivers: []v1alpha1.CSIDriverName{"bsu.csi.outscale.com"},
				Labels: map[string]v1alpha1.LabelValue{"topology.kubernetes.io/zone": "cloudgouv-eu-west-1a"},
			},
		}},
		{ObjectMeta: named("fr-par-1"), Spec: v1alpha1.ZoneSpec{
			Country: "FR", Provider: "scaleway", Offer: "kapsule", Region: "fr-par",
			Recognition: onPrefix("scaleway://instance/fr-par-1/"),
		}},
		{ObjectMeta: named("bleu-1"), Spec: v1alpha1.ZoneSpec{
			Country: "FR", Provider: "bleu", Offer: "aks", Region: "bleufrancecentral",
			Recognition: onPrefix("azure:///subscriptions/"),
		}},
	}
}

// The tweaks find an object by name, so that a test says what it changes and nothing else.

func (o *Objects) zone(name string) *v1alpha1.ZoneSpec {
	for i := range o.Zones {
		if o.Zones[i].Name == name {
			return &o.Zones[i].Spec
		}
	}
	panic("no zone " + name)
}

func (o *Objects) provider(name string) *v1alpha1.CloudProviderSpec {
	for i := range o.Providers {
		if o.Providers[i].Name == name {
			return &o.Providers[i].Spec
		}
	}
	panic("no provider " + name)
}

func (o *Objects) offer(provider string, i int) *v1alpha1.Offer {
	return &o.provider(provider).Offers[i]
}

func (o *Objects) qualification(name string) *v1alpha1.QualificationSpec {
	for i := range o.Qualifications {
		if o.Qualifications[i].Name == name {
			return &o.Qualifications[i].Spec
		}
	}
	panic("no qualification " + name)
}

func (o *Objects) framework(name string) *v1alpha1.FrameworkSpec {
	for i := range o.Frameworks {
		if o.Frameworks[i].Name == name {
			return &o.Frameworks[i].Spec
		}
	}
	panic("no framework " + name)
}

func (o *Objects) level(name string) *v1alpha1.TrustLevelSpec {
	for i := range o.TrustLevels {
		if o.TrustLevels[i].Name == name {
			return &o.TrustLevels[i].Spec
		}
	}
	panic("no level " + name)
}

func TestTheWorldOfTheTestsIsSound(t *testing.T) {
	if problems := Compile(world()).Problems(); len(problems) > 0 {
		t.Errorf("unexpected problems: %v", problems)
	}
}
