package fence

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
)

func validating(o Options) []runtime.Object {
	var objects []runtime.Object
	for _, p := range podPolicies() {
		_, ref := owed(p.owed, admissionregistrationv1.DenyAction)
		objects = append(objects, podsPolicy(p.pods, p.owed, o))
		for _, in := range wheres(p.owed, o.Exempt) {
			objects = append(objects, named(p.pods+in.suffix, validatingBinding(p.pods, in.namespaces, ref)))
		}
	}
	return append(objects,
		podUpdatesPolicy(o),
		limited(validatingBinding(PodUpdates, nil, nil), "", "pods"),
		limited(validatingBinding(PodUpdates, governed(o.Exempt), nil), "-status", "pods/status"),
		podAdoptionsPolicy(o),
		validatingBinding(PodAdoptions, governed(o.Exempt), param(v1alpha1.FloorName, admissionregistrationv1.AllowAction)),
		bindingsPolicy(o),
		validatingBinding(Bindings, governed(o.Exempt), param(v1alpha1.ConfigName, admissionregistrationv1.DenyAction)),
		workloadsPolicy(),
		validatingBinding(Workloads, nil, nil),
		namespacesPolicy(),
		validatingBinding(Namespaces, nil, nil),
	)
}

// podPolicy names the policies about pods and DaemonSets that read what is owed from one source.
type podPolicy struct {
	pods, daemonSets string
	owed             placement.Source
}

func podPolicies() []podPolicy {
	return []podPolicy{
		{Pods, DaemonSets, placement.FromFloor},
		{AnnotatedPods, AnnotatedDaemonSets, placement.FromNothing},
		{UnsettledPods, UnsettledDaemonSets, placement.FromPolicies},
		{UnsettledAnnotatedPods, UnsettledAnnotatedDaemonSets, placement.FromNamespace},
	}
}

// podsPolicy proves pods at their creation.
func podsPolicy(name string, from placement.Source, o Options) *admissionregistrationv1.ValidatingAdmissionPolicy {
	var checks []placement.Validation
	for _, r := range placement.Rules() {
		checks = append(checks, r.Validations(o.Settings)...)
	}
	kind, _ := owed(from, admissionregistrationv1.DenyAction)
	return validatingPolicy(name, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		ParamKind:        kind,
		MatchConstraints: confined(match(rule("", []string{"pods"}, admissionregistrationv1.Create)), reach(from, o.Exempt)),
		MatchConditions:  podConditions(from),
		Variables:        variables(placement.PodVariables(from)),
		Validations:      validations(checks),
	})
}

// podUpdatesPolicy has no parameter: in a namespace that is being deleted the floor goes before the pods, and their finalizers
// must still come off. Through pods/status it is bound only where namespaces are governed: every kubelet writes there all the time.
func podUpdatesPolicy(o Options) *admissionregistrationv1.ValidatingAdmissionPolicy {
	return validatingPolicy(PodUpdates, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: match(rule("", []string{"pods", "pods/status"}, admissionregistrationv1.Update)),
		MatchConditions:  []admissionregistrationv1.MatchCondition{condition("changed", placement.ConditionChanged)},
		Variables:        variables(placement.UpdateVariables(exemptNames(o.Exempt))),
		Validations:      validations(placement.UpdateValidations()),
	})
}

// podAdoptionsPolicy allows where the floor is missing, for the sake of namespaces that are being deleted; elsewhere Terroir alone
// removes floors. For the same reason it lets pass what it cannot judge because the floor's kind is gone: parameters are looked up before
// conditions are, so that the finalizers of every pod would hang. Owner references cannot be changed through pods/status.
func podAdoptionsPolicy(o Options) *admissionregistrationv1.ValidatingAdmissionPolicy {
	policy := validatingPolicy(PodAdoptions, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		ParamKind:        floorKind(),
		MatchConstraints: confined(match(rule("", []string{"pods"}, admissionregistrationv1.Update)), governed(o.Exempt)),
		MatchConditions:  []admissionregistrationv1.MatchCondition{condition("adopted", placement.ConditionAdopted)},
		Variables:        variables(placement.AdoptionVariables()),
		Validations:      validations(placement.AdoptionValidations()),
	})
	ignore := admissionregistrationv1.Ignore
	policy.Spec.FailurePolicy = &ignore
	return policy
}

// limited limits a binding to updates of one resource of its policy, and names it after that.
func limited(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding, suffix, resource string) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	b.Name += suffix
	b.Spec.MatchResources.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{rule("", []string{resource}, admissionregistrationv1.Update)}
	return b
}

