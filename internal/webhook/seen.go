package webhook

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// outcome is what became of a review.
type outcome int

const (
	outcomeInvalid   outcome = iota // it was none
	outcomeUndecided                // denied because nobody could tell
	outcomeRefused
	outcomeShaped
	outcomeAllowed
)

var outcomes = [...]string{"invalid", "undecided", "refused", "shaped", "allowed"}

// seen counts reviews.
type seen struct {
	decisions *prometheus.CounterVec
	seconds   *prometheus.HistogramVec
}

// newSeen registers what is counted, unless there is nowhere to.
func newSeen(r prometheus.Registerer) (*seen, error) {
	s := &seen{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "terroir_admission_decisions_total", Help: "Admission reviews answered, by hook and outcome.",
		}, []string{"hook", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "terroir_admission_duration_seconds", Help: "Time from the bytes of an admission review to those of its answer, by hook.",
			Buckets: []float64{50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 50e-3, 250e-3, 1},
		}, []string{"hook"}),
	}
	if r == nil {
		return s, nil
	}
	for _, c := range []prometheus.Collector{s.decisions, s.seconds} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("registering the admission metrics: %w", err)
		}
	}
	return s, nil
}

// seenBy are the counters of one hook, found once.
type seenBy struct {
	decisions [len(outcomes)]prometheus.Counter
	seconds   prometheus.Observer
}

func (s *seen) by(hook string) seenBy {
	by := seenBy{seconds: s.seconds.WithLabelValues(hook)}
	for o, name := range outcomes {
		by.decisions[o] = s.decisions.WithLabelValues(hook, name)
	}
	return by
}

func (s *seenBy) count(o outcome, took time.Duration) {
	s.decisions[o].Inc()
	s.seconds.Observe(took.Seconds())
}
