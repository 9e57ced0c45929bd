package storage

import v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"

// Driver bsu.csi.outscale.com: the node encrypts by LUKS, with a passphrase in a Secret.
//
// Reads: encrypted, kmsKeyId, and the node-stage Secret. The driver does not mind how the names of its parameters are spelt; of encrypted, only "true"
// is true.
//
// Means: where encrypted is "true", the node formats the volume by LUKS with the passphrase that the Secret holds as key; without one it does not come up.
//
// Traps: kmsKeyId looks like AWS's, and the driver refuses it: Outscale encrypts no volume under a key that its customer names. A volume that
// is restored from a snapshot is LUKS already if its source was, with the passphrase of its source. Parameters of a VolumeAttributesClass go before those of the
// StorageClass when a volume is made, encrypted included.
//
// Source: https://github.com/outscale/osc-bsu-csi-driver, docs/README.md, pkg/driver/controller.go, pkg/driver/node.go, pkg/util/mutable_params.go and
// pkg/cloud/cloud.go at a0f0188, 2026-08-20, read 2026-11-27.
func outscale() driver {
	return driver{resolve: resolveOutscale, foldsCase: true, overridden: true, echoes: []string{"encrypted"}}
}

func resolveOutscale(r request) Protection {
	switch {
	case r.parameters["kmskeyid"] != "":
		return unknown("kmsKeyId is given, and the driver refuses it: it encrypts only on the node, with a passphrase in a Secret")
	case r.parameters["encrypted"] != "true":
		return is(v1alpha1.BindingNone, "").but(`encrypted is not "true": nothing asks for encryption`)
	default:
		return r.bySecret("node-stage")
	}
}
