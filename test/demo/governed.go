package demo

import (
	"context"
	"fmt"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

const (
	health  = "health"
	policy  = "health-data" // as in config/samples
	records = "records"
	size    = 6
)

// governed has a policy applied and a Deployment spread.
func (s *story) governed(ctx context.Context) error {
	if err := s.create(ctx, namespace(health, map[string]string{"data-class": "health"})); err != nil {
		return err
	}
	if err := s.apply(ctx, source{path: "config/samples/clusterplacementpolicy-health-data.yaml"}); err != nil {
		return err
	}
	s.say("ClusterPlacementPolicy %s: namespaces with data-class=health require %s on at least 3 sites, Enforce.", policy, secnumcloud)
	if err := s.holds(ctx, "the policy is Ready, namespace "+health+" is governed, and its PlacementFloor says what it owes", s.enforced); err != nil {
		return err
	}
	if err := s.create(ctx, deployment(health, records, size, nil)); err != nil {
		return err
	}
	s.say("Deployment %s/%s, %d replicas, without a word about placement:", health, records, size)
	return s.twoOnEach(ctx)
}

func (s *story) enforced(ctx context.Context) error {
	p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy}}
	n, floor := namespace(health, nil), &v1alpha1.PlacementFloor{ObjectMeta: metav1.ObjectMeta{Namespace: health, Name: v1alpha1.FloorName}}
	for _, o := range []client.Object{p, n, floor} {
		if err := s.get(ctx, o); err != nil {
			return err
		}
	}
	switch err := has("the policy", p.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue); {
	case err != nil:
		return err
	case p.Status.Namespaces != 1:
		return fmt.Errorf("the policy concerns %s", count(int(p.Status.Namespaces), "namespace"))
	case n.Labels[v1alpha1.GovernedLabel] != "true":
		return fmt.Errorf("the namespace has the labels %v", n.Labels)
	case len(floor.Spec.TrustLevels) != 1 || string(floor.Spec.TrustLevels[0]) != secnumcloud || floor.Spec.MinSites != 3:
		return fmt.Errorf("the floor is %+v", floor.Spec)
	default:
		return nil
	}
}

func (s *story) twoOnEach(ctx context.Context) error {
	want := map[string]int{"cloudgouv-eu-west-1a": 2, "cloudgouv-eu-west-1b": 2, "cloudgouv-eu-west-1c": 2}
	var places []place
	err := await(ctx, "two pods run in each of Outscale's three zones", func(ctx context.Context) (err error) {
		if places, err = s.running(ctx, health, records, size, secnumcloud); err != nil {
			return err
		}
		if is := perZone(places); !maps.Equal(is, want) {
			return fmt.Errorf("they run in %v", is)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.show(places)
	s.ok("2/2/2: two pods run in each of Outscale's three zones, on nodes open for " + secnumcloud)
	s.say("What each pod was given, and by whose demand (annotation %s):", v1alpha1.PlacementAnnotation)
	s.quote(places[0].pod.Annotations[v1alpha1.PlacementAnnotation])
	return nil
}
