//go:build cgo

package pkcs11

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// A fingerprint is the SHA-256 digest of something that the key alone brings forth, so that a key made anew with the same label, id and attributes has another:
//
//   - of a pair, the public key, which is public;
//   - of a secret key, a block that nobody else uses, encrypted. Who knows the digest can tell whether a key that he holds already is this one, and that is all: the
//     digest gives back no ciphertext, a cipher's output for a known block gives back no key, and the block is not one that data would be encrypted under;
//   - of a secret key that may not encrypt, its check value (CKA_CHECK_VALUE), which vendors print on key ceremonies' forms, with its unique id if it has one. Three bytes
//     tell keys apart by accident, not against somebody who tries sixteen million of them;
//   - or else its unique id (CKA_UNIQUE_ID), which tokens do not use twice.
//
// A fallback is taken only where the token says that the better one is not allowed or not there, and never because something failed: a fingerprint that changes
// says that a key was replaced. To forbid a key to encrypt changes it, and waits for a person as a replacement does.
const fingerprintDomain = "terroir.dev/key-fingerprint/v1"

// fingerprint tells a key from its successors; empty if nothing does.
func (s *session) fingerprint(f found, a attributes) (string, error) {
	switch {
	case f.class == pkcs11.CKO_PRIVATE_KEY && len(a.modulus) > 0:
		return digest("RSA", a.modulus, a.exponent), nil
	case f.class == pkcs11.CKO_PRIVATE_KEY && len(a.point) > 0:
		return digest("EC", a.curve, a.point), nil
	case f.class == pkcs11.CKO_SECRET_KEY && a.typed && a.keyType == pkcs11.CKK_AES:
		block, err := s.checkBlock(f.key)
		if err != nil {
			return "", err
		}
		if len(block) > 0 {
			return digest("AES", block), nil
		}
	}
	if len(a.checkValue) > 0 || len(a.uniqueID) > 0 {
		return digest("other", a.checkValue, a.uniqueID), nil
	}
	return "", nil
}

// digest separates its parts by their lengths, and its uses by kind.
func digest(kind string, parts ...[]byte) string {
	h := sha256.New()
	for _, part := range append([][]byte{[]byte(fingerprintDomain), []byte(kind)}, parts...) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// checkBlock encrypts the block that is encrypted for nothing else; empty if the key may not. The first block of CBC from a zero vector is that of ECB, so that
// which of them the token allows makes no difference.
func (s *session) checkBlock(key pkcs11.ObjectHandle) ([]byte, error) {
	const size = 16
	whole := sha256.Sum256([]byte(fingerprintDomain))
	for _, m := range []*pkcs11.Mechanism{
		pkcs11.NewMechanism(pkcs11.CKM_AES_ECB, nil),
		pkcs11.NewMechanism(pkcs11.CKM_AES_CBC, make([]byte, size)),
		pkcs11.NewMechanism(pkcs11.CKM_AES_CBC_PAD, make([]byte, size)),
	} {
		block, err := s.encrypt(m, key, whole[:size])
		switch {
		case isForbidden(err):
			continue
		case err != nil:
			return nil, err
		case len(block) < size:
			return nil, failed(v1alpha1.OutcomeUnreachable, "C_Encrypt gave less than a block")
		}
		return block[:size], nil
	}
	return nil, nil
}

// isForbidden reports whether a token says that a key is not for that, or that it does not do that. Nothing failed then.
func isForbidden(err error) bool {
	return isOneOf(err, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED, pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID,
		pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_FUNCTION_NOT_SUPPORTED)
}
