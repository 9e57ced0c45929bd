package uninstall

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Object names an object.
type Object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`

	going   bool   // it is being deleted
	version string // its resourceVersion, where a change depends on nobody else having made one
}

func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// same tells whether two are the same object, perhaps at different moments.
func (o Object) same(other Object) bool {
	return o.Kind == other.Kind && o.Namespace == other.Namespace && o.Name == other.Name
}

// World is what there is of Terroir in a cluster, and what depends on it.
type World struct {
	now time.Time

	deployments []Object // the operator's
	managers    []Object // its pods
	lease       lease

	guards []Object // webhook configurations, bindings, policies, in the order in which they go
	fenced bool     // the fence is still in force, though it may be gone already

	gated     []gated
	workloads []workload
	pods      []pod
	nodes     []node
	marked    []marked
	floors    []Object
	kept      []kept
	claims    []claim
	kinds     []kind
	roles     []Object
	home      []Object // the namespace in which Terroir runs
}

// lease is who leads, and what was seen of it since this run began.
type lease struct {
	holder   string
	renewed  time.Time
	duration time.Duration

	renewals int           // how often it was renewed while none of the known pods held it
	still    time.Duration // for how long it has not been renewed
}

// gated is a pod that waits for Terroir.
type gated struct {
	Object
	gates []string // all of them
}

// workload is something that makes pods from a template.
type workload struct {
	Object
	mirrors []string // the mirrored annotations in its template
	asks    []string // the labels of Terroir that its template asks nodes for
	held    []string // those of them that stand in its nodeSelector
	rolling bool     // it is replacing its pods, or about to
	idle    string   // why it replaces no pods by itself, if so
}

// pod is one that has not finished and asks nodes for labels of Terroir.
type pod struct {
	Object
	node  string // empty: not bound yet
	asks  []string
	maker Object // the workload that would make another one; of no kind: nobody
}

// node is a node with labels of Terroir.
type node struct {
	Object
	labels []string // keys, sorted
}

// marked is an object with marks of Terroir, or with what Terroir recorded of it.
type marked struct {
	Object
	marks   []string // keys of labels
	records []string // keys of annotations
}

// kept is an object that a finalizer of Terroir keeps from vanishing.
type kept struct {
	Object
	finalizers []string // all of them
}

// claim is an object whose status says what is in force.
type claim struct {
	Object
	conditions []metav1.Condition
	generation int64
}

// kind is a kind of terroir.dev, and what stands in the way of its going.
type kind struct {
	Object
	remaining []string
}

// isOurs tells whether the name of a scheduling gate or a finalizer is Terroir's.
func isOurs(name string) bool { return strings.HasPrefix(name, v1alpha1.AnnotationPrefix) }

// except gives the values for which drop is false, and never nil: in a patch nil would remove the list instead of emptying it.
func except(values []string, drop func(string) bool) []string {
	return append([]string{}, slices.DeleteFunc(slices.Clone(values), drop)...)
}
