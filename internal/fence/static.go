package fence

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/terroir-dev/terroir/internal/placement"
)

// What API servers load from files, they apply without asking the API: names must end so, and there are no parameters.
const (
	staticFence        = "terroir-fence.static.k8s.io"
	staticInstallation = "terroir-installation.static.k8s.io"
)

// Static gives the admission policies for the files of an API server (ManifestBasedAdmissionControlConfig). With them nobody, not even
// cluster-admin, takes the fence down through the API: admission policies cannot guard admission policies otherwise.
//
// The fence itself is written by Terroir alone. Kinds, cluster-wide RBAC and the namespace are deleted by nobody; who may change them is
// for the guard of the installation to say, so that Terroir can be upgraded with the files in place.
func Static() []runtime.Object {
	const (
		user = `request.userInfo.?username.orValue('') == '` + placement.OperatorUser + `'`
		name = `(oldObject == null ? object : oldObject).metadata.?name.orValue('')`
		take = `; whoever runs the API server takes it out of the folder of static admission manifests first`
	)
	return append(
		static(staticFence,
			[]admissionregistrationv1.NamedRuleWithOperations{anyVersion("admissionregistration.k8s.io",
				[]string{
					"mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "mutatingwebhookconfigurations",
					"validatingadmissionpolicies", "validatingadmissionpolicybindings", "validatingwebhookconfigurations",
				}, admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete)},
			name+` == 'terroir' || `+name+`.startsWith('terroir-') || (oldObject != null && oldObject.metadata.?labels[?'`+ManagedByLabel+`'].orValue('') == '`+ManagedBy+`')`,
			user,
			`request.kind.kind + ' ' + `+name+` + ' is part of the fence of Terroir, which Terroir alone writes`+take+`'`),
		static(staticInstallation,
			[]admissionregistrationv1.NamedRuleWithOperations{
				anyVersion("apiextensions.k8s.io", []string{"customresourcedefinitions"}, admissionregistrationv1.Delete),
				anyVersion("rbac.authorization.k8s.io", []string{"clusterroles", "clusterrolebindings"}, admissionregistrationv1.Delete),
				anyVersion("", []string{"namespaces"}, admissionregistrationv1.Delete),
			},
			name+` in ['terroir-manager', 'terroir-system'] || `+name+`.endsWith('.terroir.dev')`,
			`false`,
			`request.kind.kind + ' ' + `+name+` + ' is part of Terroir, and nobody deletes it`+take+`'`)...)
}

func static(name string, rules []admissionregistrationv1.NamedRuleWithOperations, concerned, admitted, message string) []runtime.Object {
	forbidden := validations([]placement.Validation{{Expression: admitted, Message: message}})
	policy := validatingPolicy(name, admissionregistrationv1.ValidatingAdmissionPolicySpec{
		MatchConstraints: match(rules...),
		MatchConditions:  []admissionregistrationv1.MatchCondition{condition("terroirs-own", concerned)},
		Validations:      forbidden,
	})
	binding := validatingBinding(name, nil, nil)
	policy.Labels, binding.Labels = nil, nil // they are no objects of the API that Terroir could manage
	return []runtime.Object{policy, binding}
}

func anyVersion(group string, resources []string, operations ...admissionregistrationv1.OperationType) admissionregistrationv1.NamedRuleWithOperations {
	r := rule(group, resources, operations...)
	r.APIVersions = []string{"*"}
	return r
}
