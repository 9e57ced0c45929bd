package storage

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Kinds of sources that are understood.
const (
	SourceClaim    = "PersistentVolumeClaim"
	SourceSnapshot = "VolumeSnapshot"
)

// Source says from what a claim's volume is made; ok is false where from nothing. Kind is [SourceClaim] or [SourceSnapshot]; anything else
// is a source of which nobody can tell the key.
func Source(_ *corev1.PersistentVolumeClaim) (kind, namespace, name string, ok bool) {
	return "", "", "", true
}

// Sources find what claims were made from. A nil function, and nil from one, mean that it is not there.
type Sources struct {
	Claim    func(namespace, name string) *corev1.PersistentVolumeClaim
	Snapshot func(namespace, name string) *Snapshot
}

// Snapshot is a VolumeSnapshot, as far as its origin is concerned.
type Snapshot struct {
	// Claim is spec.source.persistentVolumeClaimName: empty where it was not made from a claim of this cluster.
	Claim string
	// Created is its metadata.creationTimestamp.
	Created metav1.Time
}

// Lineage gives the claims from which a claim's volume descends, the nearest first: their keys count as well as its own. unknown is a
// sentence where the line cannot be followed to its end; then nothing is proven.
func Lineage(_ *corev1.PersistentVolumeClaim, _ Sources) (ancestors []*corev1.PersistentVolumeClaim, unknown string) {
	return nil, "nobody looked yet"
}
