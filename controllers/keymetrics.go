package controllers

import (
	"fmt"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// keyMetrics shows what the last pass found, as metrics. Where no pass was yet, as on replicas that do not lead, it shows nothing.
type keyMetrics struct {
	phase, until, ready *prometheus.Desc
	shown               atomic.Pointer[keyStatuses]
}

// newKeyMetrics registers what is shown, unless there is nowhere to.
func newKeyMetrics(r prometheus.Registerer) (*keyMetrics, error) {
	m := &keyMetrics{
		phase: prometheus.NewDesc("terroir_encryption_key_phase", "What an EncryptionKey is, in one word: 1 for the phase that it is in.", []string{"key", "store", "phase"}, nil),
		until: prometheus.NewDesc("terroir_encryption_key_verified_until_seconds", "Until when the last proof of an EncryptionKey lasts, as a Unix time; without one, the key is left out.", []string{"key"}, nil),
		ready: prometheus.NewDesc("terroir_key_store_ready", "Whether a KeyStore answers whoever is to ask it: 1 if it does, 0 if not, or if nobody can tell.", []string{"store"}, nil),
	}
	if r == nil {
		return m, nil
	}
	if err := r.Register(m); err != nil {
		return nil, fmt.Errorf("registering the metrics of keys: %w", err)
	}
	return m, nil
}

// show replaces what is shown.
func (m *keyMetrics) show(s keyStatuses) { m.shown.Store(&s) }

// Describe names the metrics.
func (m *keyMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.phase, m.until, m.ready} {
		to <- d
	}
}

// Collect gives the metrics.
func (m *keyMetrics) Collect(to chan<- prometheus.Metric) {
	shown := m.shown.Load()
	if shown == nil {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, k := range shown.keys {
		gauge(m.phase, 1, k.is.Name, string(k.is.Spec.Store), string(k.verdict.Phase))
		if until := k.verdict.VerifiedUntil; !until.IsZero() {
			gauge(m.until, float64(until.Unix()), k.is.Name)
		}
	}
	for _, s := range shown.stores {
		value := 0.0
		if meta.IsStatusConditionPresentAndEqual(s.wanted.Status.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue) {
			value = 1
		}
		gauge(m.ready, value, s.wanted.Name)
	}
}
