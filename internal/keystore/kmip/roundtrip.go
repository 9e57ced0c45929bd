package kmip

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// The law of using a key.
//
// A symmetric key encrypts a few random bytes and decrypts them; a private key signs them, and the public key to which it is linked verifies that. What
// comes back right is usable, Tested; what comes back wrong, or fails in the server's cryptography, is not usable, Tested.
//
// Many servers only keep keys, and on many it is wise not to let Terroir use them: whoever may decrypt with a key encryption key can read what it protects.
// Where the server does not have the operation, does not permit it, or wants parameters that nobody knows here, the key is usable as far as
// its state and its usage mask say so, Reported. After any other refusal nobody can tell, as if the server had not answered.
//
// A key that is not active is not tried: its state says enough. One whose state or usage mask nobody tells is not tried either, and is not usable for all
// that is known.

// use is what came of using a key.
type use struct {
	usable   string // "" if nobody can tell
	evidence v1alpha1.KeyEvidence
	message  string
}

func (u use) addTo(s keystore.Sighting) keystore.Sighting {
	if u.usable != "" {
		s.Facts = append(s.Facts, keystore.Fact{Name: keys.FactUsable, Value: u.usable, Evidence: u.evidence})
	}
	if s.Message == "" {
		s.Message = u.message
	}
	return s
}

func tested(usable bool, message string) use {
	return use{usable: strconv.FormatBool(usable), evidence: v1alpha1.EvidenceTested, message: message}
}

// usable reports whether there is any use in trying the key.
func (a attributes) usable() bool {
	return a.key() && (a.state == kmip.StateActive || a.state == 0)
}

// use uses the key. An error says that nobody can tell.
func (p *prober) use(ctx context.Context, id string, a attributes) (use, error) {
	if a.state != kmip.StateActive || a.usage == nil {
		return use{message: "the key was not used: the server does not tell both its state and its usage mask"}, nil
	}
	try := p.sign
	if a.objectType == kmip.ObjectTypeSymmetricKey {
		try = p.encrypt
	}
	right, err := try(ctx, id, a)
	var r refusal
	switch {
	case errors.As(err, &r):
		return a.untried(r)
	case errors.Is(err, errUntried):
		return a.reported(err.Error()), nil
	case err != nil:
		return use{}, err
	case !right:
		return tested(false, "what the key encrypts or signs, it does not decrypt or verify"), nil
	}
	return tested(true, ""), nil
}

// untried says what a refusal to use the key comes to.
func (a attributes) untried(r refusal) (use, error) {
	switch r.reason {
	case kmip.ResultReasonCryptographicFailure:
		return tested(false, r.Error()), nil
	case kmip.ResultReasonOperationNotSupported, kmip.ResultReasonFeatureNotSupported, kmip.ResultReasonPermissionDenied, kmip.ResultReasonInvalidField, kmip.ResultReasonIllegalOperation:
		return a.reported(fmt.Sprintf("%v: %v", errUntried, r)), nil
	default:
		return use{}, r
	}
}

// reported says of an active key whether its usage mask lets it protect anything.
func (a attributes) reported(message string) use {
	usable := a.may(kmip.CryptographicUsageEncrypt, kmip.CryptographicUsageDecrypt) || a.may(kmip.CryptographicUsageWrapKey, kmip.CryptographicUsageUnwrapKey)
	if a.objectType == kmip.ObjectTypePrivateKey {
		usable = a.may(kmip.CryptographicUsageDecrypt) || a.may(kmip.CryptographicUsageUnwrapKey) || a.may(kmip.CryptographicUsageSign)
	}
	return use{usable: strconv.FormatBool(usable), evidence: v1alpha1.EvidenceReported, message: message}
}

// may reports whether the usage mask has all of these.
func (a attributes) may(uses ...kmip.CryptographicUsageMask) bool {
	for _, u := range uses {
		if *a.usage&u == 0 {
			return false
		}
	}
	return true
}

var errUntried = errors.New("the key was not used, only looked at")

// encrypt encrypts and decrypts, in the first mode that the server takes.
func (p *prober) encrypt(ctx context.Context, id string, a attributes) (bool, error) {
	if !a.may(kmip.CryptographicUsageEncrypt, kmip.CryptographicUsageDecrypt) {
		return false, fmt.Errorf("%w: its usage mask does not let it both encrypt and decrypt", errUntried)
	}
	var refused error
	for _, mode := range p.modes(a) {
		right, err := p.encryptIn(ctx, id, mode)
		if err == nil || !wantsOtherMode(err) {
			return right, err
		}
		if refused == nil || failed(err) {
			refused = err
		}
	}
	return false, refused
}

// mode is a way to encrypt. Its nonce is as long as the mode has it.
type mode struct {
	parameters *kmip.CryptographicParameters
	nonce      int
}

