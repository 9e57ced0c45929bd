//go:build !cgo

package pkcs11

import (
	"errors"

	"github.com/terroir-dev/terroir/internal/keystore"
)

// New gives an opener that opens nothing: this program was built without cgo.
func New([]string) keystore.Opener {
	return func(keystore.Store) (keystore.Prober, error) {
		return nil, errors.New("built without cgo: PKCS#11 libraries are C, and are asked by the agent, keyprobe")
	}
}
