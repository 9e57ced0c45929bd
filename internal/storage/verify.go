package storage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// What a class promises is proven of the class. Whether a volume was made by it, and as it says, is seen afterwards, when the volume is there.
//
// Reads of the claim: name, UID, age, class, and the record of the class ([v1alpha1.ClassAnnotation]); of the volume what [Keep] lists.
//
// Says: a volume of another claim, of another class, of another driver, that nobody provisioned, that is older than its claim or its class, or whose attributes say
// otherwise, is not what was promised. So is one of which nobody recorded by which class it was made: record it first.
//
// Ignores: what the driver does not write into the volume. Most clouds' drivers write nothing of keys, and then the class's word is all there is.
//
// Volumes that a person made (static ones) are never proven: a class's name on them is a word of that person, and no driver read the class.
//
// Source: https://github.com/kubernetes-csi/external-provisioner, pkg/controller/controller.go at 014be4a, and
// https://github.com/kubernetes-sigs/sig-storage-lib-external-provisioner, controller/controller.go, read 2026-11-27.

// provisionedBy is the annotation by which provisioners sign the volumes that they make.
const provisionedBy = "pv.kubernetes.io/provisioned-by"

// Verify compares a volume that is there with what its class promised. It gives a sentence on the first difference; empty: none is found. class is nil
// where it is not there any more.
func Verify(claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, class *storagev1.StorageClass, p Protection) (mismatch string) {
	if class == nil {
		return fmt.Sprintf("the StorageClass of claim %s is not there any more, so nobody can tell how its volume is encrypted", claim.Name)
	}
	for _, compare := range []func(*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, *storagev1.StorageClass) string{
		sameClaim, sameName, sameRecord, sameDriver, sameAge, sameAttributes,
	} {
		if words := compare(claim, pv, class); words != "" {
			return fmt.Sprintf("%s, so it is not known to be %s", words, p)
		}
	}
	return ""
}

func sameClaim(claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) string {
	of := pv.Spec.ClaimRef
	if of == nil || of.UID != claim.UID || of.Namespace != claim.Namespace || of.Name != claim.Name {
		return fmt.Sprintf("volume %s is not bound to claim %s", pv.Name, claim.Name)
	}
	return ""
}

func sameName(claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, class *storagev1.StorageClass) string {
	if named := className(claim); named != class.Name {
		return fmt.Sprintf("claim %s is of StorageClass %q, not %s", claim.Name, named, class.Name)
	}
	if named := volumeClassName(pv); named != class.Name {
		return fmt.Sprintf("volume %s is of StorageClass %q, and its claim of %s", pv.Name, named, class.Name)
	}
	return ""
}

// volumeClassName is the name of a volume's StorageClass. The old annotation goes first here, too.
func volumeClassName(pv *corev1.PersistentVolume) string {
	if name, has := pv.Annotations[corev1.BetaStorageClassAnnotation]; has {
		return name
	}
	return pv.Spec.StorageClassName
}

// className is the name of a claim's StorageClass. The old annotation goes first, as in Kubernetes.
func className(claim *corev1.PersistentVolumeClaim) string {
	if name, has := claim.Annotations[corev1.BetaStorageClassAnnotation]; has {
		return name
	}
	return deref(claim.Spec.StorageClassName)
}

func sameRecord(claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, class *storagev1.StorageClass) string {
	recorded := claim.Annotations[v1alpha1.ClassAnnotation]
	if recorded == "" {
		return fmt.Sprintf("nobody recorded by which StorageClass volume %s was made", pv.Name)
	}
	if !sameClass(recorded, class) {
		return fmt.Sprintf("volume %s was made by another StorageClass %s, which was deleted, and this one created in its place", pv.Name, class.Name)
	}
	return ""
}

