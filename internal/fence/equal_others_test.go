package fence_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
)

// TestHalvesAgreeOnRandomWorkloads: the Go half and the CEL half shape templates alike, and refuse the same changes of Jobs.
func TestHalvesAgreeOnRandomWorkloads(t *testing.T) {
	random(t, 2000, 11, func(t *testing.T, f *fencetest.Fence, seed int, r *rand.Rand) {
		_, namespace := randomObligation(r)
		kind := pick(r, []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"})
		request := workloadRequest(kind, randomWorkload(r, kind))
		request.Params = floorOf(t, namespace)
		read := readWorkload(kind, request.Object)
		var before *placement.Workload
		if r.IntN(2) == 0 {
			request.Operation, request.Old = admission.Update, randomWorkload(r, kind)
			was := readWorkload(kind, request.Old)
			before = &was
			agreeOnJob(t, f, seed, was, read, request)
		}
		got := mutate(t, f, request, fence.Workloads, fence.DaemonSets)
		if diff := cmp.Diff(got, mutate(t, f, request, fence.DaemonSets, fence.Workloads)); diff != "" {
			t.Fatalf("seed %d: the order of the policies makes a difference:\n%s", seed, diff)
		}
		want := applyTo(t, request.Object, placement.ShapeWorkload(read, before, namespace))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: shapes differ (-Go +CEL):\n%s\nwas %s\nis %s", seed, diff, pretty(request.Old), pretty(request.Object))
		}
		again := readWorkload(kind, want)
		if more := placement.ShapeWorkload(again, before, namespace); len(more) > 0 {
			t.Fatalf("seed %d: shaping twice changes something: %v", seed, more)
		}
	})
}

// mutate lets policies shape a workload one after the other, those about DaemonSets only those.
func mutate(t *testing.T, f *fencetest.Fence, request fencetest.Request, policies ...string) runtime.Object {
	t.Helper()
	for _, policy := range policies {
		if policy == fence.DaemonSets && request.Kind.Kind != "DaemonSet" {
			continue
		}
		got, err := f.Mutate(policy, request)
		if err != nil {
			t.Fatalf("the fence cannot shape: %v\n%s", err, pretty(request.Object))
		}
		request.Object = got
	}
	return request.Object
}

func agreeOnJob(t *testing.T, f *fencetest.Fence, seed int, was, is placement.Workload, request fencetest.Request) {
	t.Helper()
	request.Params = nil
	denials, err := f.Validate(fence.Workloads, request)
	if err != nil {
		t.Fatalf("seed %d: the fence cannot judge: %v", seed, err)
	}
	refused := false
	for _, d := range denials {
		refused = refused || d == placement.JudgeJob(placement.Workload{Annotations: map[string]string{v1alpha1.AnnotationPrefix: ""}}, placement.Workload{Kind: "Job"}).Message()
	}
	if placement.JudgeJob(was, is).Allowed() == refused {
		t.Fatalf("seed %d: Go says %q, CEL says %q", seed, placement.JudgeJob(was, is).Message(), denials)
	}
}

func workloadRequest(kind string, object runtime.Object) fencetest.Request {
	gv := schema.GroupVersion{Group: "apps", Version: "v1"}
	if kind == "Job" || kind == "CronJob" {
		gv.Group = "batch"
	}
	return fencetest.Request{Kind: gv.WithKind(kind), Resource: gv.WithResource("workloads"), Operation: admission.Create, User: "dev", Object: object}
}

func randomWorkload(r *rand.Rand, kind string) runtime.Object {
	meta := metav1.ObjectMeta{Name: "w", Namespace: "hr", Annotations: randomAnnotations(r)}
	template := corev1.PodTemplateSpec{}
	template.Annotations = randomAnnotations(r)
	if r.IntN(2) == 0 {
		template.Spec.NodeSelector = map[string]string{"disk": "ssd"}
		if r.IntN(2) == 0 {
			template.Spec.NodeSelector[v1alpha1.HeldLabelPrefix+pick(r, levels)] = pick(r, []string{"true", "false"})
		}
	}
	apps, batch := metav1.TypeMeta{APIVersion: "apps/v1", Kind: kind}, metav1.TypeMeta{APIVersion: "batch/v1", Kind: kind}
	switch kind {
	case "Deployment":
		return &appsv1.Deployment{TypeMeta: apps, ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: template}}
	case "StatefulSet":
		return &appsv1.StatefulSet{TypeMeta: apps, ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Template: template}}
	case "DaemonSet":
		return &appsv1.DaemonSet{TypeMeta: apps, ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Template: template}}
	case "Job":
		return &batchv1.Job{TypeMeta: batch, ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template}}
	default:
		return &batchv1.CronJob{TypeMeta: batch, ObjectMeta: meta, Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: template}}}}
	}
}

