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
