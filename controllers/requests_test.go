package controllers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/internal/trust"
)

// request is an approved request for the certificate of node n, made by a bootstrap token at noon.
func request(t testing.TB, tweak func(*certificatesv1.CertificateSigningRequest)) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	r := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "csr", CreationTimestamp: metav1.NewTime(noon)},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			SignerName: certificatesv1.KubeAPIServerClientKubeletSignerName, Username: "system:bootstrap:abcdef", Request: encoded(t, "system:node:n"),
		},
		Status: certificatesv1.CertificateSigningRequestStatus{Conditions: decided(certificatesv1.CertificateApproved)},
	}
	if tweak != nil {
		tweak(r)
	}
	return r
}

func decided(types ...certificatesv1.RequestConditionType) []certificatesv1.CertificateSigningRequestCondition {
	var conditions []certificatesv1.CertificateSigningRequestCondition
	for _, kind := range types {
		conditions = append(conditions, certificatesv1.CertificateSigningRequestCondition{Type: kind, Status: "True", Message: "m"})
	}
	return conditions
}

// encoded is a request as a kubelet makes it.
func encoded(t testing.TB, commonName string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: commonName, Organization: []string{"system:nodes"}}}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func TestWhoMayActAsANode(t *testing.T) {
	for sentence, c := range map[string]struct {
		tweak func(*certificatesv1.CertificateSigningRequest)
		want  bool
	}{
		"an approved request by somebody else": {nil, true},
		"so is one for any client's certificate, in a node's name": {func(r *certificatesv1.CertificateSigningRequest) {
			r.Spec.SignerName = certificatesv1.KubeAPIServerClientSignerName
		}, true},
		"one by another node":             {func(r *certificatesv1.CertificateSigningRequest) { r.Spec.Username = "system:node:m" }, true},
		"a kubelet that renews its own":   {func(r *certificatesv1.CertificateSigningRequest) { r.Spec.Username = "system:node:n" }, false},
		"one that nobody has decided yet": {func(r *certificatesv1.CertificateSigningRequest) { r.Status.Conditions = nil }, false},
		"one that was denied": {func(r *certificatesv1.CertificateSigningRequest) {
			r.Status.Conditions = decided(certificatesv1.CertificateDenied)
		}, false},
		"one that was approved, and failed": {func(r *certificatesv1.CertificateSigningRequest) {
			r.Status.Conditions = decided(certificatesv1.CertificateApproved, certificatesv1.CertificateFailed)
		}, false},
		"a serving certificate": {func(r *certificatesv1.CertificateSigningRequest) {
			r.Spec.SignerName = certificatesv1.KubeletServingSignerName
		}, false},
		"somebody else's signer": {func(r *certificatesv1.CertificateSigningRequest) { r.Spec.SignerName = "example.com/x" }, false},
		"a person's certificate": {func(r *certificatesv1.CertificateSigningRequest) { r.Spec.Request = encoded(t, "bob") }, false},
		"a node without a name":  {func(r *certificatesv1.CertificateSigningRequest) { r.Spec.Request = encoded(t, "system:node:") }, false},
		"what is not encoded":    {func(r *certificatesv1.CertificateSigningRequest) { r.Spec.Request = []byte("x") }, false},
		"what is encoded and is no request": {func(r *certificatesv1.CertificateSigningRequest) {
			r.Spec.Request = pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: []byte("x")})
		}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			slim, err := slimRequest(request(t, c.tweak))
			if err != nil {
				t.Fatal(err)
			}
			got := requestsByNode([]certificatesv1.CertificateSigningRequest{*slim.(*certificatesv1.CertificateSigningRequest)})
			if _, found := got["n"]; found != c.want || len(got) > 1 {
				t.Errorf("found %v", got)
			}
		})
	}
}

func TestARequestIsSlimmedOnce(t *testing.T) {
	slim, err := slimRequest(request(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "csr", CreationTimestamp: metav1.NewTime(noon)},
		Spec:       certificatesv1.CertificateSigningRequestSpec{Username: "system:bootstrap:abcdef", Request: []byte("n")},
		Status: certificatesv1.CertificateSigningRequestStatus{Conditions: []certificatesv1.CertificateSigningRequestCondition{
			{Type: certificatesv1.CertificateApproved, Status: "True"},
		}},
	}
	if diff := cmp.Diff(want, slim); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}

func TestAJoiningNodesOwnRequestDoesNotCount(t *testing.T) {
	at := func(name string, after time.Duration) trust.CertificateRequest {
		return trust.CertificateRequest{Name: name, At: noon.Add(after)}
	}
	for sentence, c := range map[string]struct {
		requests []trust.CertificateRequest
		want     string
	}{
		"there is none": {nil, ""},
		"it was made before the Node was created":            {[]trust.CertificateRequest{at("a", -time.Hour)}, ""},
		"it was made in the same second":                     {[]trust.CertificateRequest{at("a", 0)}, ""},
		"it was made a second later":                         {[]trust.CertificateRequest{at("a", time.Second)}, "a"},
		"of several, the first that was made after the Node": {[]trust.CertificateRequest{at("a", 0), at("b", time.Second), at("c", time.Minute)}, "b"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got := contesting(c.requests, noon)
			if got == nil && c.want != "" || got != nil && got.Name != c.want {
				t.Errorf("got %+v, not %q", got, c.want)
			}
		})
	}
}

// FuzzRequest: whatever stands in a request, it is read or passed over.
func FuzzRequest(f *testing.F) {
	f.Add(encoded(f, "system:node:n"), certificatesv1.KubeAPIServerClientKubeletSignerName)
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"), certificatesv1.KubeAPIServerClientSignerName)
	f.Fuzz(func(t *testing.T, text []byte, signer string) {
		slim, err := slimRequest(&certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{Request: text, SignerName: signer}})
		if err != nil {
			t.Fatal(err)
		}
		requestsByNode([]certificatesv1.CertificateSigningRequest{*slim.(*certificatesv1.CertificateSigningRequest)})
	})
}
