package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/storage"
)

// +kubebuilder:rbac:groups=storage.k8s.io,resources=volumeattachments,verbs=get;list;watch

// storageWorld is what there is of claims, volumes and attachments.
type storageWorld struct {
	claims      []corev1.PersistentVolumeClaim
	volumes     []corev1.PersistentVolume
	attachments []storagev1.VolumeAttachment
}

func gatherStorage(ctx context.Context, reader client.Reader) (storageWorld, error) {
	var (
		claims      corev1.PersistentVolumeClaimList
		volumes     corev1.PersistentVolumeList
		attachments storagev1.VolumeAttachmentList
	)
	if err := listAll(ctx, reader, &claims, &volumes, &attachments); err != nil {
		return storageWorld{}, err
	}
	return storageWorld{claims.Items, volumes.Items, attachments.Items}, nil
}

// storageWatches are what has to be followed to know where volumes lie, and whose they are.
func storageWatches() []watch {
	return []watch{
		{object: &corev1.PersistentVolumeClaim{}, after: atLeisure, news: claimChanged},
		{object: &corev1.PersistentVolume{}, after: atLeisure, news: volumeChanged},
		{object: &storagev1.VolumeAttachment{}, after: atLeisure, news: func(client.Object, client.Object) bool { return false }}, // their spec is fixed
	}
}

// depot finds volumes by whose they are and what they are.
type depot struct {
	claims  map[string]map[string]*corev1.PersistentVolumeClaim // by namespace and name
	volumes map[string]*corev1.PersistentVolume                 // by name
	// attached are the nodes that each volume is attached to.
	attached map[string][]string
	// alike are the volumes of the same CSI driver with the same handle: the same data under several names.
	alike map[handle][]*corev1.PersistentVolume
	// copies are the claims whose data is asked for from another namespace, by that namespace.
	copies map[string][]*corev1.PersistentVolumeClaim
	// free are the volumes that are there and nobody's: for any claim of the class by whose name they go.
	free map[string]*corev1.PersistentVolume
	// reserved are those that wait for the claim of a name.
	reserved map[types.NamespacedName]*corev1.PersistentVolume
}

type handle struct{ driver, handle string }

func depotIn(w storageWorld) depot {
	s := depot{
		claims: map[string]map[string]*corev1.PersistentVolumeClaim{}, volumes: map[string]*corev1.PersistentVolume{}, attached: map[string][]string{},
		alike: map[handle][]*corev1.PersistentVolume{}, copies: map[string][]*corev1.PersistentVolumeClaim{},
		free: map[string]*corev1.PersistentVolume{}, reserved: map[types.NamespacedName]*corev1.PersistentVolume{},
	}
	for i := range w.claims {
		c := &w.claims[i]
		if s.claims[c.Namespace] == nil {
			s.claims[c.Namespace] = map[string]*corev1.PersistentVolumeClaim{}
		}
		s.claims[c.Namespace][c.Name] = c
		if from := c.Spec.DataSourceRef; from != nil && from.Namespace != nil && *from.Namespace != c.Namespace {
			s.copies[*from.Namespace] = append(s.copies[*from.Namespace], c)
		}
	}
	for i := range w.volumes {
		v := &w.volumes[i]
		s.volumes[v.Name] = v
		s.offer(v)
		if csi := v.Spec.CSI; csi != nil {
			key := handle{csi.Driver, csi.VolumeHandle}
			s.alike[key] = append(s.alike[key], v)
		}
	}
	for i := range w.attachments {
		if name := w.attachments[i].Spec.Source.PersistentVolumeName; name != nil {
			s.attached[*name] = append(s.attached[*name], w.attachments[i].Spec.NodeName)
		}
	}
	return s
}

// offer notes a volume that a claim may still get. Which of several is all the same: the first by name.
func (s depot) offer(v *corev1.PersistentVolume) {
	first := func(known *corev1.PersistentVolume) bool { return known == nil || v.Name < known.Name }
	switch of := v.Spec.ClaimRef; {
	case of == nil:
		if first(s.free[v.Spec.StorageClassName]) {
			s.free[v.Spec.StorageClassName] = v
		}
	case of.UID == "":
		if key := (types.NamespacedName{Namespace: of.Namespace, Name: of.Name}); first(s.reserved[key]) {
			s.reserved[key] = v
		}
	}
}

