package webhook

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

const barePod = `{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: hr}, spec: {containers: [{name: c, image: i}]}}`

// podCases are pods, and what is answered about them.
func podCases() []struct {
	sentence  string
	namespace string
	pod       string
	tweak     func(*world, *admissionv1.AdmissionRequest)
} {
	type tweak = func(*world, *admissionv1.AdmissionRequest)
	suspended := func(w *world, _ *admissionv1.AdmissionRequest) {
		w.Qualifications[0].Spec.State = v1alpha1.QualificationSuspended
		w.publish()
	}
	denying := func(w *world, _ *admissionv1.AdmissionRequest) {
		w.ClusterPolicies[0].Spec.NodeLocalStorage = v1alpha1.NodeLocalStorageDeny
		w.publish()
	}
	return []struct {
		sentence  string
		namespace string
		pod       string
		tweak     tweak
	}{
		{"a governed pod is shaped", "hr", barePod, nil},
		{"a pod of a ReplicaSet has no name yet", "hr", `{metadata: {generateName: web-5d9c-, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-5d9c, uid: 1f0c2c5e-0000-4000-8000-000000000001, controller: true}]}, spec: {}}`, nil},
		{"a pod of a DaemonSet is not spread", "hr", `{metadata: {generateName: agent-, ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: agent, uid: 1f0c2c5e-0000-4000-8000-000000000002, controller: true}]}, spec: {}}`, nil},
		{"a pod that names its node", "hr", `{metadata: {name: web-0}, spec: {nodeName: n-lon-1a}}`, nil},
		{"a pod of another scheduler", "hr", `{metadata: {name: web-0}, spec: {schedulerName: mine}}`, nil},
		{"a pod of a runtime class", "hr", `{metadata: {name: web-0}, spec: {runtimeClassName: kata-remote}}`, nil},
		{"a pod with a disk of its node", "hr", `{metadata: {name: web-0}, spec: {volumes: [{name: scratch, emptyDir: {}}]}}`, nil},
		{"a pod with a disk of its node, where that is denied", "hr", `{metadata: {name: web-0}, spec: {volumes: [{name: scratch, emptyDir: {}}, {name: data, persistentVolumeClaim: {claimName: data}}]}}`, denying},
		{"a pod with memory of its node, where its disk is denied", "hr", `{metadata: {name: web-0}, spec: {volumes: [{name: scratch, emptyDir: {medium: Memory}}]}}`, denying},
		{"a pod with a misspelt annotation", "hr", `{metadata: {name: web-0, annotations: {terroir.dev/trust-levle: in-france}}, spec: {}}`, nil},
		{"a pod that asks for a level that does not exist", "hr", `{metadata: {name: web-0, annotations: {terroir.dev/trust-level: secnumclod}}, spec: {}}`, nil},
		{"a pod whose number of sites is none", "hr", `{metadata: {name: web-0, annotations: {terroir.dev/min-sites: many}}, spec: {}}`, nil},
		{"a pod wrong in three ways", "hr", `{metadata: {name: web-0, annotations: {terroir.dev/min-sites: "0"}}, spec: {nodeName: n-lon-1a, schedulerName: mine}}`, nil},
		{"a pod that neither has a name nor a controller", "hr", `{metadata: {}, spec: {}}`, nil},
		{"a pod that asks for more than its namespace owes", "hr", `{metadata: {name: web-0, annotations: {terroir.dev/trust-level: in-france, terroir.dev/min-sites: "3"}}, spec: {}}`, nil},
		{"a pod whose namespace requires a level that does not exist", "typo", barePod, nil},
		{"a pod whose namespace has a misspelt annotation", "confused", barePod, nil},
		{"a pod whose namespace asks by annotation", "asking", barePod, nil},
		{"no zone satisfies what is owed", "german", barePod, nil},
		{"the qualification is suspended", "hr", barePod, suspended},
		{"the qualification has ended, and nobody was there to notice", "hr", barePod, func(w *world, _ *admissionv1.AdmissionRequest) { w.now = w.now.AddDate(1, 0, 0) }},
		{"a free pod", "free", barePod, nil},
		{"a free pod may name its node", "free", `{metadata: {name: web-0}, spec: {nodeName: n-lon-1a, schedulerName: mine}}`, nil},
		{"an annotated pod in a free namespace", "free", `{metadata: {name: web-0, annotations: {terroir.dev/trust-level: in-france}}, spec: {}}`, nil},
		{"a spread without a level", "free", `{metadata: {name: web-0, annotations: {terroir.dev/min-sites: "2"}}, spec: {}}`, nil},
		{"a policy that warns", "watched", barePod, nil},
		{"a policy that warns would refuse", "watched", `{metadata: {name: web-0}, spec: {nodeName: n-lon-1a}}`, nil},
		{"one policy enforces, another warns", "both", barePod, nil},
		{"a policy that audits", "counted", barePod, nil},
		{"a pod with a claim, where encryption is owed", "sealed", `{metadata: {name: web-0}, spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data}}], schedulingGates: [{name: example.org/quota}]}}`, nil},
		{"a pod without one there", "sealed", barePod, nil},
		{"a pod with a volume of the network there", "sealed", `{metadata: {name: web-0}, spec: {volumes: [{name: share, nfs: {server: s, path: /}}]}}`, nil},
		{"a pod that asks for the key that is owed", "sealed", `{metadata: {name: web-0, annotations: {terroir.dev/encryption-key: health-kek}}, spec: {}}`, nil},
		{"a pod that asks for another key than is accepted", "sealed", `{metadata: {name: web-0, annotations: {terroir.dev/encryption-key: other-kek}}, spec: {}}`, nil},
		{"a pod that asks for a key in a free namespace", "open", `{metadata: {name: web-0, annotations: {terroir.dev/encryption-key: other-kek}}, spec: {volumes: [{name: data, ephemeral: {}}]}}`, nil},
		{"a pod that asks for a key that nearly exists", "open", `{metadata: {name: web-0, annotations: {terroir.dev/encryption-key: other-ke}}, spec: {}}`, nil},
		{"a pod that asks for a key for which it may not", "open", `{metadata: {name: web-0, annotations: {terroir.dev/encryption-key: health-kek}}, spec: {}}`, nil},
		{"a pod whose key is none", "open", `{metadata: {name: web-0, annotations: {terroir.dev/encryption-key: "a, b"}}, spec: {}}`, nil},
		{"a policy that warns demands encryption", "sealing", `{metadata: {name: web-0}, spec: {volumes: [{name: share, nfs: {server: s, path: /}}]}}`, nil},
		{"a policy that warns demands encryption, and would admit", "sealing", barePod, nil},
		{"an exempt namespace", "kube-system", `{metadata: {name: web-0}, spec: {nodeName: n-lon-1a}}`, nil},
		{"a mirror pod, created by its kubelet", "hr", `{metadata: {name: web-0, annotations: {kubernetes.io/config.mirror: x}}, spec: {nodeName: n-lon-1a}}`, func(_ *world, r *admissionv1.AdmissionRequest) {
			r.UserInfo.Username = "system:node:n-lon-1a"
		}},
		{"a mirror pod, created by another kubelet", "hr", `{metadata: {name: web-0, annotations: {kubernetes.io/config.mirror: x}}, spec: {nodeName: n-lon-1a}}`, func(_ *world, r *admissionv1.AdmissionRequest) {
			r.UserInfo.Username = "system:node:n-par-1a"
		}},
		{"there is no snapshot yet", "hr", barePod, func(w *world, _ *admissionv1.AdmissionRequest) { w.empty = true }},
		{"the namespace is not known yet", "new", barePod, nil},
		{"the object is missing", "hr", `null`, nil},
		{"an update, which nobody asked about", "hr", barePod, func(_ *world, r *admissionv1.AdmissionRequest) { r.Operation = admissionv1.Update }},
		{"another resource", "hr", barePod, func(_ *world, r *admissionv1.AdmissionRequest) { r.Resource.Resource = "replicasets" }},
		{"another subresource", "hr", barePod, func(_ *world, r *admissionv1.AdmissionRequest) { r.SubResource = "eviction" }},
		{"labels that are none", "hr", `{metadata: {name: web-0, labels: 5}, spec: {}}`, nil},
		{"a node name that is none", "hr", `{metadata: {name: web-0}, spec: {nodeName: [n-lon-1a]}}`, nil},
		{"a pod that is none", "hr", `[1, 2]`, nil},
	}
}

