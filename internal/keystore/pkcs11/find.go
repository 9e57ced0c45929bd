//go:build cgo

package pkcs11

import (
	"encoding/hex"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// found is what was found of a key: the key itself and, of a pair, the public half.
type found struct {
	outcome v1alpha1.ProbeOutcome
	message string

	class     uint // CKO_SECRET_KEY or CKO_PRIVATE_KEY
	key       pkcs11.ObjectHandle
	public    pkcs11.ObjectHandle
	hasPublic bool
}

// find finds a key among those of the token, not those of sessions. One secret or private key must fit, whatever public keys do: a public key alone is not a key
// that protects anything. That there is none is believed only of a session that is logged in still, since private objects are hidden from others.
func (s *session) find(ref v1alpha1.PKCS11Key) (found, error) {
	secret, err := s.objects(pkcs11.CKO_SECRET_KEY, ref)
	if err != nil {
		return found{}, err
	}
	private, err := s.objects(pkcs11.CKO_PRIVATE_KEY, ref)
	if err != nil {
		return found{}, err
	}
	switch len(secret) + len(private) {
	case 0:
		return s.missing()
	case 1:
	default:
		return found{outcome: v1alpha1.OutcomeAmbiguous, message: "several keys of the token fit: give the key a label and an id, so that one does"}, nil
	}
	if len(secret) == 1 {
		return found{outcome: v1alpha1.OutcomeFound, class: pkcs11.CKO_SECRET_KEY, key: secret[0]}, nil
	}
	return s.paired(private[0], ref)
}

func (s *session) missing() (found, error) {
	if !s.alive() {
		return found{}, failed(v1alpha1.OutcomeUnreachable, "the session is not logged in any more")
	}
	return found{outcome: v1alpha1.OutcomeNotFound, message: "the token has no secret or private key that fits"}, nil
}

// paired finds the public half of a private key: the one with the same id or, where the private key has none, that fits the same reference. Two of them
// are as good as none, since neither is surely the key's.
func (s *session) paired(private pkcs11.ObjectHandle, ref v1alpha1.PKCS11Key) (found, error) {
	id, err := s.attribute(private, attributeID)
	if err != nil {
		return found{}, err
	}
	if len(id) > 0 {
		ref = v1alpha1.PKCS11Key{ID: hex.EncodeToString(id)}
	}
	public, err := s.objects(pkcs11.CKO_PUBLIC_KEY, ref)
	if err != nil {
		return found{}, err
	}
	f := found{outcome: v1alpha1.OutcomeFound, class: pkcs11.CKO_PRIVATE_KEY, key: private}
	if len(public) == 1 {
		f.public, f.hasPublic = public[0], true
	}
	return f, nil
}

// objects are the objects of a class that fit: never more than a few, since two are too many already.
func (s *session) objects(class uint, ref v1alpha1.PKCS11Key) ([]pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)}
	if ref.Label != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, ref.Label))
	}
	if ref.ID != "" {
		id, err := hex.DecodeString(ref.ID)
		if err != nil {
			return nil, failed(v1alpha1.OutcomeMisconfigured, "the key's id must be hexadecimal, such as 01")
		}
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	if err := s.binding.FindObjectsInit(s.handle, template); err != nil {
		return nil, during("C_FindObjectsInit", err)
	}
	objects, err := s.next()
	if final := s.binding.FindObjectsFinal(s.handle); err == nil {
		err = final
	}
	return objects, during("C_FindObjects", err)
}

// next reads what a search finds. Some libraries give one object at a time.
func (s *session) next() ([]pkcs11.ObjectHandle, error) {
	const enough = 4
	var all []pkcs11.ObjectHandle
	for len(all) < enough {
		some, _, err := s.binding.FindObjects(s.handle, enough)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			break
		}
		all = append(all, some...)
	}
	return all, nil
}