// awaited is a volume that a claim without one may get instead of one that its class makes; empty: there is none. Whoever wrote its name into the claim
// means that one; of others, Kubernetes prefers what is there to what would have to be made.
func (s depot) awaited(c *corev1.PersistentVolumeClaim) string {
	if c.Spec.VolumeName != "" {
		return c.Spec.VolumeName
	}
	for _, v := range []*corev1.PersistentVolume{s.reserved[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}], s.free[classOf(c)]} {
		if v != nil {
			return v.Name
		}
	}
	return ""
}

// volumeOf is the volume that a claim is bound to: both say so. Nil: none, as of a claim that does not exist.
func (s depot) volumeOf(c *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	if c == nil {
		return nil
	}
	v := s.volumes[c.Spec.VolumeName]
	if v == nil || v.Spec.ClaimRef == nil || v.Spec.ClaimRef.Namespace != c.Namespace || v.Spec.ClaimRef.Name != c.Name {
		return nil
	}
	return v
}

// auditedClaim is what was found of a claim.
type auditedClaim struct {
	problems []problem
	mounted  bool
}

// claims judges the claims of a namespace that have a volume, by name.
func (a *auditor) claims(c *concern, namespace string) map[string]*auditedClaim {
	found := map[string]*auditedClaim{}
	for _, claim := range a.depot.claims[namespace] {
		if volume := a.depot.volumeOf(claim); volume != nil {
			found[claim.Name] = &auditedClaim{problems: a.volume(c, claim, volume)}
		} else if claim.Status.Phase == corev1.ClaimLost {
			found[claim.Name] = &auditedClaim{problems: []problem{{
				reason: v1alpha1.VolumePlaceUnknown, claim: claim.Name,
				message: fmt.Sprintf("volume %s of the claim does not exist any more, and nobody can tell where its data lies", claim.Spec.VolumeName),
			}}}
		}
	}
	for _, copied := range a.depot.copies[namespace] {
		if from := copied.Spec.DataSourceRef; !c.namespaces[copied.Namespace] {
			source := from.Kind + "/" + from.Name
			found[source] = &auditedClaim{problems: append(problemsIn(found[source]), problem{
				reason: v1alpha1.ClaimShared, claim: source,
				message: fmt.Sprintf("claim %s/%s, to which %s does not apply, is made from its data", copied.Namespace, copied.Name, c.Source),
			})}
		}
	}
	return found
}

func problemsIn(found *auditedClaim) []problem {
	if found == nil {
		return nil
	}
	return found.problems
}

// volume judges where a volume lies, where it is attached, who else reaches what is on it, and how it is encrypted.
func (a *auditor) volume(c *concern, claim *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) []problem {
	of := storage.Of(v)
	problems := problemsOf(a.terrain.JudgeVolume(c.owed, of))
	for _, node := range a.depot.attached[v.Name] {
		for _, p := range a.node(c.owed, node) {
			problems = append(problems, problem{reason: v1alpha1.AttachmentNotQualified, node: node, message: fmt.Sprintf("volume %s is attached there: %s", v.Name, p.message)})
		}
	}
	for _, other := range a.depot.alike[handle{of.Driver, of.Handle}] {
		if ref := other.Spec.ClaimRef; other != v && ref != nil && !c.namespaces[ref.Namespace] {
			problems = append(problems, problem{reason: v1alpha1.ClaimShared, message: fmt.Sprintf(
				"volume %s, which claim %s/%s has, to which %s does not apply, is the same as its volume %s", other.Name, ref.Namespace, ref.Name, c.Source, v.Name)})
		}
	}
	problems = append(problems, a.encryption(c, claim)...)
	for i := range problems {
		problems[i].claim = claim.Name
	}
	return problems
}

// encryption judges under which key a volume is, with what was judged before its pods were let go. Nothing is said where nobody looked.
func (a *auditor) encryption(c *concern, claim *corev1.PersistentVolumeClaim) []problem {
	if c.owed.Encryption == nil || a.world.protections == nil {
		return nil
	}
	return problemsOf(a.world.protections.judge(c.owed, a.labels[claim.Namespace], claim, a.qualified))
}
