package fence

import (
	"cmp"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Names of the admission policies. A binding has the name of its policy, followed by what it binds it to.
const (
	Pods                = "terroir-pods"
	AnnotatedPods       = "terroir-annotated-pods"
	Bindings            = "terroir-bindings"
	PodUpdates          = "terroir-pod-updates"
	PodAdoptions        = "terroir-pod-adoptions"
	Workloads           = "terroir-workloads"
	DaemonSets          = "terroir-daemonsets"
	AnnotatedDaemonSets = "terroir-annotated-daemonsets"
	Namespaces          = "terroir-namespaces"
	AnnotatedNamespaces = "terroir-annotated-namespaces"
)

// What stands in for the floor where it is not written yet: the cluster policies, and the annotations of the namespace.
const (
	UnsettledPods                = "terroir-unsettled-pods"
	UnsettledAnnotatedPods       = "terroir-unsettled-annotated-pods"
	UnsettledDaemonSets          = "terroir-unsettled-daemonsets"
	UnsettledAnnotatedDaemonSets = "terroir-unsettled-annotated-daemonsets"
)

// ManagedByLabel marks every object of the fence, so that what is no longer wanted can be found.
const (
	ManagedByLabel = "terroir.dev/fence"
	ManagedBy      = "true"
)

// Governing is a cluster policy, as far as the fence reads it.
type Governing struct {
	Name     string
	Selector metav1.LabelSelector
}

// Options are what the fence depends on.
type Options struct {
	Settings placement.Settings
	// Exempt are the namespaces, by literal name, that no policy governs.
	Exempt []string
	// Governing are the enforcing cluster policies.
	Governing []Governing
	// Mutating tells that the API server serves MutatingAdmissionPolicy (1.36 and later). Whether it applies it, the probe tells.
	Mutating bool
}

// Objects gives every object of the fence, in the order in which they are best created: what judges before what shapes, and last what
// shows that they are in force.
func Objects(o Options) []runtime.Object {
	objects := append(validating(o), guards(o)...)
	if o.Mutating {
		objects = append(objects, mutating(o)...)
		objects = append(objects, keepers(o)...)
		objects = append(objects, probeShapes()...)
	}
	return append(objects, probeJudges()...)
}

func condition(name, expression string) admissionregistrationv1.MatchCondition {
	return admissionregistrationv1.MatchCondition{Name: name, Expression: expression}
}

// podConditions decide whether a policy about pods looks at a pod at all: in governed namespaces, and elsewhere.
func podConditions(owed placement.Source) []admissionregistrationv1.MatchCondition {
	if owed == placement.FromNothing {
		return []admissionregistrationv1.MatchCondition{condition("annotated", placement.ConditionAnnotatedPod)}
	}
	return []admissionregistrationv1.MatchCondition{condition("not-a-mirror-pod", placement.ConditionNotMirror)}
}

func floorKind() *admissionregistrationv1.ParamKind {
	return &admissionregistrationv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "PlacementFloor"}
}

func configKind() *admissionregistrationv1.ParamKind {
	return &admissionregistrationv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "TerroirConfig"}
}

// param names one object. A reference without a namespace reads the request's own.
func param(name string, missing admissionregistrationv1.ParameterNotFoundActionType) *admissionregistrationv1.ParamRef {
	return &admissionregistrationv1.ParamRef{Name: name, ParameterNotFoundAction: &missing}
}

// governed matches namespaces that are governed; exempt ones never are, whatever their labels say.
func governed(exempt []string, more ...metav1.LabelSelectorRequirement) *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      map[string]string{v1alpha1.GovernedLabel: "true"},
		MatchExpressions: append([]metav1.LabelSelectorRequirement{exceptExempt(exempt)}, more...),
	}
}

// owed are the kind and the object that a policy reads what a namespace owes from; nil where it needs none.
func owed(from placement.Source, missing admissionregistrationv1.ParameterNotFoundActionType) (*admissionregistrationv1.ParamKind, *admissionregistrationv1.ParamRef) {
	switch from {
	case placement.FromFloor:
		return floorKind(), param(v1alpha1.FloorName, missing)
	case placement.FromPolicies:
		return clusterPolicyKind(), everyClusterPolicy()
	default:
		return nil, nil
	}
}

