//go:build cgo

package pkcs11

import (
	"context"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// session is a read-only session with a token. Nothing that is done in it can change the token.
type session struct {
	module  *module
	binding *pkcs11.Ctx
	handle  pkcs11.SessionHandle
	slot    uint
	// token is the token's serial number and label.
	token string
	// login is the login that the session shares; nil: it is not logged in.
	login *login
	// hardware says that the slot calls itself hardware. That it does not says nothing: many that are do not.
	hardware bool
}

// open opens a session with the one token that fits.
func open(m *module, spec v1alpha1.PKCS11Store) (*session, error) {
	slot, token, err := slotOf(m.binding, spec)
	if err != nil {
		return nil, err
	}
	info, err := m.binding.GetSlotInfo(slot)
	if err != nil {
		return nil, during("C_GetSlotInfo", err)
	}
	handle, err := m.binding.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		return nil, during("C_OpenSession", err)
	}
	return &session{module: m, binding: m.binding, handle: handle, slot: slot, token: token, hardware: info.Flags&pkcs11.CKF_HW_SLOT != 0}, nil
}

// close ends the session. With the last one of a process its login ends.
func (s *session) close() {
	// A session that cannot be closed is lost already.
	_ = s.binding.CloseSession(s.handle)
	if s.login != nil {
		s.module.left(s.slot, s.login)
	}
}

// alive reports whether the session is there still, and logged in.
func (s *session) alive() bool {
	info, err := s.binding.GetSessionInfo(s.handle)
	return err == nil && info.State == pkcs11.CKS_RO_USER_FUNCTIONS
}

func (s *session) joins(l *login) {
	l.sessions++
	s.login = l
}

// slotOf finds the token. A module that shows none that fits is one that cannot reach it, as network HSMs do: nobody can tell.
func slotOf(binding *pkcs11.Ctx, spec v1alpha1.PKCS11Store) (slot uint, token string, err error) {
	slots, err := binding.GetSlotList(true)
	if err != nil {
		return 0, "", during("C_GetSlotList", err)
	}
	fitting := 0
	for _, candidate := range slots {
		info, err := binding.GetTokenInfo(candidate)
		if err == nil && fits(info, spec) {
			slot, token = candidate, trimmed(info.SerialNumber)+"/"+trimmed(info.Label)
			fitting++
		}
	}
	switch fitting {
	case 0:
		return 0, "", failed(v1alpha1.OutcomeUnreachable, "the module shows no token with %s", described(spec))
	case 1:
		return slot, token, nil
	default:
		return 0, "", failed(v1alpha1.OutcomeMisconfigured, "two tokens fit %s: give tokenLabel and tokenSerial, so that one does", described(spec))
	}
}

func fits(info pkcs11.TokenInfo, spec v1alpha1.PKCS11Store) bool {
	return info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0 &&
		(spec.TokenLabel == "" || trimmed(info.Label) == trimmed(spec.TokenLabel)) &&
		(spec.TokenSerial == "" || trimmed(info.SerialNumber) == trimmed(spec.TokenSerial))
}

// trimmed is a padded field without its padding: blanks, by the standard, and zeros where a vendor did not read it.
func trimmed(s string) string { return strings.TrimRight(s, " \x00") }

func described(spec v1alpha1.PKCS11Store) string {
	switch {
	case spec.TokenSerial == "":
		return fmt.Sprintf("label %q", spec.TokenLabel)
	case spec.TokenLabel == "":
		return fmt.Sprintf("serial number %q", spec.TokenSerial)
	default:
		return fmt.Sprintf("label %q and serial number %q", spec.TokenLabel, spec.TokenSerial)
	}
}

// look looks at a key. An error means that nobody can tell.
func (s *session) look(ctx context.Context, key keystore.Key) (keystore.Sighting, error) {
	f, err := s.find(*key.Ref.PKCS11)
	if err != nil {
		return keystore.Sighting{}, err
	}
	if f.outcome != v1alpha1.OutcomeFound {
		return keystore.Sighting{Outcome: f.outcome, Message: f.message}, nil
	}
	if err := late(ctx); err != nil {
		return keystore.Sighting{}, err
	}
	a, err := s.attributes(f)
	if err != nil {
		return keystore.Sighting{}, err
	}
	facts, err := a.facts()
	if err != nil {
		return keystore.Sighting{}, err
	}
	if err := late(ctx); err != nil {
		return keystore.Sighting{}, err
	}
	sighting := keystore.Sighting{Outcome: v1alpha1.OutcomeFound, Facts: append(facts, s.protection()...)}
	if sighting.Fingerprint, err = s.fingerprint(f, a); err != nil {
		return keystore.Sighting{}, err
	}
	if sighting.Fingerprint == "" {
		sighting.Message = "nothing tells this key from one that takes its place: a secret key must be allowed to encrypt (CKA_ENCRYPT), of a pair the public key must be there"
	}
	if !key.RoundTrip {
		return sighting, nil
	}
	if err := late(ctx); err != nil {
		return keystore.Sighting{}, err
	}
	usable, err := s.roundTrip(f, a)
	sighting.Facts = append(sighting.Facts, usable...)
	return sighting, err
}
