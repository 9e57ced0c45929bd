package storage

import (
	"fmt"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Drivers rbd.csi.ceph.com and cephfs.csi.ceph.com, and the same after a prefix, as Rook names them: the node encrypts, a block device by LUKS or
// files by fscrypt, and a KMS keeps the passphrase or wraps it.
//
// Reads: encrypted, encryptionType, encryptionKMSID, the node-stage Secret, and what the KMS's id means: a ConfigMap in the namespace of the driver,
// see ceph_kms.go. Names are spelt exactly so.
//
// Means: where encrypted is true (as Go reads a boolean), it depends on the KMS's type.
//
//	kmip, ibmkeyprotect, aws-metadata, aws-sts-metadata   NodeEnvelope      the KMS wraps the passphrase, which lies wrapped beside the volume
//	vault, azure-kv                                       KeyServed         the KMS keeps the passphrase and hands it out
//	vaulttokens, vaulttenantsa                            KeyServed         the same, wherever the claim's own namespace says
//	metadata                                              KubernetesSecret  a passphrase in a Secret wraps those of the volumes
//	none is named, or default                             KubernetesSecret  the passphrase in the node-stage Secret is that of every volume
//
// The key's id is encryptionKMSID: which key of the KMS it is stands in a Secret of the driver, as UNIQUE_IDENTIFIER for KMIP, which Terroir does
// not read. For a Secret it is namespace/name.
//
// Traps: the ConfigMap and its Secret can be edited, and the class stays the same. ConfigMaps in the namespaces of claims (ceph-csi-kms-config) can give
// vaulttokens and vaulttenantsa another address, so these name no key at all. What wraps passphrases does not work with fscrypt, and the driver
// refuses it for encryptionType file, which is the only one of cephfs. A clone has its source's passphrase, wrapped anew: whoever could open the source opens the
// clone, whatever its class says.
//
// Source: https://github.com/ceph/ceph-csi, docs/design/proposals/encrypted-pvc.md, internal/kms, internal/rbd/encryption.go, internal/util/crypto.go
// and internal/cephfs/store/volumeoptions.go at 52fcb7b, 2024-10-22, read 2026-11-27;
// https://www.ibm.com/docs/SSFETU_2.7/odf/allocating-resources/proc_creating-a-storage-class-for-persistent-volume-encryption.html, read 2026-11-27.
func cephRBD() driver {
	return driver{resolve: func(r request) Protection { return resolveCeph(r, cephBlock) }, echoes: cephEchoes()}
}

// cephFS is [cephRBD] for files.
func cephFS() driver {
	return driver{resolve: func(r request) Protection { return resolveCeph(r, cephFile) }, echoes: cephEchoes()}
}

// How Ceph's drivers encrypt.
const (
	cephBlock = "block"
	cephFile  = "file"
)

// cephEchoes: the drivers copy the class's parameters into the volume's attributes, and nodes read them from there.
func cephEchoes() []string {
	return []string{"encrypted", "encryptionKMSID", "encryptionType"}
}

// resolveCeph says it for the driver whose volumes are encrypted in this way unless the class says otherwise.
func resolveCeph(r request, how string) Protection {
	encrypted, err := readBool(r.parameters, "encrypted")
	switch {
	case err != nil:
		return unknown("encrypted is neither true nor false: the driver refuses that")
	case !encrypted:
		return is(v1alpha1.BindingNone, "").but(`encrypted is not "true": nothing asks for encryption`)
	}
	if said, given := r.parameters["encryptionType"]; given {
		if said != cephFile && (said != cephBlock || how != cephBlock) {
			return unknown("encryptionType is %q, which the driver refuses", said)
		}
		how = said
	}
	id := r.parameters["encryptionKMSID"]
	if id == "" || id == "default" {
		return r.bySecret("node-stage")
	}
	return r.byKMS(id, how)
}

// byKMS is the protection by the KMS that a class names. Where two ConfigMaps tell of it, the driver reads one of them, and nobody can tell which:
// they have to say the same.
func (r request) byKMS(id, how string) Protection {
	found := r.connections(id)
	if len(found) == 0 {
		return unknown("encryptionKMSID is %s, and there is no such entry in ConfigMap %s or %s in the namespace of the driver that Terroir can see", id, cephConnections, cephConfig)
	}
	p := r.byConnection(id, how, found[0])
	for _, other := range found[1:] {
		if r.byConnection(id, how, other) != p {
			return unknown("encryptionKMSID is %s, of which ConfigMaps %s and %s say different things: remove it from the one that the driver does not read", id, cephConnections, cephConfig)
		}
	}
	return p
}

// byConnection is the protection by a KMS of which the driver knows this.
func (r request) byConnection(id, how string, c connection) Protection {
	kind, err := c.kind()
	if err != nil {
		return unknown("encryptionKMSID is %s, whose entry cannot be read: %v", id, err)
	}
	switch kind {
	case "kmip", "ibmkeyprotect", "aws-metadata", "aws-sts-metadata":
		if how == cephFile {
			return unknown("encryptionKMSID is %s, of type %s, with which the driver refuses to encrypt files", id, kind)
		}
		return is(v1alpha1.BindingNodeEnvelope, id).but("which key it is stands in a Secret of the driver, and can be changed without the StorageClass: watch over the entry of %s, of type %s, and its Secret", id, kind)
	case "vault", "azure-kv":
		return is(v1alpha1.BindingKeyServed, id).but("%s, of type %s, keeps a passphrase for each volume and hands it to nodes", id, kind)
	case "vaulttokens", "vaulttenantsa":
		return is(v1alpha1.BindingKeyServed, "").but("%s, of type %s, hands out passphrases from wherever a ConfigMap in the claim's own namespace says, so it names no key", id, kind)
	case "metadata":
		return r.byMetadata(id, c)
	default:
		return unknown("encryptionKMSID is %s, of type %s, of which Terroir does not know how it protects volumes", id, kind)
	}
}

// byMetadata is the protection by a passphrase that wraps those of the volumes: in the Secret that the connection names, or in the class's.
func (r request) byMetadata(id string, c connection) Protection {
	name, named, err := c.text("secretName")
	if err != nil {
		return unknown("encryptionKMSID is %s, whose entry cannot be read: %v", id, err)
	}
	if !named {
		return r.bySecret("node-stage")
	}
	namespace, named, err := c.text("secretNamespace")
	switch {
	case err != nil:
		return unknown("encryptionKMSID is %s, whose entry cannot be read: %v", id, err)
	case !named:
		return is(v1alpha1.BindingKubernetesSecret, "").but("%s takes the passphrase from Secret %s in the claim's own namespace, so it names no key", id, name)
	default:
		return is(v1alpha1.BindingKubernetesSecret, fmt.Sprintf("%s/%s", namespace, name))
	}
}
