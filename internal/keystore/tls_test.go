package keystore_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
)

// server is a TLS server that asks for a client's certificate, and says one byte to whoever has one.
func server(t *testing.T, config *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{1})
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

// visit connects, and reads the server's byte: a server of TLS 1.3 refuses a certificate only after the client takes the handshake to be done.
func visit(t *testing.T, address string, config *tls.Config) error {
	t.Helper()
	conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

func TestWhomToBelieveAndAsWhomToGo(t *testing.T) {
	ours, theirs := certtest.New(t), certtest.New(t)
	at, client := ours.Server(t, "kmip.example"), ours.Client(t, "terroir")
	ref := func(name string) *v1alpha1.SecretReference {
		return &v1alpha1.SecretReference{Name: v1alpha1.ObjectName(name)}
	}
	spec := func(pins ...v1alpha1.SPKIPin) *v1alpha1.KeyStoreTLS {
		return &v1alpha1.KeyStoreTLS{CASecretRef: ref("ca"), ClientSecretRef: ref("client"), SPKIPins: pins}
	}
	good := keystore.Credentials{CA: ours.Secret(), Client: client.Secret()}
	tests := map[string]struct {
		spec        *v1alpha1.KeyStoreTLS
		credentials keystore.Credentials
		name        string
		max         uint16 // the server's highest version; 0: the newest
		outcome     v1alpha1.ProbeOutcome
		message     string
	}{
		"a server that our authority vouches for":                      {spec: spec(), credentials: good, name: "kmip.example"},
		"the same over TLS 1.2":                                        {spec: spec(), credentials: good, name: "kmip.example", max: tls.VersionTLS12},
		"its key is the pinned one":                                    {spec: spec(at.Pin(t)), credentials: good, name: "kmip.example"},
		"its key is one of two pinned ones":                            {spec: spec(client.Pin(t), at.Pin(t)), credentials: good, name: "kmip.example"},
		"another key is pinned":                                        {spec: spec(client.Pin(t)), credentials: good, name: "kmip.example", outcome: v1alpha1.OutcomeUnreachable, message: "none of tls.spkiPins"},
		"a pin does not make up for an authority":                      {spec: spec(at.Pin(t)), credentials: keystore.Credentials{CA: theirs.Secret(), Client: client.Secret()}, name: "kmip.example", outcome: v1alpha1.OutcomeUnreachable, message: "no authority"},
		"a pin does not make up for a name":                            {spec: spec(at.Pin(t)), credentials: good, name: "other.example", outcome: v1alpha1.OutcomeUnreachable, message: "another name"},
		"another authority":                                            {spec: spec(), credentials: keystore.Credentials{CA: theirs.Secret(), Client: client.Secret()}, name: "kmip.example", outcome: v1alpha1.OutcomeUnreachable, message: "no authority"},
		"no authority named: the operating system's, and not ours":     {spec: nil, credentials: good, name: "kmip.example", outcome: v1alpha1.OutcomeUnreachable, message: "no authority"},
		"a client whom another authority vouches for":                  {spec: spec(), credentials: keystore.Credentials{CA: ours.Secret(), Client: theirs.Client(t, "terroir").Secret()}, name: "kmip.example", outcome: v1alpha1.OutcomeUnauthenticated, message: "does not take the client's certificate"},
		"a client whom another authority vouches for, over TLS 1.2":    {spec: spec(), credentials: keystore.Credentials{CA: ours.Secret(), Client: theirs.Client(t, "terroir").Secret()}, name: "kmip.example", max: tls.VersionTLS12, outcome: v1alpha1.OutcomeUnauthenticated, message: "does not take the client's certificate"},
		"no certificate at a server that wants one":                    {spec: &v1alpha1.KeyStoreTLS{CASecretRef: ref("ca")}, credentials: good, name: "kmip.example", outcome: v1alpha1.OutcomeUnauthenticated, message: "does not take the client's certificate"},
		"a server below TLS 1.2, which the client does not go down to": {spec: spec(), credentials: good, name: "kmip.example", max: tls.VersionTLS11, outcome: v1alpha1.OutcomeUnreachable, message: "ended the handshake (protocol version not supported)"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address := server(t, &tls.Config{
				Certificates: []tls.Certificate{at.TLS(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ours.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: test.max,
			})
			config, err := keystore.TLS(test.spec, test.credentials, test.name)
			if err != nil {
				t.Fatalf("TLS: %v", err)
			}
			err = visit(t, address, config)
			if (err == nil) != (test.outcome == "") {
				t.Fatalf("connecting gave %v", err)
			}
			if err == nil {
				return
			}
			if got := keystore.Unanswered(err); got.Outcome != test.outcome || !strings.Contains(got.Message, test.message) {
				t.Errorf("%v became %s: %s\nwant %s: …%s…", err, got.Outcome, got.Message, test.outcome, test.message)
			}
		})
	}
}

func TestMalformedTLSIsSaidInWordsThatMayBeShown(t *testing.T) {
	authority := certtest.New(t)
	client, other := authority.Client(t, "terroir"), authority.Client(t, "other")
	ca, identity := &v1alpha1.SecretReference{Name: "ca"}, &v1alpha1.SecretReference{Name: "client"}
	tests := map[string]struct {
		spec        v1alpha1.KeyStoreTLS
		credentials keystore.Credentials
		want        string
	}{
		"the Secret of the authority is not there": {
			spec: v1alpha1.KeyStoreTLS{CASecretRef: ca}, want: "the Secret ca of tls.caSecretRef has no key ca.crt",
		},
		"the Secret of the authority is empty": {
			spec: v1alpha1.KeyStoreTLS{CASecretRef: ca}, credentials: keystore.Credentials{CA: map[string][]byte{"ca.crt": {}}}, want: "key ca.crt of the Secret ca holds no certificate in PEM",
		},
		"the authority is a key": {
			spec: v1alpha1.KeyStoreTLS{CASecretRef: ca}, credentials: keystore.Credentials{CA: map[string][]byte{"ca.crt": client.Key}}, want: "key ca.crt of the Secret ca holds no certificate in PEM",
		},
		"the client has no key": {
			spec: v1alpha1.KeyStoreTLS{ClientSecretRef: identity}, credentials: keystore.Credentials{Client: map[string][]byte{"tls.crt": client.Certificate}}, want: "the Secret client of tls.clientSecretRef has no key tls.key",
		},
		"the client has no certificate": {
			spec: v1alpha1.KeyStoreTLS{ClientSecretRef: identity}, credentials: keystore.Credentials{Client: map[string][]byte{"tls.key": client.Key}}, want: "the Secret client of tls.clientSecretRef has no key tls.crt",
		},
		"the client's key is somebody else's": {
			spec: v1alpha1.KeyStoreTLS{ClientSecretRef: identity}, credentials: keystore.Credentials{Client: map[string][]byte{"tls.crt": client.Certificate, "tls.key": other.Key}},
			want: "keys tls.crt and tls.key of the Secret client are not a certificate and its key in PEM",
		},
		"the client's key and certificate are exchanged": {
			spec: v1alpha1.KeyStoreTLS{ClientSecretRef: identity}, credentials: keystore.Credentials{Client: map[string][]byte{"tls.crt": client.Key, "tls.key": client.Certificate}},
			want: "keys tls.crt and tls.key of the Secret client are not a certificate and its key in PEM",
		},
		"a pin without its algorithm": {
			spec: v1alpha1.KeyStoreTLS{SPKIPins: []v1alpha1.SPKIPin{"AAAA"}}, want: `tls.spkiPins: "AAAA" is not sha256/ and the digest of a public key in base64`,
		},
		"a pin that is too short": {
			spec: v1alpha1.KeyStoreTLS{SPKIPins: []v1alpha1.SPKIPin{"sha256/AAAA"}}, want: `tls.spkiPins: "sha256/AAAA" is not sha256/ and the digest of a public key in base64`,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config, err := keystore.TLS(&test.spec, test.credentials, "kmip.example")
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v\nwant %s", err, test.want)
			}
			if config != nil {
				t.Error("there is a configuration beside the error")
			}
		})
	}
}

