//go:build cgo

package pkcs11

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// roundTripDomain begins everything that is encrypted or signed here, so that it can be nothing else.
const roundTripDomain = "terroir.dev/keyprobe/v1"

// gcmTag is how long a tag of GCM is, in bits.
const gcmTag = 128

// roundTrip uses a key: a secret key encrypts and decrypts a few bytes, a private key signs them and what it signed is checked here, by the public key. What cannot be tried
// is no fact: a key that is for other uses (wrapping alone, decryption alone), and one whose every use wants the PIN anew, which is not tried for that.
func (s *session) roundTrip(f found, a attributes) ([]keystore.Fact, error) {
	if a.eachTime == yes {
		return nil, nil
	}
	message := make([]byte, 48) // whole blocks
	copy(message, roundTripDomain)
	if _, err := rand.Read(message[len(roundTripDomain):]); err != nil {
		return nil, fmt.Errorf("making a message: %w", err)
	}
	var worked tristate
	var err error
	switch {
	case a.keyType == pkcs11.CKK_AES && a.encrypt != no:
		worked, err = s.encryptsAndDecrypts(f.key, message)
	case a.keyType == pkcs11.CKK_RSA && a.sign != no:
		worked, err = s.signsRSA(f.key, a, message)
	case a.keyType == pkcs11.CKK_EC && a.sign != no:
		worked, err = s.signsECDSA(f.key, a, message)
	}
	if err != nil || worked == untold {
		return nil, err
	}
	return []keystore.Fact{{Name: keys.FactUsable, Value: worked.String(), Evidence: v1alpha1.EvidenceTested}}, nil
}

// truth makes a tristate of what is known.
func truth(t bool) tristate {
	if t {
		return yes
	}
	return no
}

// encryptsAndDecrypts tries the ways in which a token may let a key be used, until it knows one.
func (s *session) encryptsAndDecrypts(key pkcs11.ObjectHandle, message []byte) (tristate, error) {
	vector := make([]byte, 16)
	if _, err := rand.Read(vector); err != nil {
		return untold, fmt.Errorf("making a vector: %w", err)
	}
	const gcmVector = 12
	gcm := pkcs11.NewGCMParams(vector[:gcmVector], nil, gcmTag)
	defer gcm.Free()
	for _, m := range []*pkcs11.Mechanism{
		pkcs11.NewMechanism(pkcs11.CKM_AES_CBC, vector), pkcs11.NewMechanism(pkcs11.CKM_AES_CBC_PAD, vector), pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, gcm),
	} {
		sealed, err := s.encrypt(m, key, message)
		if isOneOf(err, pkcs11.CKR_MECHANISM_INVALID) {
			continue
		}
		if err != nil {
			return refusal(err)
		}
		opened, err := s.open(m, gcm, key, sealed)
		if err != nil {
			return refusal(err)
		}
		return truth(bytes.Equal(opened, message) && !bytes.Equal(sealed, message)), nil
	}
	return untold, nil
}

// open decrypts what was encrypted by a mechanism. By GCM some tokens take a vector of their own, and write it where the given one was.
func (s *session) open(m *pkcs11.Mechanism, gcm *pkcs11.GCMParams, key pkcs11.ObjectHandle, sealed []byte) ([]byte, error) {
	if m.Mechanism != pkcs11.CKM_AES_GCM {
		return s.decrypt(m, key, sealed)
	}
	own := pkcs11.NewGCMParams(gcm.IV(), nil, gcmTag)
	defer own.Free()
	return s.decrypt(pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, own), key, sealed)
}

// refusal tells a token that does not let a key be used, or with which the key does not work, from one that failed.
func refusal(err error) (tristate, error) {
	if isForbidden(err) || isOneOf(err, pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE) {
		return no, nil
	}
	return untold, err
}

func (s *session) encrypt(m *pkcs11.Mechanism, key pkcs11.ObjectHandle, message []byte) ([]byte, error) {
	if err := s.binding.EncryptInit(s.handle, []*pkcs11.Mechanism{m}, key); err != nil {
		return nil, fmt.Errorf("C_EncryptInit failed: %w", err)
	}
	sealed, err := s.binding.Encrypt(s.handle, message)
	if err != nil {
		return nil, fmt.Errorf("C_Encrypt failed: %w", err)
	}
	return sealed, nil
}

func (s *session) decrypt(m *pkcs11.Mechanism, key pkcs11.ObjectHandle, sealed []byte) ([]byte, error) {
	if err := s.binding.DecryptInit(s.handle, []*pkcs11.Mechanism{m}, key); err != nil {
		return nil, fmt.Errorf("C_DecryptInit failed: %w", err)
	}
	opened, err := s.binding.Decrypt(s.handle, sealed)
	if err != nil {
		return nil, fmt.Errorf("C_Decrypt failed: %w", err)
	}
	return opened, nil
}

func (s *session) sign(mechanism uint, key pkcs11.ObjectHandle, message []byte) ([]byte, error) {
	if err := s.binding.SignInit(s.handle, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, key); err != nil {
		return nil, fmt.Errorf("C_SignInit failed: %w", err)
	}
	signature, err := s.binding.Sign(s.handle, message)
	if err != nil {
		return nil, fmt.Errorf("C_Sign failed: %w", err)
	}
	return signature, nil
}

func (s *session) signsRSA(key pkcs11.ObjectHandle, a attributes, message []byte) (tristate, error) {
	exponent := new(big.Int).SetBytes(a.exponent)
	if len(a.modulus) == 0 || !exponent.IsInt64() || exponent.Int64() >= 1<<31 || exponent.Sign() == 0 {
		return untold, nil
	}
	signature, err := s.sign(pkcs11.CKM_SHA256_RSA_PKCS, key, message)
	if err != nil {
		return refusal(err)
	}
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(a.modulus), E: int(exponent.Int64())}
	digest := sha256.Sum256(message)
	return truth(rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature) == nil), nil
}

func (s *session) signsECDSA(key pkcs11.ObjectHandle, a attributes, message []byte) (tristate, error) {
	public, ok := publicOf(a)
	if !ok {
		return untold, nil
	}
	digest := sha256.Sum256(message)
	signature, err := s.sign(pkcs11.CKM_ECDSA, key, digest[:])
	if err != nil {
		return refusal(err)
	}
	half := len(signature) / 2
	return truth(ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))), nil
}

// publicOf is the public half of a key on one of the curves on which signatures can be checked here.
func publicOf(a attributes) (*ecdsa.PublicKey, bool) {
	named := map[string]elliptic.Curve{
		"1.2.840.10045.3.1.7": elliptic.P256(), "1.3.132.0.33": elliptic.P224(), "1.3.132.0.34": elliptic.P384(), "1.3.132.0.35": elliptic.P521(),
	}
	on, ok := named[curveOf(a.curve).oid]
	if !ok {
		return nil, false
	}
	point := a.point
	var inner []byte // by the standard the point is in an OCTET STRING; not every vendor does that
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	public, err := ecdsa.ParseUncompressedPublicKey(on, point)
	return public, err == nil
}
