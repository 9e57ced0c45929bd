package kmip_test

import (
	"testing"

	kmipgo "github.com/ovh/kmip-go"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// BenchmarkProbe looks at one key, and uses it. Beside the time it tells how often the server was asked.
func BenchmarkProbe(b *testing.B) {
	v := newVault(b)
	v.keep("kek", whole()...)
	v.encrypts(kmipgo.BlockCipherModeCBC)
	p := open(b, v.store(b))
	for name, key := range map[string]keystore.Key{"kmip_look": key("kek"), "kmip_use": used("kek")} {
		b.Run(name, func(b *testing.B) {
			v.change(func() { v.asked = nil })
			for b.Loop() {
				if s := p.Probe(b.Context(), key); s.Outcome != v1alpha1.OutcomeFound {
					b.Fatal(s)
				}
			}
			v.change(func() { b.ReportMetric(float64(len(v.asked))/float64(b.N), "trips/op") })
		})
	}
}
