package bench

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// ground is the nodeSelector that the alternatives demand or give.
const ground = "bench/ground"

// nothingComponent is the webhook that does nothing, as a component of the bare cluster.
const nothingComponent = "bench-nothing"

// endpoint is where a webhook listens.
type endpoint struct {
	address string // host and port
	roots   *x509.CertPool
}

// installAlternatives installs what Terroir is compared with, and sees each of them at work.
func (l *lab) installAlternatives(ctx context.Context) error {
	if err := l.bare.create(ctx, "alternatives.yaml"); err != nil {
		return err
	}
	if err := l.startNothing(ctx); err != nil {
		return err
	}
	return errors.Join(l.seeValidating(ctx), l.seeMutating(ctx), l.seeNothing(ctx))
}

// startNothing starts the webhook that does nothing, as a process of its own.
func (l *lab) startNothing(ctx context.Context) error {
	binary := filepath.Join(l.bare.Dir(), "bin", "bench")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "./test/cmd/bench")
	build.Dir = terroir.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the webhook that does nothing: %w\n%s", err, out)
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	cert, key, ca, err := l.bare.IssueServing("127.0.0.1")
	if err != nil {
		return fmt.Errorf("issuing a certificate: %w", err)
	}
	certFile, keyFile := filepath.Join(l.dir, "tls.crt"), filepath.Join(l.dir, "tls.key")
	if err := errors.Join(os.WriteFile(certFile, cert, 0o600), os.WriteFile(keyFile, key, 0o600)); err != nil {
		return fmt.Errorf("writing a certificate: %w", err)
	}
	err = l.bare.AddComponent(ctx, nothingComponent, "https://"+address+"/readyz", binary, "-serve-nothing", address, "-cert", certFile, "-key", keyFile)
	if err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	l.nothing = endpoint{address: address, roots: rootsOf(l.bare.Cluster)}
	if err := l.bare.client.Create(ctx, nothingConfiguration("https://"+address+"/pods", ca)); err != nil {
		return fmt.Errorf("registering the webhook that does nothing: %w", err)
	}
	return nil
}

func rootsOf(c *cluster.Cluster) *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.CA().CertPEM())
	return roots
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func nothingConfiguration(url string, ca []byte) *admissionregistrationv1.MutatingWebhookConfiguration {
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "bench"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "nothing.bench.terroir.dev", ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: webhooked}},
			FailurePolicy:     new(admissionregistrationv1.Fail), SideEffects: new(admissionregistrationv1.SideEffectClassNone),
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

// seeValidating sees the policy refuse a pod without the nodeSelector.
func (l *lab) seeValidating(ctx context.Context) error {
	c, err := l.bare.creationOf(validating, pod())
	if err != nil {
		return err
	}
	return eventually(ctx, "the ValidatingAdmissionPolicy to refuse", func(ctx context.Context) error {
		return c.refusedWith(ctx, "the pod must ask for qualified ground")
	})
}

// seeMutating sees the policy give a pod the nodeSelector.
func (l *lab) seeMutating(ctx context.Context) error {
	c, err := l.bare.creationOf(mutating, pod())
	if err != nil {
		return err
	}
	return eventually(ctx, "the MutatingAdmissionPolicy to shape", func(ctx context.Context) error {
		created, err := c.pod(ctx)
		if err == nil && created.Spec.NodeSelector[ground] != "true" {
			err = fmt.Errorf("the nodeSelector is %v", created.Spec.NodeSelector)
		}
		return err
	})
}

// seeNothing sees the webhook called.
func (l *lab) seeNothing(ctx context.Context) error {
	return eventually(ctx, "the webhook that does nothing to be called", func(ctx context.Context) error {
		review, err := l.recordReview(ctx, pod())
		if err == nil && !bytes.Contains(review, []byte("AdmissionReview")) {
			err = errors.New("it has not been called")
		}
		return err
	})
}
