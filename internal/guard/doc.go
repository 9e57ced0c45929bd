// Package guard says who may change what Terroir's guarantee rests on, beside pods and bindings: the labels of nodes, the marks of
// namespaces, what namespaces owe, where data is provisioned, and Terroir's own objects.
//
// A [Guard] is one law about requests, in a file of its own with its law in prose on top. Its checks are CEL alone: they are about
// who asks, which only the API server knows for certain, and so they have no half in Go. Package fence turns every guard into one
// ValidatingAdmissionPolicy with its binding; a [Keeper], which puts something back or stamps something in the very
// request instead of refusing it, becomes a MutatingAdmissionPolicy.
//
// # Which way it falls
//
// A guard fails closed: what its expressions cannot evaluate is refused. The exceptions say so, and why. No guard looks at anything
// but what it guards: a node tells that it is alive, the control plane's pods and ungoverned workloads start, whatever is refused
// here. One looks at objects of everybody: a VolumeAttachment does not say whose volume it attaches ([attachments]).
package guard
