//go:build cgo

package pkcs11_test

import (
	"testing"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// BenchmarkProbe looks at one key, and uses it. There are no round trips to count: a library is called, and what it does is its own affair.
func BenchmarkProbe(b *testing.B) {
	k := newToken(b, "bench").holdsKey()
	p := open(b, store(softHSM, k.label, &latch{}, goodPIN))
	for name, use := range map[string]bool{"pkcs11_look": false, "pkcs11_use": true} {
		key := kek
		key.RoundTrip = use
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if s := p.Probe(b.Context(), key); s.Outcome != v1alpha1.OutcomeFound {
					b.Fatal(s)
				}
			}
		})
	}
}
