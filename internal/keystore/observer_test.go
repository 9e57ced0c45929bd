package keystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
)

type answers = map[string]func(context.Context, Key) Sighting

func TestAQuietStoreCostsOneLeaseASweep(t *testing.T) {
	objects := []client.Object{keyStore("bao"), secret("token")}
	all := answers{}
	for i := range 20 {
		name := fmt.Sprintf("key-%02d", i)
		objects, all[name] = append(objects, encryptionKey(name, "bao")), good("a")
	}
	onStage(t, objects, all, func(s *stage) {
		if n := len(s.takeWrites()); n != 21 {
			t.Errorf("%d writes for 20 new keys; want one for each, and one Lease", n)
		}
		before := s.told("key-07")
		for range 3 {
			was := s.confirmed()
			s.sweep()
			names(s, "written in a quiet sweep", s.takeWrites(), "apply keys.bao.manager")
			if !s.confirmed().After(was) {
				t.Error("the Lease was written and does not say that the sweep was later")
			}
		}
		if after := s.told("key-07"); after.Since != before.Since {
			t.Errorf("since moved from %v to %v", before.Since, after.Since)
		}
	})
}

func TestWhatIsToldOfAKey(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		told := s.told("kek")
		if told.Outcome != v1alpha1.OutcomeFound || told.Fingerprint != print64("a") || told.KeyUID != "uid-of-kek" || told.Store != "bao" || told.Observer != "manager" {
			t.Errorf("told: %+v", told)
		}
		used := func(f v1alpha1.ObservedFact) bool {
			return f.Name == keys.FactUsable && f.Value == "true" && f.Evidence == v1alpha1.EvidenceTested
		}
		if !slices.ContainsFunc(told.Facts, used) {
			t.Errorf("the key was used, and the facts do not say so: %+v", told.Facts)
		}
		if s.confirmed().IsZero() {
			t.Error("no Lease confirms it")
		}
	})
}

func TestKeysAreUsedOnceInAWhile(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		names(s, "at first", s.store.takeAsked(), "kek!")
		used := 0
		for range int(roundTrip/interval) + 2 {
			s.sweep()
			for _, asked := range s.store.takeAsked() {
				if asked == "kek!" {
					used++
				}
			}
			if !slices.ContainsFunc(s.told("kek").Facts, func(f v1alpha1.ObservedFact) bool { return f.Name == keys.FactUsable }) {
				t.Fatal("a sweep that did not use the key forgot that it is usable")
			}
		}
		if used != 1 {
			t.Errorf("used %d times in a bit more than one round trip interval; want once", used)
		}
	})
}

func TestAKeyWithAnotherFingerprintIsUsedAtOnce(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		before := s.told("kek")
		s.store.takeAsked()
		s.store.set(good("b"))
		s.sweep()
		names(s, "asked", s.store.takeAsked(), "kek", "kek!")
		after := s.told("kek")
		if after.Fingerprint != print64("b") || !after.Since.After(before.Since.Time) {
			t.Errorf("told %+v; want the new fingerprint, since now", after)
		}
		for _, f := range after.Facts {
			if !f.Since.Equal(&after.Since) {
				t.Errorf("fact %s is older than the key", f.Name)
			}
		}
	})
}

func TestAKeyThatCannotBeUsedIsTriedAgainInEverySweep(t *testing.T) {
	unusable := func(context.Context, Key) Sighting {
		return Sighting{Outcome: v1alpha1.OutcomeFound, Fingerprint: print64("a"), Facts: []Fact{{keys.FactUsable, "false", v1alpha1.EvidenceTested}}}
	}
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": unusable}, func(s *stage) {
		s.store.takeAsked()
		s.sweep()
		names(s, "asked", s.store.takeAsked(), "kek!")
	})
}

