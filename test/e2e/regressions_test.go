package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// Each test here was once a way to stop somebody's pods, or to let one astray.

func TestANamespaceIsFreeAgainWhenItsPolicyGoes(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "once")
	w.remove(t, &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "once"}})
	eventually(t, "neither mark nor floor is left", func() error { return w.free(t, "once") })
	w.create(t, pod("once", "p", "nodeSelector: {kubernetes.io/hostname: abroad}"))
	w.pods(t, "once", 1)
}

// free says what is left of Terroir in a namespace.
func (w *world) free(t *testing.T, namespace string) error {
	t.Helper()
	var n corev1.Namespace
	if err := w.Get(t.Context(), client.ObjectKey{Name: namespace}, &n); err != nil {
		return err
	}
	floor := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: v1alpha1.FloorName}, &v1alpha1.PlacementFloor{})
	if n.Labels[v1alpha1.GovernedLabel] != "" || client.IgnoreNotFound(floor) != nil || floor == nil {
		return fmt.Errorf("labels %v, floor: %w", n.Labels, floor)
	}
	return nil
}

func TestANamespaceIsNotGovernedByWhatIsToldToPeople(t *testing.T) {
	w := shared
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: told-people, annotations: {terroir.dev/placement: "{}"}}}`)
	w.create(t, pod("told-people", "p", ""))
	if err := w.free(t, "told-people"); err != nil {
		t.Error(err)
	}
}

func TestReadyMeansThatTheNextNamespaceIsGoverned(t *testing.T) {
	w := shared
	w.ground(t)
	for i := range 3 {
		policy := fmt.Sprintf("ready-%d", i)
		w.governed(t, policy) // returns when the policy is Ready
		w.create(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %[1]s-later, labels: {policy: %[1]s}}}`, policy))
		var n corev1.Namespace
		if err := w.Get(t.Context(), client.ObjectKey{Name: policy + "-later"}, &n); err != nil || n.Labels[v1alpha1.GovernedLabel] != "true" {
			t.Errorf("the namespace came with the labels %v (%v)", n.Labels, err)
		}
	}
}

func TestAWorkloadLabelOfOnesOwnIsRefused(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "ownlabel")
	own := strings.ReplaceAll(deployment("ownlabel", "web", 3, ""), "{app: web}", "{app: web, terroir.dev/workload: mine}")
	terroir.Denied(t, w.try(t, own), "remove it from the template and the selector")
	terroir.Denied(t, w.try(t, strings.Replace(pod("ownlabel", "p", ""), "namespace: ownlabel", "namespace: ownlabel, labels: {terroir.dev/workload: mine}", 1)),
		"leave it to Terroir")
}

// A DaemonSet in a free namespace that asks for a level by hand means it.
func TestAHandWrittenSelectorStays(t *testing.T) {
	w := shared
	w.ground(t)
	w.create(t, `
apiVersion: v1
kind: Namespace
metadata: {name: byhand}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: byhand}
spec:
  selector: {matchLabels: {app: x}}
  template:
    metadata: {labels: {app: x}}
    spec: {terminationGracePeriodSeconds: 0, nodeSelector: {held.terroir.node-restriction.kubernetes.io/trusted: "true"}, containers: [{name: c, image: x}]}
`)
	for _, p := range w.pods(t, "byhand", 6) {
		if p.Spec.NodeName == "abroad" {
			t.Errorf("pod %s runs abroad", p.Name)
		}
	}
}

// The floor of a namespace that is being deleted goes before the last of its objects, whose finalizers must still come off.
func TestAGovernedNamespaceCanBeDeleted(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "doomed")
	w.create(t, strings.Replace(deployment("doomed", "web", 3, ""), "namespace: doomed,", "namespace: doomed, finalizers: [example.org/hook],", 1))
	w.pods(t, "doomed", 3)
	if err := w.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "doomed"}}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the floor is gone, and the Deployment waits for its finalizer", func() error {
		err := w.Get(t.Context(), client.ObjectKey{Namespace: "doomed", Name: v1alpha1.FloorName}, &v1alpha1.PlacementFloor{})
		if err == nil {
			return fmt.Errorf("the floor is still there")
		}
		return client.IgnoreNotFound(err)
	})
	d := &unstructured.Unstructured{}
	d.SetGroupVersionKind(schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"})
	d.SetNamespace("doomed")
	w.mustPatch(t, d, "web", `{"metadata":{"finalizers":null}}`)
	eventually(t, "the namespace is gone", func() error {
		err := w.Get(t.Context(), client.ObjectKey{Name: "doomed"}, &corev1.Namespace{})
		if err == nil {
			return fmt.Errorf("it is still there")
		}
		return client.IgnoreNotFound(err)
	})
}

// What somebody else puts into a floor goes again.
func TestAFloorIsWrittenWhole(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "whole")
	floor := &v1alpha1.PlacementFloor{ObjectMeta: metav1.ObjectMeta{Namespace: "whole"}}
	w.mustPatch(t, floor, "floor", `{"spec":{"missingTrustLevels":["bogus"]}}`)
	eventually(t, "it is what it was", func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(floor), floor); err != nil {
			return err
		}
		if len(floor.Spec.MissingTrustLevels) > 0 {
			return fmt.Errorf("it is %+v", floor.Spec)
		}
		return nil
	})
}

// Admission looks at each annotation once: tens of thousands of them must not keep the API server busy.
func TestManyAnnotationsCostLittle(t *testing.T) {
	w := shared
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: many}}`)
	p := terroir.MustObjects(t, pod("many", "p", ""))[0]
	annotations := map[string]string{"terroir.dev/trust-level": strings.Repeat(",", 60000)}
	for i := range 15000 {
		annotations[fmt.Sprintf("a%d", i)] = ""
	}
	p.SetAnnotations(annotations)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	terroir.Denied(t, w.Create(ctx, p), "trust levels, separated by commas")
}

func TestOneCommandCreatesALevelAndWhatAsksForIt(t *testing.T) {
	w := shared
	w.warnings.take()
	for i := range 5 {
		w.create(t, fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: together-%[1]d}
spec: {countries: [FR]}
---
apiVersion: v1
kind: Namespace
metadata: {name: together-%[1]d, annotations: {terroir.dev/trust-level: together-%[1]d}}
`, i))
		w.remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("together-%d", i)}})
	}
	if said := w.warnings.take(); strings.Contains(said, "does not exist") {
		t.Errorf("they were told %q", said)
	}
}
