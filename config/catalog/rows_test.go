package catalog_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// TestRows has one test for every row of the table of systems in the design's notes on providers, in its order. The rows of systems are
// named by the system and what must work for it. Nodes are derived from documentation, not captured from clusters; where a row
// needs a granted certificate to show a difference, that is one of the fictitious ones of the demo.
//
// Demands on keys come with the keys issue. Until then the rows about them hold that the catalogue records the facts.
func TestRows(t *testing.T) {
	for _, row := range []struct {
		sentence string
		test     func(*testing.T)
	}{
		{"Outscale IaaS: two-signal recognition, its AWS twin refused, LUKS class, HSM demand fails with reason", outscaleIaaS},
		{"Outscale OKS: own CaaS offer on the IaaS; fails until evidenced; three-site spread", outscaleOKS},
		{"Outscale QaaS, Mistral LLMaaS / Le Chat / La Plateforme there: offers hostedOn; hosted is not qualified", outscaleHosted},
		{"Cloud Temple IaaS (VMware, open source), bare metal, OpenShift PaaS: declared recognition, sites", cloudTemple},
		{"Cloud Temple managed Kubernetes: Underlying; CaaS demand fails", cloudTempleKubernetes},
		{"Cloud Temple HSM, LLMaaS, watsonx.ai (IBM): custody = provider; subcontractor IBM, exposure Undetermined", cloudTempleServices},
		{"OVHcloud: offers apart; nova = one site; -luks by catalogue", ovhcloud},
		{"Worldline: provider entry, zones declared by the user", worldline},
		{"Oodrive, Whaller: SaaS offers", saas},
		{"Orange Cloud Avenue, SFR Business, Free Pro: recognised, not satisfied", announced},
		{"Scaleway: not satisfied; Kosmos nodes isolated", scaleway},
		{"NumSpot: user's declaration, Underlying", numspot},
		{"Bleu: not satisfied; fault-domain zones refused", bleu},
		{"S3NS: scope; HSM fails with reason", s3ns},
		{"Delos Cloud: jurisdiction DE", delos},
		{"AWS European Sovereign Cloud: refused by exposure", awsESC},
		{"AWS, Microsoft Azure and 365, Google Cloud: recognised and refused", hyperscalers},
		{"Schwarz Digits / STACKIT: country by region; KMS parameters", stackit},
		{"Wire, Jamespot / CollabNext: SaaS offers, not satisfied", wireAndJamespot},
		{"Thales, Orange, Capgemini, SAP, Dassault, Docaposte, Bouygues, Banque des Territoires, Iliad: parent and ownership records", owners},
		{"SecNumCloud, C5, ENS, EUCS, Gaia-X: frameworks with their own clocks", frameworks},
		{"CLOUD Act, FISA, Patriot Act: open list of law ids; Undetermined fails", laws},
	} {
		t.Run(row.sentence, row.test)
	}
}

func outscaleIaaS(t *testing.T) {
	o := world(t, "outscale-eu-west-2")
	o.Zones = append(o.Zones, ground("gouv", "FR", "outscale", "iaas", "cloudgouv-eu-west-1"))
	v := at(t, o, now)
	node := derived(zone(t, o, "outscale-eu-west-2a"))
	recognised(t, v, node, "outscale-eu-west-2a")
	twin := node
	twin.CSIDrivers = []string{"ebs.csi.aws.com"}
	refused(t, v, twin, trust.Unknown, trust.NoZoneMatches, "ebs.csi.aws.com", "aws")

	judged(t, v, "outscale-eu-west-2a", "secnumcloud-qualified", trust.QualificationNotGranted, "outscale/iaas", "announced", "not granted")
	judged(t, at(t, onceGranted(o), now), "outscale-eu-west-2a", "secnumcloud-qualified", trust.ServiceNotInScope, "outscale/iaas", "cloudgouv-eu-west-1", "not in eu-west-2")
	judged(t, v, "gouv", "secnumcloud-qualified", trust.QualificationNotGranted, "outscale/iaas", "announced", "not granted")
	counted(t, v, "outscale-iaas-secnumcloud-3.2", trust.QualificationNotGranted, "announced")

	granted := demoWorld(t)
	granted.Zones = append(granted.Zones, ground("gouv", "FR", "outscale", "iaas", "cloudgouv-eu-west-1"))
	judged(t, at(t, granted, now), "gouv", "secnumcloud", trust.Satisfied, "fictitious-outscale-iaas")

	noted(t, "providers/outscale.yaml", "LUKS", "passphrase", "HSM has nothing to rest on")
}

