package storage

import v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"

// Driver csi.hetzner.cloud: the node encrypts by LUKS, with a passphrase in a Secret.
//
// Reads: the node-publish Secret, and nothing else.
//
// Means: where the Secret holds encryption-passphrase, the node formats the volume by LUKS with it.
//
// Traps: no parameter says that volumes are encrypted. A Secret without encryption-passphrase, or with an empty one, gives volumes that are not, and
// nobody is told. A volume that was used without encryption is refused with it; one that was encrypted keeps its passphrase.
//
// Source: https://github.com/hetznercloud/csi-driver, docs/kubernetes/guides/volumes-encrypted-with-luks.md, internal/driver/node.go and
// internal/volumes/mount.go at 53ead0b, 2026-08-21, read 2026-11-27.
func hetzner() driver {
	return driver{resolve: resolveHetzner}
}

func resolveHetzner(r request) Protection {
	if _, named := r.secretOf("node-publish"); !named {
		return is(v1alpha1.BindingNone, "").but("the StorageClass names no node-publish Secret: nothing asks for encryption")
	}
	p := r.bySecret("node-publish")
	if p.Message == "" {
		return p.but("volumes are encrypted only if Secret %s holds encryption-passphrase, which Terroir does not read", p.KeyID)
	}
	return p
}
