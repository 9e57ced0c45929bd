package keys

import (
	"fmt"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// objection is one thing that stands against a key.
type objection struct{ reason, message string }

// objections are what of its requirements a key does not meet, as far as it is known. What nobody can tell does not meet them. Where they say nothing, they ask
// for what the schema gives: AES, 256 bits, generated in the store, and never extractable.
//
// They are told apart by what the person who has to act can do: a key that was imported or hardened later will never be one that could not be
// taken out, while one that can be taken out now may still be hardened.
func objections(r v1alpha1.KeyRequirements, store string, f known) []objection {
	var all []objection
	for _, ask := range []func(v1alpha1.KeyRequirements, string, known) objection{algorithm, length, extractable, public, origin, history} {
		if o := ask(r, store, f); o.reason != "" {
			all = append(all, o)
		}
	}
	return all
}

func algorithm(r v1alpha1.KeyRequirements, store string, f known) objection {
	accepted := []string{string(v1alpha1.AlgorithmAES)}
	if len(r.Algorithms) > 0 {
		accepted = nil
		for _, a := range r.Algorithms {
			accepted = append(accepted, string(a))
		}
		slices.Sort(accepted)
	}
	is, told := f[FactAlgorithm]
	switch {
	case told && slices.Contains(accepted, is.Value), !told && everyAlgorithm(accepted):
		return objection{}
	case !told:
		return objection{ReasonAlgorithmUnknown, fmt.Sprintf("KeyStore/%s does not tell the key's algorithm; to accept any, list AES, ChaCha20, EC and RSA in spec.requirements.algorithms", store)}
	default:
		return objection{ReasonAlgorithmNotAccepted, fmt.Sprintf("its algorithm is %s, and spec.requirements.algorithms accepts %s: use a key of such an algorithm, or accept %[1]s", is.Value, strings.Join(accepted, ", "))}
	}
}

// everyAlgorithm reports whether nothing is asked of the algorithm.
func everyAlgorithm(accepted []string) bool {
	for _, a := range []v1alpha1.KeyAlgorithm{v1alpha1.AlgorithmAES, v1alpha1.AlgorithmRSA, v1alpha1.AlgorithmEC, v1alpha1.AlgorithmChaCha20} {
		if !slices.Contains(accepted, string(a)) {
			return false
		}
	}
	return true
}

func length(r v1alpha1.KeyRequirements, store string, f known) objection {
	const unsaid = 256
	least := int(r.MinBits)
	if least == 0 {
		least = unsaid
	}
	is, told := f[FactBits]
	switch {
	case told && number(is.Value) >= least, !told && least == 1:
		return objection{}
	case !told:
		return objection{ReasonLengthUnknown, fmt.Sprintf("KeyStore/%s does not tell the key's length; to accept any, set spec.requirements.minBits to 1", store)}
	default:
		return objection{ReasonTooShort, fmt.Sprintf("it has %s bits, and spec.requirements.minBits asks for %d: use a longer key, or ask for less", is.Value, least)}
	}
}

// extractable asks whether the key can leave its store now.
func extractable(r v1alpha1.KeyRequirements, store string, f known) objection {
	switch {
	case r.Extractable == v1alpha1.ExtractableAllowed, f.is(FactNonExtractable):
		return objection{}
	case f.isNot(FactNonExtractable):
		return objection{ReasonExtractable, "it can be taken out of its store: generate a key that cannot (sensitive and not extractable), or set spec.requirements.extractable to Allowed"}
	default:
		return objection{ReasonExtractabilityUnknown, fmt.Sprintf("KeyStore/%s does not tell whether the key can be taken out; to accept that, set spec.requirements.extractable to Allowed", store)}
	}
}

// public asks whether anybody who reaches the store sees the key, without logging in. Stores that do not know the distinction do not tell.
func public(r v1alpha1.KeyRequirements, _ string, f known) objection {
	if r.Extractable == v1alpha1.ExtractableAllowed || !f.isNot(FactPrivate) {
		return objection{}
	}
	return objection{ReasonPublic, "whoever reaches the token can use it without logging in: generate a private key object (pkcs11-tool: --private), or set spec.requirements.extractable to Allowed"}
}

func origin(r v1alpha1.KeyRequirements, store string, f known) objection {
	is, told := f[FactOrigin]
	switch {
	case r.Origin == v1alpha1.OriginAny, told && is.Value == OriginGenerated:
		return objection{}
	case !told:
		return objection{ReasonOriginUnknown, fmt.Sprintf("KeyStore/%s does not tell where the key was made; to accept any origin, set spec.requirements.origin to Any", store)}
	default:
		change := "spec.requirements.origin to Any"
		if !ignoresHistory(r) && !f.is(FactNeverExtractable) {
			change += " and spec.requirements.extractable to ForbiddenNow"
		}
		return objection{ReasonImported, "it was imported, so it once was outside of its store: generate a key there, or set " + change}
	}
}

// history asks whether the key could ever leave its store. A key that can now needs no history, and of one that was imported, where that is
// not accepted, it is told already.
func history(r v1alpha1.KeyRequirements, store string, f known) objection {
	imported := f[FactOrigin].Value == OriginImported
	switch {
	case ignoresHistory(r), f.is(FactNeverExtractable), !f.is(FactNonExtractable), imported && r.Origin != v1alpha1.OriginAny:
		return objection{}
	case imported:
		return objection{ReasonImported, "it was imported, so a copy may exist outside of its store: generate a key there, or set spec.requirements.extractable to ForbiddenNow"}
	case f.isNot(FactNeverExtractable):
		return objection{ReasonHardenedLater, "it cannot be taken out of its store now, but once could, so a copy may exist: generate a key that never could, or set spec.requirements.extractable to ForbiddenNow"}
	default:
		return objection{ReasonHistoryUnknown, fmt.Sprintf("KeyStore/%s does not tell whether the key could once be taken out; to accept that it cannot now, set spec.requirements.extractable to ForbiddenNow", store)}
	}
}

// ignoresHistory says that nothing is asked of whether the key could once leave its store.
func ignoresHistory(r v1alpha1.KeyRequirements) bool {
	return r.Extractable == v1alpha1.ExtractableAllowed || r.Extractable == v1alpha1.ExtractableForbiddenNow
}
