//go:build cgo

package pkcs11

import (
	"encoding/asn1"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// facts are what attributes say of a key. What the token does not tell is no fact. The error says that it tells something that cannot be understood, and
// that could be against the key.
func (a attributes) facts() ([]keystore.Fact, error) {
	var all []keystore.Fact
	add := func(name, value string, evidence v1alpha1.KeyEvidence) {
		if value != "" {
			all = append(all, keystore.Fact{Name: name, Value: value, Evidence: evidence})
		}
	}
	add(keys.FactAlgorithm, a.algorithm(), v1alpha1.EvidenceReported)
	if bits := a.bits(); bits > 0 {
		add(keys.FactBits, strconv.Itoa(bits), v1alpha1.EvidenceReported)
	}
	now, evidence := a.nonExtractable()
	add(keys.FactNonExtractable, now.String(), evidence)
	ever, evidence := a.neverWas()
	add(keys.FactNeverExtractable, ever.String(), evidence)
	add(keys.FactOrigin, a.origin(), v1alpha1.EvidenceReported)
	add(keys.FactPrivate, a.private.String(), v1alpha1.EvidenceReported)
	start, err := day(a.start)
	if err != nil {
		return nil, failed(v1alpha1.OutcomeMisconfigured, "the key's CKA_START_DATE cannot be read: %v", err)
	}
	end, err := day(a.end)
	if err != nil {
		return nil, failed(v1alpha1.OutcomeMisconfigured, "the key's CKA_END_DATE cannot be read: %v", err)
	}
	if !start.IsZero() {
		add(keys.FactNotBefore, start.Format(time.RFC3339), v1alpha1.EvidenceReported)
	}
	if !end.IsZero() { // the day itself is the last one; a fact's end is exclusive
		add(keys.FactNotAfter, end.AddDate(0, 0, 1).Format(time.RFC3339), v1alpha1.EvidenceReported)
	}
	return all, nil
}

// String is as facts are written; nothing for no answer.
func (t tristate) String() string {
	switch t {
	case yes:
		return "true"
	case no:
		return "false"
	default:
		return ""
	}
}

// both is yes if both are, no if one is not, and no answer if that leaves it open.
func both(a, b tristate) tristate {
	switch {
	case a == no || b == no:
		return no
	case a == yes && b == yes:
		return yes
	default:
		return untold
	}
}

// nonExtractable: the attributes say that the value is kept and may not be wrapped either, and then the token is tried. A refusal confirms what they say; by itself
// it says nothing, since a key whose value is refused may leave wrapped. A value that could be had goes before whatever they say.
func (a attributes) nonExtractable() (tristate, v1alpha1.KeyEvidence) {
	reported := both(a.sensitive, flipped(a.extractable))
	switch {
	case a.refused == no:
		return no, v1alpha1.EvidenceTested
	case a.refused == yes && reported == yes:
		return yes, v1alpha1.EvidenceTested
	default:
		return reported, v1alpha1.EvidenceReported
	}
}

// neverWas says whether the key never could leave its token: what can leave it now is not such a key, whatever its history says.
func (a attributes) neverWas() (tristate, v1alpha1.KeyEvidence) {
	if now, evidence := a.nonExtractable(); now == no {
		return no, evidence
	}
	return both(a.alwaysSensitive, a.neverExtractable), v1alpha1.EvidenceReported
}

func flipped(t tristate) tristate {
	switch t {
	case yes:
		return no
	case no:
		return yes
	default:
		return untold
	}
}

func (a attributes) origin() string {
	switch a.local {
	case yes:
		return keys.OriginGenerated
	case no:
		return keys.OriginImported
	default:
		return ""
	}
}

// Key types of version 3.0 that the binding does not know.
const (
	typeChaCha20   = 0x33
	typeECEdwards  = 0x40
	typeMontgomery = 0x41
)

func (a attributes) algorithm() string {
	if !a.typed {
		return ""
	}
	switch a.keyType {
	case pkcs11.CKK_AES:
		return string(v1alpha1.AlgorithmAES)
	case pkcs11.CKK_RSA:
		return string(v1alpha1.AlgorithmRSA)
	case pkcs11.CKK_EC, typeECEdwards, typeMontgomery:
		return string(v1alpha1.AlgorithmEC)
	case typeChaCha20:
		return string(v1alpha1.AlgorithmChaCha20)
	case pkcs11.CKK_DES3:
		return "DES3"
	case pkcs11.CKK_GENERIC_SECRET:
		return "GenericSecret"
	default:
		return fmt.Sprintf("CKK 0x%x", a.keyType)
	}
}

// bits is the key's length; 0 if nothing tells.
func (a attributes) bits() int {
	const longest = 1 << 20 // in bytes: what is longer is no key
	switch {
	case a.valueLength > 0 && a.valueLength < longest:
		return int(a.valueLength) * 8
	case a.typed && a.keyType == typeChaCha20:
		return 256
	case len(a.modulus) > 0:
		return new(big.Int).SetBytes(a.modulus).BitLen()
	default:
		return curveOf(a.curve).bits
	}
}

// day reads a CK_DATE: eight digits, or nothing. Some vendors write zeros or blanks for nothing. It is the beginning of the day in UTC, since tokens tell no zone.
func day(date []byte) (time.Time, error) {
	text := strings.Trim(string(date), " 0\x00")
	if text == "" {
		return time.Time{}, nil
	}
	if len(date) != len("20060102") {
		return time.Time{}, fmt.Errorf("it has %d bytes", len(date))
	}
	return time.Parse("20060102", string(date))
}

// curve is an elliptic curve.
type curve struct {
	oid  string
	bits int
}

// curves are those whose length is known. Of others no length is told, which meets no requirement.
var curves = []curve{
	{"1.2.840.10045.3.1.7", 256},   // P-256
	{"1.3.132.0.33", 224},          // P-224
	{"1.3.132.0.34", 384},          // P-384
	{"1.3.132.0.35", 521},          // P-521
	{"1.3.132.0.10", 256},          // secp256k1
	{"1.3.36.3.3.2.8.1.1.7", 256},  // brainpoolP256r1
	{"1.3.36.3.3.2.8.1.1.11", 384}, // brainpoolP384r1
	{"1.3.36.3.3.2.8.1.1.13", 512}, // brainpoolP512r1
	{"1.3.101.110", 256},           // X25519
	{"1.3.101.112", 256},           // Ed25519
}

// curveOf reads CKA_EC_PARAMS. The zero curve is one that is not known.
func curveOf(params []byte) curve {
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(params, &oid); err != nil {
		return curve{}
	}
	for _, c := range curves {
		if c.oid == oid.String() {
			return c
		}
	}
	return curve{}
}

// protection is what the slot says of itself, if it says that it is hardware.
func (s *session) protection() []keystore.Fact {
	if !s.hardware {
		return nil
	}
	return []keystore.Fact{{Name: keys.FactProtection, Value: string(v1alpha1.ProtectionHSM), Evidence: v1alpha1.EvidenceReported}}
}