func outscaleOKS(t *testing.T) {
	const here = "outscale-cloudgouv-eu-west-1"
	o := world(t, here)
	offered(t, o, "outscale", "oks", v1alpha1.CaaS, "outscale/iaas")
	v := at(t, o, now)
	sites := map[string]bool{}
	for _, name := range []string{"cloudgouv-eu-west-1a", "cloudgouv-eu-west-1b", "cloudgouv-eu-west-1c"} {
		sites[recognised(t, v, derived(zone(t, o, name)), name).Site] = true
	}
	if len(sites) != 3 {
		t.Errorf("three subregions are %d sites", len(sites))
	}
	judged(t, v, "cloudgouv-eu-west-1a", "secnumcloud-qualified", trust.NotQualified, "outscale/oks has no qualification")
	judged(t, v, "cloudgouv-eu-west-1a", "secnumcloud-underlying", trust.QualificationNotGranted, "outscale/iaas")

	granted := demoWorld(t, here)
	judged(t, at(t, granted, now), "cloudgouv-eu-west-1a", "secnumcloud", trust.Satisfied, "fictitious-outscale-oks")
	hosted := at(t, without(granted, "fictitious-outscale-oks"), now)
	judged(t, hosted, "cloudgouv-eu-west-1a", "secnumcloud", trust.OnlyUnderlyingQualified, "outscale/oks is hosted on outscale/iaas")
	judged(t, hosted, "cloudgouv-eu-west-1a", "secnumcloud-underlying", trust.Satisfied, "fictitious-outscale-iaas")
}

// outscaleHosted: in which region these are hosted was not read. So even where the IaaS is granted in one, hosted is not enough.
func outscaleHosted(t *testing.T) {
	o := demoWorld(t)
	offered(t, o, "outscale", "qaas", v1alpha1.PaaS, "outscale/iaas")
	offered(t, o, "outscale", "llmaas", v1alpha1.SaaS, "outscale/iaas")
	offered(t, o, "mistral", "le-chat", v1alpha1.SaaS, "outscale/iaas")
	offered(t, o, "mistral", "la-plateforme", v1alpha1.PaaS, "outscale/iaas")
	o.Zones = append(o.Zones,
		ground("qaas", "FR", "outscale", "qaas", ""), ground("llmaas", "FR", "outscale", "llmaas", ""),
		ground("le-chat", "FR", "mistral", "le-chat", ""), ground("la-plateforme", "FR", "mistral", "la-plateforme", ""))
	v := at(t, o, now)
	for _, name := range []string{"qaas", "llmaas", "le-chat", "la-plateforme"} {
		judged(t, v, name, "secnumcloud-qualified", trust.NotQualified, name+" has no qualification")
		judged(t, v, name, "secnumcloud-underlying", trust.ServiceNotInScope, "outscale/iaas", "in which regions it is used here is not known")
	}
}

func cloudTemple(t *testing.T) {
	o := world(t, "cloud-temple-fr1")
	v := at(t, o, now)
	for name, site := range map[string]string{"cloud-temple-par7s": "PAR7S", "cloud-temple-th3s": "TH3S", "cloud-temple-data4": "DATA4"} {
		declared := derived(zone(t, o, name))
		for _, providerID := range []string{"", "vsphere://4237", "xenorchestra://pool/vm"} {
			declared.ProviderID = providerID
			if a := recognised(t, v, declared, name); a.Site != site {
				t.Errorf("zone %s is at site %q", name, a.Site)
			}
		}
	}
	refused(t, v, trust.NodeFacts{Name: "undeclared", ProviderID: "vsphere://4237"}, trust.Unknown, trust.NoZoneMatches)

	offered(t, o, "cloud-temple", "openshift", v1alpha1.PaaS)
	for _, offer := range []v1alpha1.Term{"iaas-vmware", "iaas-opensource", "bare-metal", "openshift"} {
		offered(t, o, "cloud-temple", string(offer), map[bool]v1alpha1.ServiceModel{true: v1alpha1.PaaS, false: v1alpha1.IaaS}[offer == "openshift"])
		o.Zones = append(o.Zones, ground("ct-"+string(offer), "FR", "cloud-temple", offer, "FR1"))
	}
	v = at(t, o, now)
	for _, name := range []string{"ct-iaas-vmware", "ct-iaas-opensource", "ct-bare-metal"} {
		judged(t, v, name, "secnumcloud-qualified", trust.QualificationNotGranted, "announced")
	}
	judged(t, v, "ct-openshift", "secnumcloud-qualified", trust.QualificationNotGranted, "cloud-temple/openshift")
	judged(t, at(t, onceGranted(o), now), "ct-openshift", "secnumcloud-qualified", trust.WrongServiceModel, "PaaS", "IaaS")
	judged(t, v, "ct-openshift", "secnumcloud-underlying", trust.QualificationNotGranted, "cloud-temple/openshift")

	granted := demoWorld(t)
	granted.Zones = append(granted.Zones, ground("ct", "FR", "cloud-temple", "iaas-vmware", "FR1"))
	judged(t, at(t, granted, now), "ct", "secnumcloud", trust.Satisfied, "fictitious-cloud-temple-iaas-vmware")
}