// when limits checks to requests for which skip is false.
func when(skip string, checks []placement.Validation) []placement.Validation {
	limited := make([]placement.Validation, len(checks))
	for i, c := range checks {
		limited[i] = placement.Validation{Expression: skip + " || (" + c.Expression + ")", Message: c.Message}
	}
	return limited
}

func bindingsPolicy(o Options) *admissionregistrationv1.ValidatingAdmissionPolicy {
	return validatingPolicy(Bindings, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		ParamKind:        configKind(),
		MatchConstraints: confined(match(rule("", []string{"pods/binding", "bindings"}, admissionregistrationv1.Create)), governed(o.Exempt)),
		Variables:        variables(placement.BindingVariables()),
		Validations:      validations(placement.BindingValidations(o.Settings)),
	})
}

// workloadsPolicy refuses annotations that mean nothing: a misspelt demand would be no demand.
func workloadsPolicy() *admissionregistrationv1.ValidatingAdmissionPolicy {
	const template = `(request.kind.kind == 'CronJob' ? object.spec.jobTemplate.spec.template : object.spec.template).?metadata.annotations.orValue({})`
	checks := placement.AnnotationValidations("variables.own")
	checks = append(checks, placement.AnnotationValidations("variables.template")...)
	checks = when(`variables.unchanged`, checks)
	checks = append(checks, placement.JobValidations()...)
	return validatingPolicy(Workloads, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: match(workloadRules(admissionregistrationv1.Create, admissionregistrationv1.Update)...),
		MatchConditions:  []admissionregistrationv1.MatchCondition{condition("concerned", placement.ConditionWorkload)},
		Variables: []admissionregistrationv1.Variable{
			{Name: "own", Expression: `object.metadata.?annotations.orValue({})`},
			{Name: "template", Expression: template},
			{Name: "templateWas", Expression: `oldObject == null ? {} : (request.kind.kind == 'CronJob' ? oldObject.spec.jobTemplate.spec.template : oldObject.spec.template).?metadata.annotations.orValue({})`},
			{Name: "unchanged", Expression: unchanged("variables.own", "oldObject.metadata.?annotations.orValue({})") + " && " + unchanged("variables.template", "variables.templateWas")},
		},
		Validations: validations(checks),
	})
}

// unchanged says, in CEL, that an update leaves all annotations under Terroir's prefixes as they were: what is older than Terroir must
// not keep others from updating the object.
func unchanged(is, was string) string {
	const own = placement.OwnKey
	return `(oldObject != null && ` + is + `.all(k, !(` + own + `) || ` + was + `[?k] == optional.of(` + is + `[k])) && ` + was + `.all(k, !(` + own + `) || k in ` + is + `))`
}

func namespacesPolicy() *admissionregistrationv1.ValidatingAdmissionPolicy {
	return validatingPolicy(Namespaces, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: match(rule("", []string{"namespaces"}, admissionregistrationv1.Create, admissionregistrationv1.Update)),
		MatchConditions:  []admissionregistrationv1.MatchCondition{condition("annotated", placement.ConditionAnnotated)},
		Variables:        []admissionregistrationv1.Variable{{Name: "own", Expression: `object.metadata.?annotations.orValue({})`}},
		Validations:      validations(when(unchanged(`variables.own`, `oldObject.metadata.?annotations.orValue({})`), placement.AnnotationValidations("variables.own"))),
	})
}

func validatingPolicy(name string, spec admissionregistrationv1.ValidatingAdmissionPolicySpec) *admissionregistrationv1.ValidatingAdmissionPolicy {
	fail := admissionregistrationv1.Fail
	spec.FailurePolicy = &fail
	return &admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: meta(name), Spec: spec,
	}
}

func validatingBinding(name string, namespaces *metav1.LabelSelector, param *admissionregistrationv1.ParamRef) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: meta(name),
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ParamRef: param,
			MatchResources:    &admissionregistrationv1.MatchResources{NamespaceSelector: namespaces},
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
}

func named(name string, binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	binding.Name = name
	return binding
}

func validations(of []placement.Validation) []admissionregistrationv1.Validation {
	forbidden := metav1.StatusReasonForbidden
	out := make([]admissionregistrationv1.Validation, len(of))
	for i, v := range of {
		out[i] = admissionregistrationv1.Validation{Expression: v.Expression, MessageExpression: "string(" + v.Message + ")", Message: "refused by Terroir", Reason: &forbidden}
	}
	return out
}
