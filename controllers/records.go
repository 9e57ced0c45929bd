package controllers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// +kubebuilder:rbac:groups="",resources=persistentvolumeclaims,verbs=patch

// Law: what was found of a volume is written down where it outlives whoever found it.
//
// On a claim that owes encryption: by which class its volume is made, once and never again, so that another class under the name is noticed; and, for
// people, under which key it is and how. On a volume: the key under which it was proven, when nothing stands against it and the key is Verified. So a
// pod may come back while the key's store is silent. A proof is replaced by a newer one and never taken off: it counts by its fingerprint, and only while
// the key's lease lives.

// record is what must be written on a claim or a volume.
type record struct {
	object client.Object
	// labels and annotations are what differs; nil values are taken off.
	labels, annotations map[string]any
}

func (r record) empty() bool { return len(r.labels)+len(r.annotations) == 0 }

// decideRecords finds what must be written.
func decideRecords(w gateWorld) []record {
	users := w.users()
	var all []record
	for namespace, claims := range w.depot.claims {
		n, known := w.namespaces[namespace]
		if !known || w.set.Exempt(namespace) {
			continue
		}
		for _, claim := range claims {
			owed := w.owedOf(n, users[claim])
			var is placement.EncryptedVolume
			if len(owed) > 0 {
				is = w.own(claim)
			}
			for _, r := range []record{w.onClaim(claim, len(owed) > 0, is), w.onVolume(claim, owed, is)} {
				if !r.empty() {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// users are the pods that demand something of volumes by their own word, by the claims that they mount.
func (w gateWorld) users() map[*corev1.PersistentVolumeClaim][]*seenPod {
	all := map[*corev1.PersistentVolumeClaim][]*seenPod{}
	for _, p := range w.pods {
		if !annotated(p) {
			continue
		}
		for _, name := range p.claims {
			if claim := w.depot.claims[p.Namespace][name]; claim != nil {
				all[claim] = append(all[claim], p)
			}
		}
	}
	return all
}

// owedOf are the obligations under which a claim is, as far as they demand something of volumes: its namespace's, and those of pods that demand
// more. Where nothing is enforced, what policies observe is recorded for them: they would find every volume unproven without.
func (w gateWorld) owedOf(n demanding, pods []*seenPod) []policy.Obligation {
	all := []policy.Obligation{n.owed}
	for _, p := range pods {
		all = append(all, p.judged().Owed(w.set, n.owed, sourceOf(p)))
	}
	if all = slices.DeleteFunc(all, func(o policy.Obligation) bool { return o.Encryption == nil }); len(all) > 0 {
		return all
	}
	return n.observed
}

// onClaim is what must be written on a claim. Where nothing is owed, what is there for people goes.
func (w gateWorld) onClaim(claim *corev1.PersistentVolumeClaim, owes bool, v placement.EncryptedVolume) record {
	r := record{object: claim, labels: map[string]any{}, annotations: map[string]any{}}
	wanted := map[string]string{}
	if owes {
		wanted[v1alpha1.BindingLabel] = string(v1alpha1.BindingUnknown)
		if v.Protection.Known() {
			wanted[v1alpha1.BindingLabel] = string(v.Protection.Binding)
		}
		if len(v.Keys) == 1 {
			wanted[v1alpha1.KeyLabel] = v.Keys[0].Key.Name
		}
		if w.unrecorded(claim) {
			r.annotations[v1alpha1.ClassAnnotation] = w.classes[classOf(claim)].digest
		}
	}
	for _, key := range []string{v1alpha1.BindingLabel, v1alpha1.KeyLabel} {
		value, wants := wanted[key]
		is, has := claim.Labels[key]
		switch {
		case wants && is != value:
			r.labels[key] = value
		case !wants && has:
			r.labels[key] = nil
		}
	}
	return r
}

// onVolume is the proof that must be written on the volume of a claim: where all that is owed of it is honoured, under a key that is Verified now.
func (w gateWorld) onVolume(claim *corev1.PersistentVolumeClaim, owed []policy.Obligation, v placement.EncryptedVolume) record {
	pv := w.depot.volumeOf(claim)
	if pv == nil || pv.Spec.ClaimRef.UID != claim.UID || len(owed) == 0 || w.unrecorded(claim) {
		return record{}
	}
	if len(v.Keys) != 1 || !v.Keys[0].Verified() || v.Keys[0].Fingerprint == "" {
		return record{}
	}
	proof := proofOf(claim, v.Keys[0])
	if pv.Annotations[v1alpha1.ProofAnnotation] == proof {
		return record{}
	}
	labels := w.namespaces[claim.Namespace].Labels
	for _, o := range owed {
		if !w.judge(o, labels, claim, w.qualified).Allowed() {
			return record{}
		}
	}
	return record{object: pv, annotations: map[string]any{v1alpha1.ProofAnnotation: proof}}
}

// record writes what must be written, on the very objects that were looked at.
func (g *Gates) record(ctx context.Context, all []record) error {
	var failed error
	for _, r := range all {
		metadata := map[string]any{"uid": string(r.object.GetUID())}
		for field, changes := range map[string]map[string]any{"labels": r.labels, "annotations": r.annotations} {
			if len(changes) > 0 {
				metadata[field] = maps.Clone(changes)
			}
		}
		if _, err := g.merge(ctx, r.object, map[string]any{"metadata": metadata}); err != nil {
			failed = errors.Join(failed, fmt.Errorf("recording how %s is encrypted: %w", client.ObjectKeyFromObject(r.object), err))
		}
	}
	return failed
}
