package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// away is a way in which the webhook can be of no use: what to put into the webhook configurations, for a path of it.
type away func(t *testing.T) func(path string) admissionregistrationv1.WebhookClientConfig

func TestNothingWaitsForTheWebhook(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "away")
	w.operatorAway(t, func() {
		for what, how := range map[string]away{
			"operator-down": nil,
			"no-endpoints":  noEndpoints,
			"expired":       expired,
			"hanging":       hanging,
		} {
			t.Run(what, func(t *testing.T) {
				if how != nil {
					w.pointWebhooks(t, how(t))
				}
				t.Run("nodes join and tell that they are alive", func(t *testing.T) { w.nodeLives(t, "node-"+what) })
				t.Run("the control plane's own pods and ungoverned workloads start", func(t *testing.T) { w.othersStart(t, what) })
				t.Run("Terroir can be installed", w.installable)
				t.Run("governed pods are shaped and judged", func(t *testing.T) { w.stillGoverned(t, what) })
			})
		}
	})
}

func noEndpoints(*testing.T) func(string) admissionregistrationv1.WebhookClientConfig {
	return func(path string) admissionregistrationv1.WebhookClientConfig {
		return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
			Namespace: v1alpha1.SystemNamespace, Name: "terroir-webhook", Path: &path,
		}}
	}
}

// expired answers, with a certificate that was valid until yesterday.
func expired(t *testing.T) func(string) admissionregistrationv1.WebhookClientConfig {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().AddDate(0, 0, -2), NotAfter: time.Now().AddDate(0, 0, -1), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would tell of every handshake
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return at(server.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// hanging takes connections and never answers.
func hanging(t *testing.T) func(string) admissionregistrationv1.WebhookClientConfig {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // the kernel accepts; nobody reads
	return at("https://"+listener.Addr().String(), nil)
}

func at(url string, authority []byte) func(string) admissionregistrationv1.WebhookClientConfig {
	return func(path string) admissionregistrationv1.WebhookClientConfig {
		return admissionregistrationv1.WebhookClientConfig{URL: new(url + path), CABundle: authority}
	}
}

// pointWebhooks gives every webhook of Terroir another address. The operator puts the right one back when it is there again.
func (w *world) pointWebhooks(t *testing.T, to func(path string) admissionregistrationv1.WebhookClientConfig) {
	t.Helper()
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		var m admissionregistrationv1.MutatingWebhookConfiguration
		var v admissionregistrationv1.ValidatingWebhookConfiguration
		if err := w.Get(t.Context(), client.ObjectKey{Name: "terroir"}, &m); err != nil {
			return err
		}
		if err := w.Get(t.Context(), client.ObjectKey{Name: "terroir"}, &v); err != nil {
			return err
		}
		for i := range m.Webhooks {
			m.Webhooks[i].ClientConfig = to("/mutating")
		}
		for i := range v.Webhooks {
			v.Webhooks[i].ClientConfig = to("/validating")
		}
		if err := w.Update(t.Context(), &m); err != nil {
			return err
		}
		return w.Update(t.Context(), &v)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// nodeLives does what a kubelet does: register, tell the node's state, renew its lease.
func (w *world) nodeLives(t *testing.T, name string) {
	kubelet := w.as(t, "system:node:"+name, "system:nodes")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: name, Labels: map[string]string{"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": "abroad-1a"},
	}}
	if err := kubelet.Create(t.Context(), node); err != nil {
		t.Fatalf("registering: %v", err)
	}
	t.Cleanup(func() { w.remove(t, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}) })
	beat := []byte(`{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"2026-01-01T00:00:00Z"}]}}`)
	if err := kubelet.Status().Patch(t.Context(), node, client.RawPatch("application/strategic-merge-patch+json", beat)); err != nil {
		t.Errorf("telling its state: %v", err)
	}
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: corev1.NamespaceNodeLease, Name: name}}
	if err := kubelet.Create(t.Context(), lease); err != nil {
		t.Fatalf("creating its lease: %v", err)
	}
	lease.Spec.RenewTime = &metav1.MicroTime{Time: time.Now()}
	if err := kubelet.Update(t.Context(), lease); err != nil {
		t.Errorf("renewing its lease: %v", err)
	}
}

func (w *world) othersStart(t *testing.T, what string) {
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "kube-system", Name: "default"}, &corev1.ServiceAccount{}); err != nil {
		t.Fatal(err)
	}
	w.create(t, pod("kube-system", "control-plane", "hostNetwork: true, priorityClassName: system-node-critical, nodeName: abroad"))
	w.create(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: free-%s}}`, what))
	w.create(t, deployment("free-"+what, "web", 2, ""))
	w.pods(t, "free-"+what, 2)
	w.isRunning(t, "kube-system", "control-plane")
}

// installable applies Terroir once more, and the pods of its Deployment come to be.
func (w *world) installable(t *testing.T) {
	for _, part := range []string{"config/crd", "config/default"} {
		if err := terroir.Apply(t.Context(), w.cluster, "-k", part); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, o := range terroir.MustObjects(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: terroir-manager, namespace: terroir-system}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: terroir-manager, namespace: terroir-system}
`) {
			w.remove(t, o)
		}
	})
	eventually(t, "the operator's pods are there and bound", func() error {
		var list corev1.PodList
		if err := w.List(t.Context(), &list, client.InNamespace(v1alpha1.SystemNamespace)); err != nil {
			return err
		}
		bound := 0
		for _, p := range list.Items {
			if p.Spec.NodeName != "" {
				bound++
			}
		}
		if bound != 2 {
			return fmt.Errorf("%d of %d pods are bound", bound, len(list.Items))
		}
		return nil
	})
}

// stillGoverned: in a governed namespace, by annotation alone, and in a namespace that came meanwhile.
func (w *world) stillGoverned(t *testing.T, what string) {
	annotated, later := "annotated-"+what, "later-"+what
	w.create(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s}}`, annotated))
	w.create(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {policy: away}}}`, later))
	w.create(t, deployment("away", "web-"+what, 3, ""))
	w.create(t, deployment(later, "web", 3, ""))
	w.create(t, deployment(annotated, "web", 3, `terroir.dev/trust-level: trusted, terroir.dev/min-sites: "3"`))
	for _, namespace := range []string{"away", later, annotated} {
		if got := perSite(w.pods(t, namespace, 3)); len(got) != 3 {
			t.Errorf("pods per site in %s: %v", namespace, got)
		}
	}
	for _, namespace := range []string{"away", later} {
		terroir.Denied(t, w.try(t, pod(namespace, "p", "nodeName: abroad")), `spec.nodeName`)
	}
	terroir.Denied(t, w.try(t, strings.Replace(pod(annotated, "p", "nodeName: abroad"), "namespace:", "annotations: {terroir.dev/trust-level: trusted}, namespace:", 1)), `spec.nodeName`)
	terroir.Denied(t, w.try(t, fmt.Sprintf(`{apiVersion: v1, kind: Namespace, metadata: {name: misspelt-%s, annotations: {terroir.dev/trustlevel: trusted}}}`, what)), "terroir.dev/trustlevel")
}

func (w *world) isRunning(t *testing.T, namespace, name string) {
	t.Helper()
	eventually(t, "pod "+name+" runs", func() error {
		var p corev1.Pod
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &p); err != nil {
			return err
		}
		if p.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("it is %s", p.Status.Phase)
		}
		return nil
	})
}
