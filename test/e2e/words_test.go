package e2e

import (
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func open(level string) string { return v1alpha1.OpenLabelPrefix + level }

const heldTrusted = v1alpha1.HeldLabelPrefix + "trusted"

// governed creates a namespace that the policy of the same name governs.
func (w *world) governed(t *testing.T, name string) {
	t.Helper()
	w.create(t, fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: %[1]s}
spec: {namespaceSelector: {matchLabels: {policy: %[1]s}}, trustLevels: [trusted], spread: {minSites: 3}, enforcement: Enforce}
---
apiVersion: v1
kind: Namespace
metadata: {name: %[1]s, labels: {policy: %[1]s}}
`, name))
	w.policyIs(t, name, v1alpha1.ConditionReady, metav1.ConditionTrue, "Enforced")
	eventually(t, "the floor of "+name+" is written", func() error {
		return w.Get(t.Context(), client.ObjectKey{Namespace: name, Name: v1alpha1.FloorName}, &v1alpha1.PlacementFloor{})
	})
}

// policyIs waits until a cluster policy has a condition, and gives the policy.
func (w *world) policyIs(t *testing.T, name, condition string, status metav1.ConditionStatus, reason string) *v1alpha1.ClusterPlacementPolicy {
	t.Helper()
	var p v1alpha1.ClusterPlacementPolicy
	eventually(t, fmt.Sprintf("policy %s has %s=%s (%s)", name, condition, status, reason), func() error {
		if err := w.Get(t.Context(), client.ObjectKey{Name: name}, &p); err != nil {
			return err
		}
		c := meta.FindStatusCondition(p.Status.Conditions, condition)
		if c == nil || c.Status != status || c.Reason != reason {
			return fmt.Errorf("its status is %+v", p.Status)
		}
		return nil
	})
	return &p
}

func deployment(namespace, name string, replicas int, annotations string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[2]s, namespace: %[1]s, annotations: {%[4]s}}
spec:
  replicas: %[3]d
  selector: {matchLabels: {app: %[2]s}}
  template:
    metadata: {labels: {app: %[2]s}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
`, namespace, name, replicas, annotations)
}

func pod(namespace, name, spec string) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: %s}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}], %s}
`, name, namespace, spec)
}

// patch merges JSON into an object.
func (w *world) patch(t *testing.T, o client.Object, name, json string) error {
	t.Helper()
	o.SetName(name)
	return w.Patch(t.Context(), o, client.RawPatch("application/merge-patch+json", []byte(json)))
}

func (w *world) mustPatch(t *testing.T, o client.Object, name, json string) {
	t.Helper()
	if err := w.patch(t, o, name, json); err != nil {
		t.Fatal(err)
	}
}
