package storage

import (
	"strconv"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Driver block-storage.csi.stackit.cloud: STACKIT encrypts, under a key of STACKIT KMS.
//
// Reads: encrypted, kmsKeyID, kmsKeyringID, kmsKeyVersion, kmsServiceAccount, and type, without which the driver encrypts nothing. The driver does not
// mind how their names are spelt.
//
// Means: where encrypted is true (as Go reads a boolean), all the others have to be there, and the version has to be a number, or the driver refuses. The
// key's id is kmsKeyID. Where encrypted is not true, the driver asks for no encryption, whatever stands beside it.
//
// Traps: a key without encrypted encrypts nothing. The key's id does not say its version, which the class names: a new version takes a new class.
// The driver never encrypts what it makes from a snapshot or from another volume: that is encrypted as its source is, whatever its class says.
// Volumes do not tell: nothing of their keys is in volumeAttributes.
//
// Source: https://github.com/stackitcloud/cloud-provider-stackit, docs/csi-driver.md and pkg/csi/blockstorage/controllerserver.go at d561f8e,
// 2026-08-22, read 2026-11-27.
func stackit() driver {
	return driver{resolve: resolveStackit, foldsCase: true}
}

func resolveStackit(r request) Protection {
	encrypted, err := readBool(r.parameters, "encrypted")
	if err != nil {
		return unknown("encrypted is neither true nor false: the driver refuses that")
	}
	key := r.parameters["kmskeyid"]
	if !encrypted {
		if key != "" {
			return is(v1alpha1.BindingNone, "").but(`encrypted is not "true" beside kmsKeyID: the driver encrypts nothing; write encrypted: "true"`)
		}
		return is(v1alpha1.BindingNone, "").but(`encrypted is not "true": nothing asks for encryption`)
	}
	for _, needed := range []string{"type", "kmsKeyID", "kmsKeyringID", "kmsKeyVersion", "kmsServiceAccount"} {
		if r.fold(needed) == "" {
			return unknown("%s is missing: the driver refuses to encrypt without it", needed)
		}
	}
	if _, err := strconv.Atoi(r.fold("kmsKeyVersion")); err != nil {
		return unknown("kmsKeyVersion is not a number: the driver refuses that")
	}
	return is(v1alpha1.BindingProviderEnvelope, key)
}
