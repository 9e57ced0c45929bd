package transit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// The law of what an answer means.
//
// 404 with an empty list of errors is the engine's way of saying that it has no such key: NotFound. That no engine is mounted there is Misconfigured, since a
// path may be mistyped; any other 404 may be a load balancer's. 403 is Forbidden, unless the server says in so many words that the token is none:
// Unauthenticated. All else, sealed and standby servers among it, is Unreachable, and says nothing of the key.

const token = "token"

// prober asks one mount.
type prober struct {
	server *server
	mount  []string
	// notes remember what there was to say of the last use of a key: it is said until the next, so that a message changes only when its cause does.
	notes map[string]string
}

var (
	_ keystore.Opener = Open
	_ keystore.Prober = (*prober)(nil)
)

// Open makes the prober of a Transit store.
func Open(store keystore.Store) (keystore.Prober, error) {
	spec := store.Spec.Transit
	if spec == nil {
		return nil, errors.New("spec.transit is missing: it says at which mount the keys are")
	}
	base, err := url.Parse(spec.Address)
	if err != nil || base.Scheme != "https" || base.Hostname() == "" {
		return nil, errors.New("spec.transit.address is not an https address")
	}
	config, err := keystore.TLS(store.Spec.TLS, store.Credentials, base.Hostname())
	if err != nil {
		return nil, err
	}
	secret, err := tokenOf(store)
	if err != nil {
		return nil, err
	}
	mount := spec.Mount
	if mount == "" {
		mount = "transit"
	}
	return &prober{server: newServer(base, config, spec.Namespace, secret), mount: strings.Split(mount, "/"), notes: map[string]string{}}, nil
}

// tokenOf reads the token. A line end behind it is forgiven; of what else is wrong with it nothing is quoted.
func tokenOf(store keystore.Store) (string, error) {
	if store.Spec.CredentialsSecretRef == nil {
		return "", errors.New("spec.credentialsSecretRef is missing: it names the Secret whose key token holds a token")
	}
	name := store.Spec.CredentialsSecretRef.Name
	text := strings.TrimSpace(string(store.Credentials.Secret[token]))
	if text == "" {
		return "", fmt.Errorf("the Secret %s of credentialsSecretRef has no key %s", name, token)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("key %s of the Secret %s holds characters that no token has", token, name)
	}
	return text, nil
}

// Close implements [keystore.Prober].
func (p *prober) Close() error {
	p.server.close()
	return nil
}

// Probe implements [keystore.Prober].
func (p *prober) Probe(ctx context.Context, key keystore.Key) keystore.Sighting {
	if key.Ref.Transit == nil {
		return keystore.Sighting{Outcome: v1alpha1.OutcomeMisconfigured, Message: "spec.ref.transit is missing: it says which key of the mount it is"}
	}
	name := key.Ref.Transit.Key
	a, err := p.server.get(ctx, p.path("keys", name)...)
	if err != nil {
		return unanswered(err)
	}
	if a.status != http.StatusOK {
		return p.refusal(ctx, a)
	}
	var read description
	if err := a.read(&read); err != nil || !read.complete() {
		return unanswered(errNoAnswer)
	}
	s := keystore.Sighting{Outcome: v1alpha1.OutcomeFound, Fingerprint: read.fingerprint(p.mount, name), Facts: read.facts(), Message: p.notes[name]}
	if !key.RoundTrip {
		return s
	}
	usable, note, trouble := p.use(ctx, name, read)
	if trouble != nil {
		return *trouble
	}
	p.notes[name], s.Message = note, note
	s.Facts = append(s.Facts, usable...)
	return s
}

func (p *prober) path(action, key string) []string {
	return append(append([]string{}, p.mount...), action, url.PathEscape(key))
}

// refusal is what an answer means that is not the key.
func (p *prober) refusal(ctx context.Context, a answer) keystore.Sighting {
	switch {
	case a.status == http.StatusNotFound && a.body != nil && a.body.Errors != nil && len(a.body.Errors) == 0:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeNotFound, Message: "the engine has no key of that name"}
	case a.status == http.StatusNotFound && a.says("no handler for route"):
		return keystore.Sighting{Outcome: v1alpha1.OutcomeMisconfigured, Message: "no engine is mounted at " + strings.Join(p.mount, "/")}
	case a.status == http.StatusForbidden:
		return p.forbidden(ctx)
	default:
		return p.sick(ctx, a.status)
	}
}

// says reports whether one of the errors holds these words.
func (a answer) says(words ...string) bool {
	if a.body == nil {
		return false
	}
	for _, e := range a.body.Errors {
		for _, w := range words {
			if strings.Contains(e, w) {
				return true
			}
		}
	}
	return false
}

// forbidden tells a token that is none from one that may not read the key. The server answers 403 to both.
func (p *prober) forbidden(ctx context.Context) keystore.Sighting {
	self, err := p.server.get(ctx, "auth", "token", "lookup-self")
	switch {
	case err != nil:
		return unanswered(err)
	case self.status == http.StatusOK:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeForbidden, Message: "the token may not read the key"}
	case self.status == http.StatusForbidden && self.says("invalid token", "bad token"):
		return keystore.Sighting{Outcome: v1alpha1.OutcomeUnauthenticated, Message: "the server does not take the token: it is wrong, has expired, or was revoked"}
	case self.status == http.StatusForbidden:
		return keystore.Sighting{Outcome: v1alpha1.OutcomeForbidden, Message: "the token may not read the key, and may not look itself up: it may have expired"}
	default:
		return p.sick(ctx, self.status)
	}
}

// sick says what is wrong with a server that answers, and with something else than was asked for.
func (p *prober) sick(ctx context.Context, status int) keystore.Sighting {
	health, err := p.server.get(ctx, "sys", "health")
	if err != nil {
		return unanswered(err)
	}
	words := map[int]string{
		http.StatusTooManyRequests: "the server is on standby", 472: "the server is a disaster recovery secondary", 473: "the server is on standby",
		http.StatusNotImplemented: "the server is not initialised", http.StatusServiceUnavailable: "the server is sealed",
	}
	if word := words[health.status]; word != "" {
		return silent(word)
	}
	return silent(fmt.Sprintf("the server answered with status %d", status))
}

// unanswered is the sighting of a server that could not be asked, or whose answer is none.
func unanswered(err error) keystore.Sighting {
	switch {
	case errors.Is(err, errRedirect):
		return silent("the server points to another host, which is not followed: spec.transit.address should be that of the active server, or of what stands before all of them")
	case errors.Is(err, errTooLong):
		return silent("the server's answer is longer than 1 MiB")
	case errors.Is(err, errNoAnswer):
		return silent("the server's answer is not one of a transit engine")
	default:
		return keystore.Unanswered(err)
	}
}

func silent(message string) keystore.Sighting {
	return keystore.Sighting{Outcome: v1alpha1.OutcomeUnreachable, Message: message}
}
