package controllers

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

// storeCount is how many keys a store has, and what they are.
type storeCount struct{ keys, verified, revoked int32 }

func countStores(world keysWorld, verdicts map[string]keys.Verdict) map[string]storeCount {
	counts := map[string]storeCount{}
	for i := range world.keys {
		c, v := counts[string(world.keys[i].Spec.Store)], verdicts[world.keys[i].Name]
		c.keys++
		if v.Verified() {
			c.verified++
		}
		if v.Revoked() {
			c.revoked++
		}
		counts[string(world.keys[i].Spec.Store)] = c
	}
	return counts
}

// mostRevokedKeys is how many revoked keys of a store are taken for a decision of somebody's, and not for a fault.
func mostRevokedKeys(store *v1alpha1.KeyStore) int32 {
	if most := store.Spec.Revocation.MaxKeys; most != nil {
		return *most
	}
	return 1
}

// brakedStores are the stores by whose word nobody is evicted, by name: so many of their keys are revoked that it is rather a fault. A store that is not there
// says nothing, and stops nothing: none of its keys is confirmed to be revoked.
func brakedStores(world keysWorld, verdicts map[string]keys.Verdict) map[string]bool {
	braked := map[string]bool{}
	counts := countStores(world, verdicts)
	for name, store := range world.stores {
		braked[name] = counts[name].revoked > mostRevokedKeys(store)
	}
	return braked
}

// answer is whether a store answers.
type answer struct {
	status          metav1.ConditionStatus
	reason, message string
}

// statusOfStore says whether a store answers, and what its keys are.
func statusOfStore(store *v1alpha1.KeyStore, c storeCount, a answer) v1alpha1.KeyStoreStatus {
	s := *store.Status.DeepCopy()
	s.Keys, s.Verified, s.Revoked = c.keys, c.verified, c.revoked
	condition(&s.ConditionedStatus, store.Generation, v1alpha1.ConditionReady, a.status, a.reason, a.message)
	most := mostRevokedKeys(store)
	if c.revoked > most {
		condition(&s.ConditionedStatus, store.Generation, v1alpha1.ConditionBraked, metav1.ConditionTrue, "TooManyRevoked", fmt.Sprintf(
			"%d keys are found revoked, and more than %d are rather a fault than a decision, so no pod is evicted for them; if it is a decision, raise spec.revocation.maxKeys", c.revoked, most))
		return s
	}
	condition(&s.ConditionedStatus, store.Generation, v1alpha1.ConditionBraked, metav1.ConditionFalse, "FewRevoked", fmt.Sprintf("no more keys are found revoked than spec.revocation.maxKeys, which is %d", most))
	return s
}

// answerOf says whether a store answers everybody who is to ask it. Whoever got an answer about one key has got one.
func answerOf(store *v1alpha1.KeyStore, world keysWorld, now time.Time) answer {
	if store.Spec.Type == v1alpha1.KeyStoreDeclared {
		return answer{metav1.ConditionTrue, "Declared", "nobody asks the store: what is known of it is what is declared"}
	}
	asked, latest := 0, map[string][]keys.Observation{}
	for i := range world.keys {
		if string(world.keys[i].Spec.Store) != store.Name {
			continue
		}
		asked++
		for _, o := range world.seenOf(&world.keys[i]) {
			latest[o.Observer] = append(latest[o.Observer], o)
		}
	}
	switch {
	case asked == 0:
		return answer{metav1.ConditionUnknown, "NotAsked", "no EncryptionKey is in the store, so nobody asks it"}
	case len(latest) == 0:
		return answer{metav1.ConditionUnknown, keys.ReasonNotObserved, "nobody has asked the store yet"}
	}
	for _, observer := range slices.Sorted(maps.Keys(latest)) {
		if a := answerTo(observer, latest[observer], now.Add(-keys.LeaseOf(store))); a.status != metav1.ConditionTrue {
			return a
		}
	}
	return answer{metav1.ConditionTrue, "Answers", "the store answers whoever is to ask it"}
}

// answerTo says whether a store answers one observer. What he saw then, or before, is no word any more.
func answerTo(observer string, seen []keys.Observation, tooOld time.Time) answer {
	where := ""
	if zone, ok := keys.ZoneOf(observer); ok {
		where = "seen from zone " + zone + ": "
	}
	young := slices.DeleteFunc(slices.Clone(seen), func(o keys.Observation) bool { return !o.Confirmed.After(tooOld) })
	if len(young) == 0 {
		return answer{metav1.ConditionUnknown, keys.ReasonSilent, where + "nothing was heard of the store for longer than a lease: see to whoever asks it"}
	}
	worst := slices.MinFunc(young, func(a, b keys.Observation) int {
		return cmp.Or(cmp.Compare(obstacle(a.Outcome), obstacle(b.Outcome)), cmp.Compare(a.Message, b.Message))
	})
	if obstacle(worst.Outcome) == 0 {
		return answer{status: metav1.ConditionTrue}
	}
	message := "the store does not answer"
	switch worst.Outcome {
	case v1alpha1.OutcomeUnauthenticated:
		message = "the store does not take the credentials, or nobody dares to try them"
	case v1alpha1.OutcomeMisconfigured:
		message = "the store cannot be asked"
	default: // Unreachable, and what this version does not know
	}
	if worst.Message != "" {
		message += ": " + worst.Message
	}
	return answer{metav1.ConditionFalse, string(worst.Outcome), where + message}
}

// obstacle orders what keeps a store from answering; 0: nothing does.
func obstacle(o v1alpha1.ProbeOutcome) int {
	switch o {
	case v1alpha1.OutcomeFound, v1alpha1.OutcomeNotFound, v1alpha1.OutcomeAmbiguous, v1alpha1.OutcomeDestroyed, v1alpha1.OutcomeForbidden:
		return 0
	case v1alpha1.OutcomeMisconfigured:
		return 1
	case v1alpha1.OutcomeUnauthenticated:
		return 2
	default:
		return 3
	}
}
