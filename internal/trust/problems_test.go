package trust

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestProblems(t *testing.T) {
	type problems = []Problem
	for sentence, test := range map[string]struct {
		tweak func(*Objects)
		want  problems // Message is what it must contain
	}{
		"a zone of an unknown provider": {
			func(o *Objects) { o.zone("fr-par-1").Provider = "scalway" },
			problems{{KindZone, "fr-par-1", "spec.provider", ProviderUnknown, "no CloudProvider scalway (did you mean scaleway?)"}},
		},
		"a zone of an unknown provider and no offer": {
			func(o *Objects) { o.zone("fr-par-1").Provider, o.zone("fr-par-1").Offer = "ovh", "" },
			problems{{KindZone, "fr-par-1", "spec.provider", ProviderUnknown, "no CloudProvider ovh"}},
		},
		"a zone of an unknown offer": {
			func(o *Objects) { o.zone("fr-par-1").Offer = "kosmos" },
			problems{{KindZone, "fr-par-1", "spec.offer", OfferUnknown, "provider scaleway has no offer kosmos"}},
		},
		"a qualification under an unknown framework": {
			func(o *Objects) { o.qualification("outscale-iaas").Framework = "secnumcloud" },
			problems{{KindQualification, "outscale-iaas", "spec.framework", FrameworkUnknown, "no Framework secnumcloud"}},
		},
		"a qualification at an unknown level": {
			func(o *Objects) { o.qualification("outscale-iaas").Levels = []v1alpha1.Term{"qualifed"} },
			problems{{KindQualification, "outscale-iaas", "spec.levels", FrameworkLevelUnknown, "did you mean qualified?"}},
		},
		"a qualification of an unknown provider": {
			func(o *Objects) { o.qualification("outscale-iaas").Subject.Provider = "outscaler" },
			problems{{KindQualification, "outscale-iaas", "spec.subject.provider", ProviderUnknown, "did you mean outscale?"}},
		},
		"a qualification of an unknown offer": {
			func(o *Objects) { o.qualification("outscale-iaas").Subject.Offer = "iass" },
			problems{{KindQualification, "outscale-iaas", "spec.subject.offer", OfferUnknown, "did you mean iaas?"}},
		},
		"a granted qualification without end": {
			func(o *Objects) { o.qualification("outscale-iaas").ValidUntil = nil },
			problems{{KindQualification, "outscale-iaas", "spec.validUntil", QualificationEndless, "needs validUntil"}},
		},
		"a period that ends before it begins": {
			func(o *Objects) { withC5(o); o.qualification("c5").Period.From = o.qualification("c5").Period.To },
			problems{{KindQualification, "c5", "spec.period.to", Malformed, "to must be after from"}},
		},
		"a state there is not": {
			func(o *Objects) { o.qualification("outscale-iaas").State = "Certified" },
			problems{{KindQualification, "outscale-iaas", "spec.state", Malformed, `"Certified" must be`}},
		},
		"a level under an unknown framework": {
			func(o *Objects) { o.level("secnumcloud").Qualifications[0].AnyOf[0].Framework = "secnumcloud-3.1" },
			problems{{KindTrustLevel, "secnumcloud", "spec.qualifications[0].anyOf[0].framework", FrameworkUnknown, "did you mean secnumcloud-3.2?"}},
		},
		"a level with an unknown level of a framework": {
			func(o *Objects) {
				o.level("secnumcloud").Qualifications[0].AnyOf[0].Levels = []v1alpha1.Term{"certified"}
			},
			problems{{KindTrustLevel, "secnumcloud", "spec.qualifications[0].anyOf[0].levels", FrameworkLevelUnknown, "has no level certified"}},
		},
		"a level whose name is too long": {
			func(o *Objects) { o.TrustLevels[1].Name = strings.Repeat("l", 64) },
			problems{{KindTrustLevel, strings.Repeat("l", 64), "metadata.name", NameTooLong, "at most 63 characters"}},
		},
		"a level whose name is no DNS label": {
			func(o *Objects) { o.TrustLevels[1].Name = "in.france" },
			problems{{KindTrustLevel, "in.france", "metadata.name", Malformed, "DNS label"}},
		},
		"a zone whose name is too long": {
			func(o *Objects) { o.Zones[0].Name = strings.Repeat("z", 64) },
			problems{{KindZone, strings.Repeat("z", 64), "metadata.name", NameTooLong, "at most 63 characters"}},
		},
		"an offer hosted on an unknown one": {
			func(o *Objects) { o.offer("numspot", 0).HostedOn[0].Offer = "iaass" },
			problems{{KindCloudProvider, "numspot", "spec.offers[kubernetes].hostedOn", OfferUnknown, "did you mean iaas?"}},
		},
		"an offer hosted on itself": {
			func(o *Objects) { o.offer("outscale", 1).HostedOn[0].Offer = "oks" },
			problems{{KindCloudProvider, "outscale", "spec.offers[oks].hostedOn", HostingCycle, "offer outscale/oks is in the end hosted on itself"}},
		},
		"two offers hosted on each other": {func(o *Objects) {
			o.offer("outscale", 0).HostedOn = []v1alpha1.Hosting{{Provider: "outscale", Offer: "oks"}}
		}, problems{
			{KindCloudProvider, "outscale", "spec.offers[iaas].hostedOn", HostingCycle, "hosted on itself"},
			{KindCloudProvider, "outscale", "spec.offers[oks].hostedOn", HostingCycle, "hosted on itself"},
		}},
		"levels that include each other": {func(o *Objects) { o.framework("ens").Levels[0].Include = []v1alpha1.Term{"alta"} }, problems{
			{KindFramework, "ens", "spec.levels[alta].include", IncludeCycle, "level alta includes itself"},
			{KindFramework, "ens", "spec.levels[basica].include", IncludeCycle, "level basica includes itself"},
			{KindFramework, "ens", "spec.levels[media].include", IncludeCycle, "level media includes itself"},
		}},
		"a level that includes an unknown one": {
			func(o *Objects) { o.framework("ens").Levels[2].Include = []v1alpha1.Term{"medai"} },
			problems{{KindFramework, "ens", "spec.levels[alta].include", FrameworkLevelUnknown, "did you mean media?"}},
		},
		"a framework in force that has a last day": {
			func(o *Objects) { o.framework("ens").AcceptUntil = when("2030-01-01T00:00:00Z") },
			problems{{KindFramework, "ens", "spec.acceptUntil", Malformed, "only when lifecycle is Superseded"}},
		},
		"a provider's seat nowhere": {
			func(o *Objects) { o.provider("bleu").Seat = "Fr" },
			problems{{KindCloudProvider, "bleu", "spec.seat", Malformed, "did you mean FR?"}},
		},
		"an offer of no service model": {
			func(o *Objects) { o.offer("bleu", 0).ServiceModel = "" },
			problems{{KindCloudProvider, "bleu", "spec.offers[aks].serviceModel", Malformed, "must be IaaS"}},
		},
		"an offer named twice": {
			func(o *Objects) { o.provider("bleu").Offers = append(o.provider("bleu").Offers, *o.offer("bleu", 0)) },
			problems{{KindCloudProvider, "bleu", "spec.offers[aks]", Malformed, "a name of its own"}},
		},
		"a prefix without final slash": {
			func(o *Objects) { o.zone("fr-par-1").Recognition = onPrefix("scaleway://instance/fr-par-1") },
			problems{{KindZone, "fr-par-1", "spec.recognition.providerIDPrefixes", Malformed, "write scaleway://instance/fr-par-1/"}},
		},
		"a provider's prefix without final slash": {
			func(o *Objects) { o.provider("bleu").Recognition.ProviderIDPrefixes[0] = "azure:" },
			problems{{KindCloudProvider, "bleu", "spec.recognition.providerIDPrefixes", Malformed, "must begin with a scheme"}},
		},
		"labels that cannot be labels": {func(o *Objects) {
			o.zone("par-1").Recognition.Labels = map[string]v1alpha1.LabelValue{"rack": "7", "a b": "c", v1alpha1.ZoneLabel: "x"}
		}, problems{
			{KindZone, "par-1", "spec.recognition.labels", Malformed, `a b: "c" must be a label key and a label value`},
			{KindZone, "par-1", "spec.recognition.labels", Malformed, "Terroir writes it"},
		}},
		"a framework without levels": {
			func(o *Objects) { o.framework("cada").Levels = nil },
			problems{{KindFramework, "cada", "spec.levels", Malformed, "at least one level must be given"}},
		},
		"an opinion in another word": {
			func(o *Objects) { o.provider("outscale").Exposures[0].State = "Perhaps" },
			problems{
				{KindCloudProvider, "outscale", "spec.exposures[US-CLOUD-Act].state", Malformed, `"Perhaps" must be NotExposed`},
				{KindQualification, "outscale-iaas", "spec.subject.provider", ProviderInvalid, "provider outscale is not valid"},
			},
		},
		"a UUID that machines without one report": {func(o *Objects) {
			o.zone("par-1").Recognition.SystemUUIDs = []v1alpha1.SystemUUID{"00000000-0000-0000-0000-000000000000", "xyz"}
		}, problems{
			{KindZone, "par-1", "spec.recognition.systemUUIDs", Malformed, `"xyz" must be a UUID`},
			{KindZone, "par-1", "spec.recognition.systemUUIDs", Malformed, "what machines without a UUID report"},
		}},
		"two zones with the same signals": {func(o *Objects) { o.zone("bleu-1").Recognition = onLabel("par-1") }, problems{
			{KindZone, "bleu-1", "spec.recognition", OverlappingRecognition, "zone par-1 has the same signals"},
			{KindZone, "par-1", "spec.recognition", OverlappingRecognition, "zone bleu-1 has the same signals"},
		}},
		"a zone within another by prefix": {func(o *Objects) { o.zone("bleu-1").Recognition = onPrefix("scaleway://instance/") }, problems{
			{KindZone, "bleu-1", "spec.recognition", OverlappingRecognition, "every node of zone fr-par-1 also shows these signals"},
			{KindZone, "fr-par-1", "spec.recognition", OverlappingRecognition, "also shows those of zone bleu-1"},
		}},
		"a zone within another by CSI driver": {func(o *Objects) {
			o.zone("bleu-1").Recognition = v1alpha1.ZoneRecognition{CSIDrivers: []v1alpha1.CSIDriverName{"bsu.csi.outscale.com", "x"}}
		}, problems{
			{KindZone, "bleu-1", "spec.recognition", OverlappingRecognition, "every node of zone oks-a"},
			{KindZone, "oks-a", "spec.recognition", OverlappingRecognition, "those of zone bleu-1"},
		}},
		"zones that share some nodes only": {func(o *Objects) {
			o.zone("bleu-1").Recognition = v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"rack": "7"}}
		}, nil},
		"a site in two countries": {func(o *Objects) { o.zone("par-1").Site = "paris-1"; o.zone("par-1").Country = "DE" }, problems{
			{KindZone, "outscale-a", "spec.site", SiteInTwoCountries, "site paris-1 is in FR here and in DE in zone par-1"},
			{KindZone, "par-1", "spec.site", SiteInTwoCountries, "site paris-1 is in DE here and in FR in zone outscale-a"},
		}},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := world()
			test.tweak(&o)
			c := Compile(o)
			got := c.Problems()
			if len(got) != len(test.want) {
				t.Fatalf("got %v\nwant %v", got, test.want)
			}
			for i, want := range test.want {
				message := got[i].Message
				got[i].Message = want.Message
				if diff := cmp.Diff(want, got[i]); diff != "" || !strings.Contains(message, want.Message) {
					t.Errorf("got message %q, want %q (-want +got):\n%s", message, want.Message, diff)
				}
				if len(c.ProblemsOf(want.Kind, want.Name)) == 0 {
					t.Errorf("ProblemsOf(%s, %s) knows nothing", want.Kind, want.Name)
				}
			}
		})
	}
}

