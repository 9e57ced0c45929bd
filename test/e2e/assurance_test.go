package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

const shapingGate = "MutatingAdmissionPolicy"

// One API server in three states of its life: before it shapes, upgraded so that it does, and with static admission manifests.
func TestTheGuaranteeIsWhatTheAPIServerShows(t *testing.T) {
	manifests := t.TempDir()
	c := cluster.New(t, cluster.Options{
		FeatureGates:   map[string]bool{shapingGate: false},
		APIServerFlags: []string{"--admission-control-config-file=" + staticConfiguration(t, manifests)},
	})
	// It would give up the lead while the API server restarts, and here nobody would start it again.
	if err := terroir.Install(t.Context(), c, "--leader-elect=false"); err != nil {
		t.Fatal(err)
	}
	w, err := newWorld(c, c.Config())
	if err != nil {
		t.Fatal(err)
	}
	w.ground(t)
	w.governed(t, "here")
	w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: free}}`)
	t.Run("an API server that serves the kind and does not apply it only judges", w.onlyJudges)
	t.Run("after its upgrade it shapes, and Terroir notices by itself", w.shapesAfterUpgrade)
	t.Run("with static admission manifests not even its administrator takes the fence down", func(t *testing.T) { w.isSealed(t, manifests) })
	t.Run("a kind that is deleted is not put back, and raises an alarm", w.missesAKind)
	t.Run("without the floors' kind governed pods are refused, and nothing else is", w.hasNoFloors)
}

func (w *world) onlyJudges(t *testing.T) {
	w.fenceIs(t, v1alpha1.FenceValidatingOnly)
	w.shaping(t, admissionregistrationv1.Fail)
	w.create(t, deployment("here", "web", 3, ""))
	if got := perSite(w.pods(t, "here", 3)); len(got) != 3 {
		t.Errorf("pods per site: %v", got)
	}
	w.operatorAway(t, func() {
		terroir.Denied(t, w.try(t, pod("here", "p", "")), `failed calling webhook "pods.terroir.dev"`)
		// Without the webhook nobody shapes it, and the judgement is the API server's.
		terroir.Denied(t, w.try(t, strings.Replace(pod("free", "p", ""), "namespace: free", `namespace: free, annotations: {terroir.dev/trust-level: trusted}`, 1)), "terroir-annotated-pods")
		w.create(t, pod("free", "p", ""))
		w.pods(t, "free", 1)
	})
}

func (w *world) shapesAfterUpgrade(t *testing.T) {
	err := w.cluster.RestartWith(t.Context(), cluster.APIServer, func(args []string) []string {
		changed := make([]string, len(args))
		for i, a := range args {
			changed[i] = strings.ReplaceAll(a, shapingGate+"=false", shapingGate+"=true")
		}
		return changed
	})
	if err != nil {
		t.Fatal(err)
	}
	w.fenceIs(t, v1alpha1.FenceFull)
	w.shaping(t, admissionregistrationv1.Ignore)
	w.operatorAway(t, func() {
		w.create(t, deployment("here", "web", 3, ""))
		if got := perSite(w.pods(t, "here", 3)); len(got) != 3 {
			t.Errorf("pods per site: %v", got)
		}
	})
}

// shaping waits until the webhook for governed pods falls this way.
func (w *world) shaping(t *testing.T, falls admissionregistrationv1.FailurePolicyType) {
	t.Helper()
	eventually(t, "the webhook that shapes governed pods falls to "+string(falls), func() error {
		var c admissionregistrationv1.MutatingWebhookConfiguration
		if err := w.Get(t.Context(), client.ObjectKey{Name: "terroir"}, &c); err != nil {
			return err
		}
		if got := *c.Webhooks[0].FailurePolicy; got != falls {
			return fmt.Errorf("%s falls to %s", c.Webhooks[0].Name, got)
		}
		return nil
	})
}

// operatorAway does something while the operator is stopped.
func (w *world) operatorAway(t *testing.T, do func()) {
	t.Helper()
	if err := w.cluster.StopComponent(terroir.Component); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.cluster.StartComponent(context.Background(), terroir.Component); err != nil {
			t.Error(err)
		}
	}()
	do()
}

// staticConfiguration is the sample, with a folder of our own.
func staticConfiguration(t *testing.T, manifests string) (path string) {
	t.Helper()
	sample, err := os.ReadFile(filepath.Join(terroir.Root(), "config/static/admission-configuration.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "admission-configuration.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(sample), "/etc/kubernetes/terroir", manifests)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// sealedFence are objects of the fence, and sealed those of the rest of the installation that nobody deletes.
func sealedFence() []client.Object {
	return []client.Object{
		named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicy{}),
		named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}),
		named("terroir-pods", &admissionregistrationv1.MutatingAdmissionPolicy{}),
		named("terroir-pods", &admissionregistrationv1.MutatingAdmissionPolicyBinding{}),
		named("terroir", &admissionregistrationv1.MutatingWebhookConfiguration{}),
		named("terroir", &admissionregistrationv1.ValidatingWebhookConfiguration{}),
	}
}

func sealed() []client.Object {
	return append(sealedFence(),
		guarded{apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name: "placementfloors.terroir.dev"}.object(),
		named("terroir-manager", &rbacv1.ClusterRole{}), named("terroir-manager", &rbacv1.ClusterRoleBinding{}),
		named(v1alpha1.SystemNamespace, &corev1.Namespace{}))
}

func (w *world) isSealed(t *testing.T, manifests string) {
	for _, o := range sealed() {
		if err := w.Delete(t.Context(), o, client.DryRunAll); err != nil {
			t.Errorf("without them the administrator may delete %s: %v", w.key(t, o), err)
		}
	}
	path := filepath.Join(manifests, "terroir.yaml")
	bundle, err := os.ReadFile(filepath.Join(terroir.Root(), "config/static/manifests/terroir.yaml"))
	if err := errors.Join(err, os.WriteFile(path, bundle, 0o600)); err != nil {
		t.Fatal(err)
	}
	pods := named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicy{})
	eventually(t, "the API server has read them", func() error {
		if err := w.Delete(t.Context(), pods, client.DryRunAll); err == nil {
			return errors.New("the fence can still be deleted")
		}
		return nil
	})
	for _, o := range sealed() {
		t.Run("deleting "+w.key(t, o), func(t *testing.T) {
			terroir.Denied(t, w.Delete(t.Context(), o), w.kind(t, o)+" "+o.GetName()+" is part of")
		})
	}
	t.Run("changing it", w.isUnchangeable)
	t.Run("Terroir itself goes on writing it", func(t *testing.T) {
		w.governed(t, "sealed")
		w.create(t, `{apiVersion: v1, kind: Namespace, metadata: {name: sealed-later, labels: {policy: sealed}}}`)
	})
	t.Run("its administrator may upgrade the rest", func(t *testing.T) {
		for _, part := range []string{"config/crd", "config/rbac", "config/webhook"} {
			if err := terroir.Apply(t.Context(), w.cluster, "-k", part); err != nil {
				t.Error(err)
			}
		}
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "without them the fence can be deleted again", func() error { return w.Delete(t.Context(), pods, client.DryRunAll) })
}

// missesAKind comes last: nothing mends what it does.
func (w *world) missesAKind(t *testing.T) {
	kind := guarded{apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name: "placementpolicies.terroir.dev"}.object()
	w.remove(t, kind)
	eventually(t, "TerroirConfig tells it", func() error {
		s, err := w.config(t)
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionUntampered)
		if c == nil || c.Reason != "Missing" || !strings.Contains(c.Message, "CustomResourceDefinition/placementpolicies.terroir.dev") {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
}

// hasNoFloors: an API server that starts without the kind of a parameter denies whatever policies with that parameter match.
func (w *world) hasNoFloors(t *testing.T) {
	w.create(t, pod("here", "older", ""))
	w.remove(t, guarded{apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", name: "placementfloors.terroir.dev"}.object())
	if err := w.cluster.RestartWith(t.Context(), cluster.APIServer, func(args []string) []string { return args }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server looks in vain for what governed pods owe", func() error {
		err := w.try(t, pod("here", "floorless", ""))
		if err == nil || !strings.Contains(err.Error(), "failed to find resource referenced by paramKind") {
			return fmt.Errorf("it answers: %w", err)
		}
		return nil
	})
	for _, namespace := range []string{"free", "kube-system"} {
		w.create(t, pod(namespace, "floorless", ""))
		w.finalizers(t, namespace, "floorless")
	}
	w.finalizers(t, "here", "older")
}

// finalizers come on and off, as those of Jobs do.
func (w *world) finalizers(t *testing.T, namespace, name string) {
	t.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace}}
	w.mustPatch(t, p, name, `{"metadata":{"finalizers":["example.org/mine"]}}`)
	w.mustPatch(t, p, name, `{"metadata":{"finalizers":null}}`)
}

// isUnchangeable tries every verb but delete on the fence.
func (w *world) isUnchangeable(t *testing.T) {
	const words = "is part of the fence of Terroir"
	for _, o := range sealedFence() {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatal(err)
		}
		terroir.Denied(t, w.patch(t, o, o.GetName(), `{"metadata":{"labels":{"terroir.dev/fence":null}}}`), words)
		terroir.Denied(t, w.patch(t, o, o.GetName(), `{"metadata":{"finalizers":["example.org/mine"]}}`), words)
		terroir.Denied(t, w.DeleteAllOf(t.Context(), o, client.MatchingLabels{"terroir.dev/fence": "true"}), words)
	}
	terroir.Denied(t, w.try(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: terroir-mine}
spec: {policyName: terroir-pods, validationActions: [Audit]}
`), words)
}
