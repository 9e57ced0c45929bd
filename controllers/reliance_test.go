package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/internal/storage"
)

func TestWhoReliesOnAKey(t *testing.T) {
	for what, c := range map[string]struct {
		tweak func(*sealed)
		want  map[string]reliance
	}{
		"a pod with one claim": {
			func(*sealed) {}, map[string]reliance{"kek": {classes: []string{"fast"}, claims: []string{"n/data"}, volumes: 1, pods: 1}},
		},
		"whoever owes nothing relies on it, too": {
			func(w *sealed) { w.demand.Encryption = nil }, map[string]reliance{"kek": {classes: []string{"fast"}, claims: []string{"n/data"}, volumes: 1, pods: 1}},
		},
		"a pod that is finished relies on nothing": {
			func(w *sealed) { w.pod.Status.Phase = corev1.PodSucceeded }, map[string]reliance{"kek": {classes: []string{"fast"}, claims: []string{"n/data"}, volumes: 1}},
		},
		"a claim of another class does not": {
			func(w *sealed) { w.claims[0].Spec.StorageClassName = new("slow") }, map[string]reliance{"kek": {classes: []string{"fast"}}},
		},
		"a pod counts once, whatever it mounts, and both of two keys that mean the same are relied on": {
			func(w *sealed) {
				w.key("other", nil)
				w.claim("logs", nil)
				w.pod.Spec.Volumes = append(w.pod.Spec.Volumes, corev1.Volume{Name: "logs", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "logs"},
				}})
			},
			map[string]reliance{
				"kek":   {classes: []string{"fast"}, claims: []string{"n/data", "n/logs"}, volumes: 2, pods: 1},
				"other": {classes: []string{"fast"}, claims: []string{"n/data", "n/logs"}, volumes: 2, pods: 1},
			},
		},
		"a clone relies on its source's key": {
			func(w *sealed) {
				w.madeFrom(storage.SourceClaim, "source")
				w.claims[0].Spec.StorageClassName = new("slow")
				w.claim("source", func(c *corev1.PersistentVolumeClaim) { c.CreationTimestamp = metav1.NewTime(noon.Add(-7200e9)) })
			},
			map[string]reliance{"kek": {classes: []string{"fast"}, claims: []string{"n/data", "n/source"}, volumes: 2, pods: 1}},
		},
	} {
		w := waiting()
		c.tweak(w)
		world := w.world(t)
		if diff := cmp.Diff(c.want, relianceOn(world.protections, world.pods), cmp.AllowUnexported(reliance{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}