func sameDriver(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, class *storagev1.StorageClass) string {
	by, signed := pv.Annotations[provisionedBy]
	switch {
	case pv.Spec.CSI == nil:
		return fmt.Sprintf("volume %s is no CSI volume", pv.Name)
	case pv.Spec.CSI.Driver != class.Provisioner:
		return fmt.Sprintf("volume %s is of driver %s, and its StorageClass of %s", pv.Name, pv.Spec.CSI.Driver, class.Provisioner)
	case !signed:
		return fmt.Sprintf("volume %s was made by hand and not by its StorageClass", pv.Name)
	case by != class.Provisioner:
		return fmt.Sprintf("volume %s was made by %s, and its StorageClass is of %s", pv.Name, by, class.Provisioner)
	default:
		return ""
	}
}

// sameAge: a volume that was there before its claim was made for another one, or by hand, and only its name says by which class. One that was there before
// its class was made by another class of that name: what was recorded after the classes were exchanged says nothing of it.
func sameAge(claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, class *storagev1.StorageClass) string {
	switch {
	case pv.CreationTimestamp.Before(&claim.CreationTimestamp):
		return fmt.Sprintf("volume %s is older than claim %s and was not made for it", pv.Name, claim.Name)
	case pv.CreationTimestamp.Before(&class.CreationTimestamp):
		return fmt.Sprintf("volume %s is older than StorageClass %s and was made by another one of that name", pv.Name, class.Name)
	default:
		return ""
	}
}

// sameAttributes compares what the driver wrote into the volume with what the class says.
func sameAttributes(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, class *storagev1.StorageClass) string {
	d, _ := driverOf(class.Provisioner)
	promised, written := class.Parameters, Kept(pv.Spec.CSI.VolumeAttributes)
	if d.foldsCase {
		var one, other string
		promised, one = foldCase(promised)
		written, other = foldCase(written)
		if one != "" || other != "" {
			return fmt.Sprintf("the attributes of volume %s or the parameters of its StorageClass say %s more than once", pv.Name, one+other)
		}
	}
	for _, name := range d.echoes {
		if !sameValue(promised, written, name) {
			return fmt.Sprintf("volume %s says %s=%q, and its StorageClass %q", pv.Name, name, written[name], promised[name])
		}
	}
	return ""
}

// sameValue compares one parameter. encrypted is a boolean for most drivers: false is as good as nothing, and spelling is all the same.
func sameValue(promised, written map[string]string, name string) bool {
	if name == "encrypted" {
		a, wrong := readBool(promised, name)
		b, too := readBool(written, name)
		if wrong == nil && too == nil {
			return a == b
		}
	}
	return promised[name] == written[name]
}

// Keep copies to slim what [Verify] reads of a volume, and nothing else: a cache that keeps it keeps enough.
func Keep(slim, pv *corev1.PersistentVolume) {
	slim.Name, slim.CreationTimestamp = pv.Name, pv.CreationTimestamp
	if by, has := pv.Annotations[provisionedBy]; has {
		slim.Annotations = maps.Clone(slim.Annotations)
		if slim.Annotations == nil {
			slim.Annotations = map[string]string{}
		}
		slim.Annotations[provisionedBy] = by
	}
	slim.Spec.StorageClassName = volumeClassName(pv)
	if of := pv.Spec.ClaimRef; of != nil {
		slim.Spec.ClaimRef = &corev1.ObjectReference{Namespace: of.Namespace, Name: of.Name, UID: of.UID}
	}
	if csi := pv.Spec.CSI; csi != nil {
		if slim.Spec.CSI == nil {
			slim.Spec.CSI = &corev1.CSIPersistentVolumeSource{}
		}
		slim.Spec.CSI.Driver, slim.Spec.CSI.VolumeAttributes = csi.Driver, Kept(csi.VolumeAttributes)
	}
}

// Kept are those of volumeAttributes that [Verify] reads, of whatever driver; nil if there are none.
func Kept(attributes map[string]string) map[string]string {
	read := []string{"encrypted", "encryptionkmsid", "encryptiontype", "diskencryptionsetid", "diskencryptiontype"}
	var kept map[string]string
	for name, value := range attributes {
		if !slices.Contains(read, strings.ToLower(name)) {
			continue
		}
		if kept == nil {
			kept = map[string]string{}
		}
		kept[name] = value
	}
	return kept
}
