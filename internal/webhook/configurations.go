package webhook

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// ConfigurationName is the name of both webhook configurations; ServiceName is the Service at which the API server finds the webhook.
const (
	ConfigurationName = "terroir"
	ServiceName       = "terroir-webhook"
	servicePort       = 443
)

// ConfigurationOptions are what the webhook configurations depend on.
type ConfigurationOptions struct {
	// Exempt are the namespaces, by literal name, that no policy governs, besides those that never are.
	Exempt []string
	// Mutating tells that the API server was seen to apply MutatingAdmissionPolicies. Then the fence shapes and judges without the
	// webhook; otherwise governed pods need it.
	Mutating bool
	// URL is where the webhook is found, such as https://127.0.0.1:9443. Empty: at its Service.
	URL string
	// CABundle is the authority, in PEM, that signed the webhook's certificate.
	CABundle []byte
}

// Configurations gives the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration. In namespaces that are neither governed nor warned, only requests
// about objects with annotations of ours match.
func Configurations(o ConfigurationOptions) []runtime.Object {
	return []runtime.Object{
		&admissionregistrationv1.MutatingWebhookConfiguration{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "MutatingWebhookConfiguration"},
			ObjectMeta: configurationMeta(), Webhooks: o.mutating(),
		},
		&admissionregistrationv1.ValidatingWebhookConfiguration{
			TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingWebhookConfiguration"},
			ObjectMeta: configurationMeta(), Webhooks: o.validating(),
		},
	}
}

func configurationMeta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: ConfigurationName, Labels: map[string]string{fence.ManagedByLabel: fence.ManagedBy}}
}

// Seconds that the API server waits for an answer. It takes silence for absence.
const (
	podsTimeout      = 2
	workloadsTimeout = 5
	bindingsTimeout  = 3 // longer than lookWithin
	catalogueTimeout = 10
	claimsTimeout    = 3
)

type (
	condition = admissionregistrationv1.MatchCondition
	rules     = []admissionregistrationv1.RuleWithOperations
)

func notMirror() condition {
	return condition{Name: "not-a-mirror-pod", Expression: placement.ConditionNotMirror}
}

func annotated() condition {
	return condition{Name: "annotated", Expression: placement.ConditionAnnotated}
}

func annotatedPod() condition {
	return condition{Name: "annotated", Expression: placement.ConditionAnnotatedPod}
}

func workloadConcerned() condition {
	return condition{Name: "concerned", Expression: placement.ConditionWorkload}
}

// not turns a condition round, so that of two hooks at the same path only one is called.
func not(c condition) condition {
	return condition{Name: "not-" + c.Name, Expression: "!(" + c.Expression + ")"}
}

// specChanges passes over what Terroir itself writes: statuses and finalizers.
func specChanges() condition {
	return condition{Name: "spec-changes", Expression: `request.operation != 'UPDATE' || object.spec != oldObject.spec`}
}

// mutating are the hooks that shape. The fence in the API server is what guarantees; where it cannot shape, governed pods wait for
// the webhook. In all other places pods that nobody shaped are refused by the fence, if they owe anything.
func (o ConfigurationOptions) mutating() []admissionregistrationv1.MutatingWebhook {
	needed := admissionregistrationv1.Fail
	if o.Mutating {
		needed = admissionregistrationv1.Ignore
	}
	pods := rules{rule("", "v1", []string{"pods"}, admissionregistrationv1.Create)}
	workloads := rules{
		rule("apps", "v1", []string{"daemonsets", "deployments", "statefulsets"}, admissionregistrationv1.Create, admissionregistrationv1.Update),
		rule("batch", "v1", []string{"cronjobs", "jobs"}, admissionregistrationv1.Create, admissionregistrationv1.Update),
	}
	shaping := func(name, path string, timeout int32, r rules, where *metav1.LabelSelector, falls admissionregistrationv1.FailurePolicyType, when ...condition) admissionregistrationv1.MutatingWebhook {
		return admissionregistrationv1.MutatingWebhook{
			Name: name + ".terroir.dev", ClientConfig: o.client(path), Rules: r, FailurePolicy: &falls, NamespaceSelector: where, ObjectSelector: all(), MatchConditions: when,
			TimeoutSeconds: &timeout, ReinvocationPolicy: new(admissionregistrationv1.IfNeededReinvocationPolicy),
			MatchPolicy: new(admissionregistrationv1.Equivalent), SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}
	}
	ignore := admissionregistrationv1.Ignore
	return []admissionregistrationv1.MutatingWebhook{
		shaping("pods", PodsPath, podsTimeout, pods, o.governed(), needed, notMirror()),
		shaping("annotated-pods", PodsPath, podsTimeout, pods, free(), ignore, annotatedPod()),
		shaping("warned-pods", PodsPath, podsTimeout, pods, o.warned(), ignore, not(annotated()), notMirror()),
		shaping("workloads", WorkloadsPath, workloadsTimeout, workloads, o.governed(), ignore),
		shaping("annotated-workloads", WorkloadsPath, workloadsTimeout, workloads, free(), ignore, workloadConcerned()),
		shaping("warned-workloads", WorkloadsPath, workloadsTimeout, workloads, o.warned(), ignore, not(workloadConcerned())),
	}
}

