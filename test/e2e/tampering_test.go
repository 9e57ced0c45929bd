package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// tampering is something that a cluster administrator might do to an object of Terroir.
type tampering struct {
	object client.Object
	do     func(o client.Object)
}

// The administrator of the shared cluster may do anything, so that nothing here is refused.
func TestWhatIsChangedIsPutBackAndRaisesAnAlarm(t *testing.T) {
	w := shared
	for what, c := range tamperings() {
		t.Run(what, func(t *testing.T) {
			before := w.tamper(t, c)
			w.isPutBack(t, c.object, before)
			w.alarmed(t, w.key(t, c.object)+" was ") // the garbage collector may have deleted what was given an owner
		})
	}
}

// tamper does it, and gives what was there before.
func (w *world) tamper(t *testing.T, c tampering) (before map[string]any) {
	t.Helper()
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(c.object), c.object); err != nil {
			return err
		}
		before = essence(t, c.object)
		c.do(c.object)
		return w.Update(t.Context(), c.object, client.FieldOwner("somebody"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Diff(before, essence(t, c.object)) == "" {
		t.Fatal("nothing was changed")
	}
	return before
}

func tamperings() map[string]tampering {
	all := map[string]tampering{
		"a Service points elsewhere": {named("terroir-webhook", &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace}}), func(o client.Object) {
			o.(*corev1.Service).Spec.Selector = map[string]string{"app": "mine"}
		}},
		"a webhook is given another address": {named("terroir", &admissionregistrationv1.MutatingWebhookConfiguration{}), func(o client.Object) {
			o.(*admissionregistrationv1.MutatingWebhookConfiguration).Webhooks[0].ClientConfig.URL = new("https://127.0.0.1:1/")
		}},
		"a webhook is kept from some namespaces": {named("terroir", &admissionregistrationv1.ValidatingWebhookConfiguration{}), func(o client.Object) {
			o.(*admissionregistrationv1.ValidatingWebhookConfiguration).Webhooks[0].NamespaceSelector.MatchLabels["let-me"] = "in"
		}},
		"a webhook is left out": {named("terroir", &admissionregistrationv1.ValidatingWebhookConfiguration{}), func(o client.Object) {
			c := o.(*admissionregistrationv1.ValidatingWebhookConfiguration)
			c.Webhooks = c.Webhooks[1:]
		}},
		"the mark is taken off a policy": {named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicy{}), func(o client.Object) { o.SetLabels(nil) }},
		"a policy is given an owner, with which it would go": {named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicy{}), func(o client.Object) {
			o.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "terroir.dev/v1alpha1", Kind: "TerroirConfig", Name: "nobody", UID: "nobody"}})
		}},
	}
	maps.Copy(all, policyTamperings())
	maps.Copy(all, mutatingTamperings())
	return all
}

func policyTamperings() map[string]tampering {
	policy := func(do func(*admissionregistrationv1.ValidatingAdmissionPolicySpec)) tampering {
		return tampering{named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicy{}), func(o client.Object) {
			do(&o.(*admissionregistrationv1.ValidatingAdmissionPolicy).Spec)
		}}
	}
	binding := func(do func(*admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec)) tampering {
		return tampering{named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}), func(o client.Object) {
			do(&o.(*admissionregistrationv1.ValidatingAdmissionPolicyBinding).Spec)
		}}
	}
	return map[string]tampering{
		"a policy is given a condition that never holds": policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.MatchConditions = append(s.MatchConditions, admissionregistrationv1.MatchCondition{Name: "never", Expression: "false"})
		}),
		"a policy is kept from pods": policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.ExcludeResourceRules = s.MatchConstraints.ResourceRules
		}),
		"a policy is kept from some pods": policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.MatchConstraints.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"let-me": "in"}}
		}),
		"a policy fails open": policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.FailurePolicy = new(admissionregistrationv1.Ignore)
		}),
		"a check is left out": policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) { s.Validations = s.Validations[1:] }),
		"a variable is other": policy(func(s *admissionregistrationv1.ValidatingAdmissionPolicySpec) {
			s.Variables[0].Expression = "(" + s.Variables[0].Expression + ")"
		}),
		"a binding only audits": binding(func(s *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec) {
			s.ValidationActions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Audit}
		}),
		"a binding is kept from pods": binding(func(s *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec) {
			s.MatchResources.ExcludeResourceRules = []admissionregistrationv1.NamedRuleWithOperations{podsRule()}
		}),
		"a binding is kept from some namespaces": binding(func(s *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec) {
			s.MatchResources.NamespaceSelector.MatchLabels["let-me"] = "in"
		}),
		"a binding admits what owes nothing yet": binding(func(s *admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec) {
			s.ParamRef.ParameterNotFoundAction = new(admissionregistrationv1.AllowAction)
		}),
	}
}

