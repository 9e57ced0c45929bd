package controllers

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// The schema's bounds.
const (
	mostFacts     = 32
	longestValue  = 256
	listedClasses = 16
	listedClaims  = 10
)

// stepsOfALease: a lease is moved on when an eighth of it is over.
const stepsOfALease = 8

// statusOfKey says what a key is. A lease that was renewed is written in steps, or when something else changed: it is told too short, never too long.
func statusOfKey(key *v1alpha1.EncryptionKey, v keys.Verdict) v1alpha1.EncryptionKeyStatus {
	s := *key.Status.DeepCopy()
	s.Phase, s.Fingerprint, s.ObservedFingerprint = v.Phase, v.Fingerprint, v.Observed
	s.Facts, s.Zones, s.RevokedSince = factsOfKey(v.Facts), strings.Join(v.Zones, ","), moment(v.RevokedSince)
	s.VerifiedUntil = stepped(key.Status.VerifiedUntil, v.VerifiedUntil, v.Key.Lease()/stepsOfALease)
	keyReady(&s.ConditionedStatus, key, v)
	keyRevoked(&s.ConditionedStatus, key, v)
	if !equality.Semantic.DeepEqual(s, key.Status) {
		s.VerifiedUntil = moment(v.VerifiedUntil)
	}
	return s
}

// keyReady says whether the key is what it must be.
func keyReady(s *v1alpha1.ConditionedStatus, key *v1alpha1.EncryptionKey, v keys.Verdict) {
	status, message := truth(v.Verified()), v.Message
	switch {
	case undecided(v):
		status = metav1.ConditionUnknown
	case v.Verified() && key.Spec.NamespaceSelector == nil:
		message += "; no namespace may ask for it, since spec.namespaceSelector is absent"
	}
	condition(s, key.Generation, v1alpha1.ConditionReady, status, v.Reason, message)
}

// keyRevoked says whether something definite stands against the key.
func keyRevoked(s *v1alpha1.ConditionedStatus, key *v1alpha1.EncryptionKey, v keys.Verdict) {
	status, reason, message := metav1.ConditionFalse, "NothingFound", "nothing that its store says for certain stands against the key"
	switch {
	case v.Revoked():
		status, reason, message = metav1.ConditionTrue, string(v.Phase), v.Message
	case undecided(v):
		status, reason, message = metav1.ConditionUnknown, v.Reason, v.Message
	}
	condition(s, key.Generation, v1alpha1.ConditionRevoked, status, reason, message)
}

// undecided says that nobody could tell, which is no fault of the key, nor of how it is written.
func undecided(v keys.Verdict) bool {
	fault := v.Reason == keys.ReasonStoreNotFound || v.Reason == keys.ReasonReferenceMismatch
	return v.Phase == v1alpha1.PhaseUnknown && !fault || v.Phase == v1alpha1.PhaseForbidden
}

// factsOfKey are facts as a status holds them.
func factsOfKey(facts []keys.Fact) []v1alpha1.KeyFact {
	var told []v1alpha1.KeyFact
	for _, f := range facts[:min(len(facts), mostFacts)] {
		value := []rune(f.Value)
		if len(value) > longestValue {
			value = append(value[:longestValue-1], '…')
		}
		told = append(told, v1alpha1.KeyFact{Name: f.Name, Value: string(value), Evidence: f.Evidence, Source: f.Source, Time: moment(f.Since)})
	}
	return told
}

// stepped keeps the moment that is written while the true one is later by less than a step. Moments are stored in whole seconds, rounded down: no lease
// grows by that.
func stepped(was *metav1.Time, is time.Time, step time.Duration) *metav1.Time {
	if told := moment(is); told == nil || was == nil || was.After(told.Time) || told.Sub(was.Time) >= step {
		return told
	}
	return was
}

// tell writes who relies on a key, as much as a status holds.
func (r reliance) tell(s *v1alpha1.EncryptionKeyStatus) {
	s.StorageClasses, s.Claims = r.classes[:min(len(r.classes), listedClasses)], r.claims[:min(len(r.claims), listedClaims)]
	s.Volumes, s.Pods = r.volumes, r.pods
}
