package fence

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/terroir-dev/terroir/internal/placement"
)

// markGoverned labels a namespace in the very request that creates or relabels it.
const markGoverned = `object.metadata.?labels.orValue({})[?'terroir.dev/governed'].orValue('') == 'true' ? [] :
  (has(object.metadata.labels) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}])
  + [JSONPatch{op: 'add', path: '/metadata/labels/terroir.dev~1governed', value: 'true'}]`

func mutating(o Options) []runtime.Object {
	everywhere := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{exceptExempt(o.Exempt)}}
	objects := []runtime.Object{
		mutatingPolicy(AnnotatedNamespaces, nil, nil, markGoverned, namespaceRequests(), annotated),
		mutatingBinding(AnnotatedNamespaces, AnnotatedNamespaces, everywhere, nil),
		mutatingPolicy(Namespaces, nil, nil, markGoverned, namespaceRequests()),
	}
	objects = append(objects, shaping(Pods, Workloads, true, o.Exempt)...)
	objects = append(objects, shaping(AnnotatedPods, AnnotatedWorkloads, false, o.Exempt)...)
	for _, g := range sortedGoverning(o.Governing) {
		selector := g.Selector.DeepCopy()
		selector.MatchExpressions = append(selector.MatchExpressions, exceptExempt(o.Exempt))
		objects = append(objects, mutatingBinding(Namespaces, Namespaces+"-"+g.Name, selector, nil))
	}
	return objects
}

// shaping gives the policies that shape pods and workloads, in governed namespaces or elsewhere.
func shaping(pods, workloads string, governed bool, exempt []string) []runtime.Object {
	kind, ref := floor(governed)
	var concerned []admissionregistrationv1.MatchCondition
	if !governed {
		concerned = []admissionregistrationv1.MatchCondition{workloadConcerned}
	}
	return []runtime.Object{
		mutatingPolicy(pods, kind, variables(placement.PodVariables(governed)), shape(),
			match(rule("", []string{"pods"}, admissionregistrationv1.Create)), podConditions(governed)...),
		mutatingBinding(pods, pods, where(governed, exempt), ref),
		mutatingPolicy(workloads, kind, variables(placement.WorkloadVariables(governed)), placement.WorkloadPatch,
			match(workloadRules(admissionregistrationv1.Create, admissionregistrationv1.Update)...), concerned...),
		mutatingBinding(workloads, workloads, where(governed, exempt), ref),
	}
}

func namespaceRequests() *admissionregistrationv1.MatchResources {
	return match(rule("", []string{"namespaces"}, admissionregistrationv1.Create, admissionregistrationv1.Update))
}

func mutatingPolicy(
	name string, params *admissionregistrationv1.ParamKind, vars []admissionregistrationv1.Variable, patch string,
	matching *admissionregistrationv1.MatchResources, conditions ...admissionregistrationv1.MatchCondition,
) *admissionregistrationv1.MutatingAdmissionPolicy {
	fail := admissionregistrationv1.Fail
	return &admissionregistrationv1.MutatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicy"},
		ObjectMeta: meta(name),
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			ParamKind: params, MatchConstraints: matching, Variables: vars, MatchConditions: conditions,
			FailurePolicy:      &fail,
			ReinvocationPolicy: admissionregistrationv1.IfNeededReinvocationPolicy,
			Mutations: []admissionregistrationv1.Mutation{{
				PatchType: admissionregistrationv1.PatchTypeJSONPatch,
				JSONPatch: &admissionregistrationv1.JSONPatch{Expression: patch},
			}},
		},
	}
}

func mutatingBinding(policy, name string, namespaces *metav1.LabelSelector, param *admissionregistrationv1.ParamRef) *admissionregistrationv1.MutatingAdmissionPolicyBinding {
	return &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingAdmissionPolicyBinding"},
		ObjectMeta: meta(name),
		Spec: admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{
			PolicyName: policy, ParamRef: param,
			MatchResources: &admissionregistrationv1.MatchResources{NamespaceSelector: namespaces},
		},
	}
}
