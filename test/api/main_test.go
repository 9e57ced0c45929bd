// Package api_test puts the API's schemas before a real API server: whatever they are to refuse is refused, at the right
// field and in a sentence that helps, and whatever the contract shows is accepted as it stands.
//
// # The tour
//
//   - schema_test.go has the two tests that matter: every case of every kind is refused for the reason it gives, and no
//     validation of any schema is without a case that triggered it. Whoever adds a validation is told to add a case.
//   - fixture_test.go says what a kind's fixture is: a minimal object, a full one with every field, and the cases.
//   - <kind>_test.go holds the fixture of a kind. A case is the full object with one tweak.
//   - case_test.go and tweak_test.go have the vocabulary in which cases are written.
//   - validation_test.go reads from the definitions what there is to trigger.
//   - countries_test.go is about the lists of countries in the schemas.
//   - contract_test.go, badinput_test.go and kubectl_test.go are about the contract's examples, about what goes wrong in
//     practice, and about what kubectl shows.
//
// Requests are dry runs, except where a test needs something to be there: then it stores a kind's minimal object.
package api_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/terroir-dev/terroir/test/cluster"
)

// bases is where the definitions are generated to.
var bases = filepath.Join("..", "..", "config", "crd", "bases")

// server is the API server with our kinds installed.
type server struct {
	cluster *cluster.Cluster
	// client refuses fields that do not exist, as kubectl does.
	client client.Client
}

var shared struct {
	once sync.Once
	*server
	err error
}

// start returns the server that all tests share, with the definitions established.
func start(t *testing.T) *server {
	t.Helper()
	c := cluster.Shared(t)
	shared.once.Do(func() { shared.server, shared.err = install(c) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// install installs the definitions and waits until the API server serves them.
func install(c *cluster.Cluster) (*server, error) {
	_, err := envtest.InstallCRDs(c.Config(), envtest.CRDInstallOptions{Paths: []string{bases}, ErrorIfPathMissing: true})
	if err != nil {
		return nil, fmt.Errorf("installing the definitions: %w", err)
	}
	direct, err := client.New(c.Config(), client.Options{})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	err = direct.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	if client.IgnoreAlreadyExists(err) != nil {
		return nil, fmt.Errorf("creating a namespace for the tests: %w", err)
	}
	return &server{cluster: c, client: client.WithFieldValidation(direct, metav1.FieldValidationStrict)}, nil
}

// try asks whether the API server would store an object, and returns it as it would be stored.
func (s *server) try(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	object = object.DeepCopy()
	err := s.client.Create(ctx, object, client.DryRunAll)
	if apierrors.IsAlreadyExists(err) {
		return s.tryInPlace(ctx, object)
	}
	return object, err
}

// tryInPlace asks the same where an object of that name is stored: another test's, or one that a killed test left.
func (s *server) tryInPlace(ctx context.Context, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	stored := object.DeepCopy()
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), stored); err != nil {
		return nil, err
	}
	object.SetResourceVersion(stored.GetResourceVersion())
	return object, s.client.Update(ctx, object, client.DryRunAll)
}

// Nothing else works unless this does: rules whose estimated cost is beyond the API server's limits make it refuse a definition.
func TestEveryDefinitionIsEstablished(t *testing.T) {
	s := start(t)
	for _, definition := range definitions(t) {
		var live apiextensionsv1.CustomResourceDefinition
		err := s.client.Get(t.Context(), client.ObjectKeyFromObject(&definition), &live)
		if err != nil {
			t.Fatal(err)
		}
		for _, wanted := range []apiextensionsv1.CustomResourceDefinitionConditionType{apiextensionsv1.NamesAccepted, apiextensionsv1.Established} {
			if !holds(&live, wanted) {
				t.Errorf("%s is not %s: %v", live.Name, wanted, live.Status.Conditions)
			}
		}
		if holds(&live, apiextensionsv1.NonStructuralSchema) {
			t.Errorf("the schema of %s is not structural: %v", live.Name, live.Status.Conditions)
		}
	}
}

func holds(definition *apiextensionsv1.CustomResourceDefinition, condition apiextensionsv1.CustomResourceDefinitionConditionType) bool {
	for _, c := range definition.Status.Conditions {
		if c.Type == condition {
			return c.Status == apiextensionsv1.ConditionTrue
		}
	}
	return false
}
