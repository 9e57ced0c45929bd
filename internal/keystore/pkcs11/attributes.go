//go:build cgo

package pkcs11

import (
	"errors"
	"unsafe"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// readable is an attribute that is read. None of them holds anything of a secret key, or of the private half of a pair.
type readable uint

// What is read of keys.
const (
	attributeID               readable = pkcs11.CKA_ID
	attributeKeyType          readable = pkcs11.CKA_KEY_TYPE
	attributeSensitive        readable = pkcs11.CKA_SENSITIVE
	attributeAlwaysSensitive  readable = pkcs11.CKA_ALWAYS_SENSITIVE
	attributeExtractable      readable = pkcs11.CKA_EXTRACTABLE
	attributeNeverExtractable readable = pkcs11.CKA_NEVER_EXTRACTABLE
	attributeLocal            readable = pkcs11.CKA_LOCAL
	attributePrivate          readable = pkcs11.CKA_PRIVATE
	attributeEncrypt          readable = pkcs11.CKA_ENCRYPT
	attributeSign             readable = pkcs11.CKA_SIGN
	attributeEachTime         readable = pkcs11.CKA_ALWAYS_AUTHENTICATE
	attributeStart            readable = pkcs11.CKA_START_DATE
	attributeEnd              readable = pkcs11.CKA_END_DATE
	attributeValueLength      readable = pkcs11.CKA_VALUE_LEN
	attributeCheckValue       readable = pkcs11.CKA_CHECK_VALUE
	attributeModulus          readable = pkcs11.CKA_MODULUS
	attributeExponent         readable = pkcs11.CKA_PUBLIC_EXPONENT
	attributeCurve            readable = pkcs11.CKA_EC_PARAMS
	attributePoint            readable = pkcs11.CKA_EC_POINT
	attributeUniqueID         readable = 0x4 // CKA_UNIQUE_ID of version 3.0
)

// secret is an attribute that holds a key. Its length is asked for, which a token that keeps the key does not tell; it is never read.
type secret uint

// What keys are kept in.
const (
	secretValue    secret = pkcs11.CKA_VALUE
	secretExponent secret = pkcs11.CKA_PRIVATE_EXPONENT
)

// tristate is what a token says to a question that it need not answer.
type tristate int

// The zero tristate is no answer.
const (
	untold tristate = iota
	no
	yes
)

// attributes are what a token tells of a key. They are asked for one by one: one that a token does not know would make it refuse them all.
type attributes struct {
	class   uint
	keyType uint
	typed   bool // the token told keyType

	sensitive, alwaysSensitive, extractable, neverExtractable tristate
	local, private, encrypt, sign, eachTime                   tristate

	start, end  []byte
	valueLength uint // in bytes; 0: untold
	modulus     []byte
	exponent    []byte
	curve       []byte // an object identifier, in DER
	point       []byte // of the public half
	checkValue  []byte
	uniqueID    []byte

	// refused is whether the token refuses to give the key's value.
	refused tristate
}

// attributes reads those of a key.
func (s *session) attributes(f found) (attributes, error) {
	r := reader{session: s, object: f.key}
	a := attributes{
		class:     f.class,
		sensitive: r.truth(attributeSensitive), alwaysSensitive: r.truth(attributeAlwaysSensitive),
		extractable: r.truth(attributeExtractable), neverExtractable: r.truth(attributeNeverExtractable),
		local: r.truth(attributeLocal), private: r.truth(attributePrivate),
		encrypt: r.truth(attributeEncrypt), sign: r.truth(attributeSign), eachTime: r.truth(attributeEachTime),
		start: r.bytes(attributeStart), end: r.bytes(attributeEnd),
		uniqueID: r.bytes(attributeUniqueID),
	}
	a.keyType, a.typed = r.number(attributeKeyType)
	held := secretValue
	switch {
	case f.class == pkcs11.CKO_SECRET_KEY:
		a.valueLength, _ = r.number(attributeValueLength)
		a.checkValue = r.bytes(attributeCheckValue)
	case a.keyType == pkcs11.CKK_RSA:
		held = secretExponent
		a.modulus, a.exponent = r.bytes(attributeModulus), r.bytes(attributeExponent)
	default:
		a.curve, a.point = r.bytes(attributeCurve), r.bytes(attributePoint)
	}
	a.refused = r.refuses(held)
	if r.err == nil && f.hasPublic && len(a.point) == 0 {
		public := reader{session: s, object: f.public}
		a.point, r.err = public.bytes(attributePoint), public.err
	}
	return a, r.err
}

// reader reads attributes of one object, until something goes wrong.
type reader struct {
	session *session
	object  pkcs11.ObjectHandle
	err     error
}

// bytes is an attribute's value; empty if the token does not tell.
func (r *reader) bytes(attribute readable) []byte {
	if r.err != nil {
		return nil
	}
	value, err := r.session.attribute(r.object, attribute)
	r.failed(uint(attribute), err)
	return value
}

// failed tells a token that cannot tell something of one key, which is that key's affair, from one that is lost, which is every key's.
func (r *reader) failed(attribute uint, err error) {
	switch {
	case err == nil:
	case r.session.alive():
		r.err = failed(v1alpha1.OutcomeMisconfigured, "the token cannot tell attribute 0x%x of this key, so nobody knows what the key is: %v", attribute, err)
	default:
		r.err = failed(v1alpha1.OutcomeUnreachable, "C_GetAttributeValue failed: %v", err)
	}
}

// truth is that of a CK_BBOOL.
func (r *reader) truth(attribute readable) tristate {
	value := r.bytes(attribute)
	switch {
	case len(value) != 1:
		return untold
	case value[0] == 0: // CK_FALSE
		return no
	default:
		return yes
	}
}

// number is that of a CK_ULONG, which has the size and the order of bytes of the machine.
func (r *reader) number(attribute readable) (uint, bool) {
	value := r.bytes(attribute)
	var n uint
	if len(value) != int(unsafe.Sizeof(n)) {
		return 0, false
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&n)), len(value)), value)
	return n, true
}

// refuses asks how long what is secret is. A token that keeps it does not even say that.
func (r *reader) refuses(held secret) tristate {
	if r.err != nil {
		return untold
	}
	length, err := r.session.module.native.length(r.session.handle, r.object, uint(held))
	switch {
	case isOneOf(err, pkcs11.CKR_ATTRIBUTE_SENSITIVE):
		return yes
	case err == nil && length > 0:
		return no
	case err == nil || isUntold(err):
		return untold
	default:
		r.failed(uint(held), err)
		return untold
	}
}

// attribute reads one; empty if the token does not tell.
func (s *session) attribute(object pkcs11.ObjectHandle, attribute readable) ([]byte, error) {
	value, err := s.module.native.value(s.handle, object, attribute)
	if err != nil && isUntold(err) {
		return nil, nil
	}
	return value, err
}

// isUntold reports whether an error says that an attribute is not there, or is not told.
func isUntold(err error) bool {
	return errors.Is(err, errUnavailable) || isOneOf(err, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_SENSITIVE, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID)
}
