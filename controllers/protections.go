package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
)

// keyWatches are what has to be followed to know what keys are. Leases are not: that a proof lasts longer is asked when it is about to end, and what a
// renewal brings back the keys' own loop writes into their statuses.
func keyWatches(after time.Duration) []watch {
	return []watch{
		{object: &v1alpha1.KeyStore{}, after: after, news: specChanged},
		{object: &v1alpha1.KeyObservation{}, after: after, news: specChanged},
		{object: &v1alpha1.EncryptionKey{}, after: after, news: keyChanged},
	}
}

// keyChanged passes over how long a proof lasts, and who relies on the key.
func keyChanged(before, after client.Object) bool {
	was, is := before.(*v1alpha1.EncryptionKey).Status, after.(*v1alpha1.EncryptionKey).Status
	return specChanged(before, after) || was.Phase != is.Phase || was.Fingerprint != is.Fingerprint || was.ObservedFingerprint != is.ObservedFingerprint ||
		!was.RevokedSince.Equal(is.RevokedSince)
}

// protections are what is known of how volumes are encrypted. All that had to be looked up is in it.
type protections struct {
	classes map[string]protectedClass // by name
	origins map[types.UID]origin      // of claims that were made from something, by their UID
	keys    map[string]keys.Verdict   // by name
	meant   map[driversKey][]keys.Verdict
	braked  map[string]bool // KeyStores by whose word nobody is evicted
	lookup  storage.Lookup  // what classes point to, as far as it was asked for
	depot   depot
	at      time.Time // when all that was so
	// unfollowed: some of it was read from the API server, and nobody will hear when that changes.
	unfollowed bool
}

// protectedClass is a StorageClass with what it says of the volumes that are made by it.
type protectedClass struct {
	*storagev1.StorageClass
	storage.Protection
	digest string // what is recorded of it on claims
}

func protectedBy(c *storagev1.StorageClass, lookup storage.Lookup) protectedClass {
	return protectedClass{c, storage.OfClass(c, lookup), storage.Digest(c)}
}

// origin is where a claim's data came from: the claims, the nearest first, and a sentence where the line could not be followed to its end.
type origin struct {
	claims  []*corev1.PersistentVolumeClaim
	unknown string
}

// volume is how the volume of a claim is encrypted, or is going to be.
//
// Where its data came from was looked at when it was proven. So that it is not known any more, because a snapshot is gone, takes nothing away
// from a volume that was.
func (p protections) volume(claim *corev1.PersistentVolumeClaim) placement.EncryptedVolume {
	v := p.own(claim)
	from := p.origins[claim.UID]
	for _, c := range from.claims {
		v.Sources = append(v.Sources, p.own(c))
	}
	if v.Mismatch == "" && v.Proven == "" {
		v.Mismatch = from.unknown
	}
	return v
}

// own is how a volume is encrypted, whatever it was made from.
func (p protections) own(claim *corev1.PersistentVolumeClaim) placement.EncryptedVolume {
	v := placement.EncryptedVolume{Claim: claim.Name}
	name, pv := classOf(claim), p.depot.volumeOf(claim)
	class, known := p.classes[name]
	switch {
	case name == "":
		v.Protection = unknownProtection("the claim has no StorageClass, which could say how its volume is encrypted")
		return v
	case !known:
		v.Protection = unknownProtection(fmt.Sprintf("StorageClass %s does not exist", name))
		return v
	}
	if v.Protection = class.Protection; claim.Spec.VolumeAttributesClassName != nil {
		v.Protection = storage.OfClaim(claim, class.StorageClass, p.lookup)
	}
	switch recorded := claim.Annotations[v1alpha1.ClassAnnotation]; {
	case recorded != "" && recorded != class.digest:
		v.Mismatch = fmt.Sprintf("StorageClass %s is another class than the one that was recorded of the claim, so it does not tell how the volume is, or will be, made; create the claim again", name)
	case pv != nil:
		v.Mismatch = storage.Verify(claim, pv, class.StorageClass, v.Protection)
	default:
		v.Mismatch = p.unmade(claim)
	}
	v.Keys = p.meaning(v.Protection)
	v.Proven = proven(claim, pv, v.Keys)
	return v
}

