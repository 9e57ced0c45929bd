package storage

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// driverNames are those that are known.
func driverNames() []string {
	return []string{
		"ebs.csi.aws.com", "pd.csi.storage.gke.io", "disk.csi.azure.com", "block-storage.csi.stackit.cloud", "bsu.csi.outscale.com", "csi.scaleway.com",
		"driver.longhorn.io", "csi.hetzner.cloud", "cinder.csi.openstack.org", "rbd.csi.ceph.com", "cephfs.csi.ceph.com",
	}
}

func TestEveryDriverIsTriedAndDocumented(t *testing.T) {
	documented, err := os.ReadFile(filepath.Join("..", "..", "docs", "volumes.md"))
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for _, file := range classFiles(t) {
		for _, c := range documents[storagev1.StorageClass](t, file) {
			tried[c.Provisioner] = true
		}
	}
	for _, name := range driverNames() {
		if _, known := driverOf(name); !known {
			t.Errorf("%s is not known", name)
		}
		if !tried[name] {
			t.Errorf("no StorageClass in testdata is of %s", name)
		}
		if !strings.Contains(string(documented), "`"+name+"`") {
			t.Errorf("docs/volumes.md says nothing of %s", name)
		}
	}
}

// What is compared after provisioning has to be in the cache.
func TestWhatDriversEchoIsKept(t *testing.T) {
	for _, name := range driverNames() {
		d, _ := driverOf(name)
		for _, attribute := range d.echoes {
			if kept := Kept(map[string]string{attribute: "v"}); kept[attribute] != "v" {
				t.Errorf("attribute %s of %s is not kept", attribute, name)
			}
		}
	}
}

func TestWithoutLookingUpNothingIsKnown(t *testing.T) {
	for what, c := range map[string]*storagev1.StorageClass{
		"a KMS of Ceph":         class("rbd.csi.ceph.com", "encrypted", "true", "encryptionKMSID", "hsm"),
		"a volume type":         class("cinder.csi.openstack.org", "type", "luks"),
		"an unknown driver":     class("disk.example.com", "encrypted", "true"),
		"a driver without name": class(""),
	} {
		if p := OfClass(c, nil); p.Known() || p.Message == "" || p.Driver != c.Provisioner {
			t.Errorf("%s: it is %v: %s", what, p, p.Message)
		}
	}
	if (Protection{}).Known() || (Protection{}).String() != "Unknown" {
		t.Error("the zero value is known to be something")
	}
}

// ConfigMaps are asked for as drivers ask: by the driver whose namespace it is.
func TestConfigMapsAreAskedOfTheDriver(t *testing.T) {
	asked := map[string]bool{}
	OfClass(class("rook-ceph.rbd.csi.ceph.com", "encrypted", "true", "encryptionKMSID", "hsm"), func(driver, name string) map[string]string {
		asked[driver+" "+name] = true
		return nil
	})
	// These names, and no others, the operator may read.
	want := map[string]bool{"rook-ceph.rbd.csi.ceph.com csi-kms-connection-details": true, "rook-ceph.rbd.csi.ceph.com ceph-csi-encryption-kms-config": true}
	if !maps.Equal(want, asked) {
		t.Errorf("asked were %v, not %v", asked, want)
	}
}

func TestAttributesClassesGoBeforeStorageClasses(t *testing.T) {
	other := "gold"
	set := "/subscriptions/s/diskEncryptionSets/d"
	for what, c := range map[string]struct {
		class *storagev1.StorageClass
		named *string
		want  v1alpha1.VolumeBinding
	}{
		"where the driver lets them":      {class("disk.csi.azure.com", "diskEncryptionSetID", set), &other, v1alpha1.BindingUnknown},
		"none is named":                   {class("disk.csi.azure.com", "diskEncryptionSetID", set), nil, v1alpha1.BindingProviderEnvelope},
		"an empty one is none":            {class("disk.csi.azure.com", "diskEncryptionSetID", set), new(string), v1alpha1.BindingProviderEnvelope},
		"where the driver does not":       {class("ebs.csi.aws.com", "kmsKeyId", "k"), &other, v1alpha1.BindingProviderEnvelope},
		"a driver of which nobody knows":  {class("disk.example.com"), &other, v1alpha1.BindingUnknown},
		"outscale, which lets them, also": {class("bsu.csi.outscale.com"), &other, v1alpha1.BindingUnknown},
	} {
		claim := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeAttributesClassName: c.named}}
		if p := OfClaim(claim, c.class, nil); p.Binding != c.want || p.Driver != c.class.Provisioner {
			t.Errorf("%s: it is %v", what, p)
		}
		claim.Spec.VolumeName = "pvc-u1"
		if p := OfClaim(claim, c.class, nil); p != OfClass(c.class, nil) {
			t.Errorf("%s: with a volume it is %v", what, p)
		}
	}
}