func TestASilentStoreTakesNothingAwayAndIsNotHammered(t *testing.T) {
	objects := []client.Object{keyStore("bao"), secret("token")}
	all := answers{}
	for i := range 100 {
		name := fmt.Sprintf("key-%02d", i)
		objects, all[name] = append(objects, encryptionKey(name, "bao")), good("a")
	}
	onStage(t, objects, all, func(s *stage) {
		s.sweep()
		before, confirmed := s.told("key-50"), s.confirmed()
		s.store.takeAsked()
		s.takeWrites()
		s.store.setAll(saying(v1alpha1.OutcomeUnreachable, "the server does not answer"))
		s.sweep()

		told := s.told("key-50")
		if told.Outcome != v1alpha1.OutcomeUnreachable || told.Message != "the server does not answer" {
			t.Errorf("told %+v", told)
		}
		if told.Fingerprint != before.Fingerprint || !slices.Equal(told.Facts, before.Facts) {
			t.Error("what was known of the key is forgotten")
		}
		if told.LastFound == nil || told.LastFound.Time.Before(confirmed.Truncate(time.Second)) {
			t.Errorf("lastFound is %v; it was found at %v", told.LastFound, confirmed)
		}
		if !s.confirmed().Equal(confirmed) {
			t.Error("a sweep that reached nobody was confirmed")
		}
		if asked := s.store.takeAsked(); len(asked) > 20 {
			t.Errorf("asked %d times in one interval", len(asked))
		}
		if writes := s.takeWrites(); len(writes) > 101 {
			t.Errorf("%d writes; each key's observation changed once", len(writes))
		}

		s.store.setAll(good("a"))
		s.sweep()
		told = s.told("key-50")
		if told.Outcome != v1alpha1.OutcomeFound || told.LastFound != nil || !slices.Equal(told.Facts, before.Facts) {
			t.Errorf("the store is back: told %+v", told)
		}
		if !s.confirmed().After(confirmed) {
			t.Error("the store is back, and no Lease says so")
		}
	})
}

func TestOneKeyThatTheStoreChokesOnDoesNotHarmTheOthers(t *testing.T) {
	objects := []client.Object{keyStore("bao"), secret("token"), encryptionKey("a", "bao"), encryptionKey("b", "bao"), encryptionKey("c", "bao")}
	all := answers{"a": good("a"), "b": saying(v1alpha1.OutcomeUnreachable, "timeout"), "c": good("c")}
	onStage(t, objects, all, func(s *stage) {
		for key, want := range map[string]v1alpha1.ProbeOutcome{"a": v1alpha1.OutcomeFound, "b": v1alpha1.OutcomeUnreachable, "c": v1alpha1.OutcomeFound} {
			same(t, key, s.told(key).Outcome, want, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
		}
		was := s.confirmed()
		s.sweep()
		if !s.confirmed().After(was) {
			t.Error("the others are not confirmed")
		}
	})
}

func TestASweepThatIsBrokenOffConfirmsNothing(t *testing.T) {
	objects := []client.Object{keyStore("bao"), secret("token"), encryptionKey("a", "bao"), encryptionKey("b", "bao"), encryptionKey("c", "bao"), encryptionKey("d", "bao")}
	silence := saying(v1alpha1.OutcomeUnreachable, "timeout")
	onStage(t, objects, answers{"a": good("a"), "b": silence, "c": silence, "d": good("d")}, func(s *stage) {
		names(s, "asked", s.store.takeAsked(), "a!", "b!", "c!")
		same(t, "d", s.told("d").Outcome, v1alpha1.OutcomeUnreachable, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
		if !s.confirmed().IsZero() {
			t.Error("d was not asked for, and all is confirmed")
		}
	})
}

func TestAStoreThatHangsIsLeftAfterTheTimeout(t *testing.T) {
	hang := func(ctx context.Context, _ Key) Sighting {
		<-ctx.Done()
		return Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: "timeout"}
	}
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": hang}, func(s *stage) {
		s.later(6 * time.Second)
		same(t, "outcome", s.told("kek").Outcome, v1alpha1.OutcomeUnreachable, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
	})
}

func TestAStoreThatRefusesTheCredentialsIsNotAskedForOtherKeys(t *testing.T) {
	objects := []client.Object{keyStore("bao"), secret("token"), encryptionKey("a", "bao"), encryptionKey("b", "bao")}
	onStage(t, objects, answers{"a": saying(v1alpha1.OutcomeUnauthenticated, "the token is refused")}, func(s *stage) {
		names(s, "asked", s.store.takeAsked(), "a!")
		same(t, "b", s.told("b").Message, "the token is refused", func(a, b string) bool { return a == b })
		s.later(interval * 8 / 10)
		names(s, "asked before the next sweep", s.store.takeAsked())
	})
}

