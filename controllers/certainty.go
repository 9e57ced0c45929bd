package controllers

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/snapshot"
)

// certainty makes sure, before a gate is lifted because nobody demands anything, that everything which might demand it is known as it is
// now: what put the gate there may be newer than all that this loop has seen.
type certainty struct {
	live     client.Reader
	current  *snapshot.Snapshot
	asked    bool
	policies bool
	known    map[string]bool // namespaces
}

func newCertainty(live client.Reader, current *snapshot.Snapshot) *certainty {
	return &certainty{live: live, current: current, known: map[string]bool{}}
}

// of reports whether what a namespace owes is known as it is now.
func (c *certainty) of(ctx context.Context, seen *corev1.Namespace) (bool, error) {
	if err := c.ask(ctx); err != nil {
		return false, err
	}
	if known, asked := c.known[seen.Name]; asked {
		return known, nil
	}
	var is corev1.Namespace
	if err := c.live.Get(ctx, client.ObjectKey{Name: seen.Name}, &is); err != nil {
		return false, fmt.Errorf("reading namespace %s as it is now: %w", seen.Name, err)
	}
	c.known[seen.Name] = c.policies && is.UID == seen.UID && maps.Equal(is.Labels, seen.Labels) && maps.Equal(is.Annotations, seen.Annotations)
	return c.known[seen.Name], nil
}

// ask reads all policies, once.
func (c *certainty) ask(ctx context.Context) error {
	if c.asked {
		return nil
	}
	var cluster v1alpha1.ClusterPlacementPolicyList
	var namespaced v1alpha1.PlacementPolicyList
	for _, list := range []client.ObjectList{&cluster, &namespaced} {
		if err := c.live.List(ctx, list); err != nil {
			return fmt.Errorf("reading %T as they are now: %w", list, err)
		}
	}
	c.asked = true
	w := demandWorld{clusterPolicies: cluster.Items, policies: namespaced.Items}
	c.policies = w.within(c.current.Knows)
	return nil
}
