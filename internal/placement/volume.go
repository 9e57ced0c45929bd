package placement

import (
	"encoding/json"
	"fmt"
	"maps"
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
	var known struct {
		Name     string                       `json:"name"`
		EmptyDir *corev1.EmptyDirVolumeSource `json:"emptyDir"`
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return fmt.Errorf("reading a volume: %w", err)
	}
	delete(fields, "name")
	maps.DeleteFunc(fields, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	*v = Volume{
		Name: known.Name, Types: slices.Sorted(maps.Keys(fields)),
		Memory: known.EmptyDir != nil && inMemory(string(known.EmptyDir.Medium)),
	}
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