func TestOutcomesThatSaySomethingOfTheKey(t *testing.T) {
	for sentence, c := range map[string]struct {
		outcome   v1alpha1.ProbeOutcome
		forgotten bool
	}{
		"not found":           {v1alpha1.OutcomeNotFound, true},
		"ambiguous":           {v1alpha1.OutcomeAmbiguous, true},
		"destroyed":           {v1alpha1.OutcomeDestroyed, true},
		"forbidden":           {v1alpha1.OutcomeForbidden, false},
		"unreachable":         {v1alpha1.OutcomeUnreachable, false},
		"unauthenticated":     {v1alpha1.OutcomeUnauthenticated, false},
		"misconfigured":       {v1alpha1.OutcomeMisconfigured, false},
		"a word nobody knows": {"Splendid", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
				s.store.set(saying(c.outcome, "because"))
				s.sweep()
				told := s.told("kek")
				if forgotten := told.Fingerprint == "" && len(told.Facts) == 0; forgotten != c.forgotten {
					t.Errorf("told %+v", told)
				}
				if told.LastFound == nil {
					t.Error("it was found before, and lastFound is not told")
				}
			})
		})
	}
}

func TestANewKeyIsLookedAtAtOnce(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("old", "bao")}, answers{"old": good("a"), "new": good("b")}, func(s *stage) {
		s.store.takeAsked()
		confirmed := s.confirmed()
		s.later(time.Second)
		s.must(s.Create(t.Context(), encryptionKey("new", "bao")))
		s.touch("bao")
		names(s, "asked", s.store.takeAsked(), "new!")
		same(t, "outcome", s.told("new").Outcome, v1alpha1.OutcomeFound, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
		if !s.confirmed().Equal(confirmed) {
			t.Error("one key was looked at, and all were confirmed")
		}
	})
}

func TestANewKeyIsNoReasonToAskASilentStore(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("old", "bao")}, answers{}, func(s *stage) {
		s.store.setAll(saying(v1alpha1.OutcomeUnreachable, "silence"))
		s.later(2 * interval)
		s.store.takeAsked()
		s.must(s.Create(t.Context(), encryptionKey("new", "bao")))
		s.touch("bao")
		names(s, "asked", s.store.takeAsked())
		same(t, "told", s.told("new").Message, "silence", func(a, b string) bool { return a == b })
	})
}

func TestTheObservationOfAKeyThatIsGoneGoes(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		s.must(s.Delete(t.Context(), encryptionKey("kek", "bao")))
		s.touch("bao")
		if err := s.Get(t.Context(), client.ObjectKey{Name: "kek.manager"}, &v1alpha1.KeyObservation{}); !apierrors.IsNotFound(err) {
			t.Errorf("it is still there: %v", err)
		}
	})
}

func TestAKeyThatComesByTheNameOfAnotherBeginsFromScratch(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		first := s.told("kek")
		s.must(s.Delete(t.Context(), encryptionKey("kek", "bao")))
		next := encryptionKey("kek", "bao")
		next.UID = "another"
		s.must(s.Create(t.Context(), next))
		s.store.set(saying(v1alpha1.OutcomeNotFound, "no such key"))
		s.later(time.Second)
		s.takeWrites()
		s.touch("bao")
		told := s.told("kek")
		if told.KeyUID != "another" || told.LastFound != nil || told.Fingerprint != "" || !told.Since.After(first.Since.Time) {
			t.Errorf("told %+v", told)
		}
		names(s, "written", s.takeWrites(), "apply kek.manager", "delete kek.manager")
	})
}

func TestAnObservationThatSomebodyDeletedIsWrittenAgain(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		before := s.told("kek")
		s.must(s.Delete(t.Context(), &v1alpha1.KeyObservation{ObjectMeta: encryptionKey("kek.manager", "").ObjectMeta}))
		s.touch("bao")
		same(t, "since", s.told("kek").Since.Time, before.Since.Time, time.Time.Equal)
	})
}