func cloudTempleKubernetes(t *testing.T) {
	const here, name = "cloud-temple-fr1", "cloud-temple-par7s"
	o := world(t, here)
	offered(t, o, "cloud-temple", "managed-kubernetes", v1alpha1.CaaS, "cloud-temple/iaas-vmware", "cloud-temple/iaas-opensource")
	judged(t, at(t, o, now), name, "secnumcloud-qualified", trust.NotQualified, "cloud-temple/managed-kubernetes")
	judged(t, at(t, o, now), name, "secnumcloud-underlying", trust.QualificationNotGranted, "cloud-temple/iaas-vmware")

	granted := demoWorld(t, here)
	v := at(t, granted, now)
	judged(t, v, name, "secnumcloud-qualified", trust.OnlyUnderlyingQualified, "managed-kubernetes itself is required to be")
	rests := judged(t, v, name, "secnumcloud-underlying", trust.Satisfied)
	if want := []string{"fictitious-cloud-temple-iaas-opensource", "fictitious-cloud-temple-iaas-vmware"}; !slices.Equal(rests.By, want) {
		t.Errorf("it rests on %v, want %v", rests.By, want)
	}
	half := at(t, without(granted, "fictitious-cloud-temple-iaas-opensource"), now)
	judged(t, half, name, "secnumcloud-underlying", trust.QualificationNotGranted, "cloud-temple/iaas-opensource")
}

func cloudTempleServices(t *testing.T) {
	o := world(t)
	offered(t, o, "cloud-temple", "hsm", v1alpha1.PaaS)
	offered(t, o, "cloud-temple", "llmaas", v1alpha1.SaaS, "cloud-temple/iaas-vmware")
	watsonx := offered(t, o, "cloud-temple", "watsonx", v1alpha1.PaaS, "cloud-temple/iaas-vmware")
	if len(watsonx.Subcontractors) != 1 || watsonx.Subcontractors[0].Name != "IBM" || watsonx.Subcontractors[0].Country != "US" {
		t.Errorf("the subcontractors of watsonx are %+v", watsonx.Subcontractors)
	}
	zones := []v1alpha1.Zone{ground("watsonx", "FR", "cloud-temple", "watsonx", "FR1"), ground("llmaas", "FR", "cloud-temple", "llmaas", "FR1"), ground("hsm", "FR", "cloud-temple", "hsm", "FR1")}
	o.Zones = zones
	v := at(t, o, now)
	judged(t, v, "watsonx", "in-france", trust.CountryNotAllowed, "IBM, subcontractor of cloud-temple/watsonx", "US")
	judged(t, v, "watsonx", "not-us-exposed", trust.ExposureUndetermined, "US-CLOUD-Act")
	judged(t, v, "hsm", "secnumcloud-qualified", trust.NotQualified, "cloud-temple/hsm")
	judged(t, v, "llmaas", "secnumcloud-qualified", trust.NotQualified, "cloud-temple/llmaas")

	// In the demo an opinion frees Cloud Temple, and IBM's part is what remains.
	free := demoWorld(t)
	free.Zones = zones
	v = at(t, free, now)
	judged(t, v, "llmaas", "not-us-exposed", trust.Satisfied)
	judged(t, v, "watsonx", "not-us-exposed", trust.ExposureUndetermined, "IBM")

	noted(t, "providers/cloud-temple.yaml", "Luna S790", "FIPS 140-3", "custody Provider")
}

