// Package doors tries every door of the threat model on a real control plane: every way, known to us, by which a workload or its
// data reaches unqualified ground. Each way is tried three times: without Terroir, where it must be open, lest the test prove nothing;
// with Terroir; and with Terroir's operator stopped.
//
// # The tour
//
//   - The doors are data, a file for each group of them: pods, updates, bindings, nodes, namespaces, storage, self, later, keys.
//   - A [Variant] is one way through a door: who tries it, through which verb and resource, and what had to happen for the door to
//     have been open. It says whether its effect happened, not merely whether there was an error.
//   - stage_test.go is what a variant plays on: objects of its own, and clients that act as the weakest user who could try it.
//   - ways_test.go multiplies one change of an object by every verb and subresource that can carry it.
//   - ground_test.go is what the variants share: nodes, the catalogue, policies, and what each user may do.
//   - run_test.go plays them, table_test.go prints what came of it; `make test-doors` shows the table.
package doors

import (
	"context"
	"errors"
	"fmt"
)

// Door is one row of the threat model.
type Door struct {
	Number int
	Name   string
	// ClosedBy says in a few words what closes it.
	ClosedBy string
	// Elsewhere says why there is nothing to try here. Empty where there are variants.
	Elsewhere string
	Variants  []Variant
}

// Variant is one way through a door.
type Variant struct {
	// By is who tries it: the weakest user who could.
	By who
	// Through is the verb and the resource by which it is tried.
	Through string
	// Closed says how Terroir closes this way.
	Closed Closing
	// Why says why Kubernetes itself closes it, or why nothing does.
	Why string
	// Ground names a namespace that the door's variants of the same Ground share. Empty: it has one of its own, since it looks at all that
	// is there, or changes the namespace itself.
	Ground string
	// Set prepares what the try needs, as the administrator and while the operator runs. May be nil.
	Set func(context.Context, *stage) error
	// Try does it, and says whether its effect happened. The error is a refusal; see [refused] and [broken].
	Try func(context.Context, *stage) (effect, error)
	// Noticed returns nil once Terroir says in public what happened, or has put it right. It is asked again and again; before the try,
	// what is to be said must not have been said.
	Noticed func(context.Context, *stage) error
	// Alone tells that nothing else may be tried at the same time, since it takes away what all others rest on.
	Alone bool
}

// effect says whether what makes a door one has happened.
type effect bool

const (
	nothing  effect = false
	happened effect = true
)

// Closing is a way of closing a door. The zero value is the strictest one.
type Closing int

const (
	// Refused by the API server with a sentence of Terroir's, whether the operator runs or not.
	Refused Closing = iota
	// Undone: admitted, and without effect, whether the operator runs or not.
	Undone
	// Webhook: refused with a sentence of Terroir's, while the operator runs.
	Webhook
	// Noticed: happens, and the operator says so in public.
	Noticed
	// PutBack: happens, and the operator puts it right within seconds.
	PutBack
	// Kubernetes closes it itself; Terroir has nothing to add.
	Kubernetes
	// StillOpen: nothing closes it. Why says why; that it is still so is tested, too.
	StillOpen
)

// needsOperator tells that nothing is closed while the operator is down.
func (c Closing) needsOperator() bool { return c == Webhook || c.afterwards() }

// afterwards tells that nothing is closed in the request itself.
func (c Closing) afterwards() bool { return c == Noticed || c == PutBack }

// broken is an error that is no refusal: the try itself went wrong, and says nothing about the door.
type broken struct{ error }

// Unwrap gives the error itself.
func (b broken) Unwrap() error { return b.error }

// mishap says that the try went wrong.
func mishap(format string, args ...any) (effect, error) {
	return nothing, broken{fmt.Errorf(format, args...)}
}

func isBroken(err error) bool { return errors.As(err, &broken{}) }

// Doors are all rows of the threat model, by number.
func Doors() []Door {
	var all []Door
	for _, group := range [][]Door{podDoors(), updateDoors(), bindingDoors(), nodeDoors(), namespaceDoors(), storageDoors(), selfDoors(), laterDoors(), keyDoors()} {
		all = append(all, group...)
	}
	return sorted(all)
}
