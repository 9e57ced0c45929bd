package cluster

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// errPortTaken says that somebody took a port between our choosing it and the component's listening on it.
var errPortTaken = errors.New("a port was taken by another process")

func (c *Cluster) startAndWait(ctx context.Context, name string) error {
	if err := c.launch(name); err != nil {
		return err
	}
	return c.ready(ctx, name)
}

// launch starts a component and remembers its process at once, so that nothing is lost if we die the next moment.
func (c *Cluster) launch(name string) error {
	var end *os.File
	if !c.state.Detached {
		var err error
		if end, err = grabLifeline(c.dir); err != nil {
			return err
		}
		defer end.Close()
	}
	component := c.state.Components[name]
	env := []string{"KWOK_WORKDIR=" + filepath.Join(c.dir, "config")} // else kwok also reads a configuration from the home directory
	process, err := launch(c.state.Binaries.Path(cmp.Or(component.Program, name)), component.Args, env, logPath(c.dir, name), end)
	if err != nil {
		return err
	}
	component.Process = process
	return c.state.write(c.dir)
}

// ready waits until the component answers that it is ready, or tells why it will not.
func (c *Cluster) ready(ctx context.Context, name string) error {
	component := c.state.Components[name]
	client, err := c.prober(name)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	var died bool
	waiting := until(ctx, func() bool {
		died = !component.Process.alive()
		return died || answers(ctx, client, component.Ready)
	})
	if died {
		return c.failure(name, errors.New("it ended before it was ready"))
	}
	if waiting != nil {
		return c.failure(name, fmt.Errorf("waiting for %s: %w", component.Ready, waiting))
	}
	return nil
}

// prober is a client the component accepts: etcd has an authority of its own.
func (c *Cluster) prober(name string) (*http.Client, error) {
	authority, pair := c.authority, keyPair{certPEM: c.admin.CertData, keyPEM: c.admin.KeyData}
	if name == Etcd {
		var err error
		if authority, err = loadAuthority(filepath.Join(c.dir, "pki"), "etcd-ca"); err != nil {
			return nil, err
		}
		if pair, err = authority.issueClient("probe"); err != nil {
			return nil, err
		}
	}
	certificate, err := tls.X509KeyPair(pair.certPEM, pair.keyPEM)
	if err != nil {
		return nil, fmt.Errorf("preparing to ask %s whether it is ready: %w", name, err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(authority.certificate)
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}},
	}, nil
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// failure tells what went wrong with a component together with the end of its log, where the cause stands.
func (c *Cluster) failure(name string, cause error) error {
	path := logPath(c.dir, name)
	log, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s: %w", name, errors.Join(cause, err))
	}
	defer log.Close()
	tail := lastLines(log, 15)
	if strings.Contains(tail, "address already in use") {
		cause = fmt.Errorf("%w: %w", errPortTaken, cause)
	}
	return fmt.Errorf("%s: %w; the end of its log %s:\n%s", name, cause, path, tail)
}
