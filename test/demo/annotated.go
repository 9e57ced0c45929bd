package demo

import (
	"context"
	"fmt"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

const (
	lab       = "lab"
	ledger    = "ledger"
	neighbour = "neighbour"
)

// annotated has a developer ask for a level in a namespace that no policy governs.
func (s *story) annotated(ctx context.Context) error {
	err := s.create(ctx, namespace(lab, nil),
		deployment(lab, ledger, 4, map[string]string{v1alpha1.TrustLevelAnnotation: underlying}), deployment(lab, neighbour, 2, nil))
	if err != nil {
		return err
	}
	s.say("No policy governs namespace %s. Deployment %s carries %s: %s; Deployment %s carries nothing.",
		lab, ledger, v1alpha1.TrustLevelAnnotation, underlying, neighbour)
	var places []place
	err = await(ctx, "the pods of "+ledger+" run on nodes open for "+underlying, func(ctx context.Context) (err error) {
		places, err = s.running(ctx, lab, ledger, 4, underlying)
		return err
	})
	if err != nil {
		return err
	}
	s.show(places)
	s.ok(fmt.Sprintf("the four pods of %s run where %s is satisfied, and nowhere else", ledger, underlying))
	return s.holds(ctx, "its neighbour without annotation runs as it was written: nothing about its pods mentions Terroir", s.neighbourIsFree)
}

func (s *story) neighbourIsFree(ctx context.Context) error {
	places, err := s.running(ctx, lab, neighbour, 2, "")
	if err != nil {
		return err
	}
	for _, p := range places {
		if err := silent(&p.pod); err != nil {
			return err
		}
	}
	return nil
}
