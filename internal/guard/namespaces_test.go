package guard_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
)

const (
	governed  = v1alpha1.GovernedLabel
	warned    = v1alpha1.WarnedLabel
	unsettled = v1alpha1.UnsettledLabel
)

func namespace(l labels) *corev1.Namespace {
	return &corev1.Namespace{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: "hr", Labels: l}}
}

func remarked(was, is labels) fencetest.Request {
	return fencetest.Change("namespaces", namespace(was), namespace(is))
}

func TestANamespaceIsCalledGovernedUntilTerroirSaysOtherwise(t *testing.T) {
	const refused = "the labels that say that namespace hr is governed are put on and taken off by Terroir alone; they go by themselves when no policy and no annotation requires anything there"
	annotated := namespace(labels{governed: "true"})
	annotated.Annotations = map[string]string{"x": "y"}
	judge(t, "terroir-namespace-marks", map[string]judged{
		"its administrator takes off the mark":                    {by("dev", remarked(labels{governed: "true", "a": "b"}, labels{"a": "b"})), refused},
		"its administrator takes off all labels":                  {by("dev", remarked(labels{governed: "true"}, nil)), refused},
		"its administrator falsifies the mark":                    {by("dev", remarked(labels{governed: "true"}, labels{governed: "false"})), refused},
		"its administrator takes off the mark through the status": {by("dev", through("status", remarked(labels{governed: "true"}, nil))), refused},
		"its administrator takes off the mark in finalizing it":   {by("dev", through("finalize", remarked(labels{governed: "true"}, nil))), refused},
		"its administrator does not want to be warned":            {by("dev", remarked(labels{warned: "true"}, nil)), refused},
		"its administrator calls it unsettled":                    {by("dev", remarked(labels{governed: "true"}, labels{governed: "true", unsettled: "true"})), refused},
		"its administrator calls it settled":                      {by("dev", remarked(labels{governed: "true", unsettled: "true"}, labels{governed: "true"})), refused},
		"its administrator calls it neither":                      {by("dev", remarked(labels{governed: "true", unsettled: "true"}, labels{governed: "true", unsettled: "false"})), refused},
		"it becomes governed, and is called unsettled":            {request: by("dev", remarked(nil, labels{governed: "true", unsettled: "true"}))},
		"its administrator calls it governed":                     {request: by("dev", remarked(nil, labels{governed: "true"}))},
		"its administrator does not want claims to be judged":     {by("dev", remarked(labels{v1alpha1.EncryptedLabel: "true"}, nil)), refused},
		"its administrator wants to be warned":                    {request: by("dev", remarked(nil, labels{warned: "true"}))},
		"other labels change":                                     {request: by("dev", remarked(labels{governed: "true", unsettled: "true"}, labels{governed: "true", unsettled: "true", "a": "b"}))},
		"a mark that is none is taken off":                        {request: by("dev", remarked(labels{governed: "false"}, nil))},
		"an annotation changes":                                   {request: by("dev", fencetest.Change("namespaces", namespace(labels{governed: "true"}), annotated))},
		"Terroir takes off the mark":                              {request: by(placement.OperatorUser, remarked(labels{governed: "true", unsettled: "true"}, nil))},
		"whoever maintains Terroir takes off the mark":            {request: maintainer(remarked(labels{governed: "true"}, nil))},
	})
}

// selecting is a policy with a selector, enforced in some way.
func selecting(t *testing.T, enforcement v1alpha1.Enforcement, selector v1alpha1.NamespaceSelector) runtime.Object {
	t.Helper()
	p := &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "health"}}
	p.Spec.NamespaceSelector, p.Spec.Enforcement, p.Spec.TrustLevels = selector, enforcement, []v1alpha1.LevelName{"c5"}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ClusterPlacementPolicy"))
	return u
}

// expression selects by one expression.
func expression(key v1alpha1.LabelKey, operator v1alpha1.NamespaceOperator, values ...v1alpha1.LabelValue) v1alpha1.NamespaceSelector {
	return v1alpha1.NamespaceSelector{MatchExpressions: []v1alpha1.NamespaceRequirement{{Key: key, Operator: operator, Values: values}}}
}

