package placement_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// denying owes a level, and that no data lies on nodes.
func denying(storage v1alpha1.NodeLocalStorage) policy.Obligation {
	return policy.Obligation{}.With(policy.Demand{
		Source: policy.Source{Kind: "ClusterPlacementPolicy", Name: "health"}, Levels: []string{"secnumcloud"}, NodeLocalStorage: storage,
	})
}

func TestVolumesOnNodes(t *testing.T) {
	const denied = `, would keep data on the node, but ClusterPlacementPolicy/health says nodeLocalStorage: Deny; use a PersistentVolumeClaim, or an emptyDir with medium: Memory`
	for volume, want := range map[string]string{
		`{"name": "v", "secret": {"secretName": "s"}}`:                             "",
		`{"name": "v", "configMap": {"name": "c"}}`:                                "",
		`{"name": "v", "downwardAPI": {}}`:                                         "",
		`{"name": "v", "projected": {"sources": []}}`:                              "",
		`{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}`:               "",
		`{"name": "v", "ephemeral": {"volumeClaimTemplate": {}}}`:                  "",
		`{"name": "v", "image": {"reference": "r"}}`:                               "",
		`{"name": "v", "nfs": {"server": "s", "path": "/"}}`:                       "",
		`{"name": "v", "emptyDir": {"medium": "Memory"}}`:                          "",
		`{"name": "v", "emptyDir": {"medium": "HugePages-2Mi"}}`:                   "",
		`{"name": "v", "emptyDir": {}}`:                                            `volume "v", of type emptyDir` + denied,
		`{"name": "v", "emptyDir": {"medium": "memory"}}`:                          `volume "v", of type emptyDir` + denied,
		`{"name": "v", "hostPath": {"path": "/"}}`:                                 `volume "v", of type hostPath` + denied,
		`{"name": "v", "csi": {"driver": "d"}}`:                                    `volume "v", of type csi` + denied,
		`{"name": "v", "gitRepo": {"repository": "r"}}`:                            `volume "v", of type gitRepo` + denied,
		`{"name": "v", "flexVolume": {"driver": "d"}}`:                             `volume "v", of type flexVolume` + denied,
		`{"name": "v", "ofTheFuture": {}}`:                                         `volume "v", of type ofTheFuture` + denied,
		`{"name": "v"}`:                                                            `volume "v", of no type` + denied,
		`{"name": "v", "secret": {}, "hostPath": {"path": "/"}}`:                   `volume "v", of type hostPath, secret` + denied,
		`{"name": "v", "hostPath": null, "emptyDir": {"medium": "Memory"}}`:        "",
		`{"name": "v", "emptyDir": {"medium": "Memory"}, "hostPath": {"path":""}}`: `volume "v", of type emptyDir, hostPath` + denied,
	} {
		for storage, said := range map[v1alpha1.NodeLocalStorage]string{"": "", "Allow": "", "QualifiedNodes": "", "Deny": want} {
			var pod placement.Pod
			if err := json.Unmarshal([]byte(`{"metadata": {"name": "web-0"}, "spec": {"volumes": [`+volume+`]}}`), &pod); err != nil {
				t.Fatal(err)
			}
			c := placement.Case{Pod: &pod, Owed: denying(storage), Settings: placement.DefaultSettings()}
			if got := placement.JudgeShaped(c).Message(); got != said {
				t.Errorf("under %q, of %s is said %q, want %q", storage, volume, got, said)
			}
		}
	}
}

// Every type of the API has its place, or is named here as one that nobody can place.
func TestWhereVolumesLie(t *testing.T) {
	remote := []string{"awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "fc", "gcePersistentDisk", "iscsi", "nfs", "portworxVolume", "rbd", "vsphereVolume"}
	opaque := []string{"csi", "flexVolume", "flocker", "glusterfs", "ofTheFuture", "photonPersistentDisk", "quobyte", "scaleIO", "storageos"}
	types := []string{"ofTheFuture"}
	for source := range reflect.TypeFor[corev1.VolumeSource]().Fields() {
		name, _, _ := strings.Cut(source.Tag.Get("json"), ",")
		types = append(types, name)
	}
	for _, name := range types {
		v := placement.Volume{Name: "v", Types: []string{name}}
		if v.Remote() != slices.Contains(remote, name) || v.Opaque() != slices.Contains(opaque, name) {
			t.Errorf("%s: remote %t, opaque %t", name, v.Remote(), v.Opaque())
		}
	}
	for _, v := range []placement.Volume{{}, {Types: []string{"nfs", "secret"}}} {
		if v.Remote() || !v.Opaque() {
			t.Errorf("of the types %v: remote %t, opaque %t", v.Types, v.Remote(), v.Opaque())
		}
	}
}

// What is read from the API's types is what is read from JSON.
func TestVolumesOfTemplates(t *testing.T) {
	spec := corev1.PodSpec{Volumes: []corev1.Volume{
		{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "fast", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		{Name: "none"},
	}}
	pod := placement.PodOf(&metav1.ObjectMeta{Name: "web-0"}, &spec)
	verdict := placement.JudgeShaped(placement.Case{Pod: &pod, Owed: denying("Deny"), Settings: placement.DefaultSettings()})
	var fields []string
	for _, d := range verdict.Denials {
		fields = append(fields, d.Field)
	}
	if len(fields) != 2 || fields[0] != "spec.volumes[scratch]" || fields[1] != "spec.volumes[none]" {
		t.Errorf("denied are %v", fields)
	}
}

func TestRuntimeClasses(t *testing.T) {
	for sentence, c := range map[string]struct {
		class   string
		allowed []string
		want    string
	}{
		"no class":                     {"", nil, ""},
		"no class, though some may be": {"", []string{"gvisor"}, ""},
		"a class that may be":          {"gvisor", []string{"gvisor"}, ""},
		"a class, and none may be":     {"kata-remote", nil, `spec.runtimeClassName asks for runtime class "kata-remote", which may run the pod elsewhere than on its node, but ClusterPlacementPolicy/health requires trust level secnumcloud, and such pods may have no runtime class; remove spec.runtimeClassName, or have it allowed in TerroirConfig/cluster`},
		"a class, and others may be":   {"kata-remote", []string{"gvisor", "kata"}, `spec.runtimeClassName asks for runtime class "kata-remote", which may run the pod elsewhere than on its node, but ClusterPlacementPolicy/health requires trust level secnumcloud, and such pods may have only gvisor, kata; remove spec.runtimeClassName, or have it allowed in TerroirConfig/cluster`},
	} {
		pod := placement.Pod{Metadata: placement.Metadata{Name: "web-0"}, Spec: placement.Spec{RuntimeClassName: c.class}}
		settings := placement.DefaultSettings()
		settings.RuntimeClasses = c.allowed
		if got := placement.JudgeShaped(placement.Case{Pod: &pod, Owed: denying(""), Settings: settings}).Message(); got != c.want {
			t.Errorf("%s: %q, want %q", sentence, got, c.want)
		}
	}
}
