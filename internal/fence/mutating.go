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
		mutatingPolicy(AnnotatedNamespaces, nil, nil, markGoverned, namespaceRequests(), condition("demanding", placement.ConditionDemanding)),
		mutatingBinding(AnnotatedNamespaces, AnnotatedNamespaces, everywhere, nil),
		mutatingPolicy(Namespaces, nil, nil, markGoverned, namespaceRequests()),
	}
	objects = append(objects, mirroring()...)
	objects = append(objects, shaping(Pods, DaemonSets, true, o.Exempt)...)
	objects = append(objects, shaping(AnnotatedPods, AnnotatedDaemonSets, false, o.Exempt)...)
	for _, g := range sortedGoverning(o.Governing) {
		selector := g.Selector.DeepCopy()
		selector.MatchExpressions = append(selector.MatchExpressions, exceptExempt(o.Exempt))
		objects = append(objects, mutatingBinding(Namespaces, Namespaces+"-"+g.Name, selector, nil))
	}
	return objects
}

// mirroring gives the policy that mirrors annotations into templates, in every namespace.
func mirroring() []runtime.Object {
	return []runtime.Object{
		mutatingPolicy(Workloads, nil, variables(placement.MirrorVariables()), placement.MirrorPatch,
			match(workloadRules(admissionregistrationv1.Create, admissionregistrationv1.Update)...), condition("concerned", placement.ConditionWorkload)),
		mutatingBinding(Workloads, Workloads, nil, nil),
	}
}

// shaping gives the policies that shape pods and DaemonSets, in governed namespaces or elsewhere. Pods without a floor are refused. A
// DaemonSet without one stays as it is: its pods are judged one by one, and in a namespace that is being deleted, whose floor is
// gone, its finalizers must still come off.
func shaping(pods, daemonSets string, governed bool, exempt []string) []runtime.Object {
	kind, owed := floor(governed, admissionregistrationv1.DenyAction)
	_, owedIfAny := floor(governed, admissionregistrationv1.AllowAction)
	var concerned []admissionregistrationv1.MatchCondition
	if !governed {
		concerned = []admissionregistrationv1.MatchCondition{condition("concerned", placement.ConditionWorkload)}
	}
	objects := []runtime.Object{
		mutatingPolicy(pods, kind, variables(placement.PodVariables(governed)), shape(),
			match(rule("", []string{"pods"}, admissionregistrationv1.Create)), podConditions(governed)...),
		mutatingPolicy(daemonSets, kind, variables(placement.DaemonSetVariables(governed)), placement.DaemonSetPatch,
			match(rule("apps", []string{"daemonsets"}, admissionregistrationv1.Create, admissionregistrationv1.Update)), concerned...),
	}
	objects = append(objects, shapingBindings(pods, governed, exempt, owed)...)
	return append(objects, shapingBindings(daemonSets, governed, exempt, owedIfAny)...)
}

func shapingBindings(policy string, isGoverned bool, exempt []string, owed *admissionregistrationv1.ParamRef) []runtime.Object {
	if isGoverned {
		return []runtime.Object{mutatingBinding(policy, policy, governed(exempt), owed)}
	}
	return []runtime.Object{
		mutatingBinding(policy, policy, free(), owed),
		mutatingBinding(policy, policy+exemptSuffix, falselyMarked(exempt), owed),
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
			FailurePolicy: &fail,
			// Once is enough, and every time costs the coding of the whole object: with IfNeeded the API server runs a policy again that
			// it has just run, also when there was nothing to change. What a later mutator strips, the validating half refuses; what
			// it adds, the webhook shapes, which is asked again.
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy,
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
