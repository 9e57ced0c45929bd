package guard

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/terroir-dev/terroir/internal/placement"
)

// Scope says for which namespaces a guard holds. Objects without a namespace are in every scope; a Namespace is in its own.
type Scope int

const (
	// Everywhere is every namespace. The zero value: a guard looks at too much rather than at too little.
	Everywhere Scope = iota
	// Governed are the namespaces that carry Terroir's mark and are not exempt.
	Governed
	// Own is Terroir's own namespace.
	Own
)

// Resources are requests that a guard looks at.
type Resources struct {
	Group, Version string
	// Names may name subresources, such as nodes/status.
	Names      []string
	Operations []admissionregistrationv1.OperationType
}

// Guard is one law about requests.
type Guard struct {
	// Name is that of the admission policy.
	Name string
	// Looks are the requests it looks at.
	Looks []Resources
	// Scope narrows them by namespace.
	Scope Scope
	// EachClusterPolicy makes every ClusterPlacementPolicy in turn the variable params. Where there is none, or the kind is not served, the guard
	// admits: there is nothing to keep then, and it must not stop what is being removed.
	EachClusterPolicy bool
	// Conditions decide, cheaply, whether the guard looks at a request at all. All must hold.
	Conditions []placement.Variable
	// Variables are what Validations use.
	Variables []placement.Variable
	// Validations are the law.
	Validations []placement.Validation
}

// Keeper puts right in a request what its sender may not decide, instead of refusing it.
type Keeper struct {
	// Name is that of the admission policy.
	Name string
	// Looks are the requests it looks at.
	Looks []Resources
	// Conditions decide, cheaply, whether it looks at a request at all. All must hold.
	Conditions []placement.Variable
	// Variables are what Patch uses.
	Variables []placement.Variable
	// Patch is a CEL expression of type list of JSONPatch.
	Patch string
}

// Guards are the laws, in the order in which they are best installed.
func Guards(s placement.Settings) []Guard {
	return []Guard{
		nodes(s), nodePlaces(s), csiNodes(), namespaceMarks(), namespaceSelection(), floors(), statuses(), installation(), home(s),
		claims(s), claimVolumes(s), claimRecords(), volumes(s), volumeProofs(), storageClasses(), attachments(), observations(),
	}
}

// Keepers are what puts right.
func Keepers(s placement.Settings) []Keeper {
	return []Keeper{nodeKeeper(s)}
}

const (
	create = admissionregistrationv1.Create
	update = admissionregistrationv1.Update
	remove = admissionregistrationv1.Delete
)

func ops(operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.OperationType {
	return operations
}