func TestPods(t *testing.T) {
	var n notes
	for _, c := range podCases() {
		w := newWorld(t)
		r := podRequest(t, c.pod)
		r.Namespace = c.namespace
		if c.tweak != nil {
			c.tweak(w, r)
		}
		n.add(c.sentence, told(ask(t, w.mux(t), PodsPath, r)))
	}
	n.compare(t, "pods")
}

// Shaping twice changes nothing: a pod that complies gets no patch.
func TestRealisticPodIsShapedOnce(t *testing.T) {
	w := newWorld(t)
	h := w.handlers(t)
	pod := realisticPod(t)
	if size := len(bytesOf(t, podRequest(t, pod))); size < 12_000 || size > 14_500 {
		t.Errorf("the realistic review has %d bytes", size)
	}
	once := shaped(t, h, pod)
	if cmp.Equal(pod, once) {
		t.Fatal("nothing was shaped")
	}
	a := ask(t, h.podsHook(), PodsPath, podRequest(t, once))
	if !a.Allowed || len(a.Patch) > 0 {
		t.Errorf("shaped again: %s", told(a))
	}
}

// What a namespace owes is worked out once, and again when it or the policies change.
func TestLawsFollowNamespacesAndSnapshots(t *testing.T) {
	w := newWorld(t)
	mux := w.mux(t)
	verdict := func() bool {
		t.Helper()
		r := podRequest(t, `{metadata: {name: web-0}, spec: {nodeName: n-par-1a}}`)
		r.Namespace = "free"
		return ask(t, mux, PodsPath, r).Allowed
	}
	free := &w.Namespaced[slices.IndexFunc(w.Namespaced, func(n corev1.Namespace) bool { return n.Name == "free" })]
	if free.Name != "free" || !verdict() || !verdict() {
		t.Fatal("a free pod was refused")
	}
	free.Labels = map[string]string{"data": "health"}
	if verdict() {
		t.Error("the label of the namespace was not noticed")
	}
	free.Labels, free.Annotations = nil, map[string]string{v1alpha1.TrustLevelAnnotation: "in-france"}
	if verdict() {
		t.Error("the annotation of the namespace was not noticed")
	}
	free.Annotations = nil
	if !verdict() {
		t.Error("the namespace is free again")
	}
	w.ClusterPolicies[0].Spec.NamespaceSelector = v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"free": "no"}}
	free.Labels = map[string]string{"free": "no"}
	if !verdict() {
		t.Error("the policy has not been compiled yet")
	}
	w.publish()
	if verdict() {
		t.Error("the new snapshot was not noticed")
	}
}
