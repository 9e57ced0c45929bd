package keystore

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// The law of whom to believe at the other end, and as whom to go there.
//
// The server's certificate must be valid for the name, and vouched for by the authorities in ca.crt, or by the operating system's where the spec
// names none. A Secret that is named and does not hold what it should is an error: falling back to the operating system's authorities
// would believe more servers than were meant. Pins come on top of that and replace nothing: one of them must be the server's own public
// key, not that of an authority above it.

// Keys of the Secrets that spec.tls names.
const (
	caCertificate     = "ca.crt"
	clientCertificate = "tls.crt"
	clientKey         = "tls.key"
)

// errPin is the error of a connection to a server whose certificate is valid, and whose key is none of those that are pinned.
var errPin = errors.New("the server's public key is none of spkiPins")

// TLS says how to connect to the server of this name. spec may be nil: then the operating system says whom to believe. The error says what is
// malformed, in words that may be shown.
func TLS(spec *v1alpha1.KeyStoreTLS, credentials Credentials, serverName string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: serverName}
	if spec == nil {
		return config, nil
	}
	if spec.CASecretRef != nil {
		roots, err := authorities(spec.CASecretRef, credentials.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = roots
	}
	if spec.ClientSecretRef != nil {
		certificate, err := identity(spec.ClientSecretRef, credentials.Client)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	if len(spec.SPKIPins) > 0 {
		pins, err := decodePins(spec.SPKIPins)
		if err != nil {
			return nil, err
		}
		config.VerifyConnection = func(state tls.ConnectionState) error { return checkPins(pins, state) }
	}
	return config, nil
}

func authorities(ref *v1alpha1.SecretReference, data map[string][]byte) (*x509.CertPool, error) {
	pem, ok := data[caCertificate]
	if !ok {
		return nil, fmt.Errorf("the Secret %s of tls.caSecretRef has no key %s", ref.Name, caCertificate)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("key %s of the Secret %s holds no certificate in PEM", caCertificate, ref.Name)
	}
	return pool, nil
}

// identity reads the client's certificate. Its error is in words of our own: no part of a key is ever quoted.
func identity(ref *v1alpha1.SecretReference, data map[string][]byte) (tls.Certificate, error) {
	for _, key := range []string{clientCertificate, clientKey} {
		if len(data[key]) == 0 {
			return tls.Certificate{}, fmt.Errorf("the Secret %s of tls.clientSecretRef has no key %s", ref.Name, key)
		}
	}
	certificate, err := tls.X509KeyPair(data[clientCertificate], data[clientKey])
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("keys %s and %s of the Secret %s are not a certificate and its key in PEM", clientCertificate, clientKey, ref.Name)
	}
	return certificate, nil
}

func decodePins(pins []v1alpha1.SPKIPin) ([][]byte, error) {
	digests := make([][]byte, 0, len(pins))
	for _, pin := range pins {
		text, ok := strings.CutPrefix(string(pin), "sha256/")
		digest, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil || len(digest) != sha256.Size {
			return nil, fmt.Errorf("tls.spkiPins: %q is not sha256/ and the digest of a public key in base64", pin)
		}
		digests = append(digests, digest)
	}
	return digests, nil
}

// checkPins is asked for resumed connections too, unlike tls.Config.VerifyPeerCertificate.
func checkPins(pins [][]byte, state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errPin
	}
	digest := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if slices.ContainsFunc(pins, func(pin []byte) bool { return bytes.Equal(pin, digest[:]) }) {
		return nil
	}
	return errPin
}
