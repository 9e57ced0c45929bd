package webhook

import (
	"encoding/json"
	"fmt"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	quantity "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var podsResource = metav1.GroupVersionResource{Version: "v1", Resource: "pods"}

// realisticPod is a pod as a ReplicaSet makes it: two containers with probes and environment, an init container, volumes, and
// managedFields, which are almost half of it. Reviewed, it has about 13 KB.
func realisticPod(t testing.TB) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "patient-records-5d9c7b6f4b-", Namespace: "hr",
			Labels:      map[string]string{"app": "patient-records", "app.kubernetes.io/name": "patient-records", "app.kubernetes.io/part-of": "clinic", "pod-template-hash": "5d9c7b6f4b"},
			Annotations: map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9102", "checksum/config": "6f1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcdef"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "patient-records-5d9c7b6f4b", UID: "1f0c2c5e-7e3a-4c55-8f5e-3f2f3f0a9b11",
				Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			ServiceAccountName: "patient-records", SchedulerName: "default-scheduler", RestartPolicy: corev1.RestartPolicyAlways,
			DNSPolicy: corev1.DNSClusterFirst, TerminationGracePeriodSeconds: new(int64(30)), EnableServiceLinks: new(true),
			Priority: new(int32(0)), PreemptionPolicy: new(corev1.PreemptLowerPriority),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(10001)), FSGroup: new(int64(10001)), SeccompProfile: &corev1.SeccompProfile{Type: "RuntimeDefault"}},
			Tolerations: []corev1.Toleration{
				{Key: "node.kubernetes.io/not-ready", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
				{Key: "node.kubernetes.io/unreachable", Operator: "Exists", Effect: "NoExecute", TolerationSeconds: new(int64(300))},
			},
			InitContainers: []corev1.Container{container("migrate", 4)},
			Containers:     []corev1.Container{container("server", 12), container("metrics", 3)},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "patient-records"}, DefaultMode: new(int32(420))}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "patient-records"}}},
			},
		},
		Status: corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable},
	}
	pod.ManagedFields = managedFields(t, pod)
	return pod
}

func container(name string, variables int) corev1.Container {
	c := corev1.Container{
		Name: name, Image: "registry.example.org/clinic/" + name + "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		ImagePullPolicy: corev1.PullIfNotPresent, TerminationMessagePath: "/dev/termination-log", TerminationMessagePolicy: corev1.TerminationMessageReadFile,
		Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: "TCP"}, {Name: "metrics", ContainerPort: 9102, Protocol: "TCP"}},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": quantity.MustParse("250m"), "memory": quantity.MustParse("512Mi")},
			Limits:   corev1.ResourceList{"memory": quantity.MustParse("512Mi")},
		},
		LivenessProbe:   probe("/healthz"),
		ReadinessProbe:  probe("/readyz"),
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/" + name, ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}, {Name: "data", MountPath: "/var/lib/" + name},
		},
	}
	for i := range variables {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("CLINIC_SETTING_%d", i), Value: fmt.Sprintf("https://service-%d.clinic.svc.cluster.local:8443/v1", i)})
	}
	return c
}

func probe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromString("http"), Scheme: "HTTPS"}},
		PeriodSeconds: 10, TimeoutSeconds: 1, SuccessThreshold: 1, FailureThreshold: 3,
	}
}

// managedFields says of every field of a pod that the controller manager owns it, as the API server does.
func managedFields(t testing.TB, pod *corev1.Pod) []metav1.ManagedFieldsEntry {
	t.Helper()
	var object any
	if err := json.Unmarshal(rawOf(t, pod), &object); err != nil {
		t.Fatal(err)
	}
	owned := fieldsOf(object)
	raw := rawOf(t, map[string]any{"f:metadata": owned["f:metadata"], "f:spec": owned["f:spec"]})
	return []metav1.ManagedFieldsEntry{{
		Manager: "kube-controller-manager", Operation: metav1.ManagedFieldsOperationUpdate, APIVersion: "v1",
		Time: new(metav1.NewTime(today)), FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(string(raw)),
	}}
}

func fieldsOf(value any) map[string]any {
	fields := map[string]any{}
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			fields["f:"+key] = fieldsOf(v)
		}
	case []any:
		for _, v := range value {
			item, isObject := v.(map[string]any)
			if !isObject {
				return map[string]any{}
			}
			name, err := json.Marshal(map[string]any{"name": item["name"]})
			if err != nil {
				panic(err) // names are strings
			}
			inner := fieldsOf(v)
			inner["."] = map[string]any{}
			fields["k:"+string(name)] = inner
		}
	}
	return fields
}

// podRequest is about a pod that is being created.
func podRequest(t testing.TB, pod any) *admissionv1.AdmissionRequest {
	t.Helper()
	return requestOf(t, podsResource, "Pod", admissionv1.Create, pod)
}
