package storage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// Volume is a PersistentVolume, as far as its place is concerned.
type Volume struct {
	// Name is the PersistentVolume's name.
	Name string
	// Local tells that its data lies on the disk of a node.
	Local bool
	// Driver is the CSI driver that serves it, and Handle what the driver calls it; both empty where it is no CSI volume.
	Driver, Handle string
	// Places are where it may lie. None: that is not known.
	Places []Place
}

// Place is a set of nodes from which a volume is reached, and that are alike in what the volume asks of them.
type Place struct {
	// Labels are what every node there carries. Empty where the volume asks for no certain value of any label: then the nodes there have
	// little in common, and each is a place of its own.
	Labels map[string]string
	// Key is the same for places that are the same.
	Key string

	nodes *nodeaffinity.LazyErrorNodeSelector
}

// Has reports whether a node is there. What cannot be evaluated has no nodes: such a place is nowhere known.
func (p Place) Has(n *corev1.Node) bool {
	has, err := p.nodes.Match(n)
	return err == nil && has
}

// maxPlaces bounds in how many places one volume may be said to lie. A volume that names more is not known to be anywhere.
const maxPlaces = 64

// Of reads a volume.
func Of(pv *corev1.PersistentVolume) Volume {
	v := Volume{Name: pv.Name, Local: pv.Spec.Local != nil || pv.Spec.HostPath != nil}
	if csi := pv.Spec.CSI; csi != nil {
		v.Driver, v.Handle = csi.Driver, csi.VolumeHandle
	}
	v.Places = places(terms(pv))
	return v
}

// terms are from which nodes the volume is reached: those of its node affinity, each narrowed by its labels; or its labels alone.
func terms(pv *corev1.PersistentVolume) []corev1.NodeSelectorTerm {
	labelled := placeLabels(pv.Labels)
	if pv.Spec.NodeAffinity == nil || pv.Spec.NodeAffinity.Required == nil {
		if len(labelled) == 0 {
			return nil
		}
		return []corev1.NodeSelectorTerm{{MatchExpressions: labelled}}
	}
	var all []corev1.NodeSelectorTerm
	for _, t := range pv.Spec.NodeAffinity.Required.NodeSelectorTerms {
		t.MatchExpressions = append(slices.Clone(t.MatchExpressions), labelled...)
		all = append(all, t)
	}
	return all
}

// placeLabels are the zones and regions that labels name, as requirements. Several are separated by two underscores, as in the scheduler.
func placeLabels(labels map[string]string) []corev1.NodeSelectorRequirement {
	successors := map[string]string{
		corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
		corev1.LabelFailureDomainBetaZone:   corev1.LabelTopologyZone,
		corev1.LabelTopologyRegion:          corev1.LabelTopologyRegion,
		corev1.LabelTopologyZone:            corev1.LabelTopologyZone,
	}
	var found []corev1.NodeSelectorRequirement
	for _, key := range slices.Sorted(maps.Keys(successors)) {
		if value, has := labels[key]; has {
			found = append(found, corev1.NodeSelectorRequirement{
				Key: successors[key], Operator: corev1.NodeSelectorOpIn, Values: strings.Split(value, "__"),
			})
		}
	}
	return found
}

// places takes terms apart into places. A term that contradicts itself has none; one that names too many makes the whole unknown.
func places(terms []corev1.NodeSelectorTerm) []Place {
	var all []Place
	for _, t := range terms {
		named := combinations(t.MatchExpressions)
		if len(all)+len(named) > maxPlaces {
			return nil
		}
		for _, labels := range named {
			all = append(all, placeOf(narrowed(t, labels), labels))
		}
	}
	return all
}

func placeOf(t corev1.NodeSelectorTerm, labels map[string]string) Place {
	selector := &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{t}}
	return Place{Labels: labels, Key: fmt.Sprintf("%q %q", t.MatchExpressions, t.MatchFields), nodes: nodeaffinity.NewLazyErrorNodeSelector(selector)}
}

// combinations are the ways to choose one value for each label of which the requirements name the values: more than maxPlaces if there
// are too many.
func combinations(requirements []corev1.NodeSelectorRequirement) []map[string]string {
	chosen := []map[string]string{{}}
	for _, r := range requirements {
		if r.Operator != corev1.NodeSelectorOpIn {
			continue
		}
		var next []map[string]string
		for _, before := range chosen {
			next = append(next, choices(before, r)...)
		}
		if chosen = next; len(chosen) > maxPlaces {
			break // whatever follows may only add to them, or contradict
		}
	}
	return chosen
}

// choices are the ways to choose a value for one more label. A label that is asked twice has one value.
func choices(before map[string]string, r corev1.NodeSelectorRequirement) []map[string]string {
	var all []map[string]string
	for _, value := range r.Values {
		if was, asked := before[r.Key]; asked && was != value {
			continue
		}
		with := maps.Clone(before)
		with[r.Key] = value
		all = append(all, with)
	}
	return all
}

// narrowed is a term that asks for one value of each label.
func narrowed(t corev1.NodeSelectorTerm, labels map[string]string) corev1.NodeSelectorTerm {
	out := corev1.NodeSelectorTerm{MatchFields: t.MatchFields}
	for _, r := range t.MatchExpressions {
		if r.Operator == corev1.NodeSelectorOpIn {
			r.Values = []string{labels[r.Key]}
		}
		out.MatchExpressions = append(out.MatchExpressions, r)
	}
	return out
}