// modes are the ways to try, the commonest first, and the key's own last. Before version 1.4 there is no place for the tag that GCM needs.
func (p *prober) modes(a attributes) []mode {
	own := mode{}
	if a.algorithm != kmip.CryptographicAlgorithmAES {
		return []mode{own}
	}
	cbc := &kmip.CryptographicParameters{BlockCipherMode: kmip.BlockCipherModeCBC, PaddingMethod: kmip.PaddingMethodPKCS5, CryptographicAlgorithm: a.algorithm}
	gcm := &kmip.CryptographicParameters{BlockCipherMode: kmip.BlockCipherModeGCM, CryptographicAlgorithm: a.algorithm, TagLength: 16}
	if p.conn == nil || ttlv.CompareVersions(p.conn.version, kmip.V1_4) < 0 {
		return []mode{{cbc, 16}, own}
	}
	return []mode{{cbc, 16}, {gcm, 12}, own}
}

// wantsOtherMode reports whether this may be how a server takes parameters that it does not want.
func wantsOtherMode(err error) bool {
	var r refusal
	if !errors.As(err, &r) {
		return false
	}
	switch r.reason {
	case kmip.ResultReasonInvalidField, kmip.ResultReasonFeatureNotSupported, kmip.ResultReasonIllegalOperation, kmip.ResultReasonCryptographicFailure:
		return true
	default:
		return false
	}
}

// failed reports whether it was the server's cryptography that failed, which outweighs that it wanted other parameters.
func failed(err error) bool {
	var r refusal
	return errors.As(err, &r) && r.reason == kmip.ResultReasonCryptographicFailure
}

func (p *prober) encryptIn(ctx context.Context, id string, m mode) (bool, error) {
	plain, nonce := make([]byte, 32), make([]byte, m.nonce)
	_, _ = rand.Read(plain) // never fails
	_, _ = rand.Read(nonce)
	sealed, err := ask[*payloads.EncryptResponsePayload](ctx, p, func(kmip.ProtocolVersion) kmip.OperationPayload {
		return &payloads.EncryptRequestPayload{UniqueIdentifier: id, CryptographicParameters: m.parameters, Data: plain, IVCounterNonce: nonce}
	})
	if err != nil {
		return false, err
	}
	if len(sealed.IVCounterNonce) > 0 {
		nonce = sealed.IVCounterNonce
	}
	opened, err := ask[*payloads.DecryptResponsePayload](ctx, p, func(kmip.ProtocolVersion) kmip.OperationPayload {
		return &payloads.DecryptRequestPayload{
			UniqueIdentifier: id, CryptographicParameters: m.parameters, Data: sealed.Data, IVCounterNonce: nonce, AuthenticatedEncryptionTag: sealed.AuthenticatedEncryptionTag,
		}
	})
	if err != nil {
		return false, err
	}
	return bytes.Equal(opened.Data, plain) && !bytes.Contains(sealed.Data, plain), nil
}

// sign signs, and has the public key verify.
func (p *prober) sign(ctx context.Context, id string, a attributes) (bool, error) {
	public := a.public()
	if public == "" || !a.may(kmip.CryptographicUsageSign) {
		return false, fmt.Errorf("%w: it may not sign, or the server does not tell which public key goes with it", errUntried)
	}
	data := make([]byte, 32)
	_, _ = rand.Read(data) // never fails
	parameters := signing(a.algorithm)
	signed, err := ask[*payloads.SignResponsePayload](ctx, p, func(kmip.ProtocolVersion) kmip.OperationPayload {
		return &payloads.SignRequestPayload{UniqueIdentifier: id, CryptographicParameters: parameters, Data: data}
	})
	if err != nil {
		return false, err
	}
	verified, err := ask[*payloads.SignatureVerifyResponsePayload](ctx, p, func(kmip.ProtocolVersion) kmip.OperationPayload {
		return &payloads.SignatureVerifyRequestPayload{UniqueIdentifier: public, CryptographicParameters: parameters, Data: data, SignatureData: signed.SignatureData}
	})
	if err != nil {
		return false, err
	}
	return verified.ValidityIndicator == kmip.ValidityIndicatorValid, nil
}

func signing(algorithm kmip.CryptographicAlgorithm) *kmip.CryptographicParameters {
	parameters := &kmip.CryptographicParameters{HashingAlgorithm: kmip.HashingAlgorithmSHA_256, CryptographicAlgorithm: algorithm}
	if algorithm == kmip.CryptographicAlgorithmRSA {
		parameters.PaddingMethod = kmip.PaddingMethodPSS
	}
	return parameters
}

// public is the identifier of the public key that goes with a private one.
func (a attributes) public() string {
	for _, link := range a.links {
		if link.LinkType == kmip.LinkTypePublicKeyLink {
			return link.LinkedObjectIdentifier
		}
	}
	return ""
}
