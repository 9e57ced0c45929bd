package storage

// Driver driver.longhorn.io: the node encrypts by LUKS, with a passphrase in a Secret.
//
// Reads: encrypted, and the node-stage Secret. Names are spelt exactly so.
//
// Means: where encrypted is true (as Go reads a boolean), the node formats the volume by LUKS with the passphrase that the Secret holds as
// CRYPTO_KEY_VALUE. The Secret is the only key provider that Longhorn knows.
//
// Traps: a volume from a backup, a snapshot or another volume keeps the passphrase of its source.
//
// Source: https://longhorn.io/docs/1.13.1/advanced-resources/security/volume-encryption/; https://github.com/longhorn/longhorn-manager, csi/util.go,
// csi/controller_server.go and csi/node_server.go at 5ddaa36, 2026-08-21, read 2026-11-27.
func longhorn() driver {
	return driver{resolve: resolveLonghorn, echoes: []string{"encrypted"}}
}

func resolveLonghorn(r request) Protection {
	return r.encryptedBySecret("node-stage")
}