func ovhcloud(t *testing.T) {
	o := world(t, "ovhcloud-gra11", "ovhcloud-eu-west-par", "ovhcloud-bare-metal-pod")
	offered(t, o, "ovhcloud", "managed-dedicated-cloud", v1alpha1.IaaS)
	offered(t, o, "ovhcloud", "bare-metal-pod", v1alpha1.IaaS)
	offered(t, o, "ovhcloud", "mks", v1alpha1.CaaS, "ovhcloud/public-cloud")
	o.Zones = append(o.Zones, ground("vmware", "FR", "ovhcloud", "managed-dedicated-cloud", "RBX"))
	v := at(t, o, now)
	judged(t, v, "vmware", "secnumcloud-qualified", trust.QualificationNotGranted, "ovhcloud/managed-dedicated-cloud")
	judged(t, v, "ovhcloud-bare-metal-pod-1", "secnumcloud-qualified", trust.QualificationNotGranted, "ovhcloud/bare-metal-pod")
	judged(t, at(t, onceGranted(o), now), "ovhcloud-bare-metal-pod-1", "secnumcloud-qualified", trust.ServiceNotInScope, "not in your-pod-region")
	judged(t, v, "ovhcloud-gra11", "secnumcloud-qualified", trust.NotQualified, "ovhcloud/mks")
	judged(t, v, "ovhcloud-gra11", "secnumcloud-underlying", trust.NotQualified, "ovhcloud/")

	granted := at(t, demoWorld(t, "ovhcloud-gra11", "ovhcloud-bare-metal-pod"), now)
	judged(t, granted, "ovhcloud-bare-metal-pod-1", "secnumcloud", trust.Satisfied, "fictitious-ovhcloud-bare-metal-pod")
	judged(t, granted, "ovhcloud-gra11", "secnumcloud-qualified", trust.NotQualified, "ovhcloud/mks")

	for _, providerID := range []string{"openstack:///3f0a", "openstack://GRA11/3f0a"} {
		node := derived(zone(t, o, "ovhcloud-gra11"))
		node.ProviderID = providerID
		if a := recognised(t, v, node, "ovhcloud-gra11"); a.Site != "gra11" {
			t.Errorf("a node of nova is at site %q", a.Site)
		}
	}
	noted(t, "providers/ovhcloud.yaml", "-luks")
}

func worldline(t *testing.T) {
	o := world(t, "worldline-declared")
	offered(t, o, "worldline", "secured-iaas", v1alpha1.IaaS)
	v := at(t, o, now)
	recognised(t, v, derived(zone(t, o, "worldline-1")), "worldline-1")
	refused(t, v, trust.NodeFacts{Name: "undeclared"}, trust.Unknown, trust.NoZoneMatches)
	judged(t, v, "worldline-1", "in-france", trust.Satisfied)
	judged(t, v, "worldline-1", "secnumcloud-qualified", trust.QualificationNotGranted, "worldline/secured-iaas", "scope and dates not confirmed")
	judged(t, at(t, onceGranted(o), now), "worldline-1", "secnumcloud-qualified", trust.ServiceNotInScope, "worldline/secured-iaas", "not-confirmed")
	counted(t, v, "worldline-secured-iaas-secnumcloud-3.2", trust.QualificationNotGranted, "scope and dates not confirmed")
}

func saas(t *testing.T) {
	o := world(t)
	offered(t, o, "oodrive", "suite", v1alpha1.SaaS)
	offered(t, o, "whaller", "donjon", v1alpha1.SaaS, "ovhcloud/managed-dedicated-cloud")
	o.Zones = append(o.Zones, ground("suite", "FR", "oodrive", "suite", "not-confirmed"), ground("donjon", "FR", "whaller", "donjon", "not-confirmed"))
	v := at(t, o, now)
	for _, name := range []string{"suite", "donjon"} {
		judged(t, v, name, "secnumcloud-qualified", trust.QualificationNotGranted, name, "dates not confirmed")
		judged(t, at(t, onceGranted(o), now), name, "secnumcloud-qualified", trust.WrongServiceModel, "as SaaS", "IaaS", "CaaS")
		judged(t, v, name, "secnumcloud-underlying", trust.QualificationNotGranted, name, "dates not confirmed")
	}
	counted(t, v, "oodrive-suite-secnumcloud-3.2", trust.QualificationNotGranted)
	counted(t, v, "whaller-donjon-secnumcloud-3.2", trust.QualificationNotGranted)
}

