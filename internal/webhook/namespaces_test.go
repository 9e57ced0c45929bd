package webhook

import (
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func namespaceRequest(t testing.TB, object string) *admissionv1.AdmissionRequest {
	t.Helper()
	return requestOf(t, metav1.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "Namespace", admissionv1.Create, object)
}

func TestNamespaces(t *testing.T) {
	const misspelt = `{metadata: {name: pay, annotations: {terroir.dev/trust-levle: in-france}}}`
	var n notes
	for _, c := range []struct {
		sentence string
		was, is  string
		unready  bool
	}{
		{"no annotations", "", `{metadata: {name: pay, annotations: {a: b}}}`, false},
		{"a level that exists", "", `{metadata: {name: pay, annotations: {terroir.dev/trust-level: in-france}}}`, false},
		{"a level that does not", "", `{metadata: {name: pay, annotations: {terroir.dev/trust-level: in-frnace}}}`, false},
		{"a misspelt key and a number that is none", "", `{metadata: {name: pay, annotations: {terroir.dev/trust-levle: in-france, terroir.dev/min-sites: "100"}}}`, false},
		{"a level that no zone satisfies", "", `{metadata: {name: pay, annotations: {terroir.dev/trust-level: in-germany}}}`, false},
		{"sites without a level", "", `{metadata: {name: pay, annotations: {terroir.dev/min-sites: "2"}}}`, false},
		{"sites, and a level by policy", "", `{metadata: {name: pay, labels: {data: health}, annotations: {terroir.dev/min-sites: "2"}}}`, false},
		{"a key for which it may ask", "", `{metadata: {name: pay, labels: {data: sealed}, annotations: {terroir.dev/encryption-key: health-kek}}}`, false},
		{"a key for which it may not ask", "", `{metadata: {name: pay, labels: {data: health}, annotations: {terroir.dev/encryption-key: health-kek}}}`, false},
		{"a key that does not exist", "", `{metadata: {name: pay, labels: {data: sealed}, annotations: {terroir.dev/encryption-key: health-kk}}}`, false},
		{"another key than a policy accepts", "", `{metadata: {name: pay, labels: {kubernetes.io/metadata.name: pay, data: sealed}, annotations: {terroir.dev/encryption-key: other-kek}}}`, false},
		{"an update makes it wrong", `{metadata: {name: pay}}`, misspelt, false},
		{"an update leaves it wrong", misspelt, `{metadata: {name: pay, labels: {a: b}, annotations: {terroir.dev/trust-levle: in-france}}}`, false},
		{"it is being deleted", `{metadata: {name: pay}}`, `{metadata: {name: pay, deletionTimestamp: "2026-06-01T00:00:00Z", annotations: {terroir.dev/trust-levle: in-france}}}`, false},
		{"an exempt namespace", "", `{metadata: {name: kube-system, annotations: {terroir.dev/trust-level: in-france}}}`, false},
		{"there is no snapshot yet", "", `{metadata: {name: pay, annotations: {terroir.dev/trust-level: in-france}}}`, true},
		{"no object", "", `null`, false},
		{"annotations that are none", "", `{metadata: {name: pay, annotations: [1]}}`, false},
	} {
		w := newWorld(t)
		w.empty = c.unready
		r := namespaceRequest(t, c.is)
		if c.was != "" {
			r.Operation, r.OldObject = admissionv1.Update, runtime.RawExtension{Raw: rawOf(t, c.was)}
		}
		n.add(c.sentence, told(ask(t, w.mux(t), NamespacesPath, r)))
	}
	n.compare(t, "namespaces")
}
