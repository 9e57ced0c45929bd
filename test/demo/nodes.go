package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// nodes creates the machines and checks what is made of each.
func (s *story) nodes(ctx context.Context) error {
	all := machines()
	for i, m := range all {
		if err := s.join(ctx, m, i); err != nil {
			return err
		}
	}
	s.say("%s join. What they show is derived from their providers' documentation and code, not captured from clusters.", count(len(all), "node"))
	if err := await(ctx, "all nodes are Ready", s.nodesReady); err != nil {
		return err
	}
	var assessed map[string]trust.Assessment
	err := await(ctx, "each node is recognised or refused as it should be", func(ctx context.Context) (err error) {
		if assessed, err = s.assess(ctx); err != nil {
			return err
		}
		return s.recognised(ctx, all, assessed)
	})
	if err != nil {
		return err
	}
	s.showNodes(all, assessed)
	return s.reasons(all, assessed)
}

func (s *story) join(ctx context.Context, m machine, number int) error {
	node := m.node(number)
	if err := s.create(ctx, node); err != nil {
		return err
	}
	if m.driver == "" {
		return nil
	}
	return s.create(ctx, m.csiNode(node))
}

func (s *story) nodesReady(ctx context.Context) error {
	unready, err := s.nodesWhere(ctx, func(n *corev1.Node) bool {
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				return c.Status != corev1.ConditionTrue
			}
		}
		return true
	})
	if err == nil && len(unready) > 0 {
		err = fmt.Errorf("not Ready: %s", strings.Join(unready, ", "))
	}
	return err
}

// assess asks Terroir's own code about the live objects: the API server shows in which zone a node was recognised, not yet why it was in none.
func (s *story) assess(ctx context.Context) (map[string]trust.Assessment, error) {
	o, err := s.objects(ctx)
	if err != nil {
		return nil, err
	}
	nodes, err := s.nodesByName(ctx)
	if err != nil {
		return nil, err
	}
	var registered storagev1.CSINodeList
	if err := s.List(ctx, &registered); err != nil {
		return nil, fmt.Errorf("listing CSINodes: %w", err)
	}
	drivers := map[string][]string{}
	for i := range registered.Items {
		for _, d := range registered.Items[i].Spec.Drivers {
			drivers[registered.Items[i].Name] = append(drivers[registered.Items[i].Name], d.Name)
		}
	}
	view := trust.Compile(o).At(time.Now())
	assessed := map[string]trust.Assessment{}
	for name, n := range nodes {
		assessed[name] = view.Assess(facts(&n, drivers[name]))
	}
	return assessed, nil
}

// recognised compares the labels of the live nodes, and the reasons, with what they should be.
func (s *story) recognised(ctx context.Context, all []machine, assessed map[string]trust.Assessment) error {
	nodes, err := s.nodesByName(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, m := range all {
		n, a := nodes[m.name], assessed[m.name]
		switch {
		case n.Labels[v1alpha1.ZoneLabel] != m.zone:
			failed = errors.Join(failed, fmt.Errorf("node %s has zone label %q, not %q; %s", m.name, n.Labels[v1alpha1.ZoneLabel], m.zone, a.Message))
		case m.zone == "" && len(ownLabels(&n)) > 0:
			failed = errors.Join(failed, fmt.Errorf("node %s, which is in no zone, carries %v", m.name, ownLabels(&n)))
		case m.zone == "" && (a.Reason != m.reason || !strings.Contains(a.Message, m.words)):
			failed = errors.Join(failed, fmt.Errorf("node %s is refused for %s, %q, not for %s, %q", m.name, a.Reason, a.Message, m.reason, m.words))
		}
	}
	return failed
}

func (s *story) showNodes(all []machine, assessed map[string]trust.Assessment) {
	rows := [][]string{{"NODE", "IS IN TRUTH", "RECOGNISED IN ZONE"}}
	for _, m := range all {
		zone := m.zone
		if zone == "" {
			zone = fmt.Sprintf("none: %s (%s)", assessed[m.name].State, assessed[m.name].Reason)
		}
		rows = append(rows, []string{m.name, m.is, zone})
	}
	s.table(rows)
}

// reasons tells why nodes were refused.
func (s *story) reasons(all []machine, assessed map[string]trust.Assessment) error {
	refused := 0
	for _, m := range all {
		if m.zone == "" {
			refused++
			s.quote(assessed[m.name].Message)
		}
	}
	s.ok(fmt.Sprintf("%d nodes carry the label of their zone, and %d none, each for the reason it should", len(all)-refused, refused))
	return nil
}

// refusedStayBare checks that nothing was written on nodes that stand in no zone for certain.
func (s *story) refusedStayBare(ctx context.Context) error {
	for _, m := range machines() {
		n := &corev1.Node{}
		if err := s.Get(ctx, client.ObjectKey{Name: m.name}, n); err != nil {
			return fmt.Errorf("reading node %s: %w", m.name, err)
		}
		if m.zone == "" && len(ownLabels(n)) > 0 {
			return fmt.Errorf("node %s carries %v", m.name, ownLabels(n))
		}
	}
	return nil
}
