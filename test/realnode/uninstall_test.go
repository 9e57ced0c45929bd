package realnode

import (
	"fmt"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestAfterUninstallingPodsRunOnAndNobodyIsInTheWay(t *testing.T) {
	w := shared
	w.terroir(t)
	w.create(t, fmt.Sprintf(governed, "survivor"))
	survivor := w.runs(t, "patients", "survivor")

	// A bare pod, which nobody would replace, keeps the label it asks for.
	if printed, err := w.uninstall(t); err == nil || !strings.Contains(printed, "survivor") {
		t.Fatalf("uninstalling gives %v; it should have named the pod that keeps a label:\n%s", err, printed)
	}
	w.nothingLeft(t)
	w.restart(t)
	w.stays(t, survivor)

	w.remove(t, survivor)
	if printed, err := w.uninstall(t); err != nil {
		t.Errorf("once the pod is gone, uninstalling gives %v:\n%s", err, printed)
	}
	if left := ours(w.real(t)); len(left) > 0 {
		t.Errorf("the node still has %v", left)
	}
	w.create(t, fmt.Sprintf(governed, "free-now"))
	if pod := w.runs(t, "patients", "free-now"); shaped(pod) {
		t.Error("a pod is shaped after Terroir was uninstalled")
	}
}

// nothingLeft checks that the API server has nothing of Terroir any more.
func (w *world) nothingLeft(t *testing.T) {
	t.Helper()
	var policies admissionregistrationv1.ValidatingAdmissionPolicyList
	var hooks admissionregistrationv1.ValidatingWebhookConfigurationList
	for _, list := range []client.ObjectList{&policies, &hooks} {
		if err := w.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
	}
	if len(policies.Items)+len(hooks.Items) > 0 {
		t.Errorf("left in the API server: %+v %+v", policies.Items, hooks.Items)
	}
	if err := w.Get(t.Context(), client.ObjectKey{Name: v1alpha1.SystemNamespace}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		t.Errorf("reading Terroir's namespace gives %v; it should be gone", err)
	}
}