// validating are the hooks that only judge, or only warn.
func (o ConfigurationOptions) validating() []admissionregistrationv1.ValidatingWebhook {
	judging := func(name, path string, timeout int32, where *metav1.LabelSelector, when []condition, r ...admissionregistrationv1.RuleWithOperations) admissionregistrationv1.ValidatingWebhook {
		return admissionregistrationv1.ValidatingWebhook{
			Name: name + ".terroir.dev", ClientConfig: o.client(path), Rules: r, FailurePolicy: new(admissionregistrationv1.Ignore),
			NamespaceSelector: where, ObjectSelector: all(), MatchConditions: when, TimeoutSeconds: &timeout,
			MatchPolicy: new(admissionregistrationv1.Equivalent), SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}
	}
	claims := judging("claims", ClaimsPath, claimsTimeout, o.encrypted(), nil, rule("", "v1", []string{"persistentvolumeclaims"}, admissionregistrationv1.Create))
	claims.FailurePolicy = new(admissionregistrationv1.Fail) // a volume that is made at once is made before anybody has looked
	group, version := v1alpha1.GroupVersion.Group, v1alpha1.GroupVersion.Version
	return []admissionregistrationv1.ValidatingWebhook{
		judging("bindings", BindingsPath, bindingsTimeout, o.governed(), nil,
			rule("", "v1", []string{"bindings", "pods/binding"}, admissionregistrationv1.Create)),
		claims,
		judging("namespaces", NamespacesPath, podsTimeout, all(), []condition{annotated()},
			rule("", "v1", []string{"namespaces"}, admissionregistrationv1.Create, admissionregistrationv1.Update)),
		judging("catalogue", CataloguePath, catalogueTimeout, all(), []condition{specChanges()},
			rule(group, version, []string{"cloudproviders", "frameworks", "qualifications", "trustlevels", "zones"},
				admissionregistrationv1.Create, admissionregistrationv1.Update, admissionregistrationv1.Delete)),
		judging("policies", PoliciesPath, catalogueTimeout, all(), []condition{specChanges()},
			rule(group, version, []string{"clusterplacementpolicies", "placementpolicies"}, admissionregistrationv1.Create, admissionregistrationv1.Update)),
	}
}

func (o ConfigurationOptions) client(path string) admissionregistrationv1.WebhookClientConfig {
	if o.URL != "" {
		return admissionregistrationv1.WebhookClientConfig{CABundle: o.CABundle, URL: new(o.URL + path)}
	}
	return admissionregistrationv1.WebhookClientConfig{CABundle: o.CABundle, Service: &admissionregistrationv1.ServiceReference{
		Namespace: v1alpha1.SystemNamespace, Name: ServiceName, Port: new(int32(servicePort)), Path: &path,
	}}
}

func rule(group, version string, resources []string, operations ...admissionregistrationv1.OperationType) admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{Operations: operations, Rule: admissionregistrationv1.Rule{
		APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources, Scope: new(admissionregistrationv1.AllScopes),
	}}
}

// governed matches namespaces that are governed; exempt ones never are, whatever their labels say.
func (o ConfigurationOptions) governed() *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      map[string]string{v1alpha1.GovernedLabel: "true"},
		MatchExpressions: []metav1.LabelSelectorRequirement{o.exceptExempt()},
	}
}

// encrypted matches governed namespaces whose floor demands something of volumes.
func (o ConfigurationOptions) encrypted() *metav1.LabelSelector {
	s := o.governed()
	s.MatchLabels[v1alpha1.EncryptedLabel] = "true"
	return s
}

// free matches all namespaces without the governed label.
func free() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{notGoverned()}}
}

// warned matches namespaces where a policy warns and none enforces: where one enforces, the hooks for governed ones warn as well.
func (o ConfigurationOptions) warned() *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      map[string]string{v1alpha1.WarnedLabel: "true"},
		MatchExpressions: []metav1.LabelSelectorRequirement{notGoverned(), o.exceptExempt()},
	}
}

// all selects everything. The API server would write it, too.
func all() *metav1.LabelSelector { return &metav1.LabelSelector{} }

func notGoverned() metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: v1alpha1.GovernedLabel, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"true"}}
}

func (o ConfigurationOptions) exceptExempt() metav1.LabelSelectorRequirement {
	names := slices.Concat(policy.AlwaysExempt(), o.Exempt)
	slices.Sort(names)
	return metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: slices.Compact(names)}
}
