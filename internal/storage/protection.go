package storage

import v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"

// Protection is how volumes are encrypted, as far as their StorageClass and what it points to can tell.
type Protection struct {
	// Binding is how a key protects them. The zero value protects nothing.
	Binding v1alpha1.VolumeBinding
	// Driver is the CSI driver, and KeyID the key as it names it; empty where no key is named.
	Driver, KeyID string
	// Message says, as a sentence for the person who has to act, what the class says and what it lacks. Empty where there is nothing to add.
	Message string
}
