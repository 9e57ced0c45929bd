package fence

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/guard"
	"github.com/terroir-dev/terroir/internal/placement"
)

// guards turns every guard into an admission policy and its binding.
func guards(o Options) []runtime.Object {
	var objects []runtime.Object
	for _, g := range guard.Guards(o.Settings) {
		objects = append(objects, guardPolicy(g, o.Exempt), guardBinding(g, o.Exempt))
	}
	return objects
}

func guardPolicy(g guard.Guard, exempt []string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	policy := validatingPolicy(g.Name, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: confined(match(requests(g.Looks, g.Scope)...), namespacesOf(g.Scope, exempt)),
		MatchConditions:  conditions(g.Conditions),
		Variables:        variables(g.Variables),
		Validations:      validations(g.Validations),
	})
	if g.EachClusterPolicy {
		ignore := admissionregistrationv1.Ignore // a kind that is not served must not stop the removal of what is left
		policy.Spec.FailurePolicy = &ignore
		policy.Spec.ParamKind = clusterPolicyKind()
	}
	return policy
}

func guardBinding(g guard.Guard, exempt []string) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	var params *admissionregistrationv1.ParamRef
	if g.EachClusterPolicy {
		params = everyClusterPolicy()
	}
	return validatingBinding(g.Name, namespacesOf(g.Scope, exempt), params)
}

func namespacesOf(s guard.Scope, exempt []string) *metav1.LabelSelector {
	switch s {
	case guard.Governed:
		return governed(exempt)
	case guard.Own:
		return &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: v1alpha1.SystemNamespace}}
	default:
		return nil
	}
}

// keepers turns every keeper into an admission policy and its binding. What they put right is a convenience: an expression that fails
// must not keep a node from telling that it is alive.
func keepers(o Options) []runtime.Object {
	var objects []runtime.Object
	for _, k := range guard.Keepers(o.Settings) {
		policy := mutatingPolicy(k.Name, nil, variables(k.Variables), k.Patch, match(requests(k.Looks, guard.Everywhere)...), conditions(k.Conditions)...)
		ignore := admissionregistrationv1.Ignore
		policy.Spec.FailurePolicy = &ignore
		objects = append(objects, policy, mutatingBinding(k.Name, k.Name, nil, nil))
	}
	return objects
}

func requests(looks []guard.Resources, scope guard.Scope) []admissionregistrationv1.NamedRuleWithOperations {
	rules := make([]admissionregistrationv1.NamedRuleWithOperations, len(looks))
	for i, l := range looks {
		rules[i] = rule(l.Group, l.Names, l.Operations...)
		rules[i].APIVersions = []string{l.Version}
		if scope == guard.Own {
			namespaced := admissionregistrationv1.NamespacedScope
			rules[i].Scope = &namespaced
		}
	}
	return rules
}

func conditions(of []placement.Variable) []admissionregistrationv1.MatchCondition {
	out := make([]admissionregistrationv1.MatchCondition, len(of))
	for i, c := range of {
		out[i] = condition(c.Name, c.Expression)
	}
	return out
}
