package fence

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/terroir-dev/terroir/internal/placement"
)

// markGoverned labels a namespace in the very request that creates or relabels it. One that was not governed before has no
// floor yet, and says so; where Terroir itself marks one, the floor is there.
const markGoverned = `object.metadata.?labels[?'terroir.dev/governed'].orValue('') == 'true' ? [] :
  (has(object.metadata.labels) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}])
  + [JSONPatch{op: 'add', path: '/metadata/labels/terroir.dev~1governed', value: 'true'}]
  + (oldObject != null && oldObject.metadata.?labels[?'terroir.dev/governed'].orValue('') == 'true' || request.userInfo.?username.orValue('') == '` + placement.OperatorUser + `' ? []
    : [JSONPatch{op: 'add', path: '/metadata/labels/terroir.dev~1unsettled', value: 'true'}])`

func mutating(o Options) []runtime.Object {
	everywhere := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{exceptExempt(o.Exempt)}}
	objects := []runtime.Object{
		mutatingPolicy(AnnotatedNamespaces, nil, nil, markGoverned, namespaceRequests(), condition("demanding", placement.ConditionDemanding)),
		mutatingBinding(AnnotatedNamespaces, AnnotatedNamespaces, everywhere, nil),
		mutatingPolicy(Namespaces, nil, nil, markGoverned, namespaceRequests()),
	}
	objects = append(objects, mirroring()...)
	for _, p := range podPolicies() {
		objects = append(objects, shaping(p, o.Exempt)...)
	}
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

// shaping gives the policies that shape pods and DaemonSets. Pods without a floor are refused. A DaemonSet without one stays as it
// is: its pods are judged one by one, and in a namespace that is being deleted, whose floor is gone, its finalizers must still come off.
func shaping(p podPolicy, exempt []string) []runtime.Object {
	kind, ofPods := owed(p.owed, admissionregistrationv1.DenyAction)
	_, ofDaemonSets := owed(p.owed, admissionregistrationv1.AllowAction)
	var concerned []admissionregistrationv1.MatchCondition
	if p.owed == placement.FromNothing {
		concerned = []admissionregistrationv1.MatchCondition{condition("concerned", placement.ConditionWorkload)}
	}
	reached := reach(p.owed, exempt)
	objects := []runtime.Object{
		mutatingPolicy(p.pods, kind, variables(placement.PodVariables(p.owed)), shape(),
			confined(match(rule("", []string{"pods"}, admissionregistrationv1.Create)), reached), podConditions(p.owed)...),
		mutatingPolicy(p.daemonSets, kind, variables(placement.DaemonSetVariables(p.owed)), placement.DaemonSetPatch,
			confined(match(rule("apps", []string{"daemonsets"}, admissionregistrationv1.Create, admissionregistrationv1.Update)), reached), concerned...),
	}
	for _, in := range wheres(p.owed, exempt) {
		objects = append(objects, mutatingBinding(p.pods, p.pods+in.suffix, in.namespaces, ofPods),
			mutatingBinding(p.daemonSets, p.daemonSets+in.suffix, in.namespaces, ofDaemonSets))
	}
	return objects
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