func TestWhatSomebodyWroteOverAnObservationIsPutRightBeforeItIsConfirmed(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		o := &v1alpha1.KeyObservation{}
		s.must(s.Get(t.Context(), client.ObjectKey{Name: "kek.manager"}, o))
		o.Spec.Fingerprint = print64("f")
		s.must(s.Update(t.Context(), o))
		s.sweep()
		same(t, "fingerprint", s.told("kek").Fingerprint, print64("a"), func(a, b string) bool { return a == b })
	})
}

func TestAChangedSecretOpensTheStoreAnew(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		s.sweep()
		same(t, "opened", len(s.store.opened), 1, func(a, b int) bool { return a == b })
		changed := secret("token")
		s.must(s.Get(t.Context(), client.ObjectKeyFromObject(changed), changed))
		changed.Data["token"] = []byte("another")
		s.must(s.Update(t.Context(), changed))
		s.sweep()
		same(t, "opened", len(s.store.opened), 2, func(a, b int) bool { return a == b })
		same(t, "closed", s.store.closed, 1, func(a, b int) bool { return a == b })
		same(t, "token", string(s.store.opened[1].Credentials.Secret["token"]), "another", func(a, b string) bool { return a == b })
	})
}

func TestAChangedSpecSweepsAtOnce(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		s.store.takeAsked()
		store := keyStore("bao")
		s.must(s.Get(t.Context(), client.ObjectKeyFromObject(store), store))
		store.Spec.Probe.Interval, store.Generation = "10m", 2
		s.must(s.Update(t.Context(), store))
		s.touch("bao")
		names(s, "asked", s.store.takeAsked(), "kek")
		same(t, "opened", len(s.store.opened), 2, func(a, b int) bool { return a == b })
	})
}

func TestASecretThatIsMissing(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		told := s.told("kek")
		if told.Outcome != v1alpha1.OutcomeMisconfigured || told.Message != "Secret token, which spec.credentialsSecretRef names, does not exist in terroir-system" {
			t.Errorf("told %+v", told)
		}
		s.must(s.Create(t.Context(), secret("token")))
		s.later(2 * firstRetry)
		same(t, "outcome", s.told("kek").Outcome, v1alpha1.OutcomeFound, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
	})
}

// Whoever may write KeyStores must not become somebody by having his token sent to a server of his own.
func TestSecretsThatAreNoKeyStores(t *testing.T) {
	for what, c := range map[string]struct {
		name  string
		tweak func(*corev1.Secret)
		says  string
	}{
		"the token of a service account": {
			"token", func(s *corev1.Secret) { s.Type = corev1.SecretTypeServiceAccountToken },
			"spec.credentialsSecretRef names Secret token, which is the token of a service account, and no key store's; name another",
		},
		"one that calls itself something else": {
			"token", func(s *corev1.Secret) {
				s.Annotations = map[string]string{corev1.ServiceAccountNameKey: "terroir-manager"}
			},
			"spec.credentialsSecretRef names Secret token, which is the token of a service account, and no key store's; name another",
		},
		"a token by which nodes join": {
			"token", func(s *corev1.Secret) { s.Type = corev1.SecretTypeBootstrapToken },
			"spec.credentialsSecretRef names Secret token, which is a token by which nodes join the cluster, and no key store's; name another",
		},
		"the webhook's key, as which to go there": {
			v1alpha1.CertificateSecret, func(*corev1.Secret) {},
			"spec.tls.clientSecretRef names Secret terroir-webhook-cert, which is the key of Terroir's webhook, and no key store's; name another",
		},
	} {
		t.Run(what, func(t *testing.T) {
			named := secret(c.name)
			c.tweak(named)
			objects := []client.Object{keyStore("bao", func(s *v1alpha1.KeyStore) {
				s.Spec.TLS = &v1alpha1.KeyStoreTLS{ClientSecretRef: &v1alpha1.SecretReference{Name: v1alpha1.ObjectName(c.name)}}
			}), encryptionKey("kek", "bao"), named}
			if c.name != "token" {
				objects = append(objects, secret("token"))
			}
			onStage(t, objects, answers{"kek": good("a")}, func(s *stage) {
				told := s.told("kek")
				if told.Outcome != v1alpha1.OutcomeMisconfigured || told.Message != c.says {
					t.Errorf("told %+v", told)
				}
				if len(s.store.opened) > 0 {
					t.Error("it was given to the store all the same")
				}
			})
		})
	}
}

