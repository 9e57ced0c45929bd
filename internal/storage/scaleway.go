package storage

// Driver csi.scaleway.com: the node encrypts by LUKS, with a passphrase in a Secret.
//
// Reads: encrypted, and the node-stage Secret. The driver does not mind how the name of its parameter is spelt.
//
// Means: where encrypted is true (as Go reads a boolean), the node formats the volume by LUKS with the passphrase that the Secret holds as
// encryptionPassphrase; without one it does not come up.
//
// Traps: a volume that is LUKS already, as one from a snapshot is, is opened and not formatted: it keeps the passphrase of its source.
//
// Source: https://github.com/scaleway/scaleway-csi, examples/kubernetes/README.md, pkg/driver/helpers.go, controller.go and node.go at e2edd7a,
// 2026-07-17, read 2026-11-27.
func scaleway() driver {
	return driver{resolve: resolveScaleway, foldsCase: true, echoes: []string{"encrypted"}}
}

func resolveScaleway(r request) Protection {
	return r.encryptedBySecret("node-stage")
}
