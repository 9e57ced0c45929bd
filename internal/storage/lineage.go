package storage

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A volume that is made from another one has its data, and mostly its key: EBS and Persistent Disk clone under the source's key, STACKIT restores
// under it, LUKS carries its passphrase along. So the keys of all that a volume descends from count as well as that of its class.
//
// Reads: spec.dataSourceRef or else spec.dataSource of claims, and of snapshots from which claim they were taken.
//
// Says: the claims from which it descends. A source that is not there, that is younger than what was made from it, or of a kind that is not known, breaks
// the line: nobody can tell whose key it had. Names can be given away and taken again, so a source has to be older: one that is as old to the second,
// or younger, may be a successor under the same name.
//
// Ignores: what a claim's class says; that is asked of each claim of the line by itself. Backups and images that drivers restore by parameters of
// their own are not seen.

// Kinds of sources that are understood.
const (
	SourceClaim    = "PersistentVolumeClaim"
	SourceSnapshot = "VolumeSnapshot"
)

// snapshotGroup is the API group of VolumeSnapshots.
const snapshotGroup = "snapshot.storage.k8s.io"

// maxLineage bounds how far back a line is followed.
const maxLineage = 16

// Source says from what a claim's volume is made; ok is false where it is made from nothing. Kind is [SourceClaim] or [SourceSnapshot]; any other is
// a source of which nobody can tell the key, and starts with its API group.
func Source(claim *corev1.PersistentVolumeClaim) (kind, namespace, name string, ok bool) {
	ref := sourceOf(claim)
	if ref == nil {
		return "", "", "", false
	}
	namespace, name = claim.Namespace, ref.Name
	if ref.Namespace != nil && *ref.Namespace != "" {
		namespace = *ref.Namespace
	}
	group := deref(ref.APIGroup)
	switch {
	case group == "" && ref.Kind == SourceClaim, group == snapshotGroup && ref.Kind == SourceSnapshot:
		return ref.Kind, namespace, name, true
	default:
		return group + "/" + ref.Kind, namespace, name, true
	}
}

// sourceOf is the reference to a claim's source. The API server keeps dataSource and dataSourceRef alike; dataSourceRef says more.
func sourceOf(claim *corev1.PersistentVolumeClaim) *corev1.TypedObjectReference {
	if claim.Spec.DataSourceRef != nil {
		return claim.Spec.DataSourceRef
	}
	if s := claim.Spec.DataSource; s != nil {
		return &corev1.TypedObjectReference{APIGroup: s.APIGroup, Kind: s.Kind, Name: s.Name}
	}
	return nil
}

// Sources find what claims were made from. A nil function, and nil from one, mean that it is not there.
type Sources struct {
	Claim    func(namespace, name string) *corev1.PersistentVolumeClaim
	Snapshot func(namespace, name string) *Snapshot
}

// Snapshot is a VolumeSnapshot, as far as its origin is concerned.
type Snapshot struct {
	// Claim is spec.source.persistentVolumeClaimName: empty where it was not taken from a claim of this cluster.
	Claim string
	// Created is its metadata.creationTimestamp.
	Created metav1.Time
}

// Lineage gives the claims from which a claim's volume descends, the nearest first: their keys count as well as its own. unknown is a sentence where
// the line cannot be followed to its end; then nothing is proven, whatever ancestors are given.
func Lineage(claim *corev1.PersistentVolumeClaim, find Sources) (ancestors []*corev1.PersistentVolumeClaim, unknown string) {
	for at := claim; ; at = ancestors[len(ancestors)-1] {
		if _, _, _, descends := Source(at); !descends {
			return ancestors, ""
		}
		// Each is older than the one before, so a line that comes back to itself ends there. The bound is for lines that are merely long.
		if len(ancestors) == maxLineage {
			return ancestors, fmt.Sprintf("claim %s descends from more than %d others", claim.Name, maxLineage)
		}
		parent, broken := parentOf(at, find)
		if broken != "" {
			return ancestors, broken
		}
		ancestors = append(ancestors, parent)
	}
}

// parentOf finds the claim from whose volume a claim's was made.
func parentOf(claim *corev1.PersistentVolumeClaim, find Sources) (parent *corev1.PersistentVolumeClaim, broken string) {
	kind, namespace, name, _ := Source(claim)
	switch kind {
	case SourceClaim:
		return find.olderClaim(namespace, name, fmt.Sprintf("claim %s", claim.Name), claim.CreationTimestamp)
	case SourceSnapshot:
		return find.throughSnapshot(claim, namespace, name)
	default:
		return nil, fmt.Sprintf("claim %s is made from %s %s, of which nobody can tell the key", claim.Name, kind, name)
	}
}

// throughSnapshot finds the claim of which a claim's snapshot was taken.
func (s Sources) throughSnapshot(claim *corev1.PersistentVolumeClaim, namespace, name string) (parent *corev1.PersistentVolumeClaim, broken string) {
	var snapshot *Snapshot
	if s.Snapshot != nil {
		snapshot = s.Snapshot(namespace, name)
	}
	switch {
	case snapshot == nil:
		return nil, fmt.Sprintf("claim %s is made from VolumeSnapshot %s, which is not there, so nobody can tell its key", claim.Name, name)
	case !snapshot.Created.Before(&claim.CreationTimestamp):
		return nil, fmt.Sprintf("claim %s is made from VolumeSnapshot %s, which is not older: it may be another one under that name, so create the claim again", claim.Name, name)
	case snapshot.Claim == "":
		return nil, fmt.Sprintf("claim %s is made from VolumeSnapshot %s, which was not taken from a claim of this cluster, so nobody can tell its key", claim.Name, name)
	default:
		return s.olderClaim(namespace, snapshot.Claim, fmt.Sprintf("VolumeSnapshot %s", name), snapshot.Created)
	}
}

// olderClaim finds a claim that was there before what is made from it.
func (s Sources) olderClaim(namespace, name, made string, at metav1.Time) (claim *corev1.PersistentVolumeClaim, broken string) {
	if s.Claim != nil {
		claim = s.Claim(namespace, name)
	}
	switch {
	case claim == nil:
		return nil, fmt.Sprintf("%s is made from claim %s, which is not there, so nobody can tell its key", made, name)
	case !claim.CreationTimestamp.Before(&at):
		return nil, fmt.Sprintf("%s is made from claim %s, which is not older: it may be another one under that name, so create %s again", made, name, made)
	default:
		return claim, ""
	}
}
