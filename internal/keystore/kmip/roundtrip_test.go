package kmip_test

import (
	"testing"

	kmipgo "github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

func TestUsingASymmetricKey(t *testing.T) {
	refuse := func(op kmipgo.Operation, reason kmipgo.ResultReason) func(*vault) {
		return func(v *vault) {
			v.encrypts(kmipgo.BlockCipherModeCBC)
			if op == kmipgo.OperationEncrypt {
				operation(v, op, func(q *payloads.EncryptRequestPayload) string { return q.UniqueIdentifier }, func(*object, *payloads.EncryptRequestPayload) (*payloads.EncryptResponsePayload, error) {
					return nil, kmipserver.Errorf(reason, "no")
				})
				return
			}
			operation(v, op, func(q *payloads.DecryptRequestPayload) string { return q.UniqueIdentifier }, func(*object, *payloads.DecryptRequestPayload) (*payloads.DecryptResponsePayload, error) {
				return nil, kmipserver.Errorf(reason, "no")
			})
		}
	}
	mask := func(m kmipgo.CryptographicUsageMask) func(*vault) {
		return func(v *vault) {
			v.encrypts(kmipgo.BlockCipherModeCBC)
			v.change(func() { v.objects["kek"].set("Cryptographic Usage Mask", m) })
		}
	}
	tests := map[string]struct {
		setUp   func(*vault)
		want    string
		message string
	}{
		"a server that encrypts in CBC":                {func(v *vault) { v.encrypts(kmipgo.BlockCipherModeCBC) }, "true/Tested", ""},
		"a server that encrypts in GCM alone":          {func(v *vault) { v.encrypts(kmipgo.BlockCipherModeGCM) }, "true/Tested", ""},
		"a server that encrypts in no mode known here": {func(v *vault) { v.encrypts(kmipgo.BlockCipherModeXTS) }, "true/Reported", "Encrypt with InvalidField"},
		"a server that only keeps keys":                {func(*vault) {}, "true/Reported", "Encrypt with OperationNotSupported"},
		"encryption is not permitted":                  {refuse(kmipgo.OperationEncrypt, kmipgo.ResultReasonPermissionDenied), "true/Reported", "Encrypt with PermissionDenied"},
		"decryption is not permitted":                  {refuse(kmipgo.OperationDecrypt, kmipgo.ResultReasonPermissionDenied), "true/Reported", "Decrypt with PermissionDenied"},
		"decryption fails":                             {refuse(kmipgo.OperationDecrypt, kmipgo.ResultReasonCryptographicFailure), "false/Tested", "Decrypt with CryptographicFailure"},
		"another key decrypts": {func(v *vault) {
			v.encrypts(kmipgo.BlockCipherModeCBC)
			operation(v, kmipgo.OperationDecrypt, func(q *payloads.DecryptRequestPayload) string { return q.UniqueIdentifier }, func(_ *object, q *payloads.DecryptRequestPayload) (*payloads.DecryptResponsePayload, error) {
				return &payloads.DecryptResponsePayload{UniqueIdentifier: q.UniqueIdentifier, Data: make([]byte, 32)}, nil
			})
		}, "false/Tested", "does not decrypt"},
		"a server that hands back what it was given": {func(v *vault) {
			operation(v, kmipgo.OperationEncrypt, func(q *payloads.EncryptRequestPayload) string { return q.UniqueIdentifier }, func(_ *object, q *payloads.EncryptRequestPayload) (*payloads.EncryptResponsePayload, error) {
				return &payloads.EncryptResponsePayload{UniqueIdentifier: q.UniqueIdentifier, Data: q.Data}, nil
			})
			operation(v, kmipgo.OperationDecrypt, func(q *payloads.DecryptRequestPayload) string { return q.UniqueIdentifier }, func(_ *object, q *payloads.DecryptRequestPayload) (*payloads.DecryptResponsePayload, error) {
				return &payloads.DecryptResponsePayload{UniqueIdentifier: q.UniqueIdentifier, Data: q.Data}, nil
			})
		}, "false/Tested", "does not decrypt"},
		"a key that only wraps":          {mask(kmipgo.CryptographicUsageWrapKey | kmipgo.CryptographicUsageUnwrapKey), "true/Reported", "does not let it both encrypt and decrypt"},
		"a key that only encrypts":       {mask(kmipgo.CryptographicUsageEncrypt), "false/Reported", "does not let it both encrypt and decrypt"},
		"a key that does nothing":        {mask(0), "false/Reported", "does not let it both encrypt and decrypt"},
		"a key whose mask nobody tells":  {func(v *vault) { v.change(func() { v.objects["kek"].set("Cryptographic Usage Mask", nil) }) }, "", "does not tell both"},
		"a key whose state nobody tells": {func(v *vault) { v.change(func() { v.objects["kek"].set("State", nil) }) }, "", "does not tell both"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.keep("kek", whole()...)
			test.setUp(v)
			s := open(t, v.store(t)).Probe(t.Context(), used("kek"))
			outcome(t, s, v1alpha1.OutcomeFound, test.message)
			if got := fact(s, keys.FactUsable); got != test.want {
				t.Errorf("usable is %q, want %q (%s)", got, test.want, s.Message)
			}
		})
	}
}

