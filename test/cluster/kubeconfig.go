package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ConfigFor is a client configuration that authenticates as this user in these groups, by a certificate of the
// cluster's authority: a kubelet ("system:node:x" in "system:nodes"), a second scheduler, a user of one namespace.
func (c *Cluster) ConfigFor(user string, groups ...string) (*rest.Config, error) {
	pair, err := c.authority.issueClient(user, groups...)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: c.server,
		QPS:  -1, // the API server's own fairness is limit enough; a client-side one only hides latency in tests
		TLSClientConfig: rest.TLSClientConfig{
			CAData: c.authority.CertPEM(), CertData: pair.certPEM, KeyData: pair.keyPEM,
		},
	}, nil
}

// KubeconfigFor writes a kubeconfig file for this user in these groups into the state directory and returns its path.
// It carries its credentials with it, so it may be copied.
func (c *Cluster) KubeconfigFor(user string, groups ...string) (path string, err error) {
	path = filepath.Join(c.dir, "kubeconfigs", fileName(user, groups)+".kubeconfig")
	return path, c.writeKubeconfig(path, user, groups...)
}

// fileName is readable and yet different for each user and set of groups.
func fileName(user string, groups []string) string {
	sum := sha256.Sum256([]byte(user + "\x00" + strings.Join(groups, "\x00")))
	readable := strings.Map(func(r rune) rune {
		if strings.ContainsRune("/\\:", r) {
			return '-'
		}
		return r
	}, user)
	return readable[:min(len(readable), 100)] + "-" + hex.EncodeToString(sum[:4])
}

func (c *Cluster) writeKubeconfig(path, user string, groups ...string) error {
	config, err := c.ConfigFor(user, groups...)
	if err != nil {
		return err
	}
	kubeconfig := clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			"terroir": {Server: config.Host, CertificateAuthorityData: config.CAData},
		},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{
			user: {ClientCertificateData: config.CertData, ClientKeyData: config.KeyData},
		},
		Contexts:       map[string]*clientcmdapi.Context{"terroir": {Cluster: "terroir", AuthInfo: user}},
		CurrentContext: "terroir",
	}
	if err := clientcmd.WriteToFile(kubeconfig, path); err != nil {
		return fmt.Errorf("writing a kubeconfig for %s: %w", user, err)
	}
	return nil
}