func TestAStoreThatCannotBeOpened(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token")}, answers{}, func(s *stage) {
		s.store.refuse = errors.New("Secret token has no key token")
		s.must(s.Create(t.Context(), encryptionKey("kek", "bao")))
		s.touch("bao")
		told := s.told("kek")
		if told.Outcome != v1alpha1.OutcomeMisconfigured || told.Message != "Secret token has no key token" {
			t.Errorf("told %+v", told)
		}
	})
}

func TestAProberThatPanicsIsOpenedAnew(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": func(context.Context, Key) Sighting { panic("1234") }}, func(s *stage) {
		told := s.told("kek")
		if told.Outcome != v1alpha1.OutcomeUnreachable || strings.Contains(told.Message, "1234") {
			t.Errorf("told %+v", told)
		}
		s.store.set(good("a"))
		s.later(2 * firstRetry)
		same(t, "outcome", s.told("kek").Outcome, v1alpha1.OutcomeFound, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
		same(t, "opened", len(s.store.opened), 2, func(a, b int) bool { return a == b })
	})
}

func TestWhichStoresAreMine(t *testing.T) {
	fromAgent := func(s *v1alpha1.KeyStore) { s.Spec.Probe.From = v1alpha1.ProbeFromAgent }
	kind := func(k v1alpha1.KeyStoreType) func(*v1alpha1.KeyStore) {
		return func(s *v1alpha1.KeyStore) { s.Spec.Type = k }
	}
	manager := NewObserver(ObserverOptions{Name: "manager", Openers: map[v1alpha1.KeyStoreType]Opener{v1alpha1.KeyStoreTransit: nil}})
	agent := NewObserver(ObserverOptions{Name: "par1", Openers: map[v1alpha1.KeyStoreType]Opener{v1alpha1.KeyStoreTransit: nil, v1alpha1.KeyStorePKCS11: nil}})
	for sentence, c := range map[string]struct {
		store                                *v1alpha1.KeyStore
		manager, agent                       bool
		disownedByManager, disownedByTheZone bool
	}{
		"from the manager": {keyStore("s"), true, false, false, true},
		"from agents":      {keyStore("s", fromAgent), false, true, true, false},
		"a token, which the agent beside it asks":  {keyStore("s", kind(v1alpha1.KeyStorePKCS11)), false, false, false, true},
		"a token, from agents":                     {keyStore("s", kind(v1alpha1.KeyStorePKCS11), fromAgent), false, true, false, false},
		"declared, which nobody can ask":           {keyStore("s", kind(v1alpha1.KeyStoreDeclared)), false, false, true, true},
		"of a type that nobody here has heard of":  {keyStore("s", kind("Quantum")), false, false, false, false},
		"from the manager, as it says by omission": {keyStore("s", func(s *v1alpha1.KeyStore) { s.Spec.Probe.From = "" }), true, false, false, true},
	} {
		t.Run(sentence, func(t *testing.T) {
			if manager.asks(c.store) != c.manager || agent.asks(c.store) != c.agent {
				t.Errorf("the manager asks: %t, the zone's agent asks: %t", manager.asks(c.store), agent.asks(c.store))
			}
			if manager.disowns(c.store) != c.disownedByManager || agent.disowns(c.store) != c.disownedByTheZone {
				t.Errorf("the manager disowns: %t, the zone's agent disowns: %t", manager.disowns(c.store), agent.disowns(c.store))
			}
		})
	}
	if !manager.disowns(nil) {
		t.Error("a store that is gone is disowned")
	}
}

