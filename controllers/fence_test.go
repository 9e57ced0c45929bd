package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// handlers counts the handlers that the informer of each kind has. The kind of which it cannot give an informer is unserved.
type handlers struct {
	cache.Cache
	count    map[string]int
	unserved string
}

func (h *handlers) GetInformer(_ context.Context, o client.Object, _ ...cache.InformerGetOption) (cache.Informer, error) {
	kind := fmt.Sprintf("%T", o)
	if kind == h.unserved {
		return nil, errors.New("not served")
	}
	return &handled{added: func() { h.count[kind]++ }}, nil
}

type handled struct {
	cache.Informer
	added func()
}

func (h *handled) AddEventHandler(toolscache.ResourceEventHandler) (toolscache.ResourceEventHandlerRegistration, error) {
	h.added()
	return nil, nil
}

func TestEachKindIsFollowedOnce(t *testing.T) {
	const policies, bindings = "*v1.MutatingAdmissionPolicy", "*v1.MutatingAdmissionPolicyBinding"
	seen := &handlers{count: map[string]int{}, unserved: bindings}
	f := &Fence{reader: seen, following: map[string]bool{}}
	if err := f.follow(t.Context(), false); err != nil || len(seen.count) > 0 {
		t.Errorf("where they are not served, it follows %v (%v)", seen.count, err)
	}
	if err := f.follow(t.Context(), true); err == nil {
		t.Error("it does not say that it could not follow a kind")
	}
	seen.unserved = ""
	for range 2 {
		if err := f.follow(t.Context(), true); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]int{policies: 1, bindings: 1}, seen.count); diff != "" {
		t.Errorf("handlers (-want +got):\n%s", diff)
	}
}
