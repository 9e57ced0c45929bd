package controllers

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/policy"
)

// writes is an API server that keeps nothing but what it was asked to do.
type writes struct {
	client.Client
	asked []string
}

func (w *writes) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	return w.note("create", o.(*v1alpha1.PlacementFloor))
}

func (w *writes) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	return w.note("update", o.(*v1alpha1.PlacementFloor))
}

func (w *writes) note(what string, f *v1alpha1.PlacementFloor) error {
	w.asked = append(w.asked, fmt.Sprintf("%s floor of %v", what, f.Spec.TrustLevels))
	return nil
}

func (w *writes) Delete(context.Context, client.Object, ...client.DeleteOption) error {
	w.asked = append(w.asked, "delete floor")
	return nil
}

// Patch answers with a namespace that has no marks.
func (w *writes) Patch(_ context.Context, o client.Object, p client.Patch, _ ...client.PatchOption) error {
	changes, err := p.Data(o)
	w.asked = append(w.asked, string(changes))
	o.SetLabels(nil)
	return err
}

func TestMarksStayWhileAPolicyIsNotKnown(t *testing.T) {
	const unmarked = `{"metadata":{"labels":{"terroir.dev/governed":null,"terroir.dev/unsettled":null}}}`
	marked := map[string]string{v1alpha1.GovernedLabel: "true", v1alpha1.UnsettledLabel: "true"}
	owed := policy.Obligation{}.With(policy.Demand{Source: policy.Source{Kind: "Namespace", Name: "n"}, Levels: []string{"here"}})
	empty, full := fence.Floor("n", policy.Obligation{}), fence.Floor("n", owed)
	for what, c := range map[string]struct {
		labels       map[string]string
		due          due
		floor        *v1alpha1.PlacementFloor
		known, early []string // what is written when every policy is known, and before
	}{
		"a marked namespace that seems to owe nothing": {
			labels: marked, known: []string{"create floor of []", unmarked, "delete floor"},
		},
		"one with a floor": {
			labels: marked, floor: full, known: []string{"update floor of []", unmarked, "delete floor"},
		},
		"one where only a pod asks for something": {
			labels: marked, due: due{governed: true, floor: empty}, floor: full,
			known: []string{"update floor of []", `{"metadata":{"labels":{"terroir.dev/unsettled":null}}}`},
		},
		"one that owes something gets its floor": {
			labels: marked, due: due{governed: true, floor: full, owes: true},
			known: []string{"create floor of [here]", `{"metadata":{"labels":{"terroir.dev/unsettled":null}}}`},
			early: []string{"create floor of [here]"},
		},
		"one that owes something and is not marked yet": {
			due: due{governed: true, floor: full, owes: true}, floor: full,
			known: []string{`{"metadata":{"labels":{"terroir.dev/governed":"true"}}}`},
			early: []string{`{"metadata":{"labels":{"terroir.dev/governed":"true"}}}`},
		},
		"one that owes encryption": {
			labels: marked, due: due{governed: true, encrypted: true, floor: full, owes: true}, floor: full,
			known: []string{`{"metadata":{"labels":{"terroir.dev/encrypted":"true","terroir.dev/unsettled":null}}}`},
			early: []string{`{"metadata":{"labels":{"terroir.dev/encrypted":"true"}}}`},
		},
		"one that owed encryption": {
			labels: map[string]string{v1alpha1.GovernedLabel: "true", v1alpha1.EncryptedLabel: "true"}, due: due{governed: true, floor: full, owes: true}, floor: full,
			known: []string{`{"metadata":{"labels":{"terroir.dev/encrypted":null}}}`},
		},
		"a warned one":     {labels: map[string]string{v1alpha1.WarnedLabel: "true"}, known: []string{`{"metadata":{"labels":{"terroir.dev/warned":null}}}`}},
		"a free namespace": {},
	} {
		t.Run(what, func(t *testing.T) {
			for allKnown, want := range map[bool][]string{true: c.known, false: c.early} {
				server := &writes{}
				c.due.namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: c.labels}}
				o := &Obligation{writer: writer{server}}
				if s := o.settleAll(t.Context(), []due{c.due}, map[string]*v1alpha1.PlacementFloor{"n": c.floor}, allKnown); s.err != nil {
					t.Fatal(s.err)
				}
				if diff := cmp.Diff(want, server.asked); diff != "" {
					t.Errorf("all policies known: %t; written (-want +got):\n%s", allKnown, diff)
				}
			}
		})
	}
}

func TestEveryPolicyMustBeKnown(t *testing.T) {
	w := demandWorld{
		clusterPolicies: []v1alpha1.ClusterPlacementPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, {ObjectMeta: metav1.ObjectMeta{Name: "b"}}},
		policies:        []v1alpha1.PlacementPolicy{{ObjectMeta: metav1.ObjectMeta{Name: "c"}}},
	}
	for _, unknown := range []string{"a", "b", "c", ""} {
		if got := w.within(func(o metav1.Object) bool { return o.GetName() != unknown }); got != (unknown == "") {
			t.Errorf("without %q all are known: %t", unknown, got)
		}
	}
}