func announced(t *testing.T) {
	for _, of := range []struct{ zones, zone, qualification string }{
		{"orange-cloud-avenue", "orange-cloud-avenue-1", "orange-cloud-avenue-secnumcloud-3.2"},
		{"sfr-business-declared", "sfr-business-1", "sfr-business-cloud-secnumcloud-3.2"},
		{"free-pro-declared", "free-pro-1", "free-pro-cloud-secnumcloud-3.2"},
	} {
		o := world(t, of.zones)
		v := at(t, o, now)
		recognised(t, v, derived(zone(t, o, of.zone)), of.zone)
		judged(t, v, of.zone, "in-france", trust.Satisfied)
		judged(t, v, of.zone, "secnumcloud-qualified", trust.QualificationNotGranted, "announced", "not granted")
		counted(t, v, of.qualification, trust.QualificationNotGranted, "announced", "not granted")

		// A grant alone would not do: nobody has said where.
		judged(t, at(t, onceGranted(o), now), of.zone, "secnumcloud-qualified", trust.ServiceNotInScope, "not-confirmed")
	}
}

func scaleway(t *testing.T) {
	o := world(t, "scaleway-fr-par")
	o.Zones = append(o.Zones, ground("instances", "FR", "scaleway", "instances", "fr-par"))
	v := at(t, o, now)
	recognised(t, v, derived(zone(t, o, "scaleway-fr-par-1")), "scaleway-fr-par-1")
	judged(t, v, "instances", "secnumcloud-qualified", trust.QualificationNotGranted, "scaleway/instances is in evaluation", "J0")
	judged(t, v, "scaleway-fr-par-1", "secnumcloud-qualified", trust.NotQualified, "scaleway/kapsule")
	judged(t, v, "scaleway-fr-par-1", "secnumcloud-underlying", trust.QualificationNotGranted, "scaleway/instances")

	foreign := derived(zone(t, o, "scaleway-fr-par-1")) // a machine somewhere else, in a Kosmos cluster
	foreign.CSIDrivers, foreign.SystemUUID = nil, "4c4c4544-0000-0000-0000-000000000000"
	refused(t, v, foreign, trust.Unknown, trust.NoZoneMatches, "csi.scaleway.com is not registered")
}

func numspot(t *testing.T) {
	const here, name = "numspot-cloudgouv-eu-west-1", "numspot-cloudgouv-eu-west-1a"
	o := world(t, here)
	offered(t, o, "numspot", "iaas", v1alpha1.IaaS, "outscale/iaas")
	offered(t, o, "numspot", "kubernetes", v1alpha1.CaaS, "numspot/iaas")
	v := at(t, o, now)
	recognised(t, v, derived(zone(t, o, name)), name)
	judged(t, v, name, "secnumcloud-qualified", trust.NotQualified, "numspot/kubernetes")
	judged(t, v, name, "secnumcloud-underlying", trust.QualificationNotGranted, "has applied", "J0")

	v = at(t, demoWorld(t, here), now)
	judged(t, v, name, "secnumcloud-qualified", trust.OnlyUnderlyingQualified, "outscale/iaas", "numspot/kubernetes itself")
	judged(t, v, name, "secnumcloud-underlying", trust.Satisfied, "fictitious-outscale-iaas")
}

func bleu(t *testing.T) {
	offered(t, catalogue(t), "bleu", "microsoft-365", v1alpha1.SaaS)
	for _, directory := range []string{"bleu-bleufrancecentral", "bleu-bleufrancesouth"} {
		o, name := world(t, directory), directory+"-1"
		v := at(t, o, now)
		node := derived(zone(t, o, name))
		recognised(t, v, node, name)
		judged(t, v, name, "secnumcloud-qualified", trust.QualificationNotGranted, "bleu/aks has applied", "J0")
		judged(t, v, name, "not-us-exposed", trust.ExposureUndetermined, "bleu")
		node.Labels["topology.kubernetes.io/zone"] = "0"
		refused(t, v, node, trust.Unknown, trust.NoZoneMatches, "topology.kubernetes.io/zone is 0")
	}
}

