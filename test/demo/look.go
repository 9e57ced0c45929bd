package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// place is where a pod is.
type place struct {
	pod  corev1.Pod
	node corev1.Node // the zero value of one that is nowhere
}

func (p place) zone() string { return cmp.Or(p.node.Labels[v1alpha1.ZoneLabel], "none") }

// open tells whether new pods that owe a level may come to the node.
func (p place) open(level string) bool { return isOpen(&p.node, level) }

func isOpen(n *corev1.Node, level string) bool {
	_, open := n.Labels[v1alpha1.OpenLabelPrefix+level]
	return open
}

func isHeld(n *corev1.Node, level string) bool {
	return n.Labels[v1alpha1.HeldLabelPrefix+level] == "true"
}

// places finds the pods of a namespace, of one app or, with an empty name, of all, by name.
func (s *story) places(ctx context.Context, namespace, name string) ([]place, error) {
	options := []client.ListOption{client.InNamespace(namespace)}
	if name != "" {
		options = append(options, client.MatchingLabels(app(name)))
	}
	var pods corev1.PodList
	if err := s.List(ctx, &pods, options...); err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	nodes, err := s.nodesByName(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]place, len(pods.Items))
	for i := range pods.Items {
		found[i] = place{pods.Items[i], nodes[pods.Items[i].Spec.NodeName]}
	}
	slices.SortFunc(found, func(a, b place) int { return cmp.Compare(a.pod.Name, b.pod.Name) })
	return found, nil
}

func (s *story) nodesByName(ctx context.Context) (map[string]corev1.Node, error) {
	var nodes corev1.NodeList
	if err := s.List(ctx, &nodes); err != nil {
		return nil, fmt.Errorf("listing nodes: %w", err)
	}
	found := map[string]corev1.Node{}
	for i := range nodes.Items {
		found[nodes.Items[i].Name] = nodes.Items[i]
	}
	return found, nil
}

// openNodes are the names of the nodes that are open for a level, in order.
func (s *story) openNodes(ctx context.Context, level string) ([]string, error) {
	return s.nodesWhere(ctx, func(n *corev1.Node) bool { return isOpen(n, level) })
}

func (s *story) nodesWhere(ctx context.Context, wanted func(*corev1.Node) bool) ([]string, error) {
	nodes, err := s.nodesByName(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(nodes, func(_ string, n corev1.Node) bool { return !wanted(&n) })
	return slices.Sorted(maps.Keys(nodes)), nil
}

// running checks that an app's pods are so many, that all run, and that their nodes are open for a level; an empty one: any nodes.
func (s *story) running(ctx context.Context, namespace, name string, want int, level string) ([]place, error) {
	places, err := s.places(ctx, namespace, name)
	if err != nil {
		return nil, err
	}
	if len(places) != want {
		return places, fmt.Errorf("%s instead of %d", count(len(places), "pod"), want)
	}
	for _, p := range places {
		switch {
		case p.pod.Status.Phase != corev1.PodRunning:
			return places, fmt.Errorf("pod %s is %s: %s", p.pod.Name, p.pod.Status.Phase, whyWaiting(&p.pod))
		case level != "" && !p.open(level):
			return places, fmt.Errorf("pod %s runs on node %s of zone %s, which is not open for %s", p.pod.Name, p.node.Name, p.zone(), level)
		}
	}
	return places, nil
}

// unschedulable checks that the scheduler found no node for a pod.
func unschedulable(p *corev1.Pod) error {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return nil
		}
	}
	return fmt.Errorf("pod %s is %s on node %q: %s", p.Name, p.Status.Phase, p.Spec.NodeName, whyWaiting(p))
}

// whyWaiting is what the scheduler says of a pod.
func whyWaiting(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Message != "" {
			return c.Message
		}
	}
	return "the scheduler says nothing"
}

// perZone counts pods.
func perZone(places []place) map[string]int {
	counted := map[string]int{}
	for _, p := range places {
		counted[p.zone()]++
	}
	return counted
}

// show prints where each pod went.
func (s *story) show(places []place) {
	rows := [][]string{{"POD", "NODE", "ZONE"}}
	for _, p := range places {
		rows = append(rows, []string{p.pod.Name, p.node.Name, p.zone()})
	}
	s.table(rows)
}

// get reads an object by its name.
func (s *story) get(ctx context.Context, o client.Object) error {
	return s.Get(ctx, client.ObjectKeyFromObject(o), o)
}

// stays checks that these very pods still run.
func (s *story) stays(ctx context.Context, before []place) error {
	var failed error
	for _, was := range before {
		is := &corev1.Pod{}
		err := s.Get(ctx, client.ObjectKeyFromObject(&was.pod), is)
		switch {
		case err != nil:
			failed = errors.Join(failed, err)
		case is.UID != was.pod.UID, is.DeletionTimestamp != nil, is.Status.Phase != was.pod.Status.Phase, is.Spec.NodeName != was.pod.Spec.NodeName:
			failed = errors.Join(failed, fmt.Errorf("pod %s, which ran on %s, is %s on %q", was.pod.Name, was.pod.Spec.NodeName, is.Status.Phase, is.Spec.NodeName))
		}
	}
	return failed
}