func TestANamespaceIsNotTakenOutOfAPolicyByThoseWhomItBinds(t *testing.T) {
	const refused = "this change of its labels would take namespace hr out of ClusterPlacementPolicy health; only whoever may change that policy may do so"
	for sentence, c := range map[string]struct {
		selector   v1alpha1.NamespaceSelector
		fits, not  labels // are taken one for the other, in both directions
		never, too labels // two that do not fit, and two that do
	}{
		"matchLabels": {
			selector: v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"a": "b", "c": "d"}},
			fits:     labels{"a": "b", "c": "d"}, not: labels{"a": "b", "c": "e"}, never: labels{"a": "b"}, too: labels{"a": "b", "c": "d", "e": "f"},
		},
		"In":                         {expression("a", "In", "b", "c"), labels{"a": "b"}, labels{"a": "d"}, nil, labels{"a": "c"}},
		"In, by a label without any": {expression("a", "In", ""), labels{"a": ""}, nil, labels{"a": "b"}, labels{"a": "", "c": "d"}},
		"NotIn":                      {expression("a", "NotIn", "b", "c"), labels{"a": "d"}, labels{"a": "b"}, labels{"a": "c"}, nil},
		"Exists":                     {expression("a", "Exists"), labels{"a": "b"}, nil, labels{"c": "d"}, labels{"a": ""}},
		"DoesNotExist":               {expression("a", "DoesNotExist"), nil, labels{"a": "b"}, labels{"a": ""}, labels{"c": "d"}},
		"both": {
			selector: v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"a": "b"}, MatchExpressions: expression("c", "Exists").MatchExpressions},
			fits:     labels{"a": "b", "c": "d"}, not: labels{"c": "d"}, never: labels{"a": "b"}, too: labels{"a": "b", "c": "e"},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			enforced := selecting(t, v1alpha1.EnforcementEnforce, c.selector)
			change := func(was, is labels) fencetest.Request {
				r := by("dev", remarked(was, is))
				r.Params = enforced
				return r
			}
			judge(t, "terroir-namespace-selection", map[string]judged{
				"leaves":                {change(c.fits, c.not), refused},
				"leaves, another way":   {change(c.too, c.never), refused},
				"joins":                 {request: change(c.not, c.fits)},
				"stays in":              {request: change(c.fits, c.too)},
				"stays out":             {request: change(c.not, c.never)},
				"keeps its labels":      {request: change(c.fits, c.fits)},
				"leaves by finalizing":  {through("finalize", change(c.fits, c.not)), refused},
				"leaves by its status":  {through("status", change(c.fits, c.not)), refused},
				"is let go by Terroir":  {request: by(placement.OperatorUser, change(c.fits, c.not))},
				"is let go by whom not": {by("root", change(c.fits, c.not)), refused},
			})
		})
	}
}

// TestWhoMayChangeAPolicyMayTakeNamespacesOutOfIt: that very policy; and one that only watches binds nobody.
func TestWhoMayChangeAPolicyMayTakeNamespacesOutOfIt(t *testing.T) {
	const refused = "this change of its labels would take namespace hr out of ClusterPlacementPolicy health; only whoever may change that policy may do so"
	leaves := func(enforcement v1alpha1.Enforcement, may ...string) fencetest.Request {
		r := by("dev", remarked(labels{"a": "b"}, nil))
		r.Params = selecting(t, enforcement, expression("a", "Exists"))
		r.May = func(verb, group, resource, name string) bool {
			return len(may) == 4 && verb == may[0] && group == may[1] && resource == may[2] && name == may[3]
		}
		return r
	}
	maintained := leaves(v1alpha1.EnforcementEnforce)
	judge(t, "terroir-namespace-selection", map[string]judged{
		"whoever may change the policy":              {request: leaves(v1alpha1.EnforcementEnforce, "update", "terroir.dev", "clusterplacementpolicies", "health")},
		"whoever may change another policy":          {leaves(v1alpha1.EnforcementEnforce, "update", "terroir.dev", "clusterplacementpolicies", "finance"), refused},
		"whoever may delete the policy":              {leaves(v1alpha1.EnforcementEnforce, "delete", "terroir.dev", "clusterplacementpolicies", "health"), refused},
		"whoever may change a namespace's own":       {leaves(v1alpha1.EnforcementEnforce, "update", "terroir.dev", "placementpolicies", "health"), refused},
		"whoever maintains Terroir, and no policies": {maintainer(maintained), refused},
		"a policy that only warns":                   {request: leaves(v1alpha1.EnforcementWarn)},
		"a policy that only counts":                  {request: leaves(v1alpha1.EnforcementAudit)},
	})
}
