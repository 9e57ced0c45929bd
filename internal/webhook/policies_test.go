package webhook

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func policyRequest(t testing.TB, kind, object string) *admissionv1.AdmissionRequest {
	t.Helper()
	resource := metav1.GroupVersionResource{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: "clusterplacementpolicies"}
	if kind == "PlacementPolicy" {
		resource.Resource = "placementpolicies"
	}
	return requestOf(t, resource, kind, admissionv1.Create, object)
}

type policyCase struct {
	sentence     string
	kind, policy string
	was          string
	tweak        func(*world)
}

func policyCases() []policyCase {
	const fine = `{metadata: {name: p}, spec: {namespaceSelector: {matchLabels: {a: b}}, trustLevels: [secnumcloud], spread: {minSites: 2}, enforcement: Enforce}}`
	return []policyCase{
		{"all is well", "ClusterPlacementPolicy", fine, "", nil},
		{"a level does not exist", "ClusterPlacementPolicy", `{metadata: {name: p}, spec: {namespaceSelector: {matchLabels: {a: b}}, trustLevels: [secnumclod], enforcement: Enforce}}`, "", nil},
		{"a level does not exist, and nobody enforces", "PlacementPolicy", `{metadata: {name: p, namespace: hr}, spec: {trustLevels: [c5], enforcement: Audit}}`, "", nil},
		{"more sites than qualify", "PlacementPolicy", `{metadata: {name: p, namespace: hr}, spec: {trustLevels: [secnumcloud, in-france], spread: {minSites: 3, maxSkew: 2}, enforcement: Enforce}}`, "", nil},
		{"no zone satisfies it", "ClusterPlacementPolicy", `{metadata: {name: p}, spec: {namespaceSelector: {matchLabels: {a: b}}, trustLevels: [in-germany], spread: {minSites: 1}, enforcement: Enforce}}`, "", nil},
		{"a selector that selects nothing", "ClusterPlacementPolicy", `{metadata: {name: p}, spec: {trustLevels: [secnumcloud], enforcement: Enforce}}`, "", nil},
		{"a selector that nobody can understand", "ClusterPlacementPolicy", `{metadata: {name: p}, spec: {namespaceSelector: {matchExpressions: [{key: a b, operator: Exists}]}, trustLevels: [secnumcloud], enforcement: Enforce}}`, "", nil},
		{"encryption, and no data on nodes", "ClusterPlacementPolicy", `{metadata: {name: p}, spec: {namespaceSelector: {matchLabels: {a: b}}, trustLevels: [secnumcloud], nodeLocalStorage: Deny, encryption: {keys: [health-kek]}, enforcement: Enforce}}`, "", nil},
		{"encryption, and data on nodes", "ClusterPlacementPolicy", `{metadata: {name: p}, spec: {namespaceSelector: {matchLabels: {a: b}}, trustLevels: [secnumcloud], encryption: {keys: [health-kek]}, enforcement: Enforce}}`, "", nil},
		{"a key does not exist", "PlacementPolicy", `{metadata: {name: p, namespace: hr}, spec: {trustLevels: [secnumcloud], nodeLocalStorage: Deny, encryption: {keys: [health-kek, helth-kek]}, enforcement: Enforce}}`, "", nil},
		{"only metadata change", "ClusterPlacementPolicy", fine, fine, nil},
		{"there is no snapshot yet", "ClusterPlacementPolicy", fine, "", func(w *world) { w.empty = true }},
		{"an object that is none", "ClusterPlacementPolicy", `{spec: {trustLevels: 5}}`, "", nil},
		{"no object", "ClusterPlacementPolicy", `null`, "", nil},
	}
}

func TestPolicies(t *testing.T) {
	var n notes
	for _, c := range policyCases() {
		w := newWorld(t)
		if c.tweak != nil {
			c.tweak(w)
		}
		r := policyRequest(t, c.kind, c.policy)
		if c.was != "" {
			r.Operation, r.OldObject = admissionv1.Update, runtime.RawExtension{Raw: rawOf(t, c.was)}
		}
		a := ask(t, w.mux(t), PoliciesPath, r)
		if !a.Allowed {
			t.Errorf("%s: refused", c.sentence)
		}
		n.add(c.sentence, told(a))
	}
	n.compare(t, "policies")
}
