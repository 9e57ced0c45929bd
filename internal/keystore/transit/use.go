package transit

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strconv"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// The law of using a key.
//
// A few random bytes are encrypted and decrypted, or signed and verified. If they come back the key is usable; if the engine refuses to, or
// others come back, it is not. A token that may not use the key proves nothing. A server that does not answer has not answered for the key.

// use uses a key. It gives the fact, if there is one, and what there is to say of it; or else what is wrong with the server.
func (p *prober) use(ctx context.Context, name string, d description) ([]keystore.Fact, string, *keystore.Sighting) {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // it never fails
	text := base64.StdEncoding.EncodeToString(random)
	var a answer
	var same bool
	var err error
	switch {
	case d.SupportsEncrypt && d.SupportsDecrypt:
		a, same, err = p.encrypt(ctx, name, text, d.Derived)
	case d.SupportsSignings:
		a, same, err = p.sign(ctx, name, text, d.Derived)
	default:
		return nil, "keys of this type can neither encrypt nor sign, so it was not used", nil
	}
	if err != nil {
		trouble := unanswered(err)
		return nil, "", &trouble
	}
	return p.used(ctx, a, same)
}

// used says what the last answer means.
func (p *prober) used(ctx context.Context, a answer, same bool) ([]keystore.Fact, string, *keystore.Sighting) {
	switch a.status {
	case http.StatusOK:
		if same {
			return usable(true), "", nil
		}
		return usable(false), "the engine gave back something else than what was encrypted or signed", nil
	case http.StatusForbidden:
		return nil, "the token may not use the key, so whether it can be used is not known", nil
	case http.StatusBadRequest:
		return usable(false), "the engine refuses to use the key", nil
	default:
		trouble := p.sick(ctx, a.status)
		return nil, "", &trouble
	}
}

func usable(is bool) []keystore.Fact {
	return []keystore.Fact{{Name: keys.FactUsable, Value: strconv.FormatBool(is), Evidence: v1alpha1.EvidenceTested}}
}

// question is what the engine is asked; what is empty is left out.
type question struct {
	Plaintext  string `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Input      string `json:"input,omitempty"`
	Signature  string `json:"signature,omitempty"`
	Context    string `json:"context,omitempty"`
}

// contextOf is what a derived key is derived with.
func contextOf(derived bool) string {
	if !derived {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte("terroir.dev/probe"))
}

func (p *prober) encrypt(ctx context.Context, name, text string, derived bool) (answer, bool, error) {
	var told question
	a, err := p.server.post(ctx, question{Plaintext: text, Context: contextOf(derived)}, &told, p.path("encrypt", name)...)
	if err != nil || a.status != http.StatusOK {
		return a, false, err
	}
	var back question
	a, err = p.server.post(ctx, question{Ciphertext: told.Ciphertext, Context: contextOf(derived)}, &back, p.path("decrypt", name)...)
	return a, back.Plaintext == text && told.Ciphertext != text, err
}

func (p *prober) sign(ctx context.Context, name, text string, derived bool) (answer, bool, error) {
	var told question
	a, err := p.server.post(ctx, question{Input: text, Context: contextOf(derived)}, &told, p.path("sign", name)...)
	if err != nil || a.status != http.StatusOK {
		return a, false, err
	}
	var verdict struct {
		Valid bool `json:"valid"`
	}
	a, err = p.server.post(ctx, question{Input: text, Signature: told.Signature, Context: contextOf(derived)}, &verdict, p.path("verify", name)...)
	return a, verdict.Valid, err
}
