//go:build cgo

package pkcs11

import (
	"bytes"
	"context"
	"crypto/hmac"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// pinKey is the key of a store's Secret that holds the PIN of the token's user.
const pinKey = "pin"

// Wrong PINs lock a token, for everybody, and on some of them for ever. So:
//
//   - a PIN is tried only if the latch agrees, which it does once for each version of the Secret until that was accepted;
//   - it is not tried if the token says that the user's PIN is locked, or that the next wrong one locks it, whatever the latch thinks;
//   - that the token counts a failure already is told to the latch. It is no reason to refuse a version that was never tried: the failure
//     may be the one for which the Secret was mended, and a token that takes one more wrong PIN does not say "final try";
//   - the latch is told of an answer only if the token judged the PIN. After any other error it is left as it is, at Trying: the token may have counted or
//     not, and whether somebody may try again is the latch's to say;
//   - sessions of one process share their login. Where another store is logged in to the same token, this one's PIN is not tried but compared: the same PIN is as
//     good as accepted, and another one is neither tried nor believed;
//   - a PIN that a token refused is not tried again by this process, whichever store has it and whatever becomes of the Secret around it: ten stores do not cost
//     ten tries, nor does somebody who labels the Secret.

// login logs the token's user in.
func (p *prober) login(ctx context.Context) error {
	pin, err := p.pin()
	if err != nil {
		return err
	}
	defer clear(pin)
	s := p.session
	info, err := s.binding.GetSessionInfo(s.handle)
	if err != nil {
		return during("C_GetSessionInfo", err)
	}
	switch info.State {
	case pkcs11.CKS_RO_PUBLIC_SESSION:
		return p.try(ctx, pin)
	case pkcs11.CKS_RO_USER_FUNCTIONS:
		return p.share(ctx, pin)
	default:
		return failed(v1alpha1.OutcomeUnreachable, "the session is in a state that it was not opened in")
	}
}

// share joins the login of another store.
func (p *prober) share(ctx context.Context, pin []byte) error {
	s := p.session
	login := s.module.logins[s.slot]
	if login == nil || !hmac.Equal(login.pin, s.module.digest(pin)) {
		return failed(v1alpha1.OutcomeMisconfigured, "another KeyStore of this agent is logged in to the same token with another PIN: a token has one user, and one PIN")
	}
	if err := p.enter(ctx, false); err != nil {
		return err
	}
	p.tell(ctx, true)
	s.joins(login)
	return nil
}

// try tries the PIN.
func (p *prober) try(ctx context.Context, pin []byte) error {
	s := p.session
	attempt := s.module.digest([]byte(s.token), pin)
	countLow, err := s.tries()
	if err != nil {
		return err
	}
	if err := p.enter(ctx, countLow); err != nil {
		return err
	}
	if s.module.refused[string(attempt)] {
		p.tell(ctx, false)
		return failed(v1alpha1.OutcomeUnauthenticated, "the token has refused this PIN before: it is not tried again until another one stands in the Secret, or the agent is started anew")
	}
	digest := s.module.digest(pin)
	answer := s.module.native.login(s.handle, pin)
	switch {
	case answer == nil:
		s.joins(s.module.loggedIn(s.slot, digest))
		p.tell(ctx, true)
		return nil
	case isOneOf(answer, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LOCKED):
		s.module.refused[string(attempt)] = true
		p.tell(ctx, false)
		return failed(v1alpha1.OutcomeUnauthenticated, "the token does not take the PIN (%v): it is not tried again until the Secret is changed", answer)
	default:
		return failed(v1alpha1.OutcomeUnauthenticated, "the token did not judge the PIN (%v)", answer)
	}
}

// enter asks the latch, unless whoever wanted to know has gone.
func (p *prober) enter(ctx context.Context, countLow bool) error {
	p.turn.mutex.Lock()
	defer p.turn.mutex.Unlock()
	if p.turn.over {
		return failed(v1alpha1.OutcomeUnreachable, "the PIN was not tried in time")
	}
	if err := p.store.Latch.Enter(ctx, countLow); err != nil {
		return failed(v1alpha1.OutcomeUnauthenticated, "%s", err.Error())
	}
	return nil
}

// pin is a copy of the PIN, without the newline at its end that editors put there.
func (p *prober) pin() ([]byte, error) {
	pin := bytes.TrimSuffix(p.store.Credentials.Secret[pinKey], []byte("\n"))
	if len(pin) == 0 {
		return nil, failed(v1alpha1.OutcomeMisconfigured, "the Secret that credentialsSecretRef names has no key %q with the PIN of the token's user", pinKey)
	}
	return bytes.Clone(pin), nil
}

// tries looks whether a PIN may be tried, and whether the token counts a failure since the last good login.
func (s *session) tries() (countLow bool, err error) {
	info, err := s.binding.GetTokenInfo(s.slot)
	if err != nil {
		return false, during("C_GetTokenInfo", err)
	}
	return judgedTries(info.Flags)
}

// judgedTries reads a token's flags.
func judgedTries(flags uint) (countLow bool, err error) {
	switch {
	case flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0:
		return false, failed(v1alpha1.OutcomeUnauthenticated, "the token's user has no PIN yet: its security officer has to set one")
	case flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return false, failed(v1alpha1.OutcomeUnauthenticated, "the token has locked its user's PIN: its security officer has to set a new one")
	case flags&pkcs11.CKF_USER_PIN_FINAL_TRY != 0:
		return false, failed(v1alpha1.OutcomeUnauthenticated, "one more wrong PIN locks the token, so none is tried: log in by hand with the right one, which sets its count back")
	}
	return flags&pkcs11.CKF_USER_PIN_COUNT_LOW != 0, nil
}
