package guard_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/terroir-dev/terroir/internal/fence"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/guard"
	"github.com/terroir-dev/terroir/internal/placement"
)

const cloudController = "system:serviceaccount:kube-system:cloud-controller-manager"

var settings = placement.Settings{Schedulers: []string{"default-scheduler"}, CloudControllerUsers: []string{cloudController}}

// theGuards are compiled once, as the fence makes them.
var theGuards = sync.OnceValues(func() (*fencetest.Fence, error) {
	wanted := map[string]bool{}
	for _, g := range guard.Guards(settings) {
		wanted[g.Name] = true
	}
	for _, k := range guard.Keepers(settings) {
		wanted[k.Name] = true
	}
	var policies []runtime.Object
	for _, o := range fence.Objects(fence.Options{Settings: settings, Mutating: true}) {
		if m, ok := o.(metav1.Object); ok && wanted[m.GetName()] {
			policies = append(policies, o)
		}
	}
	return fencetest.Compile(policies)
})

func compile(t *testing.T) *fencetest.Fence {
	t.Helper()
	f, err := theGuards()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// judged is a request and what is said of it; nothing, if it is admitted.
type judged struct {
	request fencetest.Request
	denial  string
}

// judge has a guard judge requests, by a sentence about each.
func judge(t *testing.T, name string, cases map[string]judged) {
	t.Helper()
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			denials, err := compile(t).Validate(name, c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.denial, strings.Join(denials, "\n")); diff != "" {
				t.Errorf("it says (-want +got):\n%s", diff)
			}
		})
	}
}

func by(user string, r fencetest.Request) fencetest.Request {
	r.User = user
	return r
}

func through(subresource string, r fencetest.Request) fencetest.Request {
	r.SubResource = subresource
	return r
}

// all makes a deletion one of a whole collection.
func all(r fencetest.Request) fencetest.Request {
	r.Collection = true
	return r
}

// maintainer lets somebody make a request to whom RBAC grants the one verb, and no other.
func maintainer(r fencetest.Request) fencetest.Request {
	r.User = "helm"
	r.May = func(verb, group, resource, _ string) bool {
		return verb == "maintain" && group == "terroir.dev" && resource == "installations"
	}
	return r
}

// named is an object of which only the name matters.
func named(apiVersion, kind, namespace, name string) runtime.Object {
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{APIVersion: apiVersion, Kind: kind}, ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
	}
}
