package e2e

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// What a mutator that runs later takes away from a shaped pod, the validating phase misses.
func TestALaterMutatorIsCaught(t *testing.T) {
	w := shared
	w.ground(t)
	w.governed(t, "stripped")
	w.create(t, pod("stripped", "whole", "nodeSelector: {no: where}"))
	url := w.stripper(t)
	for part, says := range map[string]string{
		"nodeSelector": "spec.nodeSelector must contain held.terroir.node-restriction.kubernetes.io/trusted",
		"constraints":  "on open.terroir.node-restriction.kubernetes.io/trusted unchanged",
		"label":        "label terroir.dev/workload must be",
	} {
		t.Run("that takes away the "+part, func(t *testing.T) {
			w.strip(t, url, part)
			eventually(t, "the mutator is asked, and the pod refused", func() error {
				err := w.try(t, pod("stripped", "p", ""))
				if err == nil || !strings.Contains(err.Error(), says) {
					return fmt.Errorf("it was told: %w", err)
				}
				return nil
			})
		})
	}
}

// strip has the API server ask the stripper about every pod of the namespace, after Terroir, and again whenever Terroir was asked again.
func (w *world) strip(t *testing.T, url, part string) {
	t.Helper()
	_, _, ca, err := w.cluster.IssueServing("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	fail, none, again := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone, admissionregistrationv1.IfNeededReinvocationPolicy
	target := url + "/" + part
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: "zz-stripper"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "strip.example.org", AdmissionReviewVersions: []string{"v1"}, FailurePolicy: &fail, SideEffects: &none, ReinvocationPolicy: &again,
			ClientConfig:      admissionregistrationv1.WebhookClientConfig{URL: &target, CABundle: ca},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "stripped"}},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
		}},
	}
	if err := w.Create(t.Context(), configuration); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.remove(t, configuration) })
}

// stripper serves a mutating webhook on loopback that takes away what the path names.
func (w *world) stripper(t *testing.T) (url string) {
	t.Helper()
	cert, key, _, err := w.cluster.IssueServing("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(stripPod)}
	go func() {
		_ = server.Serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}))
	}()
	t.Cleanup(func() { _ = server.Close() })
	return "https://" + listener.Addr().String()
}

func stripPod(response http.ResponseWriter, request *http.Request) {
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	if json.NewDecoder(request.Body).Decode(&review) != nil || json.Unmarshal(review.Request.Object.Raw, &pod) != nil {
		http.Error(response, "not a review of a pod", http.StatusBadRequest)
		return
	}
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if path := stripped(strings.TrimPrefix(request.URL.Path, "/"), &pod); path != "" {
		kind := admissionv1.PatchTypeJSONPatch
		review.Response.PatchType, review.Response.Patch = &kind, fmt.Appendf(nil, `[{"op": "remove", "path": %q}]`, path)
	}
	_ = json.NewEncoder(response).Encode(review)
}

// stripped is the path of what is taken away, if it is there.
func stripped(part string, pod *corev1.Pod) string {
	switch {
	case part == "nodeSelector" && pod.Spec.NodeSelector != nil:
		return "/spec/nodeSelector"
	case part == "constraints" && pod.Spec.TopologySpreadConstraints != nil:
		return "/spec/topologySpreadConstraints"
	case part == "label" && pod.Labels[v1alpha1.WorkloadLabel] != "":
		return "/metadata/labels/terroir.dev~1workload"
	default:
		return ""
	}
}
