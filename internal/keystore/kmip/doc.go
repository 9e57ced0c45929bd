// Package kmip asks servers of the Key Management Interoperability Protocol, versions 1.2 to 1.4, what they say of a key.
//
// [Open] makes the prober of a store. It asks by Get Attributes and never by Get, so no key material ever moves; it never asks by Locate, which
// answers with nothing for a key that it does not let see. What is asked is in attributes.go, what follows from it in facts.go and
// fingerprint.go. roundtrip.go uses the key, where the server has operations for that. conn.go talks to the server: each exchange ends with
// the caller's context, and no answer is read (frame.go) that is longer, deeper or otherwise shaped than answers are.
package kmip
