package demo

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/internal/trust"
)

// machine is a node as its provider would present it, and what is to be made of it.
type machine struct {
	name, is, providerID, region, zoneLabel, driver string
	uuid                                            string            // an own one if empty
	labels                                          map[string]string // further ones
	zone                                            string            // in which it is recognised; empty: refused
	reason                                          trust.Reason      // why it is refused
	words                                           string            // of the refusal's sentence
}

// The CSI drivers that give machines away.
const (
	outscaleDriver = "bsu.csi.outscale.com"
	amazonDriver   = "ebs.csi.aws.com"
	azureDriver    = "disk.csi.azure.com"
	cinderDriver   = "cinder.csi.openstack.org"
)

// machines are derived from documentation and code of the providers, not captured from clusters.
func machines() []machine {
	var all []machine
	for _, zone := range []string{"a", "b", "c"} {
		for _, n := range []string{"1", "2"} {
			subregion := "cloudgouv-eu-west-1" + zone
			all = append(all, machine{
				name: "gouv-" + zone + n, is: "Outscale OKS", providerID: "aws:///" + subregion + "/i-0" + zone + n,
				region: "cloudgouv-eu-west-1", zoneLabel: subregion, driver: outscaleDriver, zone: subregion,
			})
		}
	}
	return append(append(all, twins()...), others()...)
}

// twins look the same but for the machine and the CSI driver: Outscale calls its region in Paris as AWS calls its own in London.
func twins() []machine {
	twin := machine{providerID: "aws:///eu-west-2a/i-0f", region: "eu-west-2", zoneLabel: "eu-west-2a"}
	paris, unsure, london := twin, twin, twin
	paris.providerID += "1"
	unsure.providerID += "2"
	london.providerID += "3"
	paris.name, paris.is, paris.driver, paris.zone = "paris-1", "Outscale Paris", outscaleDriver, "outscale-eu-west-2a"
	unsure.name, unsure.is, unsure.reason, unsure.words = "paris-or-london", "Outscale, no CSI driver", trust.LooksLikeAnother, "nodes of aws look the same"
	london.name, london.is, london.driver = "london-1", "AWS London", amazonDriver
	london.reason, london.words = trust.SignalContradicts, "its CSI driver is ebs.csi.aws.com, a sign of aws and not of outscale"
	return []machine{paris, unsure, london}
}

