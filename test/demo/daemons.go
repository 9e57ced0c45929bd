package demo

import (
	"context"
	"fmt"
)

const agent = "agent"

// daemons has a DaemonSet in the governed namespace.
func (s *story) daemons(ctx context.Context) error {
	if err := s.create(ctx, daemonSet(health, agent)); err != nil {
		return err
	}
	var open []string
	var places []place
	err := await(ctx, "one pod of the DaemonSet runs on each qualified node, and none waits", func(ctx context.Context) (err error) {
		if open, err = s.openNodes(ctx, secnumcloud); err != nil {
			return err
		}
		if places, err = s.running(ctx, health, agent, len(open), secnumcloud); err != nil {
			return err
		}
		return s.settled(ctx, len(open))
	})
	if err != nil {
		return err
	}
	s.ok(fmt.Sprintf("of %d nodes, its pods run on the %d that satisfy %s, one on each; the DaemonSet wants no others, and none is Pending",
		len(machines()), len(places), secnumcloud))
	return nil
}

// settled checks that the DaemonSet controller wants so many pods, and has them.
func (s *story) settled(ctx context.Context, want int) error {
	set := daemonSet(health, agent)
	if err := s.get(ctx, set); err != nil {
		return err
	}
	is := set.Status
	if int(is.DesiredNumberScheduled) != want || int(is.NumberReady) != want || is.NumberMisscheduled != 0 || is.ObservedGeneration != set.Generation {
		return fmt.Errorf("its status is %+v", is)
	}
	return nil
}
