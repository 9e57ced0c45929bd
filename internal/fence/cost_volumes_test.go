package fence_test

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
)

// costliestStorage are the requests that cost most a guard that looks at claims, volumes, classes or attachments.
func costliestStorage() map[string]map[string]fencetest.Request {
	attachment := &storagev1.VolumeAttachment{
		TypeMeta: metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "VolumeAttachment"}, ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("x", 253)},
		Spec: storagev1.VolumeAttachmentSpec{NodeName: strings.Repeat("x", 253)},
	}
	return map[string]map[string]fencetest.Request{
		"terroir-claims":         {"a long name": by("dev", fencetest.Change("persistentvolumeclaims", largeClaim("a"), largeClaim("b")))},
		"terroir-claim-volumes":  {"long names": by("dev", fencetest.Change("persistentvolumeclaims", waitingClaim(""), waitingClaim("a")))},
		"terroir-claim-records":  {"records": by("dev", fencetest.Change("persistentvolumeclaims", recordedClaim("a"), recordedClaim("b")))},
		"terroir-volume-proofs":  {"a proof": by("dev", fencetest.Change("persistentvolumes", provenVolume("a"), provenVolume("b")))},
		"terroir-volumes":        {"affinity and labels": by("dev", fencetest.Change("persistentvolumes", largeVolume("a"), largeVolume("b")))},
		"terroir-storageclasses": {"topologies": by("dev", fencetest.Change("storageclasses", largeClass("a"), largeClass("b")))},
		"terroir-attachments":    {"a long name": by("dev", fencetest.Change("volumeattachments", nil, attachment))},
	}
}

// largeClaim has a node of a long name selected, which ends in the given letter.
func largeClaim(end string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"},
		ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("x", 253), Annotations: map[string]string{
			"volume.kubernetes.io/selected-node": strings.Repeat("x", 15000) + end,
		}},
	}
}

// waitingClaim is a claim that had no volume, and names one.
func waitingClaim(volume string) *corev1.PersistentVolumeClaim {
	c := largeClaim("a")
	if volume != "" {
		c.Spec.VolumeName, c.Spec.VolumeAttributesClassName = strings.Repeat(volume, 253), new(strings.Repeat(volume, 253))
	}
	return c
}

// recordedClaim has everything recorded, in records that end in the given letter.
func recordedClaim(end string) *corev1.PersistentVolumeClaim {
	c := largeClaim(end)
	c.Annotations[v1alpha1.ClassAnnotation] = strings.Repeat("x", 15000) + end
	c.Labels = map[string]string{v1alpha1.KeyLabel: strings.Repeat("x", 62) + end, v1alpha1.BindingLabel: end}
	return c
}

// provenVolume has a proof that ends in the given letter.
func provenVolume(end string) *corev1.PersistentVolume {
	v := largeVolume(end)
	v.Annotations = map[string]string{v1alpha1.ProofAnnotation: strings.Repeat("x", 15000) + end}
	return v
}

// largeVolume names hundreds of nodes, and its zone, by names that end in the given letter.
func largeVolume(end string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"},
		ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("x", 253), Labels: map[string]string{
			v1alpha1.GovernedLabel: "true", corev1.LabelTopologyZone: end, corev1.LabelTopologyRegion: end, corev1.LabelFailureDomainBetaZone: end, corev1.LabelFailureDomainBetaRegion: end,
		}},
	}
	v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
		{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: manyNames(end)}}},
	}}}
	return v
}

// largeClass has hundreds of zones, by names that end in the given letter.
func largeClass(end string) *storagev1.StorageClass {
	return &storagev1.StorageClass{
		TypeMeta:   metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "StorageClass"},
		ObjectMeta: metav1.ObjectMeta{Name: strings.Repeat("x", 253), Labels: map[string]string{v1alpha1.GovernedLabel: "true"}},
		AllowedTopologies: []corev1.TopologySelectorTerm{
			{MatchLabelExpressions: []corev1.TopologySelectorLabelRequirement{{Key: corev1.LabelTopologyZone, Values: manyNames(end)}}},
		},
	}
}

func manyNames(end string) []string {
	names := make([]string, 250)
	for i := range names {
		names[i] = fmt.Sprintf("%s%04d%s", strings.Repeat("x", 55), i, end)
	}
	return names
}