// TestGCMIsTriedWhereItsTagHasAPlace: without its tag nothing decrypts, which would be held against the key.
func TestGCMIsTriedWhereItsTagHasAPlace(t *testing.T) {
	tests := map[string]struct {
		version kmipgo.ProtocolVersion
		refuses kmipgo.ResultReason
		want    string
	}{
		"a server of 1.4 that calls other modes invalid":              {kmipgo.V1_4, kmipgo.ResultReasonInvalidField, "true/Tested"},
		"a server of 1.4 that calls other modes a failure":            {kmipgo.V1_4, kmipgo.ResultReasonCryptographicFailure, "true/Tested"},
		"a server of 1.3, which has no place for the tag":             {kmipgo.V1_3, kmipgo.ResultReasonInvalidField, "true/Reported"},
		"a server of 1.3 whose cryptography fails in all other modes": {kmipgo.V1_3, kmipgo.ResultReasonCryptographicFailure, "false/Tested"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.executor.SetSupportedProtocolVersions(test.version)
			v.encrypts(kmipgo.BlockCipherModeGCM)
			v.refuses = test.refuses
			v.keep("kek", whole()...)
			s := open(t, v.store(t)).Probe(t.Context(), used("kek"))
			if got := fact(s, keys.FactUsable); got != test.want {
				t.Errorf("usable is %q, want %q (%s)", got, test.want, s.Message)
			}
		})
	}
}

// TestAServerThatIsTooBusyToUseAKey says nothing of it: an HSM behind the server may be gone for a moment, and what was known of the key is known still.
func TestAServerThatIsTooBusyToUseAKey(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	operation(v, kmipgo.OperationEncrypt, func(q *payloads.EncryptRequestPayload) string { return q.UniqueIdentifier }, func(*object, *payloads.EncryptRequestPayload) (*payloads.EncryptResponsePayload, error) {
		return nil, kmipserver.Errorf(kmipgo.ResultReasonGeneralFailure, "busy")
	})
	outcome(t, open(t, v.store(t)).Probe(t.Context(), used("kek")), v1alpha1.OutcomeUnreachable, "Encrypt with GeneralFailure")
}

// TestWhatIsSaidOfAUseStaysUntilTheNext: an observation is written whenever its message changes.
func TestWhatIsSaidOfAUseStaysUntilTheNext(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	prober := open(t, v.store(t))
	first := prober.Probe(t.Context(), used("kek"))
	outcome(t, first, v1alpha1.OutcomeFound, "OperationNotSupported")
	if then := prober.Probe(t.Context(), key("kek")); then.Message != first.Message {
		t.Errorf("it said %q, and then %q", first.Message, then.Message)
	}
	v.encrypts(kmipgo.BlockCipherModeCBC)
	for _, k := range []keystore.Key{used("kek"), key("kek")} {
		if s := prober.Probe(t.Context(), k); s.Message != "" {
			t.Errorf("it says %q still", s.Message)
		}
	}
}

