package catalog_test

import (
	"maps"
	"testing"

	"github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// TestTraps has one test for every trap in the design's notes on providers. Nodes are derived from documentation, not captured
// from clusters. Of traps 6, 9 and 10 the part about keys comes with the keys issue; here the catalogue must record the facts.
func TestTraps(t *testing.T) {
	for _, trap := range []struct {
		sentence string
		test     func(*testing.T)
	}{
		{"1 Outscale Paris and AWS London are indistinguishable without a second signal: Ambiguous", twins},
		{"2 NumSpot and Outscale share zone strings: the user's Zone objects decide", sharedStrings},
		{"3 Kosmos: the control plane's provider is not the machine's place", kosmos},
		{"4 a zone may not be one: nova, a fault-domain number, a pool UUID", noZones},
		{"5 Kubernetes offered on qualified IaaS is not qualified CaaS", kubernetesOnQualified},
		{"6 S3NS: granted for PREMI3NS, not for its other offer", onlyPREMI3NS},
		{"7 AWS ESC: refused by exposure, not by place", exposureNotPlace},
		{"8 Cloud Temple's OpenShift lets customers install no CRDs or ClusterRoles", noCRDs},
		{"9 Cloud Temple's HSM is run by the provider", providersHSM},
		{"10 Outscale refuses kmsKeyId", noKMSKey},
	} {
		t.Run(trap.sentence, trap.test)
	}
}

func twins(t *testing.T) {
	node := trust.NodeFacts{Name: "n", ProviderID: "aws:///eu-west-2a/i-0a1b", Labels: map[string]string{
		"topology.kubernetes.io/region": "eu-west-2", "topology.kubernetes.io/zone": "eu-west-2a",
	}}
	outscale, aws, labelled := node, node, node
	outscale.CSIDrivers, aws.CSIDrivers = []string{"bsu.csi.outscale.com"}, []string{"ebs.csi.aws.com"}
	labelled.Labels = maps.Clone(node.Labels)
	labelled.Labels["topology.outscale.com/net"] = "vpc-1"

	// A cluster in one of the two places that asks for no CSI driver, as users write zones.
	for _, of := range []struct {
		directory, zone, alike, other string
		own, twin                     trust.NodeFacts
	}{
		{"outscale-eu-west-2", "outscale-eu-west-2a", "aws", "aws", outscale, aws},
		{"aws-eu-west-2", "aws-eu-west-2a", "numspot", "outscale", aws, outscale}, // NumSpot runs on Outscale and comes first by name
	} {
		o := world(t, of.directory)
		for i := range o.Zones {
			o.Zones[i].Spec.Recognition.CSIDrivers = nil
		}
		v := at(t, o, now)
		refused(t, v, node, trust.Ambiguous, trust.LooksLikeAnother, "nodes of "+of.alike+" look the same", of.own.CSIDrivers[0])
		recognised(t, v, of.own, of.zone)
		refused(t, v, of.twin, trust.Ambiguous, trust.SignalContradicts, of.twin.CSIDrivers[0], "a sign of "+of.other)
		if of.other == "aws" {
			recognised(t, v, labelled, of.zone)
		} else {
			refused(t, v, labelled, trust.Ambiguous, trust.LooksLikeAnother, of.alike)
		}
	}

	// With the sample zones of both, the driver decides, and without it there is no zone.
	both := at(t, world(t, "outscale-eu-west-2", "aws-eu-west-2"), now)
	recognised(t, both, outscale, "outscale-eu-west-2a")
	recognised(t, both, aws, "aws-eu-west-2a")
	refused(t, both, node, trust.Unknown, trust.NoZoneMatches, "not registered")
	judged(t, both, "outscale-eu-west-2a", "in-eu", trust.Satisfied)
	judged(t, both, "aws-eu-west-2a", "in-eu", trust.CountryNotAllowed, "it stands in GB")
}

func sharedStrings(t *testing.T) {
	outscale := world(t, "outscale-cloudgouv-eu-west-1")
	node := derived(zone(t, outscale, "cloudgouv-eu-west-1a"))
	recognised(t, at(t, outscale, now), node, "cloudgouv-eu-west-1a")
	numspot := at(t, world(t, "numspot-cloudgouv-eu-west-1"), now)
	recognised(t, numspot, node, "numspot-cloudgouv-eu-west-1a")
	node.CSIDrivers = nil
	recognised(t, numspot, node, "numspot-cloudgouv-eu-west-1a")

	node.CSIDrivers = []string{"bsu.csi.outscale.com"}
	both := trust.Compile(world(t, "outscale-cloudgouv-eu-west-1", "numspot-cloudgouv-eu-west-1"))
	refused(t, both.At(now), node, trust.Ambiguous, trust.SeveralZonesMatch, "cloudgouv-eu-west-1a", "numspot-cloudgouv-eu-west-1a")
}

func kosmos(t *testing.T) {
	o := world(t, "scaleway-fr-par", "scaleway-kosmos")
	v := at(t, o, now)
	machine := derived(zone(t, o, "scaleway-fr-par-1")) // what Kosmos writes on a machine anywhere
	machine.CSIDrivers, machine.SystemUUID = nil, "4c4c4544-0000-0000-0000-000000000000"
	refused(t, v, machine, trust.Unknown, trust.NoZoneMatches, "csi.scaleway.com is not registered")

	// Declared by its system UUID, it stands where the user says, and not where the control plane does.
	machine.SystemUUID = derived(zone(t, o, "kosmos-elsewhere")).SystemUUID
	recognised(t, v, machine, "kosmos-elsewhere")
	judged(t, v, "kosmos-elsewhere", "in-eu", trust.CountryNotAllowed, "it stands in US")
	judged(t, v, "kosmos-elsewhere", "eu-provider", trust.CountryNotAllowed)

	// Should Scaleway's driver run on it as well, it might be in either.
	machine.CSIDrivers = []string{"csi.scaleway.com"}
	refused(t, v, machine, trust.Ambiguous, trust.SeveralZonesMatch, "kosmos-elsewhere", "scaleway-fr-par-1")
}

func noZones(t *testing.T) {
	ovh := world(t, "ovhcloud-gra11")
	v := at(t, ovh, now)
	node := derived(zone(t, ovh, "ovhcloud-gra11"))
	recognised(t, v, node, "ovhcloud-gra11")
	node.Labels["topology.kubernetes.io/region"] = "BHS5" // another one-zone region, in Canada, whose zone is nova too
	refused(t, v, node, trust.Unknown, trust.NoZoneMatches, "topology.kubernetes.io/region is BHS5")

	azure := world(t, "bleu-bleufrancecentral")
	fault := derived(zone(t, azure, "bleu-bleufrancecentral-1"))
	fault.Labels["topology.kubernetes.io/zone"] = "1"
	refused(t, at(t, azure, now), fault, trust.Unknown, trust.NoZoneMatches, "topology.kubernetes.io/zone is 1")

	temple := world(t, "cloud-temple-fr1")
	pool := trust.NodeFacts{Name: "pool", ProviderID: "xenorchestra://4f7e/1", Labels: map[string]string{"topology.kubernetes.io/zone": "0679cdb8-5b5f-4b2b-8b0e-000000000000"}}
	refused(t, at(t, temple, now), pool, trust.Unknown, trust.NoZoneMatches)
	pool.Labels["sites.example.com/declared"] = "cloud-temple-th3s"
	if a := recognised(t, at(t, temple, now), pool, "cloud-temple-th3s"); a.Site != "TH3S" {
		t.Errorf("the site is %q, and not the catalogue's", a.Site)
	}
}

func kubernetesOnQualified(t *testing.T) {
	o := without(demoWorld(t, "cloud-temple-fr1", "outscale-cloudgouv-eu-west-1"), "fictitious-outscale-oks")
	v := at(t, o, now)
	for name, offer := range map[string]string{"cloud-temple-par7s": "cloud-temple/managed-kubernetes", "cloudgouv-eu-west-1a": "outscale/oks"} {
		judged(t, v, name, "secnumcloud", trust.OnlyUnderlyingQualified, offer+" itself is required to be")
		judged(t, v, name, "secnumcloud-underlying", trust.Satisfied)
	}
	v = at(t, demoWorld(t, "numspot-cloudgouv-eu-west-1", "ovhcloud-gra11"), now)
	judged(t, v, "numspot-cloudgouv-eu-west-1a", "secnumcloud", trust.OnlyUnderlyingQualified, "numspot/kubernetes")
	judged(t, v, "ovhcloud-gra11", "secnumcloud", trust.NotQualified, "ovhcloud/mks") // what it runs on is not what is qualified
	judged(t, v, "ovhcloud-gra11", "secnumcloud-underlying", trust.NotQualified, "ovhcloud/")
}

func onlyPREMI3NS(t *testing.T) {
	o := world(t, "s3ns-u-france-east1")
	o.Zones = append(o.Zones, ground("other-offer", "FR", "s3ns", "crypt3ns", "u-france-east1"))
	v := at(t, o, now)
	judged(t, v, "s3ns-u-france-east1-a", "secnumcloud-qualified", trust.Satisfied, "s3ns-premi3ns-secnumcloud-3.2")
	judged(t, v, "other-offer", "secnumcloud-qualified", trust.NotQualified, "s3ns/crypt3ns has no qualification")
	judged(t, v, "other-offer", "secnumcloud-underlying", trust.NotQualified)
	noted(t, "providers/s3ns.yaml", "Autopilot mode only", "no HSM protection level")

	// Nodes of Google Cloud look the same but for the region.
	google := derived(zone(t, o, "s3ns-u-france-east1-a"))
	google.Labels = map[string]string{"topology.kubernetes.io/region": "europe-west9", "topology.kubernetes.io/zone": "europe-west9-a"}
	refused(t, v, google, trust.Unknown, trust.NoZoneMatches, "europe-west9")
}

func exposureNotPlace(t *testing.T) {
	v := at(t, world(t, "aws-esc-eusc-de-east-1"), now)
	judged(t, v, "eusc-de-east-1a", "in-eu", trust.Satisfied)
	judged(t, v, "eusc-de-east-1a", "not-us-exposed", trust.Exposed, "aws-esc can be compelled under US-CLOUD-Act")
}

func noCRDs(t *testing.T) {
	offered(t, catalogue(t), "cloud-temple", "openshift", v1alpha1.PaaS)
	noted(t, "providers/cloud-temple.yaml", "no CRDs and no ClusterRoles", "use the CLI on files")
}

func providersHSM(t *testing.T) {
	offered(t, catalogue(t), "cloud-temple", "hsm", v1alpha1.PaaS)
	noted(t, "providers/cloud-temple.yaml", "FIPS 140-3 level 3, run by Cloud Temple", "protection HSM, custody Provider")
}

func noKMSKey(t *testing.T) {
	noted(t, "providers/outscale.yaml", "refuses kmsKeyId", "LUKS and a passphrase from a", "Kubernetes Secret")
}