func TestWhatPeopleAreToldIsBounded(t *testing.T) {
	long := strings.Repeat("é", 4000)
	for _, c := range []*storagev1.StorageClass{
		class("ebs.csi.aws.com", "kmsKeyId", long), class("ebs.csi.aws.com", "kmsKeyId", "alias/"+long), class("cinder.csi.openstack.org", "type", long),
	} {
		p := OfClass(c, nil)
		if len(p.Message) > longest || len(p.String()) > longest+100 || !utf8.ValidString(p.Message+p.String()) {
			t.Errorf("told in %d and %d bytes: %v", len(p.Message), len(p.String()), p)
		}
	}
}

// kindAsDrivers is the type of the KMS hsm in a JSON object, read as the driver does: into maps of anything. Empty: the driver refuses.
func kindAsDrivers(section any) string {
	options, is := section.(map[string]any)
	if !is {
		return ""
	}
	for _, name := range []string{"encryptionKMSType", "KMS_PROVIDER"} {
		if value, has := options[name]; has {
			kind, _ := value.(string)
			return kind
		}
	}
	return ""
}

// Whatever the driver's configuration holds, it is read as the driver would, or not at all.
func FuzzConnections(f *testing.F) {
	for _, text := range []string{
		`{"hsm": {"encryptionKMSType": "kmip"}}`, `{"hsm": {"KMS_PROVIDER": "vault"}}`, `{"hsm": {"encryptionKMSType": "metadata", "secretName": "s", "secretNamespace": 1}}`,
		`{"HSM": {"encryptionKMSType": "kmip"}}`, `{"hsm": {"ENCRYPTIONKMSTYPE": "kmip"}}`, `{"hsm": null}`, `{"hsm": [`, `null`, ``, `{"hsm": {"encryptionKMSType": "vault"}, "hsm": {"encryptionKMSType": "kmip"}}`,
	} {
		f.Add(text, `{"KMS_PROVIDER": "kmip"}`)
		f.Add(text, `null`)
	}
	f.Fuzz(func(t *testing.T, config, details string) {
		k := func(_, name string) map[string]string {
			if name == cephConfig {
				return map[string]string{cephConfigFile: config}
			}
			return map[string]string{"hsm": details}
		}
		var mounted, connection map[string]any
		var kinds []string
		if json.Unmarshal([]byte(config), &mounted) == nil {
			if section, has := mounted["hsm"]; has {
				kinds = append(kinds, kindAsDrivers(section))
			}
		}
		if json.Unmarshal([]byte(details), &connection) != nil {
			connection = nil
		}
		kinds = append(kinds, kindAsDrivers(connection))
		wraps := !slices.ContainsFunc(kinds, func(kind string) bool {
			return !slices.Contains([]string{"kmip", "ibmkeyprotect", "aws-metadata", "aws-sts-metadata"}, kind)
		}) && len(slices.Compact(kinds)) == 1
		p := OfClass(class("rbd.csi.ceph.com", "encrypted", "true", "encryptionKMSID", "hsm"), k)
		if got := p.Binding == v1alpha1.BindingNodeEnvelope; got != wraps {
			t.Errorf("the driver reads %q, and it is %v: %s", kinds, p, p.Message)
		}
		if len(p.Message) > longest || p.Binding == v1alpha1.BindingNone {
			t.Errorf("it is %+v", p)
		}
	})
}

// Whatever a class says, it is resolved to a sentence or a key, and twice to the same.
func FuzzOfClass(f *testing.F) {
	for i := range driverNames() {
		f.Add(i, "encrypted", "true", "kmsKeyId", "k", "csi.storage.k8s.io/node-stage-secret-name", "s")
		f.Add(i, "KMSKeyID", "a", "kmskeyid", "b", "type", "t")
	}
	f.Fuzz(func(t *testing.T, which int, a, x, b, y, c, z string) {
		names := driverNames()
		made := class(names[uint(which)%uint(len(names))], a, x, b, y, c, z)
		p := OfClass(made, nil)
		if p != OfClass(made, nil) {
			t.Error("it depends on the order of parameters")
		}
		if p.KeyID == "" && p.Message == "" {
			t.Errorf("%v names no key and does not say why", p)
		}
		if p.Binding == "" || p.Driver != made.Provisioner || len(p.Message) > longest {
			t.Errorf("it is %+v", p)
		}
	})
}
