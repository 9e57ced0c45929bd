package storage

import (
	"unicode/utf8"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Protection is how volumes are encrypted, as far as their StorageClass and what it points to can tell.
//
// Nothing in it is secret: what names a key is written in StorageClasses, which everybody may read.
type Protection struct {
	// Binding is how a key protects them. The zero value protects nothing.
	Binding v1alpha1.VolumeBinding
	// Driver is the CSI driver, and KeyID the key as it names it; empty where no key is named.
	Driver, KeyID string
	// Message says, as a sentence for the person who has to act, what the class says and what it lacks. Empty where there is nothing to add.
	Message string
}

// Known reports whether anybody can tell how volumes are protected. That they are not encrypted is known, too.
func (p Protection) Known() bool {
	return p.Binding != "" && p.Binding != v1alpha1.BindingUnknown
}

// String says it for people, such as "ProviderEnvelope under key 0b6c… of ebs.csi.aws.com".
func (p Protection) String() string {
	binding := string(p.Binding)
	if !p.Known() {
		binding = string(v1alpha1.BindingUnknown)
	}
	if p.KeyID != "" {
		binding += " under key " + clip(p.KeyID)
	}
	if p.Driver == "" {
		return binding
	}
	return binding + " of " + p.Driver
}

// longest bounds what people are told, in bytes: StorageClasses and ConfigMaps hold texts of any length.
const longest = 512

// clip cuts what is too long, between characters.
func clip(text string) string {
	if len(text) <= longest {
		return text
	}
	end := longest - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// Lookup gives the data of the ConfigMap of this name in the namespace of a driver, to which its StorageClasses may point; nil where there is none, or
// nobody knows that namespace. A nil Lookup knows of none.
type Lookup func(driver, name string) map[string]string
