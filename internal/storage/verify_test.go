package storage

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// noon is when claims are made in these tests.
func noon(after time.Duration) metav1.Time {
	return metav1.NewTime(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC).Add(after))
}

// provisioned is a claim of a class, and the volume that the class's driver made for it.
func provisioned(c *storagev1.StorageClass, attributes map[string]string) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume) {
	claim := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "hr", Name: "data", UID: "u1", CreationTimestamp: noon(0), Annotations: map[string]string{v1alpha1.ClassAnnotation: Digest(c)}},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: &c.Name},
	}
	pv := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pvc-u1", CreationTimestamp: noon(time.Minute), Annotations: map[string]string{provisionedBy: c.Provisioner, "x": "y"}},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: c.Name,
			ClaimRef:         &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: "hr", Name: "data", UID: "u1"},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: c.Provisioner, VolumeHandle: "h", VolumeAttributes: attributes,
			}},
		},
	}
	return claim, pv
}

func TestAVolumeIsWhatItsClassPromised(t *testing.T) {
	ebs := class("ebs.csi.aws.com", "encrypted", "true", "kmsKeyId", "k")
	const promise = ", so it is not known to be ProviderEnvelope under key k of ebs.csi.aws.com"
	for what, c := range map[string]struct {
		change func(*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, *storagev1.StorageClass)
		want   string
	}{
		"a volume that its class made": {func(*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, *storagev1.StorageClass) {}, ""},
		"made in the second of its claim": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.CreationTimestamp = noon(0)
		}, ""},
		"a claim that names its class by the old annotation": {func(claim *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, c *storagev1.StorageClass) {
			claim.Annotations[corev1.BetaStorageClassAnnotation], claim.Spec.StorageClassName = c.Name, nil
		}, ""},
		"a volume of nobody": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Spec.ClaimRef = nil
		}, "volume pvc-u1 is not bound to claim data" + promise},
		"a volume of a claim of the same name": {func(claim *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			claim.UID = "u2"
		}, "volume pvc-u1 is not bound to claim data" + promise},
		"a volume of another namespace's claim": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Spec.ClaimRef.Namespace = "pay"
		}, "volume pvc-u1 is not bound to claim data" + promise},
		"a volume of a claim of another name": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Spec.ClaimRef.Name = "logs"
		}, "volume pvc-u1 is not bound to claim data" + promise},
		"a volume of another class": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Spec.StorageClassName = "plain"
		}, `volume pvc-u1 is of StorageClass "plain", and its claim of encrypted` + promise},
		"a claim of another class": {func(claim *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			claim.Spec.StorageClassName = nil
		}, `claim data is of StorageClass "", not encrypted` + promise},
		"a class that was not recorded": {func(claim *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			claim.Annotations = nil
		}, "nobody recorded by which StorageClass volume pvc-u1 was made" + promise},
		"a class that was created anew": {func(_ *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, c *storagev1.StorageClass) {
			c.UID = "c2"
		}, "volume pvc-u1 was made by another StorageClass encrypted, which was deleted, and this one created in its place" + promise},
		"a volume of another driver": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Spec.CSI.Driver = "disk.example.com"
		}, "volume pvc-u1 is of driver disk.example.com, and its StorageClass of ebs.csi.aws.com" + promise},
		"a volume of no driver": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Spec.CSI, pv.Spec.NFS = nil, &corev1.NFSVolumeSource{}
		}, "volume pvc-u1 is no CSI volume" + promise},
		"a volume that a person made": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			delete(pv.Annotations, provisionedBy)
		}, "volume pvc-u1 was made by hand and not by its StorageClass" + promise},
		"a volume that another provisioner made": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Annotations[provisionedBy] = "disk.example.com"
		}, "volume pvc-u1 was made by disk.example.com, and its StorageClass is of ebs.csi.aws.com" + promise},
		"a volume that was there before": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.CreationTimestamp = noon(-time.Second)
		}, "volume pvc-u1 is older than claim data and was not made for it" + promise},
		"made in the second of its class": {func(_ *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, c *storagev1.StorageClass) {
			c.CreationTimestamp = noon(time.Minute)
		}, ""},
		"a volume that was there before its class, which was recorded later": {func(_ *corev1.PersistentVolumeClaim, _ *corev1.PersistentVolume, c *storagev1.StorageClass) {
			c.CreationTimestamp = noon(time.Minute + time.Second)
		}, "volume pvc-u1 is older than StorageClass encrypted and was made by another one of that name" + promise},
		"a volume that names its class by the old annotation": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Annotations[corev1.BetaStorageClassAnnotation], pv.Spec.StorageClassName = pv.Spec.StorageClassName, ""
		}, ""},
		"a volume that names another class by it": {func(_ *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, _ *storagev1.StorageClass) {
			pv.Annotations[corev1.BetaStorageClassAnnotation] = "plain"
		}, `volume pvc-u1 is of StorageClass "plain", and its claim of encrypted` + promise},
	} {
		t.Run(what, func(t *testing.T) {
			changed := ebs.DeepCopy()
			claim, pv := provisioned(changed, map[string]string{"storage.kubernetes.io/csiProvisionerIdentity": "1-ebs"})
			c.change(claim, pv, changed)
			compare(t, claim, pv, changed, c.want)
		})
	}
}