// unmade says, of a claim that has no volume, why its class does not tell what it will get: a volume that is there already, or that somebody may still
// make by hand, goes before one that the class makes. Once the claim has it, it is looked at itself.
func (p protections) unmade(claim *corev1.PersistentVolumeClaim) string {
	switch awaited := p.depot.awaited(claim); awaited {
	case "":
		return ""
	case claim.Spec.VolumeName:
		return fmt.Sprintf("it names volume %s and does not have it yet, so its StorageClass does not tell how its volume is made", awaited)
	default:
		return fmt.Sprintf("it may get volume %s, which is there already and nobody's, instead of one that its StorageClass makes; delete that one, or have another claim take it", awaited)
	}
}

// unknownProtection is what nobody can tell, and why.
func unknownProtection(why string) storage.Protection {
	return storage.Protection{Binding: v1alpha1.BindingUnknown, Message: why}
}

// judge gives what stands against a claim. namespace are the labels of the namespace that owes.
func (p protections) judge(
	owed policy.Obligation, namespace map[string]string, claim *corev1.PersistentVolumeClaim, qualified func(zone, level string) bool,
) placement.Verdict {
	return placement.JudgeEncryption(owed, namespace, p.volume(claim), qualified, p.at)
}

// meaning are the keys that mean what a driver calls by this id, by name.
func (p protections) meaning(s storage.Protection) []keys.Verdict {
	if s.KeyID == "" {
		return nil
	}
	return p.meant[driversKey{s.Driver, s.KeyID}]
}

// driversKey is a key as a CSI driver names it.
type driversKey struct{ driver, id string }

// meantBy finds keys by how drivers name them. It is worked out once: volumes are many, and each asks.
func meantBy(all map[string]keys.Verdict) map[driversKey][]keys.Verdict {
	meant := map[driversKey][]keys.Verdict{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if all[name].Key == nil {
			continue
		}
		for _, s := range all[name].Key.Storage() {
			named := driversKey{string(s.Driver), s.KeyID}
			meant[named] = append(meant[named], all[name])
		}
	}
	return meant
}

// next is when time alone may change what is known of a key. That a revocation is confirmed is told by Leases, which nobody follows: so it is looked for once an
// interval.
func (p protections) next() time.Time {
	var next time.Time
	for _, v := range p.keys {
		next = earliest(next, v.NextChange)
		if v.Key != nil && v.Revoked() && !v.Confirmed && v.Key.Interval() > 0 {
			next = earliest(next, p.at.Add(v.Key.Interval()))
		}
		if v.VerifiedUntil.After(p.at) {
			next = earliest(next, v.VerifiedUntil)
		}
	}
	return next
}

// proven is the fingerprint under which it is recorded that the volume of this very claim was proven under its key; empty: it is not.
func proven(claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, meant []keys.Verdict) string {
	if pv == nil || len(meant) != 1 || pv.Spec.ClaimRef.UID != claim.UID {
		return ""
	}
	parts := strings.SplitN(pv.Annotations[v1alpha1.ProofAnnotation], ":", 3) // a fingerprint has a colon of its own
	if len(parts) != 3 || parts[0] != string(claim.UID) || parts[1] != meant[0].Key.Name {
		return ""
	}
	return parts[2]
}

// proofOf is what is recorded of a volume that is proven.
func proofOf(claim *corev1.PersistentVolumeClaim, v keys.Verdict) string {
	return string(claim.UID) + ":" + v.Key.Name + ":" + v.Fingerprint
}

// encrypting are the namespaces in which anybody demands something of volumes, whether that is enforced or only observed.
func encrypting(set *policy.Set, namespaces []corev1.Namespace, pods []*seenPod) map[string]bool {
	all := map[string]bool{}
	for i := range namespaces {
		n := namespaceOf(&namespaces[i])
		all[n.Name] = set.Namespace(n).Encryption != nil ||
			slices.ContainsFunc(set.Concerning(n), func(p policy.Policy) bool { return p.Encryption != nil })
	}
	for _, p := range pods {
		if _, known := all[p.Namespace]; known && annotated(p) && !set.Exempt(p.Namespace) && p.judged().Owed(set, policy.Obligation{}, sourceOf(p)).Encryption != nil {
			all[p.Namespace] = true
		}
	}
	return all
}

// sourceOf is a pod as it demands something itself.
func sourceOf(p *seenPod) policy.Source {
	return policy.Source{Kind: "Pod", Namespace: p.Namespace, Name: p.Name}
}
