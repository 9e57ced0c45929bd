package e2e

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Every loop looks at the whole world in each pass. Whatever would not settle would be written again in the next one, so a pass
// that demonstrably took place and left everything else as it was shows that nothing is written for nothing.
func TestNothingIsWrittenThatDidNotChange(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "quiet")
	// The passes bring zones that read this label, and the fence keeps the labels that zones read: it shall know this one throughout.
	w.create(t, `{apiVersion: terroir.dev/v1alpha1, kind: Zone, metadata: {name: always}, spec: {country: DE, recognition: {labels: {only: always}}}}`)
	w.create(t, deployment("quiet", "web", 3, ""))
	w.pods(t, "quiet", 3)
	w.pass(t, "settle-1")
	w.pass(t, "settle-2")
	before := w.versions(t)
	for _, name := range []string{"pass-1", "pass-2", "pass-3"} {
		w.pass(t, name)
	}
	if diff := cmp.Diff(before, w.versions(t)); diff != "" {
		t.Errorf("resource versions (-before +after):\n%s", diff)
	}
}

// pass makes every loop look at the world, and waits until it did: each has something new to write then.
func (w *world) pass(t *testing.T, name string) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		w.create(t, fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: %[1]s}
spec: {country: DE, recognition: {labels: {only: %[1]s}}}
---
apiVersion: v1
kind: Node
metadata: {name: %[1]s, labels: {only: %[1]s}}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: %[1]s}
spec: {namespaceSelector: {matchLabels: {nobody: %[1]s}}, trustLevels: [trusted], enforcement: Enforce}
`, name))
		w.labelled(t, name, v1alpha1.ZoneLabel, name)
		w.policyIs(t, name, v1alpha1.ConditionReady, "True", "Enforced")
		eventually(t, "the zone's status is written", func() error {
			var z v1alpha1.Zone
			if err := w.Get(t.Context(), client.ObjectKey{Name: name}, &z); err != nil {
				return err
			}
			if z.Status.Nodes != 1 {
				return fmt.Errorf("it is %+v", z.Status)
			}
			return nil
		})
		eventually(t, "the fence marks its namespaces", func() error {
			return w.Get(t.Context(), client.ObjectKey{Name: "terroir-namespaces-" + name}, &admissionregistrationv1.MutatingAdmissionPolicyBinding{})
		})
	})
}

// versions gives the resource version of everything that Terroir writes, and that did not change for its own reasons: trust levels
// count the policies that require them.
func (w *world) versions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, list := range []client.ObjectList{
		&v1alpha1.FrameworkList{}, &v1alpha1.CloudProviderList{}, &v1alpha1.ZoneList{}, &v1alpha1.QualificationList{},
		&v1alpha1.ClusterPlacementPolicyList{}, &v1alpha1.PlacementPolicyList{}, &v1alpha1.PlacementFloorList{},
		&admissionregistrationv1.ValidatingAdmissionPolicyList{}, &admissionregistrationv1.ValidatingAdmissionPolicyBindingList{},
		&admissionregistrationv1.MutatingAdmissionPolicyList{}, &admissionregistrationv1.MutatingAdmissionPolicyBindingList{},
		&admissionregistrationv1.ValidatingWebhookConfigurationList{}, &admissionregistrationv1.MutatingWebhookConfigurationList{},
	} {
		if err := w.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		err := meta.EachListItem(list, func(o runtime.Object) error {
			item := o.(client.Object)
			found[fmt.Sprintf("%T %s", item, client.ObjectKeyFromObject(item))] = fmt.Sprint(item.GetResourceVersion(), " generation ", item.GetGeneration())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}
