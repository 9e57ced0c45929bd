package storage

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// Taken together, the places of a volume have the nodes from which the scheduler lets it be reached, and no others.
func TestPlacesHaveTheNodesThatTheSchedulerReachesTheVolumeFrom(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		v := volume(nil, randomTerms(r)...)
		scheduler, err := nodeaffinity.NewNodeSelector(v.Spec.NodeAffinity.Required)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		places := Of(v).Places
		for _, n := range randomNodes(r) {
			has := false
			for _, p := range places {
				has = has || p.Has(n)
			}
			if has != scheduler.Match(n) {
				t.Fatalf("seed %d: node %v is in a place: %v; the scheduler says %v of %+v", seed, n.Labels, has, !has, v.Spec.NodeAffinity.Required)
			}
		}
	}
}

// Nodes of one place are alike in what it says of them.
func TestNodesOfAPlaceHaveItsLabels(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		v := volume(map[string]string{zone: pick(r, "a", "b", "a__b")}, randomTerms(r)...)
		for _, p := range Of(v).Places {
			for _, n := range randomNodes(r) {
				for key, value := range p.Labels {
					if p.Has(n) && n.Labels[key] != value {
						t.Fatalf("seed %d: node %v is in place %v of %+v", seed, n.Labels, p.Labels, v)
					}
				}
			}
		}
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomTerms(r *rand.Rand) []corev1.NodeSelectorTerm {
	terms := make([]corev1.NodeSelectorTerm, 1+r.IntN(2))
	for i := range terms {
		for range 1 + r.IntN(3) {
			q := corev1.NodeSelectorRequirement{Key: pick(r, zone, region, host), Operator: pick(r, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist)}
			if q.Operator == corev1.NodeSelectorOpIn || q.Operator == corev1.NodeSelectorOpNotIn {
				q.Values = pick(r, []string{"a"}, []string{"b"}, []string{"a", "b"}, []string{"b", "c"})
			}
			terms[i].MatchExpressions = append(terms[i].MatchExpressions, q)
		}
	}
	return terms
}

func randomNodes(r *rand.Rand) []*corev1.Node {
	nodes := make([]*corev1.Node, 12)
	for i := range nodes {
		labels := map[string]string{}
		for _, key := range []string{zone, region, host} {
			if value := pick(r, "", "a", "b", "c"); value != "" {
				labels[key] = value
			}
		}
		nodes[i] = node(fmt.Sprint(i), labels)
	}
	return nodes
}

func FuzzOf(f *testing.F) {
	for _, v := range []*corev1.PersistentVolume{
		volume(nil), volume(map[string]string{zone: "a__b"}, term(in(zone, "a", "b"))), volume(nil, term(), term(in(host))),
	} {
		text, err := json.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v := &corev1.PersistentVolume{}
		if json.Unmarshal(text, v) != nil {
			return
		}
		places := Of(v).Places
		if len(places) > maxPlaces {
			t.Errorf("%d places", len(places))
		}
		for _, p := range places {
			p.Has(node("n", map[string]string{zone: "a"})) // whatever it says, it does not panic
		}
	})
}