func readWorkload(kind string, o runtime.Object) placement.Workload {
	var template *corev1.PodTemplateSpec
	switch w := o.(type) {
	case *appsv1.Deployment:
		template = &w.Spec.Template
	case *appsv1.StatefulSet:
		template = &w.Spec.Template
	case *appsv1.DaemonSet:
		template = &w.Spec.Template
	case *batchv1.Job:
		template = &w.Spec.Template
	case *batchv1.CronJob:
		template = &w.Spec.JobTemplate.Spec.Template
	}
	return placement.Workload{
		Kind: kind, Annotations: o.(metav1.Object).GetAnnotations(),
		Template: placement.WorkloadTemplate{HasMetadata: true, Annotations: template.Annotations, NodeSelector: template.Spec.NodeSelector},
	}
}

func applyTo(t *testing.T, o runtime.Object, patches []placement.Patch) runtime.Object {
	t.Helper()
	before, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(append([]placement.Patch{}, patches...))
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(text)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(before)
	if err != nil {
		t.Fatalf("applying %s to %s: %v", text, before, err)
	}
	out := o.DeepCopyObject()
	clean := map[string]any{}
	if err := json.Unmarshal(after, &clean); err != nil {
		t.Fatal(err)
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(clean, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestHalvesAgreeOnRandomBindings: the Go half and the CEL half judge bindings alike.
func TestHalvesAgreeOnRandomBindings(t *testing.T) {
	random(t, 2000, 13, func(t *testing.T, f *fencetest.Fence, seed int, r *rand.Rand) {
		b := placement.Binding{
			User: pick(r, []string{"system:kube-scheduler", "system:kube-scheduler", "alice", ""}), Legacy: r.IntN(4) == 0,
			TargetKind: pick(r, []string{"Node", "Node", "", "Pod"}), Node: pick(r, []string{"n1", "n2", ""}),
		}
		if r.IntN(4) == 0 {
			b.Labels = map[string]string{pick(r, []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion, "other"}): "x"}
		}
		if r.IntN(4) == 0 {
			b.Annotations = map[string]string{"x": "y"}
		}
		var revoking []string
		if r.IntN(2) == 0 {
			revoking = []string{"n2"}
		}
		denials, err := f.Validate(fence.Bindings, bindingRequest(b, revoking))
		if err != nil {
			t.Fatalf("seed %d: the fence cannot judge %+v: %v", seed, b, err)
		}
		if v := placement.JudgeBinding(b, settings, revoking); v.Allowed() != (len(denials) == 0) || len(v.Denials) != len(denials) {
			t.Fatalf("seed %d: %+v revoking %v: Go says %q, CEL says %q", seed, b, revoking, v.Message(), denials)
		}
	})
}

func bindingRequest(b placement.Binding, revoking []string) fencetest.Request {
	resource := corev1.SchemeGroupVersion.WithResource("pods")
	if b.Legacy {
		resource.Resource = "bindings"
	}
	var listed []any
	for _, n := range revoking {
		listed = append(listed, map[string]any{"node": n, "trustLevels": []any{"x"}})
	}
	config := map[string]any{"apiVersion": v1alpha1.GroupVersion.String(), "kind": "TerroirConfig", "metadata": map[string]any{"name": "cluster"}}
	if listed != nil {
		config["status"] = map[string]any{"revoking": listed}
	}
	return fencetest.Request{
		Kind: corev1.SchemeGroupVersion.WithKind("Binding"), Resource: resource, Operation: admission.Create, User: b.User,
		Object: &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "hr", Labels: b.Labels, Annotations: b.Annotations},
			Target:     corev1.ObjectReference{Kind: b.TargetKind, Name: b.Node},
		},
		Params: &unstructured.Unstructured{Object: config},
	}
}
