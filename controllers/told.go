package controllers

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// The schema's bounds, and a bound on the whole list: the API server stores no object of more than 1.5 MB, and a status that is
// not stored would refuse no binding at all.
const (
	mostRevoking     = 10000
	mostRevoked      = 256
	mostUnrecognised = 100
	mostBytes        = 1_300_000
)

// told is what the standing loop says of nodes in the status of TerroirConfig.
type told struct {
	revoking     []v1alpha1.RevokingNode
	nodes        *v1alpha1.NodeCounts
	unrecognised []v1alpha1.UnrecognisedNode
}

func toldBy(s *v1alpha1.TerroirConfigStatus) told { return told{s.Revoking, s.Nodes, s.Unrecognised} }

// same says whether nothing new is to be told. That there is no list and that it is empty are the same.
func (t told) same(as told) bool {
	return equality.Semantic.DeepEqual(t.revoking, as.revoking) && equality.Semantic.DeepEqual(t.nodes, as.nodes) &&
		equality.Semantic.DeepEqual(t.unrecognised, as.unrecognised)
}

// count adds a node.
func (t *told) count(node string, r trust.Recognition) {
	t.nodes.Total++
	switch r.State {
	case trust.Recognised:
		t.nodes.Recognised++
		t.grade(r.Evidence)
		return
	case trust.Suspect:
		t.nodes.Suspect++
	default: // Unknown and Ambiguous are what remains of the total
	}
	t.unrecognised = append(t.unrecognised, v1alpha1.UnrecognisedNode{
		Node: node, State: v1alpha1.NodeState(r.State.String()), Reason: string(r.Reason), Message: clip(r.Message),
	})
}

// grade counts a recognised node by what that rests on.
func (t *told) grade(e trust.Evidence) {
	counts := &t.nodes.Evidence
	switch e {
	case trust.Corroborated:
		counts.Corroborated++
	case trust.CloudController:
		counts.CloudController++
	case trust.Listed:
		counts.Listed++
	default:
		counts.Claimed++
	}
}

// bounded is as much of it, sorted, as can be stored.
func (t told) bounded() told {
	unrecognised := slices.SortedFunc(slices.Values(t.unrecognised), func(a, b v1alpha1.UnrecognisedNode) int { return cmp.Compare(a.Node, b.Node) })
	return told{boundedRevoking(t.revoking), t.nodes, unrecognised[:min(len(unrecognised), mostUnrecognised)]}
}

// boundedRevoking keeps every node as long as there is room, if need be with one of its levels alone: bindings are refused by node.
// A node that has no room loses its open label all the same, and the scheduler sees that a moment later.
func boundedRevoking(all []v1alpha1.RevokingNode) []v1alpha1.RevokingNode {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b v1alpha1.RevokingNode) int { return cmp.Compare(a.Node, b.Node) })
	sorted = sorted[:min(len(sorted), mostRevoking)]
	room := mostBytes
	for i := range sorted {
		r := &sorted[i] // a copy: the levels are cut, not changed
		share := room / (len(sorted) - i)
		levels := min(len(r.TrustLevels), mostRevoked)
		for levels > 1 && stored(*r, levels) > share {
			levels--
		}
		room -= stored(*r, levels)
		if room < 0 {
			return sorted[:i]
		}
		r.TrustLevels = r.TrustLevels[:levels]
	}
	return sorted
}

// stored is about how many bytes an entry takes with so many of its levels. All of it is stored twice: as it is, and as what its writer owns.
func stored(r v1alpha1.RevokingNode, levels int) int {
	bytes := 135 + 2*len(r.Node)
	for _, level := range r.TrustLevels[:levels] {
		bytes += 16 + 2*len(level)
	}
	return bytes
}

// status is it as it is applied. The lists are there when they are empty, too, so that they are emptied.
func (t told) status() (map[string]any, error) {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.TerroirConfigStatus{
		Revoking: t.revoking, Nodes: t.nodes, Unrecognised: t.unrecognised,
	})
	if err != nil {
		return nil, fmt.Errorf("converting the status of TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
	for _, list := range []string{"revoking", "unrecognised"} {
		if status[list] == nil {
			status[list] = []any{}
		}
	}
	return status, nil
}
