package kmip_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	kmipgo "github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipclient"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/keystore/certtest"
	"github.com/terroir-dev/terroir/test/packages"
)

// pyKMIP starts the server of testdata/pykmip.py: an implementation of KMIP that shares nothing with the library that asks here.
func pyKMIP(t *testing.T) (address string, authority *certtest.Authority) {
	t.Helper()
	if err := packages.Ensure(t.Context(), t.Output(), "a test with PyKMIP", packages.Needed{Package: "python3-pykmip", File: "/usr/lib/python3/dist-packages/kmip/__init__.py"}); err != nil {
		t.Fatal(err)
	}
	authority = certtest.New(t)
	folder, identity := t.TempDir(), authority.Server(t)
	for name, data := range map[string][]byte{"ca.crt": authority.PEM, "tls.crt": identity.Certificate, "tls.key": identity.Key} {
		must(t, os.WriteFile(filepath.Join(folder, name), data, 0o600))
	}
	var log bytes.Buffer
	server := exec.CommandContext(t.Context(), "/usr/bin/python3", "-W", "ignore", "testdata/pykmip.py", folder)
	server.Stderr, server.WaitDelay = &log, 10*time.Second
	life, err := server.StdinPipe()
	must(t, err)
	out, err := server.StdoutPipe()
	must(t, err)
	must(t, server.Start())
	t.Cleanup(func() {
		life.Close()
		if err := server.Wait(); t.Failed() {
			t.Logf("PyKMIP ended with %v and said:\n%s", err, log.String())
		}
	})
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("PyKMIP tells no port: %v", err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port), authority
}

func TestPyKMIPTakesAKeyThroughItsLife(t *testing.T) {
	address, authority := pyKMIP(t)
	// The prober is the client that made the keys: PyKMIP shows them to nobody else.
	admin := adminAt(t, address, authority)
	prober := open(t, storeAt(address, authority, authority.Client(t, "admin")))
	made, err := admin.Create().AES(256, encryptDecrypt).WithAttribute(kmipgo.AttributeNameSensitive, true).ExecContext(t.Context())
	must(t, err)
	id := made.UniqueIdentifier

	s := prober.Probe(t.Context(), used(id))
	outcome(t, s, v1alpha1.OutcomeFound, "")
	for name, want := range map[string]string{
		keys.FactAlgorithm: "AES/Reported", keys.FactBits: "256/Reported", keys.FactState: "PreActive/Reported", keys.FactUsable: "",
		// PyKMIP says Sensitive, and knows of no Extractable: half of it is nothing.
		keys.FactNonExtractable: "", keys.FactNeverExtractable: "", keys.FactOrigin: "",
	} {
		if got := fact(s, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(s.Fingerprint) != 71 {
		t.Errorf("the fingerprint is %q", s.Fingerprint)
	}

	must(t, failure(admin.Activate(id).ExecContext(t.Context())))
	active := prober.Probe(t.Context(), used(id))
	outcome(t, active, v1alpha1.OutcomeFound, "")
	if got := fact(active, keys.FactUsable); got != "true/Tested" {
		t.Errorf("usable is %q: %s", got, active.Message)
	}
	if active.Fingerprint != s.Fingerprint {
		t.Errorf("the fingerprint was %s and is %s", s.Fingerprint, active.Fingerprint)
	}
	got, err := admin.Get(id).ExecContext(t.Context())
	if err != nil || got.Object == nil {
		t.Errorf("PyKMIP keeps a key that it calls sensitive (%v): say so, and trust its word more", err)
	}

	must(t, failure(admin.Revoke(id).WithRevocationReasonCode(kmipgo.RevocationReasonCodeKeyCompromise).ExecContext(t.Context())))
	if got := fact(prober.Probe(t.Context(), used(id)), keys.FactState); got != "Compromised/Reported" {
		t.Errorf("the state is %q", got)
	}
	must(t, failure(admin.Destroy(id).ExecContext(t.Context())))
	outcome(t, prober.Probe(t.Context(), used(id)), v1alpha1.OutcomeNotFound, "")
}

func TestPyKMIPAndOthersKeys(t *testing.T) {
	address, authority := pyKMIP(t)
	admin := adminAt(t, address, authority)
	stranger := open(t, storeAt(address, authority, authority.Client(t, "stranger")))
	made, err := admin.Create().AES(256, encryptDecrypt).ExecContext(t.Context())
	must(t, err)
	// "Could not locate object", says PyKMIP, for the reason that permission is denied.
	outcome(t, stranger.Probe(t.Context(), key(made.UniqueIdentifier)), v1alpha1.OutcomeForbidden, "")
	outcome(t, stranger.Probe(t.Context(), key("4711")), v1alpha1.OutcomeNotFound, "")
	outcome(t, open(t, storeAt(address, authority, certtest.New(t).Client(t, "admin"))).Probe(t.Context(), key(made.UniqueIdentifier)), v1alpha1.OutcomeUnauthenticated, "does not take the client's certificate")
}

func TestPyKMIPAndAKeyPair(t *testing.T) {
	address, authority := pyKMIP(t)
	admin := adminAt(t, address, authority, kmipclient.EnforceVersion(kmipgo.V1_2))
	prober := open(t, storeAt(address, authority, authority.Client(t, "admin")))
	made, err := admin.CreateKeyPair().RSA(2048, kmipgo.CryptographicUsageSign, kmipgo.CryptographicUsageVerify).ExecContext(t.Context())
	must(t, err)
	must(t, failure(admin.Activate(made.PrivateKeyUniqueIdentifier).ExecContext(t.Context())))
	private := prober.Probe(t.Context(), used(made.PrivateKeyUniqueIdentifier))
	// PyKMIP tells no links, so nobody can tell which key verifies.
	outcome(t, private, v1alpha1.OutcomeFound, "does not tell which public key")
	if got := fact(private, keys.FactAlgorithm) + " " + fact(private, keys.FactBits) + " " + fact(private, keys.FactUsable); got != "RSA/Reported 2048/Reported true/Reported" {
		t.Errorf("got %s", got)
	}
	outcome(t, prober.Probe(t.Context(), key(made.PublicKeyUniqueIdentifier)), v1alpha1.OutcomeFound, "this is a PublicKey")
}
