package terroir

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/transit"
)

// Bao is a transit server that a cluster's authority vouches for.
type Bao struct {
	*transit.Server
	Token string
	ca    []byte
}

// StartBao starts one. It ends with Close, or with the process.
func StartBao(c *cluster.Cluster) (*Bao, error) {
	cert, key, ca, err := c.IssueServing("127.0.0.1")
	if err != nil {
		return nil, fmt.Errorf("issuing the transit server's certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("reading the transit server's certificate: %w", err)
	}
	b := &Bao{Token: "s." + rand.Text(), ca: ca}
	b.Server, err = transit.Start(transit.Options{Certificate: pair, Token: b.Token})
	return b, err //nolint:wrapcheck // says what it was doing
}

// Secrets are those by which a KeyStore refers to the server: bao-token, and bao-ca.
func (b *Bao) Secrets() []*corev1.Secret {
	return []*corev1.Secret{Secret("bao-token", "token", b.Token), Secret("bao-ca", "ca.crt", string(b.ca))}
}

// Secret is one of Terroir's namespace.
func Secret(name, key, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}, StringData: map[string]string{key: value}}
}
