package cluster

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority is a certificate authority of a test cluster: one for the cluster, one more for etcd, so that no client
// certificate of the cluster opens the store beneath it.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// keyPair is a certificate with its private key, both in PEM.
type keyPair struct {
	certPEM, keyPEM []byte
}

// validity is longer than any test and any demo session.
const validity = 10 * 365 * 24 * time.Hour

func newAuthority(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key of authority %s: %w", name, err)
	}
	template, err := newTemplate(pkix.Name{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing authority %s: %w", name, err)
	}
	certificate, err := x509.ParseCertificate(der)
	return &Authority{certificate: certificate, key: key}, err
}

// CertPEM is the authority's own certificate.
func (a *Authority) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

// IssueServing issues a certificate for a server that is reached under these names or addresses.
func (a *Authority) IssueServing(hosts ...string) (certPEM, keyPEM, caPEM []byte, err error) {
	pair, err := a.issueServing(hosts...)
	return pair.certPEM, pair.keyPEM, a.CertPEM(), err
}

// issueServing also allows use as a client, because etcd calls itself with its serving certificate.
func (a *Authority) issueServing(hosts ...string) (keyPair, error) {
	if len(hosts) == 0 {
		return keyPair{}, errors.New("issuing a serving certificate: it needs at least one name or address")
	}
	template, err := newTemplate(pkix.Name{CommonName: hosts[0]})
	if err != nil {
		return keyPair{}, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.issue(template)
}

// issueClient issues a certificate that authenticates as this user in these groups.
func (a *Authority) issueClient(user string, groups ...string) (keyPair, error) {
	template, err := newTemplate(pkix.Name{CommonName: user, Organization: groups})
	if err != nil {
		return keyPair{}, err
	}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(template)
}

func (a *Authority) issue(template *x509.Certificate) (keyPair, error) {
	name := template.Subject.CommonName
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("generating a key for %s: %w", name, err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return keyPair{}, fmt.Errorf("signing a certificate for %s: %w", name, err)
	}
	keyPEM, err := encodeKey(key)
	return keyPair{certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), keyPEM: keyPEM}, err
}

func newTemplate(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("choosing a serial number for %s: %w", subject.CommonName, err)
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    now.Add(-time.Hour), // a clock a little behind is no reason to fail a test
		NotAfter:     now.Add(validity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// save writes the authority as name.crt and name.key, to be loaded by whoever attaches to the cluster.
func (a *Authority) save(dir, name string) error {
	keyPEM, err := encodeKey(a.key.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	return keyPair{certPEM: a.CertPEM(), keyPEM: keyPEM}.save(dir, name)
}

func (p keyPair) save(dir, name string) error {
	if err := os.WriteFile(filepath.Join(dir, name+".crt"), p.certPEM, 0o600); err != nil {
		return fmt.Errorf("writing the certificate of %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".key"), p.keyPEM, 0o600); err != nil {
		return fmt.Errorf("writing the key of %s: %w", name, err)
	}
	return nil
}

func loadAuthority(dir, name string) (*Authority, error) {
	certificate, err := loadPEM(filepath.Join(dir, name+".crt"), x509.ParseCertificate)
	if err != nil {
		return nil, err
	}
	key, err := loadPEM(filepath.Join(dir, name+".key"), x509.ParsePKCS8PrivateKey)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("reading the key of %s: a %T cannot sign", name, key)
	}
	return &Authority{certificate: certificate, key: signer}, nil
}

func loadPEM[T any](path string, parse func([]byte) (T, error)) (parsed T, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return parsed, fmt.Errorf("reading the cluster's authority: %w", err)
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return parsed, fmt.Errorf("reading the cluster's authority: %s holds no PEM", path)
	}
	parsed, err = parse(block.Bytes)
	if err != nil {
		return parsed, fmt.Errorf("reading the cluster's authority from %s: %w", path, err)
	}
	return parsed, nil
}
