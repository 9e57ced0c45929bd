package doors

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// namespaceDoors are the doors by which a namespace owes less than it should.
func namespaceDoors() []Door {
	return []Door{{Number: 15, Name: "a namespace relabelled out; its floor edited", ClosedBy: "fence: marks and floors by Terroir; labels by whoever may change the policy", Variants: append(relabelledNamespaces(), unencryptedNamespaces()...)}}
}

func relabelledNamespaces() []Variant {
	label := func(key string, value any) change {
		return change{apiVersion: "v1", kind: "Namespace", name: "$namespace", path: []string{"metadata", "labels", key}, value: value}
	}
	t := template{by: tenantsOperator, set: governedAlone, resource: "namespaces"}
	var all []Variant
	add := func(words string, variants []Variant) {
		for _, v := range variants {
			v.Through += words
			all = append(all, v)
		}
	}
	subs := []string{"", "status", "finalize"}
	add(": out of the policy", t.everyWay(label("doors", "elsewhere"), subs...))
	add(": out of the policy", t.everyWay(label("doors", nil), subs...))
	t.closed = Undone // refused through the subresources; in the namespace itself the mark is put back in the very request
	add(": without the mark", t.everyWay(label(v1alpha1.GovernedLabel, nil), subs...))
	add(": a false mark", t.everyWay(label(v1alpha1.GovernedLabel, "false"), subs...))

	floors := change{apiVersion: "terroir.dev/v1alpha1", kind: "PlacementFloor", namespace: "$namespace", name: "floor", path: []string{"spec", "minSites"}, value: int64(1)}
	f := template{by: worker, set: governed, resource: "placementfloors"}
	all = append(all, f.everyWay(floors, "")...)
	// An owner that is not there: the garbage collector then does what the sender may not.
	owned := change{apiVersion: "terroir.dev/v1alpha1", kind: "PlacementFloor", namespace: "$namespace", name: "floor", path: []string{"metadata", "ownerReferences"}, value: []any{map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-4000-8000-000000000000",
	}}}
	f.effect = collected
	add(": an owner that is gone", f.through(owned, mergePatch, put, apply))

	return append(all,
		Variant{By: worker, Through: "delete of placementfloors", Set: governed, Try: deletesFloor(func(ctx context.Context, s *stage, f *v1alpha1.PlacementFloor) error {
			return s.actor().Delete(ctx, f)
		})},
		Variant{By: worker, Through: "deletecollection of placementfloors", Set: governed, Try: deletesFloor(func(ctx context.Context, s *stage, f *v1alpha1.PlacementFloor) error {
			return s.actor().DeleteAllOf(ctx, f, client.InNamespace(f.Namespace))
		})},
		Variant{By: worker, Through: "create of placementfloors", Set: free, Try: func(ctx context.Context, s *stage) (effect, error) {
			err := s.create(ctx, s.actor(), floor)
			return err == nil, err
		}},
		Variant{By: tenantsOperator, Through: "create of namespaces with a false mark", Closed: Undone, Try: createsMarked(`terroir.dev/governed: "false"`)},
		Variant{By: tenantsOperator, Through: "create of namespaces, and of pods at once", Closed: Undone, Try: createsMarked("")},
	)
}

// collected tells whether the object got its owner, or is gone already for that.
func collected(ctx context.Context, s *stage, c change) (effect, error) {
	u := c.object()
	found, err := s.exists(ctx, u, c.namespace, c.name)
	return effect(err == nil && (!found || len(u.GetOwnerReferences()) > 0)), err
}

func deletesFloor(do func(context.Context, *stage, *v1alpha1.PlacementFloor) error) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		var before, after v1alpha1.PlacementFloor
		if found, err := s.exists(ctx, &before, s.namespace(), v1alpha1.FloorName); err != nil || !found {
			return mishap("there is no floor: %w", errors.Join(err))
		}
		refusal := do(ctx, s, before.DeepCopy())
		found, err := s.exists(ctx, &after, s.namespace(), v1alpha1.FloorName)
		return effect(!found || after.UID != before.UID), errors.Join(err, refusal)
	}
}

// createsMarked creates a namespace that the policy selects, and a pod in it before Terroir can have written its floor.
func createsMarked(label string) func(context.Context, *stage) (effect, error) {
	return func(ctx context.Context, s *stage) (effect, error) {
		err := s.create(ctx, s.actor(), `{apiVersion: v1, kind: Namespace, metadata: {name: $namespace, labels: {doors: $phase`+also(label)+`}}}`)
		if err != nil {
			return nothing, err
		}
		if err := s.hasAccount(ctx); err != nil {
			return mishap("%w", err)
		}
		if err := s.create(ctx, s.actor(), podOf("", toAbroad)); err != nil {
			return nothing, err
		}
		return s.lands(ctx, s.name())
	}
}