func others() []machine {
	const azureID, openstackID = "azure:///subscriptions/0/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets/", "openstack:///"
	return []machine{
		{
			name: "s3ns-1", is: "S3NS PREMI3NS", providerID: "gce://s3ns-demo/u-france-east1-a/vm-1",
			region: "u-france-east1", zoneLabel: "u-france-east1-a", driver: "pd.csi.storage.gke.io", zone: "s3ns-u-france-east1-a",
		},
		{
			name: "bleu-1", is: "Bleu AKS", providerID: azureID + "bleu/1",
			region: "bleufrancecentral", zoneLabel: "bleufrancecentral-1", driver: azureDriver, zone: "bleu-bleufrancecentral-1",
		},
		{
			name: "bleu-fault-domain", is: "Bleu, no real zone", providerID: azureID + "bleu/2",
			region: "bleufrancecentral", zoneLabel: "1", driver: azureDriver, reason: trust.NoZoneMatches, words: "topology.kubernetes.io/zone is 1",
		},
		{
			name: "azure-1", is: "Azure public", providerID: azureID + "public/1",
			region: "francecentral", zoneLabel: "francecentral-1", driver: azureDriver, zone: "azure-francecentral-1",
		},
		{
			name: "ovh-paris", is: "OVHcloud MKS Paris", providerID: openstackID + "5d0f", region: "EU-WEST-PAR", zoneLabel: "eu-west-par-a",
			driver: cinderDriver, zone: "ovhcloud-eu-west-par-a",
		},
		{
			name: "ovh-gravelines", is: "OVHcloud MKS, nova", providerID: openstackID + "6e1a", region: "GRA11", zoneLabel: "nova",
			driver: cinderDriver, zone: "ovhcloud-gra11",
		},
		{
			name: "ovh-canada", is: "OVHcloud MKS, nova too", providerID: openstackID + "7f2b", region: "BHS5", zoneLabel: "nova",
			driver: cinderDriver, reason: trust.NoZoneMatches, words: "topology.kubernetes.io/region is BHS5",
		},
		{
			name: "scaleway-1", is: "Scaleway Kapsule", providerID: "scaleway://instance/fr-par-1/8a3c",
			region: "fr-par", zoneLabel: "fr-par-1", driver: "csi.scaleway.com", zone: "scaleway-fr-par-1",
		},
		{
			// Kosmos gives it a Scaleway providerID, wherever it stands; its system UUID is declared.
			name: "kosmos-1", is: "Scaleway Kosmos, abroad", providerID: "scaleway://instance/fr-par-1/9b4d",
			region: "fr-par", zoneLabel: "fr-par-1", uuid: "00000000-0000-0000-0000-000000000001", zone: "kosmos-elsewhere",
		},
		{
			name: "stackit-de", is: "STACKIT SKE Germany", providerID: "stackit://0c5e",
			region: "eu01", zoneLabel: "eu01-1", driver: "block-storage.csi.stackit.cloud", zone: "stackit-eu01-1",
		},
		{
			name: "stackit-at", is: "STACKIT SKE Austria", providerID: "stackit://1d6f",
			region: "eu02", zoneLabel: "eu02-1", driver: "block-storage.csi.stackit.cloud", zone: "stackit-eu02-1",
		},
		{
			name: "temple-1", is: "Cloud Temple Kubernetes", labels: map[string]string{"sites.example.com/declared": "cloud-temple-par7s"},
			zone: "cloud-temple-par7s",
		},
		{
			name: "esc-1", is: "AWS Sovereign Cloud", providerID: "aws:///eusc-de-east-1a/i-0e",
			region: "eusc-de-east-1", zoneLabel: "eusc-de-east-1a", driver: amazonDriver, zone: "eusc-de-east-1a",
		},
	}
}

// node is what the machine's kubelet and its provider's cloud controller write.
func (m machine) node(number int) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: m.name, Labels: map[string]string{corev1.LabelHostname: m.name}}}
	n.Spec.ProviderID = m.providerID
	n.Status.NodeInfo.SystemUUID = cmp.Or(m.uuid, fmt.Sprintf("4c4c4544-0000-4000-8000-%012d", number))
	for key, value := range map[string]string{corev1.LabelTopologyRegion: m.region, corev1.LabelTopologyZone: m.zoneLabel} {
		if value != "" {
			n.Labels[key] = value
		}
	}
	for key, value := range m.labels {
		n.Labels[key] = value
	}
	return n
}

// csiNode is what the CSI driver's registrar writes.
func (m machine) csiNode(owner *corev1.Node) *storagev1.CSINode {
	return &storagev1.CSINode{
		ObjectMeta: metav1.ObjectMeta{Name: m.name, OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "v1", Kind: "Node", Name: owner.Name, UID: owner.UID},
		}},
		Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{{Name: m.driver, NodeID: m.name}}},
	}
}

// facts are what the catalogue is asked about the live machine.
func facts(n *corev1.Node, drivers []string) trust.NodeFacts {
	return trust.NodeFacts{
		Name: n.Name, ProviderID: n.Spec.ProviderID, SystemUUID: n.Status.NodeInfo.SystemUUID, MachineID: n.Status.NodeInfo.MachineID,
		Labels: n.Labels, CSIDrivers: drivers,
	}
}

// ownLabels are the keys of the labels that Terroir wrote on a node.
func ownLabels(n *corev1.Node) []string {
	var own []string
	for key := range n.Labels {
		if trust.WrittenLabel(key) {
			own = append(own, key)
		}
	}
	return own
}
