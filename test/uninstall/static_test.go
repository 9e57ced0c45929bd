package uninstall

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/cluster"
)

// What an API server reads from its own files nobody removes through it. Then nothing is touched, and the sentence says what to do.
func TestStaticManifestsHaveToGoFirst(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "manifests", "guard.yaml"), `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: terroir-guards.static.k8s.io}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [admissionregistration.k8s.io], apiVersions: [v1], operations: [DELETE], resources: [validatingadmissionpolicies]}]}
  validations: [{expression: "!oldObject.metadata.name.startsWith('terroir-')", message: "a guard of Terroir"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: terroir-guards.static.k8s.io}
spec: {policyName: terroir-guards.static.k8s.io, validationActions: [Deny]}
`)
	config := filepath.Join(dir, "admission.yaml")
	write(t, config, `
apiVersion: apiserver.config.k8s.io/v1
kind: AdmissionConfiguration
plugins:
- name: ValidatingAdmissionPolicy
  configuration: {apiVersion: apiserver.config.k8s.io/v1, kind: ValidatingAdmissionPolicyConfiguration, staticManifestsDir: `+filepath.Join(dir, "manifests")+`}
`)
	w := newWorld(t, cluster.Options{Progress: os.Stderr, APIServerFlags: []string{"--admission-control-config-file=" + config}})
	w.create(t, `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: terroir-pods, labels: {terroir.dev/fence: "true"}}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations: [{expression: "true"}]
---
apiVersion: v1
kind: Namespace
metadata: {name: terroir-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: terroir-manager, namespace: terroir-system}
spec: {replicas: 0, selector: {matchLabels: {app: x}}, template: {metadata: {labels: {app: x}}, spec: {containers: [{name: c, image: x}]}}}
`)
	eventually(t, "its controller has seen the Deployment", func() error {
		d := &appsv1.Deployment{}
		if err := w.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: "terroir-manager"}, d); err != nil {
			return err
		}
		if d.Status.ObservedGeneration != d.Generation {
			return fmt.Errorf("it has seen generation %d of %d", d.Status.ObservedGeneration, d.Generation)
		}
		return nil
	})
	before := w.everything(t)
	code, _, said := w.command(t, "uninstall")
	if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "static admission manifests of every API server") {
		t.Errorf("exit code %d, and it said %q", code, said)
	}
	w.unchanged(t, before)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