func s3ns(t *testing.T) {
	const name = "s3ns-u-france-east1-a"
	o := world(t, "s3ns-u-france-east1")
	offered(t, o, "s3ns", "premi3ns", v1alpha1.CaaS)
	offered(t, o, "s3ns", "crypt3ns", v1alpha1.IaaS, "google-cloud/compute")
	o.Zones = append(o.Zones, ground("crypt3ns", "FR", "s3ns", "crypt3ns", "u-france-east1"), ground("elsewhere", "FR", "s3ns", "premi3ns", "u-france-west1"))
	v := at(t, o, now)
	node := derived(zone(t, o, name))
	node.ProviderID = "gce://s3ns:project/u-france-east1-a/vm"
	recognised(t, v, node, name)

	counted(t, v, "s3ns-premi3ns-secnumcloud-3.2", trust.InForce, "it counts until 2028-12-17")
	end := time.Date(2028, time.December, 17, 0, 0, 0, 0, time.UTC)
	granted := judged(t, v, name, "secnumcloud-underlying", trust.Satisfied, "s3ns-premi3ns-secnumcloud-3.2", "2028-12-17")
	if !granted.Until.Equal(end) || !slices.Equal(granted.By, []string{"s3ns-premi3ns-secnumcloud-3.2"}) {
		t.Errorf("it holds until %s by %v", granted.Until, granted.By)
	}
	judged(t, at(t, o, end.Add(-time.Second)), name, "secnumcloud-underlying", trust.Satisfied)
	judged(t, at(t, o, end), name, "secnumcloud-underlying", trust.QualificationExpired, "2028-12-17")
	judged(t, v, name, "secnumcloud-qualified", trust.Satisfied)
	judged(t, at(t, o, time.Date(2027, time.January, 5, 0, 0, 0, 0, time.UTC)), name, "secnumcloud-qualified", trust.EvidenceStale, "last verified at 2026-01-05")

	judged(t, v, "crypt3ns", "secnumcloud-qualified", trust.NotQualified, "s3ns/crypt3ns")
	judged(t, v, "crypt3ns", "not-us-exposed", trust.Exposed, "google-cloud")
	judged(t, v, "elsewhere", "secnumcloud-qualified", trust.ServiceNotInScope, "not in u-france-west1")
	noted(t, "providers/s3ns.yaml", "no HSM protection level", "a demand for an HSM fails")
}

func delos(t *testing.T) {
	o := world(t, "delos-deloscloudgermanycentral", "delos-deloscloudgermanynorth")
	o.TrustLevels = append(o.TrustLevels, german(t))
	v := at(t, o, now)
	for _, name := range []string{"delos-deloscloudgermanycentral-1", "delos-deloscloudgermanynorth-1"} {
		recognised(t, v, derived(zone(t, o, name)), name)
		judged(t, v, name, "german", trust.Satisfied)
		judged(t, v, name, "in-france", trust.CountryNotAllowed, "it stands in DE")
		judged(t, v, name, "secnumcloud-qualified", trust.CountryNotAllowed)
		judged(t, v, name, "not-us-exposed", trust.ExposureUndetermined, "delos")
		judged(t, v, name, "c5-type-2", trust.NotQualified, "delos/aks")
	}
}

// german asks for the country and the seat.
func german(t *testing.T) v1alpha1.TrustLevel {
	t.Helper()
	return decode[v1alpha1.TrustLevel](t, document{"german", []byte(`{metadata: {name: german}, spec: {countries: [DE], seatIn: [DE]}}`)})
}

func awsESC(t *testing.T) {
	o := world(t, "aws-esc-eusc-de-east-1")
	v := at(t, o, now)
	recognised(t, v, derived(zone(t, o, "eusc-de-east-1a")), "eusc-de-east-1a")
	judged(t, v, "eusc-de-east-1a", "in-eu", trust.Satisfied)
	judged(t, v, "eusc-de-east-1a", "not-us-exposed", trust.Exposed, "aws-esc can be compelled under US-CLOUD-Act")
	judged(t, v, "eusc-de-east-1a", "eu-provider", trust.SeatNotAllowed, "Amazon.com, Inc.", "US")
	judged(t, v, "eusc-de-east-1a", "secnumcloud", trust.NotQualified)
}

