package placement

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Volume is the part of a pod's volume that the rules read.
type Volume struct {
	Name string
	// Types are the names of the volume's sources as the API writes them, sorted: one, in a volume that the API server admits. A type
	// that is newer than this code is among them.
	Types []string
	// Memory tells that the volume is an emptyDir in the node's memory.
	Memory bool
}

// place is what the type of a volume says of where its data lie.
type place int

const (
	// anywhere is what nobody can tell: a driver decides, as with inline csi and flexVolume, or this list does not have the type.
	anywhere place = iota
	// nowhere: it holds no data of the workload's own.
	nowhere
	// onTheNode on which the pod runs.
	onTheNode
	// onNetwork: elsewhere, and the pod itself brings the volume, so that nothing says where.
	onNetwork
	// byClaim: where the claim's PersistentVolume says.
	byClaim
)

// places are the types of volumes, as the API writes them, by where their data lie. It is the only such list. Those of the network are
// the ones that a kubelet or a CSI driver in its place still mounts.
func places() map[place][]string {
	return map[place][]string{
		nowhere:   {"configMap", "downwardAPI", "image", "projected", "secret"},
		onTheNode: {"emptyDir", "gitRepo", "hostPath"},
		onNetwork: {
			"awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "gcePersistentDisk", "iscsi", "nfs", "portworxVolume", "rbd", "vsphereVolume",
		},
		byClaim: {"ephemeral", "persistentVolumeClaim"},
	}
}

// elsewhere are the types of volumes that are known to keep no data of the workload's own on the node, sorted.
func elsewhere() []string {
	all := places()
	return slices.Sorted(slices.Values(slices.Concat(all[nowhere], all[onNetwork], all[byClaim])))
}

// place is where the data of the volume lie. What is of no type, or of several, may be anywhere.
func (v Volume) place() place {
	switch {
	case len(v.Types) != 1:
		return anywhere
	case v.Memory:
		return nowhere
	}
	for where, types := range places() {
		if slices.Contains(types, v.Types[0]) {
			return where
		}
	}
	return anywhere
}

// elsewhere reports whether the volume is known to keep no data of the workload's own on the node.
func (v Volume) elsewhere() bool {
	is := v.place()
	return is != anywhere && is != onTheNode
}

// Remote reports whether the pod itself brings the volume from elsewhere, without a claim: nothing says where its data lie.
func (v Volume) Remote() bool { return v.place() == onNetwork }

// Opaque reports whether its type does not even say whether the volume keeps its data on the node or elsewhere.
func (v Volume) Opaque() bool { return v.place() == anywhere }

// claimed reports whether a claim says what the volume is.
func (v Volume) claimed() bool {
	return slices.ContainsFunc(v.Types, func(t string) bool { return slices.Contains(places()[byClaim], t) })
}

// UnmarshalJSON reads a volume from a Pod's JSON. Whatever is not the name is a type: nothing is passed over.
func (v *Volume) UnmarshalJSON(text []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return fmt.Errorf("reading a volume: %w", err)
	}
	*v = Volume{}
	for field, value := range fields {
		if err := v.read(field, value); err != nil {
			return fmt.Errorf("reading %s of a volume: %w", field, err)
		}
	}
	slices.Sort(v.Types)
	return nil
}

// read reads one field. What is null is not there.
func (v *Volume) read(field string, value json.RawMessage) error {
	switch {
	case field == "name":
		return json.Unmarshal(value, &v.Name)
	case string(value) == "null":
		return nil
	case field == "emptyDir":
		var source corev1.EmptyDirVolumeSource
		if err := json.Unmarshal(value, &source); err != nil {
			return err
		}
		v.Memory = inMemory(string(source.Medium))
	}
	v.Types = append(v.Types, field)
	return nil
}

// inMemory reports whether the medium of an emptyDir is the node's memory.
func inMemory(medium string) bool {
	return medium == string(corev1.StorageMediumMemory) || strings.HasPrefix(medium, string(corev1.StorageMediumHugePages))
}

// volumesOf reads volumes from the API's types, by way of their JSON: so there is one reading of what a volume is.
func volumesOf(volumes []corev1.Volume) []Volume {
	if len(volumes) == 0 {
		return nil
	}
	out := make([]Volume, len(volumes))
	for i := range volumes {
		text, err := json.Marshal(&volumes[i])
		if err == nil {
			err = out[i].UnmarshalJSON(text)
		}
		if err != nil {
			out[i] = Volume{Name: volumes[i].Name} // cannot happen, and a volume without a type counts as one on the node
		}
	}
	return out
}
