package controllers

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// takeCensus judges every bound, unfinished pod against each policy that concerns it, whatever its enforcement.
// failed are the namespaces of which it could not be written what they owe.
func takeCensus(set *policy.Set, view *trust.View, world demandWorld, failed map[string]bool) census {
	counted := census{}
	worth := assessAll(view, world.nodes, world.drivers)
	for i := range world.namespaces {
		n := &world.namespaces[i]
		for _, p := range set.Concerning(namespaceOf(n)) {
			t := counted[p.Source]
			t.namespaces++
			if failed[n.Name] {
				t.unwritten++
			}
			before := t.violations
			for _, pod := range world.pods[n.Name] {
				t.count(p, pod, worth)
			}
			if t.violations > before {
				t.violatedNamespaces++
			}
			counted[p.Source] = t
		}
	}
	return counted
}

func assessAll(view *trust.View, nodes []corev1.Node, drivers map[string][]string) map[string]trust.Assessment {
	worth := make(map[string]trust.Assessment, len(nodes))
	for _, n := range factsOf(nodes, drivers) {
		worth[n.Name] = view.Assess(n)
	}
	return worth
}

// count judges one pod. A node that nobody knows has no worth, so that a pod on it is a violation.
func (t *tally) count(p policy.Policy, pod *corev1.Pod, worth map[string]trust.Assessment) {
	if pod.Spec.NodeName == "" || finished(pod) {
		return
	}
	t.pods++
	on, known := worth[pod.Spec.NodeName]
	if !known {
		on.Message = "the node does not exist"
	}
	v := placement.JudgeNode(policy.Obligation{}.With(p.Demand), pod.Spec.NodeName, on)
	if !v.Allowed() {
		t.add(v1alpha1.Violation{
			Namespace: pod.Namespace, Pod: pod.Name, Node: pod.Spec.NodeName, Reason: "NodeNotQualified", Message: clip(v.Message()),
		})
	}
}

// owesByItself passes over the pods, most of a cluster's, that ask for no level.
func owesByItself(o client.Object) bool { return len(levelsHeldBy(o.(*corev1.Pod))) > 0 }

// levelsHeldBy are the levels that a pod's nodeSelector asks for.
func levelsHeldBy(p *corev1.Pod) []string {
	var levels []string
	for key := range p.Spec.NodeSelector {
		if level, held := strings.CutPrefix(key, v1alpha1.HeldLabelPrefix); held {
			levels = append(levels, level)
		}
	}
	return levels
}
