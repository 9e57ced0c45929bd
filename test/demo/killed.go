package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// ward is a namespace that is created while the operator is dead.
const ward = "ward"

// killed kills the operator, and tries everything again.
func (s *story) killed(ctx context.Context) error {
	if err := s.cluster.StopComponent(terroir.Component); err != nil {
		return fmt.Errorf("killing the operator: %w", err)
	}
	s.say("The operator is killed. Its webhook does not answer any more; what follows, the API server does by itself.")
	for _, try := range []func(context.Context) error{s.stillSpread, s.stillRefused, s.bornMeanwhile, s.stillGuarded} {
		if err := try(ctx); err != nil {
			return err
		}
	}
	if err := s.cluster.StartComponent(ctx, terroir.Component); err != nil {
		return fmt.Errorf("starting the operator again: %w", err)
	}
	return s.foundInOrder(ctx)
}

// stillSpread: what is legitimate goes on.
func (s *story) stillSpread(ctx context.Context) error {
	const late = "late"
	if err := s.create(ctx, deployment(health, late, 3, nil)); err != nil {
		return err
	}
	return s.oneOnEach(ctx, health, late, "a Deployment created now in "+health+" is shaped and spread as ever: a pod in each of Outscale's three zones")
}

// oneOnEach waits until the three pods of a Deployment run in the three zones.
func (s *story) oneOnEach(ctx context.Context, namespace, name, what string) error {
	want := map[string]int{"cloudgouv-eu-west-1a": 1, "cloudgouv-eu-west-1b": 1, "cloudgouv-eu-west-1c": 1}
	return s.holds(ctx, what, func(ctx context.Context) error {
		places, err := s.running(ctx, namespace, name, 3, secnumcloud)
		if is := perZone(places); err == nil && !maps.Equal(is, want) {
			err = fmt.Errorf("they run in %v", is)
		}
		return err
	})
}

// stillRefused: what is not, does not.
func (s *story) stillRefused(ctx context.Context) error {
	straight := governedPod("straight-there-now")
	straight.Spec.NodeName = unqualifiedNode
	if err := s.refused("a pod with spec.nodeName: "+unqualifiedNode, s.Create(ctx, straight), "spec.nodeName", policy, secnumcloud); err != nil {
		return err
	}
	waiting := governedPod("waiting-still")
	waiting.Spec.NodeSelector = map[string]string{corev1.LabelHostname: "nowhere"} // so that the scheduler leaves it alone
	if err := s.create(ctx, waiting); err != nil {
		return err
	}
	err := s.bindingRefused(ctx, "a binding by "+admin+", who administers the namespace,", admin, waiting, admin, "may not bind")
	return errors.Join(err, s.remove(ctx, waiting))
}

// bornMeanwhile: a namespace that Terroir has never seen owes what the policies say.
func (s *story) bornMeanwhile(ctx context.Context) error {
	if err := s.create(ctx, namespace(ward, map[string]string{"data-class": "health"}), deployment(ward, records, 3, nil)); err != nil {
		return err
	}
	return s.oneOnEach(ctx, ward, records, "a namespace created now is governed from its first pod: three pods, a zone each")
}

// stillGuarded: what placement rests on cannot be changed either, by whoever it is.
func (s *story) stillGuarded(ctx context.Context) error {
	open := `{"metadata":{"labels":{"` + v1alpha1.OpenLabelPrefix + secnumcloud + `":"forged"}}}`
	node := &corev1.Node{}
	node.Name = unqualifiedNode
	kubelet, err := s.as("system:node:"+unqualifiedNode, "system:nodes")
	if err != nil {
		return err
	}
	forge := func(c client.Client) error {
		return c.Patch(ctx, node.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(open)))
	}
	if err := s.refused("a kubelet that calls its own node open", forge(kubelet)); err != nil {
		return err
	}
	if err := s.refused("the same, by the cluster's administrator,", forge(s.Client), "Terroir alone writes it"); err != nil {
		return err
	}
	administrator, err := s.as(admin)
	if err != nil {
		return err
	}
	floor := &v1alpha1.PlacementFloor{}
	floor.Namespace, floor.Name = health, v1alpha1.FloorName
	return s.refused("the floor of "+health+", deleted by "+admin+",", administrator.Delete(ctx, floor), "Terroir alone writes it")
}

// foundInOrder: the operator comes back, and finds nothing that should not be.
func (s *story) foundInOrder(ctx context.Context) error {
	p := &v1alpha1.ClusterPlacementPolicy{}
	p.Name = policy
	return s.holds(ctx, "the operator is back, counts both namespaces of the policy, and finds no violation", func(ctx context.Context) error {
		if err := s.get(ctx, p); err != nil {
			return err
		}
		if p.Status.Namespaces != 2 || p.Status.Violations != 0 {
			return fmt.Errorf("%d namespaces, %d violations", p.Status.Namespaces, p.Status.Violations)
		}
		return nil
	})
}
