package doors

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	admissionv1 "k8s.io/api/admission/v1"
)

func strippers() []Variant {
	pod := podOf(`labels: {strip: $name}`, `nodeSelector: {kubernetes.io/hostname: abroad}`)
	return []Variant{
		{By: namespaceEditor, Through: "create of pods past a mutating admission policy", Closed: Undone, Ground: shared, Set: scene(governed, stripByPolicy), Try: creates(pod)},
		{By: namespaceEditor, Through: "create of pods past a mutating webhook", Closed: Undone, Ground: shared, Set: scene(governed, stripByWebhook), Try: creates(pod)},
		{By: namespaceEditor, Through: "create of pods past a mutating webhook that sets nodeName", Ground: shared, Set: scene(governed, bindByWebhook), Try: creates(pod)},
	}
}

// stripByPolicy lets the API server take the constraint and the selector from pods that ask for it. Whether it does so before or after
// Terroir gives them is not for us to choose.
func stripByPolicy(ctx context.Context, s *stage) error {
	return s.prepare(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: zz-strip-$name}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}], objectSelector: {matchLabels: {strip: $name}}}
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: |-
        [JSONPatch{op: 'add', path: '/spec/nodeSelector', value: {'kubernetes.io/hostname': 'abroad'}}, JSONPatch{op: 'add', path: '/spec/topologySpreadConstraints', value: []}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: zz-strip-$name}
spec: {policyName: zz-strip-$name}
`)
}

// stripped is what takes effect last.
const (
	strip = `[{"op":"add","path":"/spec/nodeSelector","value":{"kubernetes.io/hostname":"abroad"}},{"op":"add","path":"/spec/topologySpreadConstraints","value":[]}]`
	bind  = `[{"op":"add","path":"/spec/nodeName","value":"abroad"}]`
)

func stripByWebhook(ctx context.Context, s *stage) error { return s.mutatedBy(ctx, strip) }

func bindByWebhook(ctx context.Context, s *stage) error { return s.mutatedBy(ctx, bind) }

// mutatedBy serves a mutating webhook that patches the pods of the stage's namespace. Its name comes after Terroir's.
func (s *stage) mutatedBy(ctx context.Context, patch string) error {
	cert, key, ca, err := s.cluster.IssueServing("127.0.0.1")
	if err != nil {
		return fmt.Errorf("issuing a certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("reading a certificate: %w", err)
	}
	server := httptest.NewUnstartedServer(patching(patch))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS() // it ends with the process
	return s.prepare(ctx, `
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: zz-strip-$name}
webhooks:
- name: strip.doors.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  clientConfig: {url: "`+server.URL+`/", caBundle: "`+base64.StdEncoding.EncodeToString(ca)+`"}
  rules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
  objectSelector: {matchLabels: {strip: $name}}
`)
}

func patching(patch string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil || review.Request == nil {
			http.Error(w, "not a review", http.StatusBadRequest)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, PatchType: &kind, Patch: []byte(patch)}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review)
	})
}