// compare asks of a volume, and of what a cache keeps of it: both must have the same answer.
func compare(t *testing.T, claim *corev1.PersistentVolumeClaim, pv *corev1.PersistentVolume, c *storagev1.StorageClass, want string) {
	t.Helper()
	p := OfClass(c, nil)
	if diff := cmp.Diff(want, Verify(claim, pv, c, p)); diff != "" {
		t.Errorf("it says (-want +got):\n%s", diff)
	}
	slim := &corev1.PersistentVolume{}
	Keep(slim, pv)
	if diff := cmp.Diff(want, Verify(claim, slim, c, p)); diff != "" {
		t.Errorf("of what the cache keeps it says (-want +got):\n%s", diff)
	}
}

func TestAttributesTellWhetherADriverDidAsTheClassSays(t *testing.T) {
	secret := []string{"csi.storage.k8s.io/node-stage-secret-name", "s", "csi.storage.k8s.io/node-stage-secret-namespace", "n"}
	azure := class("disk.csi.azure.com", "diskEncryptionSetID", "/subscriptions/a")
	ceph := class("rbd.csi.ceph.com", append([]string{"encrypted", "true"}, secret...)...)
	kms := class("rbd.csi.ceph.com", "encrypted", "true", "encryptionKMSID", "hsm")
	node := class("csi.scaleway.com", append([]string{"encrypted", "true"}, secret...)...)
	bySecret := ", so it is not known to be KubernetesSecret under key n/s of "
	for what, c := range map[string]struct {
		class      *storagev1.StorageClass
		attributes map[string]string
		want       string
	}{
		"azure: as the class says":              {azure, map[string]string{"diskEncryptionSetID": "/subscriptions/a", "requestedsizegib": "1", "x": "1", "X": "2"}, ""},
		"azure: in another spelling of names":   {azure, map[string]string{"diskencryptionsetid": "/subscriptions/a"}, ""},
		"azure: another set":                    {azure, map[string]string{"diskEncryptionSetID": "/subscriptions/b"}, `volume pvc-u1 says diskencryptionsetid="/subscriptions/b", and its StorageClass "/subscriptions/a", so it is not known to be ProviderEnvelope under key /subscriptions/a of disk.csi.azure.com`},
		"azure: no set":                         {azure, nil, `volume pvc-u1 says diskencryptionsetid="", and its StorageClass "/subscriptions/a", so it is not known to be ProviderEnvelope under key /subscriptions/a of disk.csi.azure.com`},
		"azure: two sets":                       {azure, map[string]string{"diskEncryptionSetID": "/subscriptions/a", "diskencryptionsetid": "/subscriptions/b"}, `the attributes of volume pvc-u1 or the parameters of its StorageClass say diskencryptionsetid more than once, so it is not known to be ProviderEnvelope under key /subscriptions/a of disk.csi.azure.com`},
		"ceph: as the class says":               {ceph, map[string]string{"encrypted": "true", "imageName": "i"}, ""},
		"ceph: not encrypted":                   {ceph, map[string]string{"imageName": "i"}, `volume pvc-u1 says encrypted="", and its StorageClass "true"` + bySecret + "rbd.csi.ceph.com"},
		"ceph: a KMS that the class names not":  {ceph, map[string]string{"encrypted": "true", "encryptionKMSID": "vault"}, `volume pvc-u1 says encryptionKMSID="vault", and its StorageClass ""` + bySecret + "rbd.csi.ceph.com"},
		"ceph: another KMS":                     {kms, map[string]string{"encrypted": "true", "encryptionKMSID": "vault"}, `volume pvc-u1 says encryptionKMSID="vault", and its StorageClass "hsm", so it is not known to be Unknown of rbd.csi.ceph.com`},
		"ceph: files instead of blocks":         {ceph, map[string]string{"encrypted": "true", "encryptionType": "file"}, `volume pvc-u1 says encryptionType="file", and its StorageClass ""` + bySecret + "rbd.csi.ceph.com"},
		"scaleway: true in another spelling":    {class("csi.scaleway.com", append([]string{"Encrypted", "1"}, secret...)...), map[string]string{"encrypted": "true"}, ""},
		"scaleway: not encrypted":               {node, map[string]string{"encrypted": "false"}, `volume pvc-u1 says encrypted="false", and its StorageClass "true"` + bySecret + "csi.scaleway.com"},
		"scaleway: neither true nor false":      {node, map[string]string{"encrypted": "yes"}, `volume pvc-u1 says encrypted="yes", and its StorageClass "true"` + bySecret + "csi.scaleway.com"},
		"longhorn: not encrypted":               {class("driver.longhorn.io", append([]string{"encrypted", "true"}, secret...)...), nil, `volume pvc-u1 says encrypted="", and its StorageClass "true"` + bySecret + "driver.longhorn.io"},
		"outscale: as the class says":           {class("bsu.csi.outscale.com", append([]string{"encrypted", "true"}, secret...)...), map[string]string{"encrypted": "true", "luks-hash": ""}, ""},
		"outscale: not encrypted":               {class("bsu.csi.outscale.com", append([]string{"encrypted", "true"}, secret...)...), map[string]string{}, `volume pvc-u1 says encrypted="", and its StorageClass "true"` + bySecret + "bsu.csi.outscale.com"},
		"hetzner: says nothing, ever":           {class("csi.hetzner.cloud", "csi.storage.k8s.io/node-publish-secret-name", "s", "csi.storage.k8s.io/node-publish-secret-namespace", "n"), nil, ""},
		"a driver of which nobody knows either": {class("disk.example.com", "encrypted", "true"), map[string]string{"encrypted": "false"}, ""},
	} {
		t.Run(what, func(t *testing.T) {
			claim, pv := provisioned(c.class, c.attributes)
			compare(t, claim, pv, c.class, c.want)
		})
	}
}

