package keys

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Key is an EncryptionKey with its KeyStore, compiled. It is immutable.
type Key struct {
	Name  string
	Store string

	spec     v1alpha1.EncryptionKeySpec
	selector labels.Selector // nil: no namespace may ask
}

// Compile reads a key. store is nil where there is none of that name: then the key is Unknown for ever. Pinned is status.fingerprint.
func Compile(key *v1alpha1.EncryptionKey, _ *v1alpha1.KeyStore) *Key {
	return &Key{Name: key.Name, Store: string(key.Spec.Store), spec: key.Spec}
}

// Allows reports whether a namespace with these labels may ask for the key.
func (k *Key) Allows(namespace map[string]string) bool {
	return k.selector != nil && k.selector.Matches(labels.Set(namespace))
}

// Means reports whether the key is what a CSI driver calls by this id.
func (k *Key) Means(driver, keyID string) bool {
	for _, s := range k.spec.Storage {
		if string(s.Driver) == driver && s.KeyID == keyID {
			return true
		}
	}
	return false
}

// Judge says what the key is at now, from what observers saw of it.
func (k *Key) Judge(_ []Observation, _ time.Time) Verdict {
	return Verdict{Key: k, Phase: v1alpha1.PhaseUnknown}
}
