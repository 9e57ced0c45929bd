package keys

import (
	"context"
	"crypto/tls"
	"fmt"
	"testing"

	kmipgo "github.com/ovh/kmip-go"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
	"github.com/terroir-dev/terroir/test/kmip"
)

// A KMIP server cannot say where a key was made, which the EncryptionKey does not ask for here.
func TestAKeyOfAKMIPServerIsFollowedToItsEnd(t *testing.T) {
	w := shared
	server := w.kmip(t)
	const id = "7f3a-kmip"
	server.Be(id, kmipgo.StateActive)
	w.create(t, fmt.Sprintf(`
apiVersion: terroir.dev/v1alpha1
kind: KeyStore
metadata: {name: kmip}
spec:
  type: KMIP
  kmip: {endpoint: %q}
  tls: {caSecretRef: {name: kmip-ca}, clientSecretRef: {name: kmip-client}}
  probe: {interval: 2s, roundTripInterval: 2s, timeout: 1500ms}
  declared: {custody: Customer, protection: HSM, zones: {home: [par-1]}}
---
`, server.Endpoint())+key("kmip", "kmip", fmt.Sprintf("kmip: {uniqueID: %s}", id), "requirements: {origin: Any}")+governed("kmip", "keys: [kmip]"))
	k := w.phase(t, "kmip", v1alpha1.PhaseVerified)
	for name, want := range map[string]string{
		"neverExtractable": "true Reported", "state": "Active Reported", "usable": "true Reported", "algorithm": "AES Reported", "origin": "", "protection": "HSM Declared",
	} {
		if got := factOf(k, name); got != want {
			t.Errorf("fact %s is %q; it should be %q", name, got, want)
		}
	}
	w.settled(t, "kmip")
	w.create(t, database("kmip", "kmip"))
	running := w.runs(t, "kmip", "")
	w.shown(t, "kmip")
	server.Be(id, kmipgo.StateDeactivated)
	w.phase(t, "kmip", v1alpha1.PhaseDeactivated)
	w.revoked(t, "kmip")
	w.untouched(t, running)
	w.kill(t, running)
	w.waits(t, "kmip", "kmip", "Deactivated")
}

// kmip starts a server that the operator may ask.
func (w *world) kmip(t *testing.T) *kmip.Server {
	t.Helper()
	authority := certtest.New(t)
	server, err := kmip.Start(&tls.Config{
		Certificates: []tls.Certificate{authority.Server(t, "kmip.example").TLS(t)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(), MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for name, data := range map[string]map[string][]byte{"kmip-ca": authority.Secret(), "kmip-client": authority.Client(t, "terroir").Secret()} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}, Data: data}
		if err := w.Create(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Delete(context.Background(), secret) }) // the test's own context has ended
	}
	return server
}
