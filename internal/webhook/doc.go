// Package webhook answers the API server's admission reviews: it decodes, asks the pure packages, and encodes.
//
// It speaks before the fence in the API server, which has the last word: its sentences are the ones that people see, and at
// a binding it looks at the live node, which the fence cannot. [New] makes the handlers; each path has a file of its own:
//
//   - /pods (pods.go) shapes and judges pods at creation. The hot path: no API call, no look at nodes, and what a namespace owes is
//     worked out once per snapshot (law.go).
//   - /workloads (workloads.go) mirrors annotations into templates and answers early about them.
//   - /bindings (bindings.go) judges a binding and the live node it names.
//   - /namespaces (namespaces.go) refuses annotations that mean nothing.
//   - /claims (claims.go) refuses claims of which no volume can ever be encrypted as demanded.
//   - /catalogue (catalogue.go) and /policies (policies.go) warn of what a change costs. They never refuse.
//
// hook.go carries a review from the wire to one of these and back. [Configurations] are the objects by which the API server
// finds them.
//
// # Which way it falls
//
// The zero answer denies, and [admit] is the only place that allows. What cannot be decided (no snapshot yet, a namespace not
// yet known, an object that does not decode, a failing read, a panic) is denied with a sentence; only the hooks that merely warn
// let it pass with one. A request that is no admission review at all gets an HTTP error, and so does what the configuration's
// failurePolicy says.
package webhook
