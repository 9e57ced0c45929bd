package transit

import (
	"testing"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// BenchmarkProbe looks at one key, and uses it. Beside the time it tells how often the server was asked.
func BenchmarkProbe(b *testing.B) {
	w := newWorld(b)
	p := w.open()
	for name, use := range map[string]bool{"transit_look": false, "transit_use": true} {
		key := keystore.Key{Name: "kek", Ref: v1alpha1.KeyReference{Transit: &v1alpha1.TransitKey{Key: "kek"}}, RoundTrip: use}
		b.Run(name, func(b *testing.B) {
			w.server.Asked() // forgets what was asked so far
			for b.Loop() {
				if s := p.Probe(b.Context(), key); s.Outcome != v1alpha1.OutcomeFound {
					b.Fatal(s)
				}
			}
			b.ReportMetric(float64(len(w.server.Asked()))/float64(b.N), "trips/op")
		})
	}
}
