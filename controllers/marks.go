package controllers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/snapshot"
)

// +kubebuilder:rbac:groups="",resources=persistentvolumes,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=get;list;watch
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=get;list;watch;patch

// Marks marks the volumes that hold what governed namespaces wrote, and the classes by which their claims get volumes. What is marked is
// kept as it is by guards in the API server.
type Marks struct {
	writer
	reader client.Reader
	store  *snapshot.Store
}

func (m *Marks) loop(news *announcements) loop {
	return loop{
		name: "marks", announcements: news, after: atOnce, pass: m.pass,
		watches: []watch{
			{object: &corev1.PersistentVolume{}, after: atOnce, news: volumeChanged},
			{object: &corev1.PersistentVolumeClaim{}, after: atOnce, news: claimChanged},
			{object: &storagev1.StorageClass{}, after: atOnce, news: metadataChanged},
			{object: &corev1.Namespace{}, after: atOnce, news: metadataChanged},
		},
	}
}

// marksWorld is what the loop looks at.
type marksWorld struct {
	governed map[string]bool // namespaces
	claims   []corev1.PersistentVolumeClaim
	volumes  []corev1.PersistentVolume
	classes  []storagev1.StorageClass
}

// marking is an object that must get, or lose, its mark.
type marking struct {
	object client.Object
	marked bool
}

func (m *Marks) pass(ctx context.Context) (reconcile.Result, error) {
	current, ok := m.store.Load()
	if !ok {
		return reconcile.Result{}, nil // the compiler announces the first snapshot
	}
	world, err := gatherMarks(ctx, m.reader, current.Policies.Exempt)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, m.carryOut(ctx, decideMarks(world))
}

func gatherMarks(ctx context.Context, reader client.Reader, exempt func(string) bool) (marksWorld, error) {
	var (
		namespaces corev1.NamespaceList
		claims     corev1.PersistentVolumeClaimList
		volumes    corev1.PersistentVolumeList
		classes    storagev1.StorageClassList
	)
	if err := listAll(ctx, reader, &namespaces, &claims, &volumes, &classes); err != nil {
		return marksWorld{}, err
	}
	w := marksWorld{governed: map[string]bool{}, claims: claims.Items, volumes: volumes.Items, classes: classes.Items}
	for i := range namespaces.Items {
		n := &namespaces.Items[i]
		w.governed[n.Name] = n.Labels[v1alpha1.GovernedLabel] == "true" && !exempt(n.Name)
	}
	return w, nil
}

// decideMarks finds what must get or lose its mark. A volume keeps it when its claim or its namespace is gone: what was written is
// still on it. It loses it when it is bound to the claim of a namespace that owes nothing. A class is marked while a claim of a governed namespace names it.
func decideMarks(w marksWorld) []marking {
	claimed, classes := map[types.UID]string{}, map[string]bool{}
	for i := range w.claims {
		c := &w.claims[i]
		claimed[c.UID] = c.Namespace
		if w.governed[c.Namespace] {
			classes[classOf(c)] = true
		}
	}
	var all []marking
	for i := range w.volumes {
		v := &w.volumes[i]
		is := v.Labels[v1alpha1.GovernedLabel] == "true"
		of := v.Spec.ClaimRef
		switch {
		case of != nil && w.governed[of.Namespace] && !is:
			all = append(all, marking{v, true})
		case of != nil && claimed[of.UID] == of.Namespace && !w.governed[of.Namespace] && is:
			all = append(all, marking{v, false})
		}
	}
	for i := range w.classes {
		c := &w.classes[i]
		if is := c.Labels[v1alpha1.GovernedLabel] == "true"; is != classes[c.Name] {
			all = append(all, marking{c, classes[c.Name]})
		}
	}
	return all
}

// classOf is the StorageClass by which a claim gets its volume; empty: none. The old annotation goes before the field, as in Kubernetes: whoever
// read it the other way round would judge another class than the one that makes the volume.
func classOf(c *corev1.PersistentVolumeClaim) string {
	if class, has := c.Annotations[corev1.BetaStorageClassAnnotation]; has {
		return class
	}
	if c.Spec.StorageClassName != nil {
		return *c.Spec.StorageClassName
	}
	return ""
}

func (m *Marks) carryOut(ctx context.Context, all []marking) error {
	var failed error
	for _, change := range all {
		var value any // taken off
		if change.marked {
			value = "true"
		}
		labels := map[string]any{v1alpha1.GovernedLabel: value}
		_, err := m.merge(ctx, change.object, map[string]any{"metadata": map[string]any{"uid": string(change.object.GetUID()), "labels": labels}})
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("marking %s: %w", change.object.GetName(), err))
		}
	}
	return failed
}

// volumeChanged notices what a volume is, where it is and whose it is.
func volumeChanged(before, after client.Object) bool {
	was, is := before.(*corev1.PersistentVolume), after.(*corev1.PersistentVolume)
	return metadataChanged(was, is) || !equality.Semantic.DeepEqual(was.Spec, is.Spec)
}

// claimChanged notices what a claim asks for and what it got.
func claimChanged(before, after client.Object) bool {
	was, is := before.(*corev1.PersistentVolumeClaim), after.(*corev1.PersistentVolumeClaim)
	return was.UID != is.UID || was.Spec.VolumeName != is.Spec.VolumeName || was.Status.Phase != is.Status.Phase || classOf(was) != classOf(is) ||
		!equality.Semantic.DeepEqual(was.Spec.VolumeAttributesClassName, is.Spec.VolumeAttributesClassName)
}
