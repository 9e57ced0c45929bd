// Package pkcs11 asks tokens: partitions of hardware security modules, through the C library of their vendor.
//
// [New] gives the opener for the modules that the agent was told it may load. A prober finds its token by label and serial number, logs in as the
// token's user once, in a read-only session, and then looks at keys: their attributes, whether their value could be had, what tells them from
// their successors, and, if asked to, whether they can be used.
//
// It is written for libraries that hang, crash and lie. One call at a time goes into a library, whichever of its tokens it is for; a caller who cannot wait
// any longer goes, and nobody else goes in until the call has come back. Nothing is read from a key but what stands in attributes.go, and
// no answer is longer than a bound. The role of the security officer does not occur: the only login there is, in native.go, is the user's.
//
// It needs cgo. Built without, it has an opener that says so.
package pkcs11