func mutatingTamperings() map[string]tampering {
	return map[string]tampering{
		"a policy that shapes does nothing": {named("terroir-pods", &admissionregistrationv1.MutatingAdmissionPolicy{}), func(o client.Object) {
			o.(*admissionregistrationv1.MutatingAdmissionPolicy).Spec.Mutations[0].JSONPatch.Expression = `false ? [JSONPatch{op: 'remove', path: '/spec'}] : []`
		}},
		"a binding of it is kept from pods": {named("terroir-pods", &admissionregistrationv1.MutatingAdmissionPolicyBinding{}), func(o client.Object) {
			o.(*admissionregistrationv1.MutatingAdmissionPolicyBinding).Spec.MatchResources.ExcludeResourceRules = []admissionregistrationv1.NamedRuleWithOperations{podsRule()}
		}},
	}
}

func podsRule() admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"*"}, Resources: []string{"pods"}},
	}}
}

func named(name string, o client.Object) client.Object {
	o.SetName(name)
	return o
}

func TestWhatIsDeletedIsBackAndRaisesAnAlarm(t *testing.T) {
	w := shared
	home := metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace}
	for _, o := range []client.Object{
		named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicy{}),
		named("terroir-pods", &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}),
		named("terroir-probe", &admissionregistrationv1.ValidatingAdmissionPolicyBinding{}),
		named("terroir-pods", &admissionregistrationv1.MutatingAdmissionPolicy{}),
		named("terroir-pods", &admissionregistrationv1.MutatingAdmissionPolicyBinding{}),
		named("terroir", &admissionregistrationv1.MutatingWebhookConfiguration{}),
		named("terroir", &admissionregistrationv1.ValidatingWebhookConfiguration{}),
		named("terroir-webhook", &corev1.Service{ObjectMeta: home}),
		named("terroir-webhook-cert", &corev1.Secret{ObjectMeta: home}),
		named("cluster", &v1alpha1.TerroirConfig{}),
	} {
		t.Run(w.key(t, o), func(t *testing.T) {
			if err := w.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
				t.Fatal(err)
			}
			before := essence(t, o)
			if err := w.Delete(t.Context(), o); err != nil {
				t.Fatal(err)
			}
			w.isPutBack(t, o, before)
			w.alarmed(t, w.key(t, o)+" was deleted at ")
		})
	}
	eventually(t, "an event tells it", func() error {
		var list eventsv1.EventList
		if err := w.List(t.Context(), &list, client.InNamespace(metav1.NamespaceDefault)); err != nil {
			return err
		}
		var notes []string
		for _, e := range list.Items {
			notes = append(notes, e.Note)
		}
		if !slices.Contains(notes, "Service/terroir-system/terroir-webhook was deleted by somebody else, and Terroir has put it back") {
			return fmt.Errorf("the events say %q", notes)
		}
		return nil
	})
	w.fenceIs(t, v1alpha1.FenceFull)
}

