package kmip

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/payloads"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// The law of what an answer means.
//
// Item Not Found, for the key's own identifier and in so many words, is NotFound. Permission Denied is Forbidden: some servers say with it
// that they know no such key, and it takes nothing away. Authentication that is not successful is Unauthenticated. Every other refusal, an
// answer that cannot be understood, and silence are Unreachable: they say nothing of the key.

const (
	username = "username"
	password = "password"
)

// prober asks one server over one connection, which it opens when it is needed, and anew after it failed.
type prober struct {
	server server
	conn   *conn
	// prints remembers fingerprints that are made of digests, by unique identifier: making one is slow on purpose.
	prints map[string]printed
	// notes remember what there was to say of the last use of a key: it is said until the next, so that a message changes only when its cause does.
	notes map[string]string
}

var (
	_ keystore.Opener = Open
	_ keystore.Prober = (*prober)(nil)
)

// Open makes the prober of a KMIP store.
func Open(store keystore.Store) (keystore.Prober, error) {
	spec := store.Spec.KMIP
	if spec == nil {
		return nil, errors.New("spec.kmip is missing: it says at which server the keys are")
	}
	if store.Spec.TLS == nil || store.Spec.TLS.ClientSecretRef == nil {
		return nil, errors.New("spec.tls.clientSecretRef is missing: KMIP servers know their clients by certificate")
	}
	host, _, err := net.SplitHostPort(spec.Endpoint)
	if err != nil {
		return nil, errors.New("spec.kmip.endpoint is not a host and a port")
	}
	if spec.ServerName != "" {
		host = spec.ServerName
	}
	config, err := keystore.TLS(store.Spec.TLS, store.Credentials, host)
	if err != nil {
		return nil, err
	}
	credentials, err := authentication(store)
	if err != nil {
		return nil, err
	}
	return &prober{server: server{address: spec.Endpoint, config: config, credentials: credentials}, prints: map[string]printed{}, notes: map[string]string{}}, nil
}

// authentication is what the server may ask beside the certificate.
func authentication(store keystore.Store) (*kmip.Authentication, error) {
	if store.Spec.CredentialsSecretRef == nil {
		return nil, nil
	}
	data := store.Credentials.Secret
	if len(data[username]) == 0 {
		return nil, fmt.Errorf("the Secret %s of credentialsSecretRef has no key %s", store.Spec.CredentialsSecretRef.Name, username)
	}
	return &kmip.Authentication{Credential: kmip.Credential{
		CredentialType:  kmip.CredentialTypeUsernameAndPassword,
		CredentialValue: kmip.CredentialValue{UserPassword: &kmip.CredentialValueUserPassword{Username: string(data[username]), Password: string(data[password])}},
	}}, nil
}

// Probe looks at one key.
func (p *prober) Probe(ctx context.Context, key keystore.Key) keystore.Sighting {
	if key.Ref.KMIP == nil {
		return keystore.Sighting{Outcome: v1alpha1.OutcomeMisconfigured, Message: "spec.ref.kmip is missing: it says which key of the server it is"}
	}
	id := key.Ref.KMIP.UniqueID
	seen, err := p.look(ctx, id)
	if err != nil {
		return unseen(err)
	}
	sighting := p.sight(id, seen)
	switch {
	case sighting.Outcome != v1alpha1.OutcomeFound || !seen.usable():
		return sighting
	case !key.RoundTrip:
		return use{message: p.notes[id]}.addTo(sighting)
	}
	use, err := p.use(ctx, id, seen)
	if err != nil {
		return unseen(err)
	}
	p.notes[id] = use.message
	return use.addTo(sighting)
}

// sight says what the attributes of a key come to.
func (p *prober) sight(id string, seen attributes) keystore.Sighting {
	if word := seen.destroyed(); word != "" {
		return keystore.Sighting{Outcome: v1alpha1.OutcomeDestroyed, Message: word}
	}
	sighting := keystore.Sighting{Outcome: v1alpha1.OutcomeFound, Fingerprint: p.fingerprint(id, seen)}
	switch {
	case !seen.key():
		sighting.Message = fmt.Sprintf("the server says that this is a %s: only a symmetric key or a private key protects anything", seen.kind())
		return sighting
	case sighting.Fingerprint == "":
		sighting.Message = "the server tells neither the key's digest nor its initial date: nothing would tell it from another key under the same identifier"
	}
	sighting.Facts = seen.facts()
	return sighting
}

// Close ends the connection.
func (p *prober) Close() error {
	if p.conn == nil {
		return nil
	}
	err := p.conn.Close()
	p.conn = nil
	return err
}

// look asks for the attributes of the key.
func (p *prober) look(ctx context.Context, id string) (attributes, error) {
	answer, err := ask[*payloads.GetAttributesResponsePayload](ctx, p, func(version kmip.ProtocolVersion) kmip.OperationPayload {
		return &payloads.GetAttributesRequestPayload{UniqueIdentifier: id, AttributeName: asked(version)}
	})
	if err != nil {
		return attributes{}, err
	}
	return read(id, answer)
}

// ask asks the server one thing, over the connection that there is. One that was idle may be gone, which its first use tells; then a new one is opened, once.
func ask[Answer kmip.OperationPayload](ctx context.Context, p *prober, question func(kmip.ProtocolVersion) kmip.OperationPayload) (Answer, error) {
	idle := p.conn != nil
	answer, err := askOnce[Answer](ctx, p, question)
	if idle && ended(err) {
		return askOnce[Answer](ctx, p, question)
	}
	return answer, err
}

func askOnce[Answer kmip.OperationPayload](ctx context.Context, p *prober, question func(kmip.ProtocolVersion) kmip.OperationPayload) (Answer, error) {
	var none Answer
	if p.conn == nil {
		c, err := p.server.connect(ctx)
		if err != nil {
			return none, err
		}
		p.conn = c
	}
	answer, err := exchange[Answer](ctx, p.conn, question(p.conn.version))
	if err != nil && !errors.As(err, new(refusal)) {
		_ = p.Close()
	}
	return answer, err
}

// unseen says what came of asking when nothing was seen.
func unseen(err error) keystore.Sighting {
	var r refusal
	switch {
	case errors.As(err, &r):
		return refused(r)
	case errors.Is(err, errGarbage), errors.Is(err, errOversized), errors.Is(err, errVersion):
		return keystore.Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: err.Error()}
	}
	return keystore.Unanswered(err)
}

func refused(r refusal) keystore.Sighting {
	switch r.reason {
	case kmip.ResultReasonItemNotFound:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeNotFound, Message: "the server has no key of this unique identifier"}
	case kmip.ResultReasonPermissionDenied:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeForbidden, Message: "the server has no key of this unique identifier, or does not let the client see it: it must be allowed Get Attributes"}
	case kmip.ResultReasonAuthenticationNotSuccessful, kmip.ResultReasonAttestationRequired, kmip.ResultReasonAttestationFailed:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: r.Error()}
	default:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: r.Error()}
	}
}
