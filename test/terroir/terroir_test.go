package terroir_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// TestCertificatesOfItsOwn installs Terroir as in a cluster without cert-manager: it makes its certificate, keeps it in the Secret
// of config/webhook, and puts its authority into the webhook configurations. A real kubelet would mount the Secret; here the test does.
func TestCertificatesOfItsOwn(t *testing.T) {
	c := cluster.New(t)
	reader, err := terroir.Client(c)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mounting, stop := context.WithCancel(t.Context())
	unmounted := make(chan struct{})
	go func() {
		defer close(unmounted)
		mount(mounting, reader, dir)
	}()
	defer func() { stop(); <-unmounted }()
	if err := terroir.Install(t.Context(), c, "--webhook-certs", "self", "--webhook-cert-dir", dir, "--webhook-url", ""); err != nil {
		t.Fatal(err)
	}

	var mutating admissionregistrationv1.MutatingWebhookConfiguration
	var validating admissionregistrationv1.ValidatingWebhookConfiguration
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		key := client.ObjectKey{Name: "terroir"}
		if err := errors.Join(reader.Get(ctx, key, &mutating), reader.Get(ctx, key, &validating)); err != nil {
			return false, err
		}
		all := true
		for _, w := range mutating.Webhooks {
			all = all && len(w.ClientConfig.CABundle) > 0 && w.ClientConfig.Service != nil
		}
		for _, w := range validating.Webhooks {
			all = all && len(w.ClientConfig.CABundle) > 0 && w.ClientConfig.Service != nil
		}
		return all, nil
	})
	if err != nil {
		t.Errorf("not every webhook has the authority and the Service: %v\n%+v\n%+v", err, mutating.Webhooks, validating.Webhooks)
	}
}

// mount copies the Secret into a directory whenever it has content, as a kubelet does.
func mount(ctx context.Context, reader client.Reader, dir string) {
	_ = wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		var secret corev1.Secret
		err := reader.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "terroir-webhook-cert"}, &secret)
		for name, content := range secret.Data {
			err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
		}
		return false, client.IgnoreNotFound(err) // it may not be applied yet
	})
}