func TestProblemsOfIsOfOneObject(t *testing.T) {
	o := world()
	o.zone("fr-par-1").Provider, o.zone("bleu-1").Provider = "a", "b"
	c := Compile(o)
	if got := c.ProblemsOf(KindZone, "fr-par-1"); len(got) != 1 || got[0].Name != "fr-par-1" {
		t.Errorf("got %v", got)
	}
	if got := c.ProblemsOf(KindZone, "par-1"); len(got) != 0 {
		t.Errorf("got %v of a sound zone", got)
	}
}

func TestTerritories(t *testing.T) {
	if got := len(unions["EU"]); got != 27 {
		t.Errorf("the Union has %d members", got)
	}
	if got := len(unions["EEA"]); got != 30 {
		t.Errorf("the Economic Area has %d members", got)
	}
	f := &file{}
	for _, members := range unions {
		for _, member := range members {
			checkCountry(f, "spec.countries", member)
		}
	}
	if len(countryCodes) != 249 || len(f.problems) > 0 {
		t.Errorf("%d countries; %v", len(countryCodes), f.problems)
	}
	for _, outside := range []string{"GB", "CH", "US", "EU", ""} {
		if compileTerritories(f, "x", []v1alpha1.Territory{"EEA"}).contains(outside) {
			t.Errorf("%s is in the Economic Area", outside)
		}
	}
}

func TestClipKeepsCharactersWhole(t *testing.T) {
	for i := range 4 {
		got := clip(strings.Repeat("a", i) + strings.Repeat("é", longest))
		if len(got) > longest || strings.ToValidUTF8(got, "") != got || !strings.HasSuffix(got, "é…") {
			t.Errorf("got %d bytes ending in %q", len(got), got[len(got)-8:])
		}
	}
}
