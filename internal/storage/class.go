package storage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"

	storagev1 "k8s.io/api/storage/v1"
)

// What volumes of a class are is decided by its provisioner and its parameters. Neither can be edited, but a class can be deleted, and another
// created under its name. So claims record which class it was: its UID, which no successor has, and a digest of what decides, so that a UID
// that somebody forged or restored with a backup is not enough.

// Digest tells a StorageClass from its successors: its UID, a colon, and 32 hexadecimal digits of a hash of its provisioner and parameters. It is the
// value of [v1alpha1.ClassAnnotation].
func Digest(class *storagev1.StorageClass) string {
	// Quoted, so that names and values stay apart whatever characters they hold.
	text := strconv.Quote(class.Provisioner)
	for _, name := range slices.Sorted(maps.Keys(class.Parameters)) {
		text += fmt.Sprintf(",%q:%q", name, class.Parameters[name])
	}
	sum := sha256.Sum256([]byte(text))
	return fmt.Sprintf("%s:%s", class.UID, hex.EncodeToString(sum[:16]))
}

// sameClass reports whether a class is the one that was recorded. Nothing recorded is no class.
func sameClass(recorded string, class *storagev1.StorageClass) bool {
	return recorded != "" && class != nil && recorded == Digest(class)
}

// Immediate reports whether volumes of a class are made before any pod asks for them, and so before anybody could look.
func Immediate(class *storagev1.StorageClass) bool {
	return class.VolumeBindingMode == nil || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer
}