func hyperscalers(t *testing.T) {
	for _, of := range []struct {
		zones, zone, provider string
		inEU                  trust.Reason
	}{
		{"aws-eu-west-2", "aws-eu-west-2a", "aws", trust.CountryNotAllowed},
		{"azure-francecentral", "azure-francecentral-1", "azure", trust.Satisfied},
		{"google-cloud-europe-west9", "google-cloud-europe-west9-a", "google-cloud", trust.Satisfied},
	} {
		o := world(t, of.zones)
		v := at(t, o, now)
		recognised(t, v, derived(zone(t, o, of.zone)), of.zone)
		judged(t, v, of.zone, "in-eu", of.inEU)
		judged(t, v, of.zone, "not-us-exposed", trust.Exposed, of.provider, "US-CLOUD-Act")
		judged(t, v, of.zone, "secnumcloud-underlying", map[bool]trust.Reason{true: trust.NotQualified, false: trust.CountryNotAllowed}[of.inEU == trust.Satisfied])
	}
	o := world(t)
	offered(t, o, "azure", "microsoft-365", v1alpha1.SaaS)
	o.Zones = append(o.Zones, ground("m365", "FR", "azure", "microsoft-365", "francecentral"))
	v := at(t, o, now)
	judged(t, v, "m365", "not-us-exposed", trust.Exposed, "azure")
	judged(t, v, "m365", "eu-provider", trust.SeatNotAllowed, "azure")
}

func stackit(t *testing.T) {
	o := world(t, "stackit-eu01", "stackit-eu02")
	o.TrustLevels = append(o.TrustLevels, german(t))
	v := at(t, o, now)
	for _, name := range []string{"stackit-eu01-1", "stackit-eu02-1"} {
		z := zone(t, o, name)
		node := derived(z)
		recognised(t, v, node, name)
		node.ProviderID = "openstack://" + string(z.Spec.Region) + "/3f0a"
		recognised(t, v, node, name)
	}
	judged(t, v, "stackit-eu01-1", "german", trust.Satisfied)
	judged(t, v, "stackit-eu02-1", "german", trust.CountryNotAllowed, "it stands in AT, not in DE")
	judged(t, v, "stackit-eu02-1", "eu-provider", trust.Satisfied)
	judged(t, v, "stackit-eu01-1", "c5-type-2", trust.NotQualified, "stackit/ske")

	fictitious := at(t, demoWorld(t, "stackit-eu01", "stackit-eu02"), now)
	judged(t, fictitious, "stackit-eu01-1", "c5-type-2", trust.Satisfied, "fictitious-stackit-ske-c5")
	judged(t, fictitious, "stackit-eu02-1", "c5-type-2", trust.ServiceNotInScope, "not in eu02")
	noted(t, "providers/stackit.yaml", "kmsKeyID", "kmsKeyringID", "kmsKeyVersion")
}

func wireAndJamespot(t *testing.T) {
	o := demoWorld(t)
	offered(t, o, "wire", "cloud", v1alpha1.SaaS)
	offered(t, o, "wire", "wire-on-stackit", v1alpha1.SaaS, "stackit/compute")
	offered(t, o, "jamespot", "collabnext", v1alpha1.SaaS, "outscale/iaas")
	o.Zones = append(o.Zones, ground("wire", "DE", "wire", "wire-on-stackit", ""), ground("collabnext", "FR", "jamespot", "collabnext", "not-confirmed"))
	v := at(t, o, now)
	judged(t, v, "wire", "c5-type-2", trust.NotQualified, "wire/wire-on-stackit")
	judged(t, v, "wire", "eu-provider", trust.SeatNotAllowed, "CH")
	judged(t, v, "collabnext", "secnumcloud-qualified", trust.QualificationNotGranted, "jamespot/collabnext is announced")
	judged(t, at(t, onceGranted(o), now), "collabnext", "secnumcloud-qualified", trust.WrongServiceModel, "SaaS")
	judged(t, v, "collabnext", "secnumcloud-underlying", trust.QualificationNotGranted, "jamespot/collabnext is announced")
}

func owners(t *testing.T) {
	behind := map[string][]string{}
	for _, p := range catalogue(t).Providers {
		if p.Spec.Parent != nil {
			behind[p.Name] = append(behind[p.Name], p.Spec.Parent.Name)
		}
		for _, owner := range p.Spec.Owners {
			behind[p.Name] = append(behind[p.Name], owner.Name)
		}
	}
	for owner, owned := range map[string][]string{
		"Thales SA": {"s3ns"}, "Orange SA": {"bleu", "orange"}, "Capgemini SE": {"bleu"}, "SAP SE": {"delos"},
		"Dassault Systèmes SE": {"outscale", "numspot"}, "Docaposte": {"numspot"}, "Bouygues Telecom": {"numspot"},
		"Banque des Territoires (Caisse des Dépôts)": {"numspot"}, "iliad SA": {"scaleway", "free-pro"},
	} {
		for _, name := range owned {
			if !slices.Contains(behind[name], owner) {
				t.Errorf("%s is not recorded behind %s: %v", owner, name, behind[name])
			}
		}
	}
}