// The mark would take annotated pods out of the reach of the policies for free namespaces, and exempt ones are not governed.
func TestAnExemptNamespaceCannotBeMarkedOutOfReach(t *testing.T) {
	w := shared
	w.ground(t)
	annotated := strings.Replace(pod("kube-public", "p", "nodeName: abroad"), "namespace:", "annotations: {terroir.dev/trust-level: trusted}, namespace:", 1)
	n := &corev1.Namespace{}
	w.operatorAway(t, func() { // it would take the mark off again
		w.mustPatch(t, n, "kube-public", `{"metadata":{"labels":{"terroir.dev/governed":"true"}}}`)
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: "kube-public", Name: "default"}, &corev1.ServiceAccount{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the API server knows the mark", func() error {
			err := w.try(t, annotated)
			if err == nil {
				return fmt.Errorf("the pod is admitted")
			}
			terroir.Denied(t, err, "terroir-annotated-pods-exempt")
			return nil
		})
		p := terroir.MustObjects(t, strings.Replace(annotated, "nodeName: abroad", "", 1))[0]
		if err := w.Create(t.Context(), p, client.DryRunAll); err != nil {
			t.Fatal(err)
		}
		if _, held, _ := unstructured.NestedString(p.Object, "spec", "nodeSelector", v1alpha1.HeldLabelPrefix+"trusted"); !held {
			t.Errorf("it was not shaped: %v", p.Object["spec"])
		}
	})
	w.mustPatch(t, n, "kube-public", `{"metadata":{"labels":{"terroir.dev/governed":null}}}`)
}

// essence is what is in an object besides what every write changes.
func essence(t *testing.T, o client.Object) map[string]any {
	t.Helper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	delete(content, "status")
	delete(content, "data") // of the Secret
	if spec, ok := content["spec"].(map[string]any); ok {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	content["metadata"] = map[string]any{"labels": maps.Clone(o.GetLabels()), "owners": o.GetOwnerReferences()}
	labels := content["metadata"].(map[string]any)["labels"].(map[string]string)
	delete(labels, "app.kubernetes.io/part-of") // which kustomize gave
	if len(labels) == 0 {
		delete(content["metadata"].(map[string]any), "labels")
	}
	text, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	plain := map[string]any{}
	if err := json.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func (w *world) isPutBack(t *testing.T, o client.Object, before map[string]any) {
	t.Helper()
	eventually(t, "it is as it was", func() error {
		now := o.DeepCopyObject().(client.Object)
		if err := w.Get(t.Context(), client.ObjectKeyFromObject(o), now); err != nil {
			return err
		}
		if diff := cmp.Diff(before, essence(t, now)); diff != "" {
			return fmt.Errorf("(-before +now) %s", diff)
		}
		return nil
	})
}

func (w *world) key(t *testing.T, o client.Object) string {
	t.Helper()
	return w.kind(t, o) + "/" + strings.TrimPrefix(client.ObjectKeyFromObject(o).String(), "/")
}

func (w *world) kind(t *testing.T, o client.Object) string {
	t.Helper()
	gvk, err := apiutil.GVKForObject(o, w.Scheme())
	if err != nil {
		t.Fatal(err)
	}
	return gvk.Kind
}

func (w *world) alarmed(t *testing.T, words string) {
	t.Helper()
	eventually(t, "TerroirConfig tells it", func() error {
		s, err := w.config(t)
		if err != nil {
			return err
		}
		c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionUntampered)
		if c == nil || c.Status != metav1.ConditionFalse || c.Reason != "PutBack" || !strings.Contains(c.Message, words) {
			return fmt.Errorf("the condition is %+v", c)
		}
		return nil
	})
}

// fenceIs waits until Terroir says that this guarantee is proven.
func (w *world) fenceIs(t *testing.T, fence v1alpha1.Fence) {
	t.Helper()
	eventually(t, "the fence is "+string(fence), func() error {
		s, err := w.config(t)
		if err != nil {
			return err
		}
		if s.Fence != fence || !meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("it is %s: %+v", s.Fence, s.Conditions)
		}
		return nil
	})
}