func TestWithoutItsClassNobodyCanTell(t *testing.T) {
	claim, pv := provisioned(class("ebs.csi.aws.com"), nil)
	if got := Verify(claim, pv, nil, Protection{}); got != "the StorageClass of claim data is not there any more, so nobody can tell how its volume is encrypted" {
		t.Error(got)
	}
}

// A cache keeps no more than is read, and shares nothing with what it was handed.
func TestKeepingTakesNothingElse(t *testing.T) {
	_, pv := provisioned(class("rbd.csi.ceph.com"), map[string]string{"encrypted": "true", "imageName": "i"})
	before := pv.DeepCopy()
	slim := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"kept": "before"}}}
	mine := slim.Annotations
	Keep(slim, pv)
	want := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: "pvc-u1", CreationTimestamp: noon(time.Minute), Annotations: map[string]string{"kept": "before", provisionedBy: "rbd.csi.ceph.com"}},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: "encrypted", ClaimRef: &corev1.ObjectReference{Namespace: "hr", Name: "data", UID: "u1"},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{
				Driver: "rbd.csi.ceph.com", VolumeAttributes: map[string]string{"encrypted": "true"},
			}},
		},
	}
	if diff := cmp.Diff(want, slim); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, pv); diff != "" || len(mine) != 1 {
		t.Errorf("what was handed over was changed:\n%s", diff)
	}
	if Kept(map[string]string{"imageName": "i"}) != nil {
		t.Error("nothing kept is nil")
	}
}
