package terroir

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
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

// Eventually waits until a check finds nothing wrong. It goes on when the test's own context has ended, so that cleanups can wait, too.
func Eventually(t testing.TB, patience time.Duration, what string, check func() error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(context.Background(), 25*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("waited in vain until %s: %v", what, last)
	}
}

// Denied checks that an error is a refusal with the given words.
func Denied(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("it was admitted; it should have been refused with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the refusal is %q; it should contain %q", err, word)
		}
	}
}