// frameworks: each counts by its own lifecycle, levels, versions and periods, and none for another.
func frameworks(t *testing.T) {
	o := world(t, "stackit-eu01")
	for _, of := range []string{"secnumcloud-3.2 qualified", "c5-2020 type-2", "c5-2026 type-1", "ens alta", "eucs high", "gaia-x-24.11 label-level-3", "cada level-4"} {
		o.TrustLevels = append(o.TrustLevels, asking(t, of))
	}
	for _, of := range []string{"eucs high", "cada level-4", "ens alta"} {
		o.Qualifications = append(o.Qualifications, granting(t, of))
	}
	v := at(t, o, now)
	const name = "stackit-eu01-1"
	judged(t, v, name, "eucs-high", trust.FrameworkNotInForce, "eucs is a draft")
	judged(t, v, name, "cada-level-4", trust.FrameworkNotInForce, "cada is only proposed")
	judged(t, v, name, "ens-alta", trust.Satisfied)
	for _, level := range []string{"secnumcloud-3-2-qualified", "c5-2020-type-2", "c5-2026-type-1", "gaia-x-24-11-label-level-3"} {
		judged(t, v, name, level, trust.NotQualified)
	}

	higher := demoWorld(t, "stackit-eu01")
	higher.TrustLevels = append(higher.TrustLevels, asking(t, "ens alta"), asking(t, "ens basica"), asking(t, "c5-2020 type-1"), asking(t, "c5-2026 type-2"))
	higher.Qualifications = append(higher.Qualifications, granting(t, "ens media"))
	v = at(t, higher, now)
	judged(t, v, name, "ens-basica", trust.Satisfied, "fictitious-ens-media")
	judged(t, v, name, "ens-alta", trust.WrongLevel, "has ens media, not alta")
	judged(t, v, name, "c5-2020-type-1", trust.WrongLevel, "type-2, not type-1")
	judged(t, v, name, "c5-2026-type-2", trust.NotQualified, "c5-2026")

	// The period of the fictitious report ended on 2026-07-01, and a report may be a year old.
	year := time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC).Add(8760 * time.Hour)
	judged(t, at(t, higher, year.Add(-time.Second)), name, "c5-type-2", trust.Satisfied)
	judged(t, at(t, higher, year), name, "c5-type-2", trust.PeriodTooOld, "2026-07-01")
}

func laws(t *testing.T) {
	o := world(t, "aws-esc-eusc-de-east-1", "s3ns-u-france-east1", "outscale-eu-west-2")
	o.TrustLevels = append(o.TrustLevels, decode[v1alpha1.TrustLevel](t, document{"law", []byte(`{metadata: {name: no-new-law}, spec: {notExposedTo: [ZZ-Law-Of-Tomorrow]}}`)}))
	for _, law := range []string{"US-CLOUD-Act", "US-FISA-702", "US-PATRIOT-Act"} {
		o.TrustLevels = append(o.TrustLevels, decode[v1alpha1.TrustLevel](t, document{law, []byte(`{metadata: {name: ` + avoiding(law) + `}, spec: {notExposedTo: [` + law + `]}}`)}))
	}
	v := at(t, o, now)
	for _, law := range []string{"US-CLOUD-Act", "US-FISA-702", "US-PATRIOT-Act"} {
		judged(t, v, "eusc-de-east-1a", avoiding(law), trust.Exposed, "aws-esc", law)
		judged(t, v, "s3ns-u-france-east1-a", avoiding(law), trust.ExposureUndetermined, "s3ns", law, "NotExposed with its basis")
		judged(t, v, "outscale-eu-west-2a", avoiding(law), trust.ExposureUndetermined, "outscale", law)
	}
	for _, name := range []string{"eusc-de-east-1a", "s3ns-u-france-east1-a", "outscale-eu-west-2a"} {
		judged(t, v, name, "no-new-law", trust.ExposureUndetermined, "ZZ-Law-Of-Tomorrow")
	}
}

// avoiding names the level that asks for one law.
func avoiding(law string) string { return "not-" + strings.ToLower(law) }
