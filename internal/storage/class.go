package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	storagev1 "k8s.io/api/storage/v1"
)

// What volumes of a class are is decided by its provisioner and its parameters. Neither can be edited, but a class can be deleted, and another
// created under its name. So claims record which class it was: its UID, which no successor has, and a digest of what decides, so that a UID
// that somebody forged or restored with a backup is not enough.

// Digest tells a StorageClass from its successors: its UID, a colon, and 32 hexadecimal digits of a hash of its provisioner and parameters. It is the
// value of [v1alpha1.ClassAnnotation].
func Digest(class *storagev1.StorageClass) string {
	// JSON sorts the keys of maps, and keeps names and values apart whatever characters they hold.
	text, err := json.Marshal(struct {
		Provisioner string
		Parameters  map[string]string
	}{class.Provisioner, class.Parameters})
	if err != nil {
		return string(class.UID) + ":" // strings can always be written; if not, this is the digest of no class
	}
	sum := sha256.Sum256(text)
	return fmt.Sprintf("%s:%s", class.UID, hex.EncodeToString(sum[:16]))
}

// SameClass reports whether a class is the one that was recorded. Nothing recorded is no class.
func SameClass(recorded string, class *storagev1.StorageClass) bool {
	return recorded != "" && class != nil && recorded == Digest(class)
}

// Immediate reports whether volumes of a class are made before any pod asks for them, and so before anybody could look.
func Immediate(class *storagev1.StorageClass) bool {
	return class.VolumeBindingMode == nil || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer
}
