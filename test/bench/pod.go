package bench

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pod is one as a ReplicaSet makes it, with probes, environment and volumes. The review that the API server makes of it, with
// defaults and managedFields, has about 13 KB.
func pod() *corev1.Pod {
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "patient-records-5d9c7b6f4b-",
			Labels:       map[string]string{"app": "patient-records", "app.kubernetes.io/name": "patient-records", "app.kubernetes.io/part-of": "clinic", "pod-template-hash": "5d9c7b6f4b"},
			Annotations:  map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": "9102", "checksum/config": "6f1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcdef"},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "patient-records-5d9c7b6f4b", UID: "1f0c2c5e-7e3a-4c55-8f5e-3f2f3f0a9b11",
				Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(10001)), FSGroup: new(int64(10001))},
			InitContainers:  []corev1.Container{container("migrate", 4)},
			Containers:      []corev1.Container{container("server", 12), container("metrics", 3)},
			Volumes: []corev1.Volume{
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "patient-records"}}}},
				{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "patient-records"}}},
			},
		},
	}
}

func container(name string, variables int) corev1.Container {
	c := corev1.Container{
		Name: name, Image: "registry.example.org/clinic/" + name + "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("250m"), "memory": resource.MustParse("512Mi")},
			Limits:   corev1.ResourceList{"memory": resource.MustParse("512Mi")},
		},
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/" + name, ReadOnly: true}, {Name: "tmp", MountPath: "/tmp"}, {Name: "data", MountPath: "/var/lib/" + name},
		},
	}
	if name != "migrate" {
		c.Ports = []corev1.ContainerPort{{Name: "http-" + name, ContainerPort: 8080}, {Name: "more-" + name, ContainerPort: 9102}}
		c.LivenessProbe, c.ReadinessProbe = probe("/healthz"), probe("/readyz")
	}
	for i := range variables {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("CLINIC_SETTING_%d", i), Value: fmt.Sprintf("https://service-%d.clinic.svc.cluster.local:8443/v1", i)})
	}
	return c
}

func probe(path string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(8080), Scheme: "HTTPS"}},
		PeriodSeconds: 10, TimeoutSeconds: 1,
	}
}

// with gives a copy of a pod, changed.
func with(p *corev1.Pod, change func(*corev1.Pod)) *corev1.Pod {
	changed := p.DeepCopy()
	change(changed)
	return changed
}

func encoded(object any) ([]byte, error) {
	raw, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", object, err)
	}
	return raw, nil
}
