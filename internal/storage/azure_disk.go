package storage

import (
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Driver disk.csi.azure.com: Azure encrypts managed disks, under the key of a disk encryption set.
//
// Reads: diskEncryptionSetID and diskEncryptionType. The driver does not mind how their names are spelt.
//
// Means: disks are encrypted under the key to which the disk encryption set points. The key's id is the set's resource id as it is written. With type
// EncryptionAtRestWithPlatformAndCustomerKeys Azure encrypts under a key of its own besides. Without a set it is a key of Azure's alone.
//
// Traps: the set is an indirection: its activeKey can be changed, and nobody in the cluster sees it; it may move to new versions of its key by itself. Azure does not mind how resource ids are spelt; Terroir does, so an EncryptionKey has to write it as the class does. The driver refuses a
// type without a set, a set that is no resource id, and a type that Azure does not know. Parameters of a VolumeAttributesClass go before those of the
// StorageClass when a disk is made, the set included.
//
// Source: https://github.com/kubernetes-sigs/azuredisk-csi-driver, docs/driver-parameters.md, pkg/azureutils/azure_disk_utils.go,
// pkg/azuredisk/controllerserver.go and azure_managedDiskController.go at d983d61, 2026-08-22, read 2026-11-27;
// https://learn.microsoft.com/en-us/rest/api/compute/disk-encryption-sets/update, 2026-03-01, read 2026-11-27.
func azureDisk() driver {
	// The driver copies the class's parameters into the volume's attributes, as they are spelt.
	return driver{resolve: resolveAzure, foldsCase: true, overridden: true, echoes: []string{"diskencryptionsetid", "diskencryptiontype"}}
}

func resolveAzure(r request) Protection {
	set, kind := r.parameters["diskencryptionsetid"], r.parameters["diskencryptiontype"]
	switch {
	case set == "" && kind != "":
		return unknown("diskEncryptionType is given without diskEncryptionSetID: the driver refuses that")
	case set == "":
		return is(v1alpha1.BindingProviderManaged, "").but("diskEncryptionSetID is missing: disks are encrypted under Azure's own keys")
	case !strings.HasPrefix(strings.ToLower(set), "/subscriptions/"):
		return unknown("diskEncryptionSetID is %q, and not the resource id of a disk encryption set: the driver refuses that", set)
	case kind != "" && kind != "EncryptionAtRestWithCustomerKey" && kind != "EncryptionAtRestWithPlatformAndCustomerKeys":
		return unknown("diskEncryptionType is %q, which does not encrypt under the key of a disk encryption set", kind)
	default:
		return is(v1alpha1.BindingProviderEnvelope, set).but("the key is that of a disk encryption set, which can be pointed at another key without the cluster seeing it: watch over the set")
	}
}
