package demo

import (
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// sites asks for more sites than there are.
func (s *story) sites(ctx context.Context) error {
	p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy}}
	wider := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"spread":{"minSites":4}}}`))
	s.warnings.take()
	err := s.warned("policy "+policy+" with minSites: 4 (tried with --dry-run=server)", s.Patch(ctx, p, wider, client.DryRunAll), "4 sites", "only 3")
	if err != nil {
		return err
	}
	d := deployment(health, "five-sites", 5, map[string]string{v1alpha1.MinSitesAnnotation: "5"})
	err = s.warned("a Deployment in "+health+" with terroir.dev/min-sites: \"5\"", s.Create(ctx, d), "5 sites", "only 3")
	if err != nil {
		return err
	}
	err = s.holds(ctx, "so it comes: one pod runs on each of the three sites, and two wait", func(ctx context.Context) error {
		places, err := s.places(ctx, health, d.Name)
		if err != nil {
			return err
		}
		return threeRunTwoWait(places)
	})
	return errors.Join(err, s.remove(ctx, d))
}

func threeRunTwoWait(places []place) error {
	zones := map[string]bool{}
	waiting := 0
	var failed error
	for i := range places {
		if p := &places[i]; p.pod.Spec.NodeName == "" {
			waiting++
			failed = errors.Join(failed, unschedulable(&p.pod))
		} else {
			zones[p.zone()] = true
		}
	}
	if len(places) != 5 || len(zones) != 3 || waiting != 2 {
		failed = errors.Join(failed, fmt.Errorf("of %s, %d wait, and zones %v have the others", count(len(places), "pod"), waiting, zones))
	}
	return failed
}
