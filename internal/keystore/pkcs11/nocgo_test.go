//go:build !cgo

package pkcs11_test

import (
	"strings"
	"testing"

	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/pkcs11"
)

func TestBuiltWithoutCgoItSaysSo(t *testing.T) {
	_, err := pkcs11.New([]string{"/usr/lib/softhsm/libsofthsm2.so"})(keystore.Store{})
	if err == nil || !strings.Contains(err.Error(), "built without cgo") {
		t.Errorf("opening answered %v; want that it was built without cgo", err)
	}
}
