package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	jsonpatchv2 "gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// BenchmarkPod13KB is from the bytes of a review to those of its answer.
func BenchmarkPod13KB(b *testing.B) {
	w := newWorld(b)
	pod := realisticPod(b)
	lacking := bytesOf(b, podRequest(b, pod))
	complying := bytesOf(b, podRequest(b, shaped(b, w.handlers(b), pod)))
	for _, c := range []struct {
		name string
		body []byte
	}{{"must be shaped", lacking}, {"complies already", complying}} {
		b.Run(c.name, func(b *testing.B) { benchmarkPod(b, w, c.body) })
	}
}

// BenchmarkPodByPolicies grows the number of policies, of which one concerns the pod.
func BenchmarkPodByPolicies(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("%d policies", n), func(b *testing.B) {
			w := newWorld(b)
			w.ClusterPolicies = w.ClusterPolicies[:1]
			for i := 1; i < n; i++ {
				other := w.ClusterPolicies[0].DeepCopy()
				other.Name = fmt.Sprintf("other-%d", i)
				other.Spec.NamespaceSelector = v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": v1alpha1.LabelValue(other.Name)}}
				w.ClusterPolicies = append(w.ClusterPolicies, *other)
			}
			w.publish()
			benchmarkPod(b, w, bytesOf(b, podRequest(b, realisticPod(b))))
		})
	}
}

// BenchmarkPodByZones grows the number of zones, for a level that none satisfies: the nearest miss is told.
func BenchmarkPodByZones(b *testing.B) {
	for _, n := range []int{3, 300} {
		b.Run(fmt.Sprintf("%d zones", n), func(b *testing.B) {
			w := newWorld(b)
			w.Qualifications[0].Spec.State = v1alpha1.QualificationSuspended
			for i := len(w.Zones); i < n; i++ {
				other := w.Zones[0].DeepCopy()
				other.Name = fmt.Sprintf("zone-%d", i)
				other.Spec.Recognition.Labels = map[string]v1alpha1.LabelValue{"topology.kubernetes.io/zone": v1alpha1.LabelValue(other.Name)}
				w.Zones = append(w.Zones, *other)
			}
			w.publish()
			benchmarkPod(b, w, bytesOf(b, podRequest(b, realisticPod(b))))
		})
	}
}

func benchmarkPod(b *testing.B, w *world, body []byte) {
	b.Helper()
	hook := w.handlers(b).podsHook()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hook.review(context.Background(), body); err != nil {
			b.Fatal(err)
		}
	}
}

// shaped is a pod as the API server goes on with it.
func shaped(t testing.TB, h *Handlers, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	a := ask(t, h.podsHook(), PodsPath, podRequest(t, pod))
	if !a.Allowed {
		t.Fatal(a.Result.Message)
	}
	out := pod.DeepCopy()
	if len(a.Patch) == 0 {
		return out
	}
	patch, err := jsonpatch.DecodePatch(a.Patch)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := patch.Apply(rawOf(t, pod))
	if err != nil {
		t.Fatal(err)
	}
	out = &corev1.Pod{}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// BenchmarkDecodeMutateMarshalDiff is what BenchmarkPod13KB is compared with: how webhooks are usually written.
func BenchmarkDecodeMutateMarshalDiff(b *testing.B) {
	body := bytesOf(b, podRequest(b, realisticPod(b)))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeMutateMarshalDiff(body); err != nil {
			b.Fatal(err)
		}
	}
}

func decodeMutateMarshalDiff(body []byte) ([]byte, error) {
	var in admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	var pod corev1.Pod
	if err := json.Unmarshal(in.Request.Object.Raw, &pod); err != nil {
		return nil, err
	}
	if pod.Spec.NodeSelector == nil {
		pod.Spec.NodeSelector = map[string]string{}
	}
	pod.Spec.NodeSelector[v1alpha1.HeldLabelPrefix+"secnumcloud"] = "true"
	after, err := json.Marshal(&pod)
	if err != nil {
		return nil, err
	}
	patches, err := jsonpatchv2.CreatePatch(in.Request.Object.Raw, after)
	if err != nil {
		return nil, err
	}
	patch, err := json.Marshal(patches)
	if err != nil {
		return nil, err
	}
	return json.Marshal(admissionv1.AdmissionReview{TypeMeta: in.TypeMeta, Response: &admissionv1.AdmissionResponse{
		UID: in.Request.UID, Allowed: true, Patch: patch, PatchType: new(admissionv1.PatchTypeJSONPatch),
	}})
}

// BenchmarkBinding is without the two live reads, which cost the API server about a millisecond each.
func BenchmarkBinding(b *testing.B) {
	w := newWorld(b)
	w.pods = []corev1.Pod{*realisticPod(b)}
	w.pods[0].Name, w.pods[0].UID = "web-0", "1f0c2c5e-0000-4000-8000-000000000001"
	body := bytesOf(b, bindingRequest(b, "n-par-1a"))
	hook := w.handlers(b).bindingsHook()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := hook.review(context.Background(), body); err != nil {
			b.Fatal(err)
		}
	}
}