func TestAKeyIsUsedOnlyIfThatIsAskedFor(t *testing.T) {
	v := newVault(t)
	v.encrypts(kmipgo.BlockCipherModeCBC)
	v.keep("kek", whole()...)
	s := open(t, v.store(t)).Probe(t.Context(), key("kek"))
	if got := fact(s, keys.FactUsable); got != "" {
		t.Errorf("usable is %q", got)
	}
}

// TestAServerThatIsGoneWhileItUsesAKey says nothing of the key, though it had answered what the key is.
func TestAServerThatIsGoneWhileItUsesAKey(t *testing.T) {
	v := newVault(t)
	v.keep("kek", whole()...)
	operation(v, kmipgo.OperationEncrypt, func(q *payloads.EncryptRequestPayload) string { return q.UniqueIdentifier }, func(*object, *payloads.EncryptRequestPayload) (*payloads.EncryptResponsePayload, error) {
		for _, c := range v.conns {
			c.Close()
		}
		return nil, kmipserver.ErrPermissionDenied
	})
	outcome(t, open(t, v.store(t)).Probe(t.Context(), used("kek")), v1alpha1.OutcomeUnreachable, "ended the connection")
}

func TestUsingAPrivateKey(t *testing.T) {
	signature := []byte("signed")
	signs := func(verdict kmipgo.ValidityIndicator) func(*vault) {
		return func(v *vault) {
			operation(v, kmipgo.OperationSign, func(q *payloads.SignRequestPayload) string { return q.UniqueIdentifier }, func(_ *object, q *payloads.SignRequestPayload) (*payloads.SignResponsePayload, error) {
				return &payloads.SignResponsePayload{UniqueIdentifier: q.UniqueIdentifier, SignatureData: append(signature, q.Data...)}, nil
			})
			operation(v, kmipgo.OperationSignatureVerify, func(q *payloads.SignatureVerifyRequestPayload) string { return q.UniqueIdentifier }, func(_ *object, q *payloads.SignatureVerifyRequestPayload) (*payloads.SignatureVerifyResponsePayload, error) {
				if q.UniqueIdentifier != "public" || string(q.SignatureData) != string(signature)+string(q.Data) {
					return nil, kmipserver.ErrInvalidField
				}
				return &payloads.SignatureVerifyResponsePayload{UniqueIdentifier: q.UniqueIdentifier, ValidityIndicator: verdict}, nil
			})
		}
	}
	tests := map[string]struct {
		setUp   func(*vault)
		want    string
		message string
	}{
		"what it signs is valid":      {signs(kmipgo.ValidityIndicatorValid), "true/Tested", ""},
		"what it signs is not valid":  {signs(kmipgo.ValidityIndicatorInvalid), "false/Tested", "does not decrypt or verify"},
		"nobody can tell":             {signs(kmipgo.ValidityIndicatorUnknown), "false/Tested", "does not decrypt or verify"},
		"a server that does not sign": {func(*vault) {}, "true/Reported", "Sign with OperationNotSupported"},
		"a key without its other half": {func(v *vault) {
			signs(kmipgo.ValidityIndicatorValid)(v)
			v.change(func() { v.objects["kek"].set("Link", nil) })
		}, "true/Reported", "does not tell which public key"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := newVault(t)
			v.keep("public")
			v.keep("kek", whole()...)
			v.change(func() {
				o := v.objects["kek"]
				o.set("Object Type", kmipgo.ObjectTypePrivateKey)
				o.set("Cryptographic Algorithm", kmipgo.CryptographicAlgorithmRSA)
				o.set("Cryptographic Usage Mask", kmipgo.CryptographicUsageSign)
				o.set("Link", kmipgo.Link{LinkType: kmipgo.LinkTypePublicKeyLink, LinkedObjectIdentifier: "public"})
			})
			test.setUp(v)
			s := open(t, v.store(t)).Probe(t.Context(), used("kek"))
			outcome(t, s, v1alpha1.OutcomeFound, test.message)
			if got := fact(s, keys.FactUsable); got != test.want {
				t.Errorf("usable is %q, want %q (%s)", got, test.want, s.Message)
			}
		})
	}
}
