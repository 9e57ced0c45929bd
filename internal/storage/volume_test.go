package storage

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const zone, beta, region, host = "topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/region", "kubernetes.io/hostname"

// node is a node in zone a or whatever its labels say.
func node(name string, labels map[string]string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func in(key string, values ...string) corev1.NodeSelectorRequirement {
	return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func term(requirements ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: requirements}
}

// volume is a volume with labels, reached from nodes of the terms.
func volume(labels map[string]string, terms ...corev1.NodeSelectorTerm) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "v", Labels: labels}}
	if len(terms) > 0 {
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: terms}}
	}
	return v
}

func TestWhereAVolumeMayLie(t *testing.T) {
	nodes := []*corev1.Node{
		node("a1", map[string]string{zone: "a", region: "r", host: "a1"}), node("a2", map[string]string{zone: "a", region: "r", host: "a2"}),
		node("b1", map[string]string{zone: "b", region: "r", host: "b1"}), node("bare", nil),
	}
	many := make([]string, maxPlaces+1)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for what, c := range map[string]struct {
		volume *corev1.PersistentVolume
		want   []string // the labels and nodes of each place
	}{
		"one that says nothing lies nowhere known": {volume(nil), nil},
		"in a zone":                             {volume(nil, term(in(zone, "a"))), []string{"map[" + zone + ":a] a1 a2"}},
		"in either of two zones":                {volume(nil, term(in(zone, "a", "b"))), []string{"map[" + zone + ":a] a1 a2", "map[" + zone + ":b] b1"}},
		"in either of two terms":                {volume(nil, term(in(zone, "b")), term(in(host, "a1"))), []string{"map[" + zone + ":b] b1", "map[" + host + ":a1] a1"}},
		"on a node":                             {volume(nil, term(in(host, "a2"))), []string{"map[" + host + ":a2] a2"}},
		"in a zone where there is no node":      {volume(nil, term(in(zone, "z"))), []string{"map[" + zone + ":z]"}},
		"by its labels, where it says no more":  {volume(map[string]string{zone: "a", "x": "y"}), []string{"map[" + zone + ":a] a1 a2"}},
		"several zones in one label":            {volume(map[string]string{zone: "a__b"}), []string{"map[" + zone + ":a] a1 a2", "map[" + zone + ":b] b1"}},
		"a beta label says what its successor":  {volume(map[string]string{beta: "b"}), []string{"map[" + zone + ":b] b1"}},
		"labels narrow the affinity":            {volume(map[string]string{zone: "b"}, term(in(zone, "a", "b"))), []string{"map[" + zone + ":b] b1"}},
		"labels against the affinity":           {volume(map[string]string{zone: "b"}, term(in(zone, "a"))), nil},
		"a term that names no value":            {volume(nil, term(corev1.NodeSelectorRequirement{Key: zone, Operator: corev1.NodeSelectorOpExists})), []string{"map[] a1 a2 b1"}},
		"a term that excludes":                  {volume(nil, term(corev1.NodeSelectorRequirement{Key: zone, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"a"}})), []string{"map[] b1 bare"}},
		"a value and an exclusion":              {volume(nil, term(in(zone, "a"), corev1.NodeSelectorRequirement{Key: host, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"a1"}})), []string{"map[" + zone + ":a] a2"}},
		"an empty term has no nodes":            {volume(nil, term()), []string{"map[]"}},
		"what cannot be evaluated has no nodes": {volume(nil, term(corev1.NodeSelectorRequirement{Key: zone, Operator: "Near", Values: []string{"a"}})), []string{"map[]"}},
		"a node by its name":                    {volume(nil, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", "bare")}}), []string{"map[] bare"}},
		"too many places are none":              {volume(nil, term(in(zone, many...))), nil},
		"also by combination":                   {volume(nil, term(in(zone, many[:10]...), in(region, many[:10]...))), nil},
	} {
		t.Run(what, func(t *testing.T) {
			var got []string
			for _, p := range Of(c.volume).Places {
				place := fmt.Sprint(p.Labels)
				for _, n := range nodes {
					if p.Has(n) {
						place += " " + n.Name
					}
				}
				got = append(got, place)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("places (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatKindOfVolumeItIs(t *testing.T) {
	local, path, csi := volume(nil), volume(nil), volume(nil)
	local.Spec.Local = &corev1.LocalVolumeSource{}
	path.Spec.HostPath = &corev1.HostPathVolumeSource{}
	csi.Spec.CSI = &corev1.CSIPersistentVolumeSource{Driver: "d", VolumeHandle: "h"}
	if !Of(local).Local || !Of(path).Local || Of(csi).Local {
		t.Error("local volumes are those on a node's own disk")
	}
	if v := Of(csi); v.Driver != "d" || v.Handle != "h" || v.Name != "v" {
		t.Errorf("it is %+v", v)
	}
}

// Places are looked up by their keys: what has the same key must have the same nodes.
func TestKeysTellPlacesApart(t *testing.T) {
	seen := map[string]string{}
	for what, v := range map[string]*corev1.PersistentVolume{
		"zone":      volume(nil, term(in(zone, "a"))),
		"other":     volume(nil, term(in(zone, "b"))),
		"key":       volume(nil, term(in(region, "a"))),
		"operator":  volume(nil, term(corev1.NodeSelectorRequirement{Key: zone, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"a"}})),
		"field":     volume(nil, corev1.NodeSelectorTerm{MatchFields: []corev1.NodeSelectorRequirement{in("metadata.name", "a")}}),
		"separated": volume(nil, term(corev1.NodeSelectorRequirement{Key: zone, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"a b"}})),
		"two":       volume(nil, term(corev1.NodeSelectorRequirement{Key: zone, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"a", "b"}})),
	} {
		key := Of(v).Places[0].Key
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s have the key %s", what, other, key)
		}
		seen[key] = what
	}
	if Of(volume(nil, term(in(zone, "a")))).Places[0].Key != Of(volume(map[string]string{zone: "a"})).Places[0].Key {
		t.Error("the same place has two keys")
	}
}
