package keystore

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// seen counts probes.
type seen struct {
	seconds *prometheus.HistogramVec
}

func newSeen() *seen {
	return &seen{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "terroir_key_probe_duration_seconds", Help: "Time that a key store took to answer for one key, by store and outcome.",
		Buckets: []float64{1e-3, 5e-3, 10e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30, 60},
	}, []string{"store", "outcome"})}
}

// register shows what is counted, unless there is nowhere to.
func (s *seen) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	if err := r.Register(s.seconds); err != nil {
		return fmt.Errorf("registering the metrics of key probes: %w", err)
	}
	return nil
}

func (s *seen) count(store string, outcome v1alpha1.ProbeOutcome, took time.Duration) {
	s.seconds.WithLabelValues(store, string(outcome)).Observe(took.Seconds())
}

// forget ends the series of a store that is not asked any more.
func (s *seen) forget(store string) {
	s.seconds.DeletePartialMatch(prometheus.Labels{"store": store})
}
