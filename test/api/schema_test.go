package api_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestTheSchemas(t *testing.T) {
	s := start(t)
	var triggered record
	t.Run("refuse", func(t *testing.T) {
		for _, f := range fixtures() {
			t.Run(f.kind, func(t *testing.T) { refusals(t, s, f, &triggered) })
		}
	})
	t.Run("have no validation without a case", func(t *testing.T) {
		for _, definition := range definitions(t) {
			for _, v := range validationsOf(&definition) {
				if !triggered.has(v) {
					t.Errorf("no case triggers %s", v)
				}
			}
		}
	})
}

func TestWhatIsAccepted(t *testing.T) {
	s := start(t)
	for _, f := range fixtures() {
		objects := f.fulls(t)
		objects["minimal"] = f.object(t, f.minimal)
		for sentence, change := range f.accepted {
			objects[sentence] = f.tweaked(t, change)
		}
		for sentence, object := range objects {
			t.Run(f.kind+"/"+sentence, func(t *testing.T) {
				t.Parallel()
				if _, err := s.try(t.Context(), object); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A field that no full object has is a field that no case tweaks.
func TestTheFullObjectsHaveEveryField(t *testing.T) {
	full := map[string][]any{}
	for _, f := range fixtures() {
		for _, object := range f.fulls(t) {
			full[f.kind] = append(full[f.kind], object.Object)
		}
	}
	for _, definition := range definitions(t) {
		kind := definition.Spec.Names.Kind
		if full[kind] == nil {
			t.Errorf("%s has no fixture", kind)
			continue
		}
		for _, path := range absent(definition.Spec.Versions[0].Schema.OpenAPIV3Schema, full[kind], kind) {
			t.Errorf("%s is not in the full object", path)
		}
	}
}

// absent lists the fields of a schema that none of some values has.
func absent(s *apiextensionsv1.JSONSchemaProps, values []any, path string) []string {
	var paths []string
	if s.Items != nil {
		return absent(s.Items.Schema, firsts(values), path+"[0]")
	}
	for name, property := range s.Properties {
		below := fields(values, name)
		if len(below) == 0 && !strings.HasSuffix(path, ".conditions[0]") {
			paths = append(paths, path+"."+name)
			continue
		}
		paths = append(paths, absent(&property, below, path+"."+name)...)
	}
	return paths
}

// firsts are the first entries of lists.
func firsts(lists []any) []any {
	var entries []any
	for _, list := range lists {
		entries = append(entries, list.([]any)[0])
	}
	return entries
}

// fields are the values of a field in those objects that have it.
func fields(objects []any, name string) []any {
	var values []any
	for _, object := range objects {
		if value, has := object.(map[string]any)[name]; has {
			values = append(values, value)
		}
	}
	return values
}

// refusals runs the cases of a kind, and remembers what the API server had to say.
func refusals(t *testing.T, s *server, f fixture, triggered *record) {
	t.Parallel()
	stored := s.store(t, f, "status-test")
	for sentence, c := range f.refused {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			object := f.tweaked(t, c.tweak)
			err := s.tryPart(t.Context(), c.field, stored, object)
			found := complaints(f.kind, err)
			triggered.add(found)
			c.check(t, found, err)
		})
	}
	for sentence, c := range f.frozen {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			object := stored.DeepCopy()
			c.tweak(object.Object)
			err := s.client.Update(t.Context(), object, client.DryRunAll)
			found := complaints(f.kind, err)
			triggered.add(found)
			c.check(t, found, err)
		})
	}
}

// check wants the error that the case names, and no other but about the same value.
func (c refusal) check(t *testing.T, found []validation, err error) {
	t.Helper()
	field := anyEntry(c.field)
	wanted := func(v validation) bool { return v.field == field && strings.Contains(v.says, c.says) }
	if !slices.ContainsFunc(found, wanted) {
		t.Errorf("want at %q: %s\ngot %v", c.field, c.says, err)
		return
	}
	for _, v := range found {
		if !strings.HasPrefix(v.field, field) && !strings.HasPrefix(field, v.field) {
			t.Errorf("besides %q there is %v", c.says, v)
		}
	}
}

// complaints are the single errors in a refusal.
func complaints(kind string, err error) []validation {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var found []validation
	for _, cause := range status.Status().Details.Causes {
		if strings.HasPrefix(cause.Message, "Invalid value: null: some validation rules were not checked") {
			continue
		}
		field := anyEntry(cause.Field)
		if field == "<nil>" {
			field = ""
		}
		found = append(found, validation{kind, field, cause.Message})
	}
	return found
}

// record is what the API server had to say in all cases.
type record struct {
	mu    sync.Mutex
	found []validation
}

func (r *record) add(found []validation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, found...)
}

func (r *record) has(v validation) bool { return slices.ContainsFunc(r.found, v.triggeredBy) }

// store creates a kind's minimal object under a name of its own, where the kind leaves the choice, and deletes it when the test
// is over. An object of the only name that there is may be somebody else's: it is returned as it is, and stays.
func (s *server) store(t *testing.T, f fixture, name string) *unstructured.Unstructured {
	t.Helper()
	object := f.object(t, f.minimal)
	if object.GetName() == anyName {
		object.SetName(anyName + "-" + name)
	}
	err := s.client.Create(t.Context(), object)
	if apierrors.IsAlreadyExists(err) {
		err = s.client.Get(t.Context(), client.ObjectKeyFromObject(object), object)
	} else if err == nil {
		t.Cleanup(func() { _ = s.client.Delete(context.Background(), object) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// tryPart asks whether the API server would store the part of an object in which a field is.
func (s *server) tryPart(ctx context.Context, field string, stored, object *unstructured.Unstructured) error {
	if strings.HasPrefix(field, "status") {
		return s.tryStatus(ctx, stored, object)
	}
	_, err := s.try(ctx, object)
	return err
}

// tryStatus asks whether the API server would store the status of an object.
func (s *server) tryStatus(ctx context.Context, stored, object *unstructured.Unstructured) error {
	update := stored.DeepCopy()
	update.Object["status"] = object.Object["status"]
	return s.client.Status().Update(ctx, update, client.DryRunAll)
}
