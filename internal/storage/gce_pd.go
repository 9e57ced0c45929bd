package storage

import (
	"regexp"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Driver pd.csi.storage.gke.io: Google Compute Engine encrypts, under a key of Cloud KMS.
//
// Reads: disk-encryption-kms-key. The driver does not mind how the name is spelt, and does mind how the value is.
//
// Means: disks are encrypted under that key. The key's id is the key's resource name, projects/…/locations/…/keyRings/…/cryptoKeys/…, without a
// version: which version encrypts is decided by the key, and the driver compares without it. Without the parameter Google encrypts
// under keys of its own.
//
// Traps: the primary version of a key can be changed and its old versions destroyed, one by one; that is the key store's to tell. A clone must have the
// key of its source, or the driver refuses it. A name of another form is refused by Google, or means something that is not known here.
//
// Source: https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver, README.md, pkg/parameters and
// pkg/gce-cloud-provider/compute/gce-compute.go at b560165, 2026-08-18, read 2026-11-27.
func gcePD() driver {
	return driver{resolve: resolvePD, foldsCase: true}
}

func resolvePD(r request) Protection {
	key := r.parameters["disk-encryption-kms-key"]
	if key == "" {
		return is(v1alpha1.BindingProviderManaged, "").but("disk-encryption-kms-key is missing: disks are encrypted under Google's own keys")
	}
	name, _, _ := strings.Cut(key, "/cryptoKeyVersions/")
	if !regexp.MustCompile(`^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$`).MatchString(name) {
		return unknown("disk-encryption-kms-key is %q, which is not the name of a key: write projects/…/locations/…/keyRings/…/cryptoKeys/…", key)
	}
	return is(v1alpha1.BindingProviderEnvelope, name)
}
