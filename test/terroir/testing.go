package terroir

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// MustObjects is [Objects] for what a test itself wrote.
func MustObjects(t testing.TB, text string) []*unstructured.Unstructured {
	t.Helper()
	found, err := Objects([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
