package webhook

import (
	"context"
	"errors"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func bindingRequest(t testing.TB, node string) *admissionv1.AdmissionRequest {
	t.Helper()
	r := requestOf(t, podsResource, "Binding", admissionv1.Create, corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "hr", UID: "1f0c2c5e-0000-4000-8000-000000000001"},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	})
	r.SubResource, r.Name = "binding", "web-0"
	r.UserInfo.Username = "system:kube-scheduler"
	return r
}

func TestBindings(t *testing.T) {
	type tweak = func(*world, *admissionv1.AdmissionRequest)
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(now time.Time) tweak { return func(w *world, _ *admissionv1.AdmissionRequest) { w.now = now } }
	var n notes
	for _, c := range []struct {
		sentence string
		node     string
		tweak    tweak
	}{
		{"a qualified node", "n-par-1a", nil},
		{"a node in London", "n-lon-1a", nil},
		{"a node that nobody recognises", "n-nowhere", nil},
		{"a node that does not exist", "n-ghost", nil},
		{"no node", "", nil},
		{"a node that is losing a level", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) {
			w.revoking = []string{"n-par-1a"}
			w.publish()
		}},
		{"somebody else binds", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) { r.UserInfo.Username = "mallory" }},
		{"the legacy resource", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) {
			r.SubResource, r.Resource.Resource = "", "bindings"
		}},
		{"labels that would rewrite the pod", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) {
			r.Object.Raw = []byte(`{"metadata":{"name":"web-0","labels":{"app":"x"}},"target":{"kind":"Node","name":"n-par-1a"}}`)
		}},
		{"the labels that the API server stamps", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) {
			r.Object.Raw = []byte(`{"metadata":{"name":"web-0","labels":{"topology.kubernetes.io/zone":"par-1"}},"target":{"kind":"Node","name":"n-par-1a"}}`)
		}},
		{"open was taken away, held stays", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) {
			delete(w.Machines[0].Labels, v1alpha1.OpenLabelPrefix+"secnumcloud")
		}},
		{"the catalogue lost the level, labels are not rewritten yet", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) {
			w.Qualifications[0].Spec.State = v1alpha1.QualificationWithdrawn
			w.publish()
		}},
		{"two seconds before the end", "n-par-1a", at(end.Add(-2 * time.Second))},
		{"half a second before the end", "n-par-1a", at(end.Add(-time.Second / 2))},
		{"at the end, nobody rewrote the labels", "n-par-1a", at(end)},
		{"somebody wrote our labels on a node in London", "n-lon-1a", func(w *world, _ *admissionv1.AdmissionRequest) {
			w.Machines[3].Labels[v1alpha1.OpenLabelPrefix+"secnumcloud"] = "london"
			w.Machines[3].Labels[v1alpha1.HeldLabelPrefix+"secnumcloud"] = "true"
		}},
		{"the pod asks for more than its namespace", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) {
			w.pods[0].Annotations = map[string]string{v1alpha1.TrustLevelAnnotation: "in-germany"}
		}},
		{"the pod's annotation does not parse", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) {
			w.pods[0].Annotations = map[string]string{v1alpha1.MinSitesAnnotation: "many"}
		}},
		{"the pod is gone: for the API server to say", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) { w.pods = nil }},
		{"the pod is another one: for the API server to say", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) { w.pods[0].UID = "other" }},
		{"a pod that owes nothing", "n-lon-1a", func(w *world, r *admissionv1.AdmissionRequest) {
			w.pods[0].Namespace, r.Namespace = "free", "free"
		}},
		{"the API server does not answer", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) { w.broken = context.DeadlineExceeded }},
		{"the API server forbids", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) { w.broken = errors.New("forbidden") }},
		{"there is no snapshot yet", "n-par-1a", func(w *world, _ *admissionv1.AdmissionRequest) { w.empty = true }},
		{"the namespace is not known yet", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) { r.Namespace = "new" }},
		{"no object", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte("null") }},
		{"another subresource", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) { r.SubResource = "eviction" }},
		{"an object that is none", "n-par-1a", func(_ *world, r *admissionv1.AdmissionRequest) { r.Object.Raw = []byte(`{"target":{"name":5}}`) }},
	} {
		w := newWorld(t)
		w.pods = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Namespace: "hr", Name: "web-0", UID: "1f0c2c5e-0000-4000-8000-000000000001"}}}
		r := bindingRequest(t, c.node)
		if c.tweak != nil {
			c.tweak(w, r)
		}
		n.add(c.sentence, told(ask(t, w.mux(t), BindingsPath, r)))
		if w.reads > 2 {
			t.Errorf("%s: %d reads", c.sentence, w.reads)
		}
	}
	n.compare(t, "bindings")
}
