package kmip

import (
	"strconv"
	"time"

	"github.com/ovh/kmip-go"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// The law of what attributes tell. All of it is Reported: a server that calls a key sensitive may hand it out all the same, and some do.
//
// That a key cannot leave is said by two attributes together, which came with version 1.4: Sensitive, that it does not leave in clear, and
// Extractable, that it leaves not even wrapped. Both must say so; one that says otherwise is enough for false; where nothing says otherwise
// and one is absent, nothing is known.
//
// Nothing tells the origin. Before version 2.0 there is no attribute like PKCS#11's LOCAL: whoever registers a key may set its Original Creation Date as he
// likes, and in OASIS's own test cases that of a key made by the server differs from its Initial Date; Random Number Generator may be
// set by clients too; Fresh only says whether the key was fetched since.
//
// The state goes before dates. Where it is absent, a date of destruction or of compromise speaks for it. A key may protect from the later of its activation
// and its process start, until the earlier of its deactivation and its protect stop: what wraps the keys of volumes must still protect.

// key reports whether the object is one that can protect a volume.
func (a attributes) key() bool {
	return a.objectType == kmip.ObjectTypeSymmetricKey || a.objectType == kmip.ObjectTypePrivateKey
}

// kind is the object's type, in words.
func (a attributes) kind() string {
	if a.objectType == 0 {
		return "thing of no type"
	}
	return nameOf(a.objectType)
}

// destroyed says in which words the server tells that the key is destroyed; "" if it does not.
func (a attributes) destroyed() string {
	switch {
	case a.state == kmip.StateDestroyed:
		return "the server says that the key is destroyed"
	case a.state == kmip.StateDestroyedCompromised:
		return "the server says that the key is destroyed, and was compromised"
	case a.state == 0 && a.destroy != nil:
		return "the server says when the key was destroyed"
	}
	return ""
}

// facts are what is told of a key that is not destroyed.
func (a attributes) facts() []keystore.Fact {
	var facts []keystore.Fact
	report := func(name, value string) {
		if value != "" {
			facts = append(facts, keystore.Fact{Name: name, Value: value, Evidence: v1alpha1.EvidenceReported})
		}
	}
	report(keys.FactAlgorithm, a.algorithmWord())
	if a.bits > 0 {
		report(keys.FactBits, strconv.Itoa(int(a.bits)))
	}
	report(keys.FactState, a.stateWord())
	now := both(a.sensitive, not(a.extractable))
	report(keys.FactNonExtractable, word(now))
	report(keys.FactNeverExtractable, word(never(now, both(a.alwaysSensitive, a.neverExtractable))))
	report(keys.FactNotBefore, moment(later(a.activation, a.processStart)))
	report(keys.FactNotAfter, moment(earlier(a.deactivation, a.protectStop)))
	return facts
}

func (a attributes) algorithmWord() string {
	switch a.algorithm {
	case 0:
		return ""
	case kmip.CryptographicAlgorithmAES:
		return string(v1alpha1.AlgorithmAES)
	case kmip.CryptographicAlgorithmRSA:
		return string(v1alpha1.AlgorithmRSA)
	case kmip.CryptographicAlgorithmEC, kmip.CryptographicAlgorithmECDSA, kmip.CryptographicAlgorithmECDH:
		return string(v1alpha1.AlgorithmEC)
	case kmip.CryptographicAlgorithmChaCha20, kmip.CryptographicAlgorithmChaCha20Poly1305:
		return string(v1alpha1.AlgorithmChaCha20)
	default:
		return nameOf(a.algorithm)
	}
}

// stateWord is "" for a state that is no state of a key.
func (a attributes) stateWord() string {
	switch a.state {
	case kmip.StatePreActive:
		return keys.StatePreActive
	case kmip.StateActive:
		return keys.StateActive
	case kmip.StateDeactivated:
		return keys.StateDeactivated
	case kmip.StateCompromised:
		return keys.StateCompromised
	default: // destroyed, which is an outcome; not said; or a state of the vendor's, which is not taken for an active one
	}
	if a.state == 0 && a.compromise != nil {
		return keys.StateCompromised
	}
	return ""
}

func not(flag *bool) *bool {
	if flag == nil {
		return nil
	}
	return new(!*flag)
}

// both is true if both are, false if one is false, and nil if nobody can tell.
func both(one, other *bool) *bool {
	switch {
	case one != nil && !*one, other != nil && !*other:
		return new(false)
	case one != nil && other != nil:
		return new(true)
	}
	return nil
}

// never is what the history says, unless the key can leave now: then it is no history of a key that never could.
func never(now, history *bool) *bool {
	if now != nil && !*now {
		return now
	}
	return history
}

func word(flag *bool) string {
	if flag == nil {
		return ""
	}
	return strconv.FormatBool(*flag)
}

func later(one, other *time.Time) *time.Time {
	if one == nil || other != nil && other.After(*one) {
		return other
	}
	return one
}

func earlier(one, other *time.Time) *time.Time {
	if one == nil || other != nil && other.Before(*one) {
		return other
	}
	return one
}

// moment is "" for no time. KMIP counts seconds in 64 bits; a year that RFC 3339 cannot say becomes one that it can, as far in the past or the future as matters.
func moment(t *time.Time) string {
	switch {
	case t == nil:
		return ""
	case t.Unix() < 0:
		return time.Unix(0, 0).UTC().Format(time.RFC3339)
	case t.UTC().Year() > 9999:
		return "9999-12-31T23:59:59Z"
	}
	return t.UTC().Format(time.RFC3339)
}
