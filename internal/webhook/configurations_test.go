package webhook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	authuser "k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

func TestConfigurations(t *testing.T) {
	var n notes
	for _, c := range []struct {
		sentence string
		options  ConfigurationOptions
	}{
		{"in the cluster, where the fence shapes", ConfigurationOptions{Mutating: true, CABundle: []byte("pem")}},
		{"on this machine, where the fence only judges", ConfigurationOptions{Exempt: []string{"monitoring", "kube-system"}, URL: "https://127.0.0.1:9443", CABundle: []byte("pem")}},
	} {
		for _, o := range Configurations(c.options) {
			text, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			n.add(c.sentence, string(text))
		}
	}
	n.compare(t, "configurations")
}

// called are the hooks that the API server would call.
func called(t *testing.T, namespace map[string]string, who string, object, old runtime.Object) []string {
	t.Helper()
	kinds, _, err := clientgoscheme.Scheme.ObjectKinds(object)
	if err != nil {
		t.Fatal(err)
	}
	operation := admission.Create
	if old != nil {
		operation = admission.Update
	}
	resource := kinds[0].GroupVersion().WithResource(strings.ToLower(kinds[0].Kind) + "s")
	attributes, err := admission.NewVersionedAttributes(
		admission.NewAttributesRecord(object, old, kinds[0], "ns", "n", resource, "", operation, nil, false, &authuser.DefaultInfo{Name: who}),
		kinds[0], admission.NewObjectInterfacesFromScheme(clientgoscheme.Scheme))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	note := func(name string, rules []admissionregistrationv1.RuleWithOperations, where *metav1.LabelSelector, when []condition) {
		if covers(rules, attributes) && selects(t, where, namespace) && matches(t, when, attributes) {
			names = append(names, name)
		}
	}
	for _, o := range Configurations(ConfigurationOptions{}) {
		switch o := o.(type) {
		case *admissionregistrationv1.MutatingWebhookConfiguration:
			for _, w := range o.Webhooks {
				note(w.Name, w.Rules, w.NamespaceSelector, w.MatchConditions)
			}
		case *admissionregistrationv1.ValidatingWebhookConfiguration:
			for _, w := range o.Webhooks {
				note(w.Name, w.Rules, w.NamespaceSelector, w.MatchConditions)
			}
		}
	}
	return names
}

func covers(rules []admissionregistrationv1.RuleWithOperations, a *admission.VersionedAttributes) bool {
	for _, r := range rules {
		for _, resource := range r.Resources {
			for _, o := range r.Operations {
				if r.APIGroups[0] == a.GetResource().Group && resource == a.GetResource().Resource && string(o) == string(a.GetOperation()) {
					return true
				}
			}
		}
	}
	return false
}

func selects(t *testing.T, s *metav1.LabelSelector, namespace map[string]string) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return selector.Matches(labels.Set(namespace))
}

func matches(t *testing.T, conditions []condition, a *admission.VersionedAttributes) bool {
	t.Helper()
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		t.Fatal(err)
	}
	accessors := make([]cel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		accessors[i] = (*matchconditions.MatchCondition)(&conditions[i])
	}
	evaluator := compiler.CompileCondition(accessors, cel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
	if errs := evaluator.CompilationErrors(); len(errs) > 0 {
		t.Fatal(errs)
	}
	fail := admissionregistrationv1.Fail
	result := matchconditions.NewMatcher(evaluator, &fail, "webhook", "test", "test").Match(t.Context(), a, nil, nil)
	if result.Error != nil {
		t.Fatal(result.Error)
	}
	return result.Matches
}