func TestWhatIsToldOfAStoreThatIsNotMineAnyMoreIsTakenBack(t *testing.T) {
	gone := func(s *stage) error { return s.Delete(s.Context(), keyStore("bao")) }
	handed := func(s *stage) error {
		store := keyStore("bao")
		if err := s.Get(s.Context(), client.ObjectKeyFromObject(store), store); err != nil {
			return err
		}
		store.Spec.Probe.From, store.Generation = v1alpha1.ProbeFromAgent, 2
		return s.Update(s.Context(), store)
	}
	for sentence, change := range map[string]func(*stage) error{"the store is gone": gone, "agents are to ask it": handed} {
		t.Run(sentence, func(t *testing.T) {
			onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
				s.must(change(s))
				s.touch("bao")
				if err := s.Get(t.Context(), client.ObjectKey{Name: "kek.manager"}, &v1alpha1.KeyObservation{}); !apierrors.IsNotFound(err) {
					t.Errorf("it is still told: %v", err)
				}
				same(t, "closed", s.store.closed, 1, func(a, b int) bool { return a == b })
				s.store.takeAsked()
				s.sweep()
				names(s, "asked", s.store.takeAsked())
			})
		})
	}
}

func TestWhatOthersToldIsLeftAlone(t *testing.T) {
	foreign := &v1alpha1.KeyObservation{}
	foreign.Name = "kek.par1"
	foreign.Spec = v1alpha1.KeyObservationSpec{Key: "kek", Store: "gone", Observer: "par1", Outcome: v1alpha1.OutcomeFound}
	onStage(t, []client.Object{keyStore("bao"), secret("token"), foreign}, answers{}, func(s *stage) {
		s.sweep()
		s.must(s.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign))
	})
}

func TestAfterARestart(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		s.sweep()
		s.sweep()
		before := s.told("kek")
		s.quit()
		s.takeWrites()
		s.later(time.Minute)

		s.start()
		names(s, "written when nothing changed", s.takeWrites(), "apply keys.bao.manager")
		same(t, "since", s.told("kek").Since.Time, before.Since.Time, time.Time.Equal)
		confirmed := s.confirmed()

		s.quit()
		s.store.setAll(saying(v1alpha1.OutcomeUnreachable, "silence"))
		s.later(time.Minute)
		s.start()
		told := s.told("kek")
		if told.LastFound == nil || !told.LastFound.Time.Equal(confirmed.Truncate(time.Second)) {
			t.Errorf("lastFound is %v; the Lease says %v", told.LastFound, confirmed)
		}
		if told.Fingerprint != before.Fingerprint || len(told.Facts) != len(before.Facts) {
			t.Errorf("told %+v", told)
		}
	})
}

func TestWhatCannotBeToldIsNotConfirmed(t *testing.T) {
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": good("a")}, func(s *stage) {
		was := s.confirmed()
		s.refusing.Store(true)
		s.store.set(saying(v1alpha1.OutcomeDestroyed, "destroyed"))
		s.sweep()
		if !s.confirmed().Equal(was) {
			t.Error("the key is destroyed, that could not be written, and yet all is confirmed as it is written")
		}
		s.refusing.Store(false)
		s.sweep()
		same(t, "outcome", s.told("kek").Outcome, v1alpha1.OutcomeDestroyed, func(a, b v1alpha1.ProbeOutcome) bool { return a == b })
		if !s.confirmed().After(was) {
			t.Error("it is written now, and not confirmed")
		}
	})
}

func TestFactsThatTheAPIServerWouldNotTakeAreNotKnown(t *testing.T) {
	odd := good("a", Fact{"state", strings.Repeat("x", 257), v1alpha1.EvidenceReported}, Fact{"home", "par1", v1alpha1.EvidenceDeclared}, Fact{"algorithm", "DES", v1alpha1.EvidenceReported},
		Fact{"bits", "\xff", v1alpha1.EvidenceReported}, Fact{"private", "", v1alpha1.EvidenceReported})
	onStage(t, []client.Object{keyStore("bao"), secret("token"), encryptionKey("kek", "bao")}, answers{"kek": odd}, func(s *stage) {
		var told []string
		for _, f := range s.told("kek").Facts {
			told = append(told, f.Name+"="+f.Value)
		}
		names(s, "facts", told, "algorithm=AES", "usable=true")
	})
}