// TestSilenceIsTheSameForTheSameCause: an observation is written whenever its message changes, so no port and no address may be in it.
func TestSilenceIsTheSameForTheSameCause(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	closed.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	t.Cleanup(func() { plain.Close() })
	go func() {
		for {
			conn, err := plain.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
			conn.Close()
		}
	}()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	dial := func(ctx context.Context, address string) error {
		conn, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", address)
		if err == nil {
			conn.Close()
			return errors.New("it could be reached")
		}
		return err
	}
	tests := map[string]struct {
		err  error
		want string
	}{
		"nothing listens":          {dial(t.Context(), closed.Addr().String()), "nothing listens at the server's address"},
		"no such name":             {dial(t.Context(), "kmip.invalid:5696"), "the name of the server cannot be resolved"},
		"it speaks no TLS":         {dial(t.Context(), plain.Addr().String()), "the server does not speak TLS"},
		"the time is over":         {context.DeadlineExceeded, "the server did not answer in time"},
		"the caller's is over":     {dial(over, closed.Addr().String()), "the server cannot be reached"},
		"something never heard of": {errors.New("read tcp 127.0.0.1:40001->127.0.0.1:5696: no such luck"), "the server cannot be reached"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := keystore.Unanswered(test.err); got.Outcome != v1alpha1.OutcomeUnreachable || got.Message != test.want {
				t.Errorf("%v became %s: %s\nwant %s", test.err, got.Outcome, got.Message, test.want)
			}
		})
	}
}