func TestWhoIsCalled(t *testing.T) {
	asks := map[string]string{"terroir.dev/trust-level": "in-france"}
	governed := map[string]string{"kubernetes.io/metadata.name": "hr", "terroir.dev/governed": "true"}
	warned := map[string]string{"kubernetes.io/metadata.name": "hr", "terroir.dev/warned": "true"}
	both := map[string]string{"kubernetes.io/metadata.name": "hr", "terroir.dev/governed": "true", "terroir.dev/warned": "true"}
	encrypted := map[string]string{"kubernetes.io/metadata.name": "hr", "terroir.dev/governed": "true", "terroir.dev/encrypted": "true"}
	falselyMarked := map[string]string{"kubernetes.io/metadata.name": "kube-system", "terroir.dev/governed": "true", "terroir.dev/encrypted": "true"}
	free := map[string]string{"kubernetes.io/metadata.name": "hr"}
	exempt := map[string]string{"kubernetes.io/metadata.name": "kube-system", "terroir.dev/governed": "true", "terroir.dev/warned": "true"}
	pod := func(annotations map[string]string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}}
	}
	mirror := pod(map[string]string{"kubernetes.io/config.mirror": "x"})
	mirror.Spec.NodeName = "n"
	template := func(annotations map[string]string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: annotations}}
	}
	plain := &appsv1.Deployment{}
	annotated := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: asks}}
	nightly := &batchv1.CronJob{}
	nightly.Spec.JobTemplate.Spec.Template = template(asks)
	stale := &appsv1.DaemonSet{}
	stale.Spec.Template.Spec.NodeSelector = map[string]string{"held.terroir.node-restriction.kubernetes.io/x": "true"}
	for _, c := range []struct {
		sentence    string
		namespace   map[string]string
		user        string
		object, old runtime.Object
		want        []string
	}{
		{"a pod in a free namespace calls nobody", free, "u", pod(map[string]string{"a": "b"}), nil, nil},
		{"a workload in a free namespace calls nobody", free, "u", plain, nil, nil},
		{"an update of a workload in a free namespace calls nobody", free, "u", plain, plain, nil},
		{"a DaemonSet in a free namespace calls nobody", free, "u", &appsv1.DaemonSet{}, nil, nil},
		{"a governed pod", governed, "u", pod(nil), nil, []string{"pods.terroir.dev"}},
		{"a governed and annotated pod calls once", governed, "u", pod(asks), nil, []string{"pods.terroir.dev"}},
		{"a governed and warned pod calls once", both, "u", pod(nil), nil, []string{"pods.terroir.dev"}},
		{"an annotated pod", free, "u", pod(asks), nil, []string{"annotated-pods.terroir.dev"}},
		{"a warned pod", warned, "u", pod(nil), nil, []string{"warned-pods.terroir.dev"}},
		{"a warned and annotated pod calls once", warned, "u", pod(asks), nil, []string{"annotated-pods.terroir.dev"}},
		{"an exempt pod", exempt, "u", pod(nil), nil, nil},
		{"a mirror pod of its kubelet", governed, "system:node:n", mirror, nil, nil},
		{"a mirror pod of another kubelet", governed, "system:node:m", mirror, nil, []string{"pods.terroir.dev"}},
		{"an update of a pod", governed, "u", pod(nil), pod(nil), nil},
		{"a governed workload", governed, "u", plain, nil, []string{"workloads.terroir.dev"}},
		{"an annotated workload", free, "u", annotated, nil, []string{"annotated-workloads.terroir.dev"}},
		{"a workload that loses its annotation", free, "u", plain, annotated, []string{"annotated-workloads.terroir.dev"}},
		{"an annotated template", free, "u", nightly, nil, []string{"annotated-workloads.terroir.dev"}},
		{"a DaemonSet that asks for a level by itself calls nobody", free, "u", stale, nil, nil},
		{"a warned workload", warned, "u", plain, nil, []string{"warned-workloads.terroir.dev"}},
		{"a warned and annotated workload calls once", warned, "u", annotated, nil, []string{"annotated-workloads.terroir.dev"}},
		{"a claim where encryption is owed", encrypted, "u", &corev1.PersistentVolumeClaim{}, nil, []string{"claims.terroir.dev"}},
		{"a claim there that is updated", encrypted, "u", &corev1.PersistentVolumeClaim{}, &corev1.PersistentVolumeClaim{}, nil},
		{"a claim where none is owed", governed, "u", &corev1.PersistentVolumeClaim{}, nil, nil},
		{"a claim where somebody wrote the mark", falselyMarked, "u", &corev1.PersistentVolumeClaim{}, nil, nil},
		{"a ReplicaSet", governed, "u", &appsv1.ReplicaSet{}, nil, nil},
	} {
		if diff := cmp.Diff(c.want, called(t, c.namespace, c.user, c.object, c.old)); diff != "" {
			t.Errorf("%s:\n%s", c.sentence, diff)
		}
	}
}

// The live look must end while the API server still waits: it takes silence for absence, and admits.
func TestBindingsAnswerInTime(t *testing.T) {
	if lookWithin.Seconds() >= bindingsTimeout {
		t.Error("the API server does not wait for the live look")
	}
}

// Where the fence cannot shape, governed pods wait for the webhook. Claims do where encryption is owed. Nothing else ever does.
func TestWhatFailsClosed(t *testing.T) {
	for _, mutating := range []bool{true, false} {
		var failing []string
		for _, o := range Configurations(ConfigurationOptions{Mutating: mutating}) {
			switch o := o.(type) {
			case *admissionregistrationv1.MutatingWebhookConfiguration:
				for _, w := range o.Webhooks {
					if *w.FailurePolicy == admissionregistrationv1.Fail {
						failing = append(failing, w.Name)
					}
				}
			case *admissionregistrationv1.ValidatingWebhookConfiguration:
				for _, w := range o.Webhooks {
					if *w.FailurePolicy == admissionregistrationv1.Fail {
						failing = append(failing, w.Name)
					}
				}
			}
		}
		want := []string{"pods.terroir.dev", "claims.terroir.dev"}
		if mutating {
			want = want[1:]
		}
		if diff := cmp.Diff(want, failing); diff != "" {
			t.Errorf("mutating %v: %s", mutating, diff)
		}
	}
}
