// Package provisioner plays the CSI drivers of a test cluster: it makes a PersistentVolume for each claim for which the scheduler chose a node,
// in that node's zone, as external-provisioner does. Nothing is stored anywhere.
package provisioner

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	selectedNode  = "volume.kubernetes.io/selected-node"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
	every         = 50 * time.Millisecond
)

// Run makes volumes until its context ends. What fails is tried again: classes and nodes come and go in tests.
func Run(ctx context.Context, c client.Client) {
	_ = wait.PollUntilContextCancel(ctx, every, true, func(ctx context.Context) (bool, error) {
		var claims corev1.PersistentVolumeClaimList
		if c.List(ctx, &claims) == nil {
			for i := range claims.Items {
				_ = provision(ctx, c, &claims.Items[i])
			}
		}
		return false, nil
	})
}

// provision makes the volume of a claim that waits for one.
func provision(ctx context.Context, c client.Client, claim *corev1.PersistentVolumeClaim) error {
	on := claim.Annotations[selectedNode]
	if on == "" || claim.Spec.VolumeName != "" || claim.Spec.StorageClassName == nil {
		return nil
	}
	class, node := &storagev1.StorageClass{}, &corev1.Node{}
	if err := c.Get(ctx, client.ObjectKey{Name: *claim.Spec.StorageClassName}, class); err != nil {
		return fmt.Errorf("reading the class of claim %s: %w", claim.Name, err)
	}
	if err := c.Get(ctx, client.ObjectKey{Name: on}, node); err != nil {
		return fmt.Errorf("reading the node of claim %s: %w", claim.Name, err)
	}
	if err := c.Create(ctx, volume(claim, class, node)); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making the volume of claim %s: %w", claim.Name, err)
	}
	return nil
}

func volume(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, node *corev1.Node) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	reclaim := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		reclaim = *class.ReclaimPolicy
	}
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: class.Provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: claim.Spec.Resources.Requests, AccessModes: claim.Spec.AccessModes,
			PersistentVolumeReclaimPolicy: reclaim, StorageClassName: class.Name,
			ClaimRef: &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: class.Provisioner, VolumeHandle: name, VolumeAttributes: class.Parameters,
			}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{node.Labels[corev1.LabelTopologyZone]},
				}},
			}}}},
		},
	}
}
