package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Encryption is what is demanded of volumes, by one source or by all together. Every part narrows what is accepted.
type Encryption struct {
	// Keys are the names of the EncryptionKeys that are accepted, sorted. Nil: any. Empty and not nil: demands contradict each other, and none is.
	Keys []string
	// Protection is what must hold key material at least. Empty: it does not matter.
	Protection v1alpha1.KeyProtection
	// Custody says whose the store may be, sorted. Nil: anybody's. Empty and not nil: nobody's.
	Custody []v1alpha1.Custody
	// Evidence says, fact by fact, how well it must be known.
	Evidence Evidence
	// Bindings are the ways in which a key may protect a volume, sorted. Nil: nobody says; [Encryption.Accepted] has the default. Empty and not nil: none.
	Bindings []v1alpha1.VolumeBinding
	// OnRevocation says what becomes of running pods when a key is revoked. Empty: nobody says; then nothing.
	OnRevocation v1alpha1.OnRevocation
}

// Evidence says, fact by fact, how well it must be known at least. Empty: it does not matter how.
type Evidence struct {
	NonExtractable, Origin, Protection, Custody v1alpha1.KeyEvidence
}

// DefaultBindings are those that are accepted where nobody says which, sorted.
func DefaultBindings() []v1alpha1.VolumeBinding {
	return []v1alpha1.VolumeBinding{v1alpha1.BindingNodeEnvelope, v1alpha1.BindingProviderEnvelope}
}

// Accepted are the bindings that satisfy the demand, sorted: what was said, or the default.
func (e *Encryption) Accepted() []v1alpha1.VolumeBinding {
	if e.Bindings == nil {
		return DefaultBindings()
	}
	return e.Bindings
}

// encryptionOf reads what a policy demands of volumes, with the defaults of the API.
func encryptionOf(e *v1alpha1.Encryption) *Encryption {
	if e == nil {
		return nil
	}
	out := &Encryption{
		Custody:      accepted(e.Custody),
		Bindings:     cmpOr(accepted(e.AcceptedBindings), DefaultBindings()),
		Protection:   cmp.Or(e.Protection, v1alpha1.ProtectionHSM),
		OnRevocation: cmp.Or(e.OnRevocation, v1alpha1.OnRevocationReport),
		Evidence: Evidence{
			NonExtractable: cmp.Or(e.Evidence.NonExtractable, v1alpha1.EvidenceReported),
			Origin:         cmp.Or(e.Evidence.Origin, v1alpha1.EvidenceDeclared),
			Protection:     cmp.Or(e.Evidence.Protection, v1alpha1.EvidenceDeclared),
			Custody:        cmp.Or(e.Evidence.Custody, v1alpha1.EvidenceDeclared),
		},
	}
	for _, key := range e.Keys {
		out.Keys = append(out.Keys, string(key))
	}
	out.Keys = accepted(out.Keys)
	return out
}

// accepted is a list of what is accepted, sorted, each once. Where nothing is listed, anything is accepted: nil.
func accepted[T cmp.Ordered](listed []T) []T {
	if len(listed) == 0 {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(listed)))
}

func cmpOr[T any](list, otherwise []T) []T {
	if list == nil {
		return otherwise
	}
	return list
}

// with returns the demand tightened by another.
func (e *Encryption) with(d *Encryption) *Encryption {
	if d == nil {
		return e
	}
	if e == nil {
		e = &Encryption{}
	}
	return &Encryption{
		Keys:       common(e.Keys, d.Keys),
		Protection: stricter(protections(), e.Protection, d.Protection),
		Custody:    common(e.Custody, d.Custody),
		Evidence: Evidence{
			NonExtractable: stricter(evidences(), e.Evidence.NonExtractable, d.Evidence.NonExtractable),
			Origin:         stricter(evidences(), e.Evidence.Origin, d.Evidence.Origin),
			Protection:     stricter(evidences(), e.Evidence.Protection, d.Evidence.Protection),
			Custody:        stricter(evidences(), e.Evidence.Custody, d.Evidence.Custody),
		},
		Bindings:     common(e.Bindings, d.Bindings),
		OnRevocation: stricter(revocations(), e.OnRevocation, d.OnRevocation),
	}
}

// common are the elements of two sorted lists that both accept. A nil list accepts all; where both accept some and share none, the
// result is empty and not nil.
func common[T cmp.Ordered](a, b []T) []T {
	switch {
	case a == nil:
		return slices.Clone(b)
	case b == nil:
		return slices.Clone(a)
	}
	both := []T{}
	for _, x := range a {
		if slices.Contains(b, x) {
			both = append(both, x)
		}
	}
	return both
}

// stricter is the one of two words that comes later in an order from the loosest to the strictest. What is not in the order is looser than all.
func stricter[T comparable](order []T, a, b T) T {
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

func protections() []v1alpha1.KeyProtection {
	return []v1alpha1.KeyProtection{"", v1alpha1.ProtectionSoftware, v1alpha1.ProtectionHSM}
}

func evidences() []v1alpha1.KeyEvidence {
	return []v1alpha1.KeyEvidence{"", v1alpha1.EvidenceDeclared, v1alpha1.EvidenceReported, v1alpha1.EvidenceTested, v1alpha1.EvidenceAttested}
}

func revocations() []v1alpha1.OnRevocation {
	return []v1alpha1.OnRevocation{"", v1alpha1.OnRevocationReport, v1alpha1.OnRevocationEvict}
}

// AtLeast reports whether evidence is as good as what is demanded. Where nothing is demanded, anything is.
func AtLeast(evidence, demanded v1alpha1.KeyEvidence) bool {
	return slices.Index(evidences(), evidence) >= slices.Index(evidences(), demanded)
}

// Holds reports whether a protection is as good as what is demanded. Where nothing is demanded, anything is.
func Holds(protection, demanded v1alpha1.KeyProtection) bool {
	return slices.Index(protections(), protection) >= slices.Index(protections(), demanded)
}

// EncryptionDemandedBy names who demands something of volumes that fits, in the order in which they were merged. fits may be nil: all who do.
func (o Obligation) EncryptionDemandedBy(fits func(*Encryption) bool) []Source {
	var by []Source
	for _, d := range o.Demands {
		if d.Encryption != nil && (fits == nil || fits(d.Encryption)) {
			by = append(by, d.Source)
		}
	}
	return by
}

// contradiction says why no volume can satisfy what is demanded, or nothing.
func (o Obligation) contradiction() string {
	e := o.Encryption
	var what string
	var said func(*Encryption) []string
	switch {
	case e == nil:
		return ""
	case e.Keys != nil && len(e.Keys) == 0:
		what, said = "encryption key", func(d *Encryption) []string { return d.Keys }
	case e.Custody != nil && len(e.Custody) == 0:
		what, said = "custody", func(d *Encryption) []string { return textsOf(d.Custody) }
	case e.Bindings != nil && len(e.Bindings) == 0:
		what, said = "binding", func(d *Encryption) []string { return textsOf(d.Bindings) }
	default:
		return ""
	}
	var told []string
	for _, d := range o.Demands {
		if d.Encryption == nil {
			continue
		}
		if words := said(d.Encryption); words != nil {
			told = append(told, fmt.Sprintf("%s accepts %s", d.Source, strings.Join(words, ", ")))
		}
	}
	return fmt.Sprintf("no %s satisfies all who demand something of volumes: %s; have them accept one in common", what, strings.Join(told, ", and "))
}

func textsOf[T ~string](words []T) []string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return out
}