func clusterPolicyKind() *admissionregistrationv1.ParamKind {
	return &admissionregistrationv1.ParamKind{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ClusterPlacementPolicy"}
}

// everyClusterPolicy makes each of them the parameter in turn. Where there is none, none demands anything.
func everyClusterPolicy() *admissionregistrationv1.ParamRef {
	missing := admissionregistrationv1.AllowAction
	return &admissionregistrationv1.ParamRef{Selector: &metav1.LabelSelector{}, ParameterNotFoundAction: &missing}
}

// place is a choice of namespaces, with what a binding for it is called by.
type place struct {
	suffix     string
	namespaces *metav1.LabelSelector
}

// wheres are the namespaces that owe what is read from a source. All of them together match every namespace once.
func wheres(from placement.Source, exempt []string) []place {
	unsettled := metav1.LabelSelectorRequirement{Key: v1alpha1.UnsettledLabel, Operator: metav1.LabelSelectorOpIn, Values: []string{"true"}}
	switch from {
	case placement.FromNothing:
		return []place{{"", free()}, {exemptSuffix, falselyMarked(exempt)}}
	case placement.FromFloor:
		unsettled.Operator = metav1.LabelSelectorOpNotIn
		return []place{{"", governed(exempt, unsettled)}}
	default:
		return []place{{"", governed(exempt, unsettled)}}
	}
}

// confined limits a policy that has a parameter to the namespaces of its bindings. Where the kind of its parameter is not served, an API
// server denies whatever a policy matches, before it looks at any binding: without this, a missing CustomResourceDefinition
// would stop every pod of the cluster.
func confined(matching *admissionregistrationv1.MatchResources, namespaces *metav1.LabelSelector) *admissionregistrationv1.MatchResources {
	matching.NamespaceSelector = namespaces
	return matching
}

// reach are the namespaces at which the policies about what is read from a source look: all, where there is no parameter.
func reach(from placement.Source, exempt []string) *metav1.LabelSelector {
	if from == placement.FromNothing {
		return nil
	}
	return wheres(from, exempt)[0].namespaces
}

// free matches all namespaces without the mark.
func free() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: v1alpha1.GovernedLabel, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"true"}},
	}}
}

// falselyMarked matches exempt namespaces with the mark, which nobody but a stranger puts there. They are as free as the others: with
// [governed] and [free], every namespace is matched once.
func falselyMarked(exempt []string) *metav1.LabelSelector {
	return &metav1.LabelSelector{
		MatchLabels:      map[string]string{v1alpha1.GovernedLabel: "true"},
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: exemptNames(exempt)}},
	}
}

// exemptSuffix is what the second binding of a policy for free namespaces is called by.
const exemptSuffix = "-exempt"

func exceptExempt(exempt []string) metav1.LabelSelectorRequirement {
	return metav1.LabelSelectorRequirement{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: exemptNames(exempt)}
}

// exemptNames are all namespaces that no policy governs, sorted.
func exemptNames(exempt []string) []string {
	names := append(policy.AlwaysExempt(), exempt...)
	slices.Sort(names)
	return slices.Compact(names)
}

func rule(group string, resources []string, operations ...admissionregistrationv1.OperationType) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{"v1"}, Resources: resources},
	}}
}

func match(rules ...admissionregistrationv1.NamedRuleWithOperations) *admissionregistrationv1.MatchResources {
	return &admissionregistrationv1.MatchResources{ResourceRules: rules}
}

func workloadRules(operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.NamedRuleWithOperations {
	return []admissionregistrationv1.NamedRuleWithOperations{
		rule("apps", []string{"daemonsets", "deployments", "statefulsets"}, operations...),
		rule("batch", []string{"cronjobs", "jobs"}, operations...),
	}
}

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{ManagedByLabel: ManagedBy}}
}

func variables(of []placement.Variable) []admissionregistrationv1.Variable {
	out := make([]admissionregistrationv1.Variable, len(of))
	for i, v := range of {
		out[i] = admissionregistrationv1.Variable{Name: v.Name, Expression: v.Expression}
	}
	return out
}

func sortedGoverning(governing []Governing) []Governing {
	return slices.SortedFunc(slices.Values(governing), func(a, b Governing) int { return cmp.Compare(a.Name, b.Name) })
}

// shape concatenates the patches of all rules that have one into one expression.
func shape() string {
	var patches []string
	for _, r := range placement.Rules() {
		if r.Patch != "" {
			patches = append(patches, r.Patch)
		}
	}
	return strings.Join(patches, "\n+ ")
}
