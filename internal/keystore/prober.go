package keystore

import (
	"context"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Prober asks one store, over one connection. It is used by one goroutine at a time, and every call ends when its context does.
type Prober interface {
	// Probe looks at one key. What goes wrong is an outcome, not an error: Unreachable, Unauthenticated or Misconfigured. After one of these the
	// prober may be asked again; whether it has to be opened anew is its own affair.
	Probe(ctx context.Context, key Key) Sighting
	// Close ends the connection.
	Close() error
}

// Opener makes the prober of a store. It opens no connection: a store that does not answer is an outcome of Probe. The error says what is
// malformed, in words that may be shown; it is told as Misconfigured.
type Opener func(Store) (Prober, error)

// Store is a KeyStore with what is needed to ask it.
type Store struct {
	Name string
	Spec v1alpha1.KeyStoreSpec
	// Credentials are the data of the Secrets that the spec names.
	Credentials Credentials
	// Latch guards logins that a wrong PIN would count against. Nil for stores that have none.
	Latch Latch
}

// Credentials are secret. They are never printed.
type Credentials struct {
	// Secret is the data of credentialsSecretRef, CA that of tls.caSecretRef, Client that of tls.clientSecretRef. Nil: the spec names none.
	Secret, CA, Client map[string][]byte
}

// String keeps secrets out of whatever prints them.
func (Credentials) String() string { return "(credentials)" }

// GoString does the same for %#v.
func (c Credentials) GoString() string { return c.String() }

// Latch lets a PIN be tried at most once for each version of its Secret, whoever asks and however often he is started again.
type Latch interface {
	// Enter asks to try the PIN now. countLow tells that the token counts a failed login since the last good one. The error says why not,
	// in words that may be shown; then the PIN must not be tried.
	Enter(ctx context.Context, countLow bool) error
	// Leave tells what came of it.
	Leave(ctx context.Context, accepted bool) error
}

// Key is an EncryptionKey, as far as a store is asked for it.
type Key struct {
	Name string
	Ref  v1alpha1.KeyReference
	// RoundTrip asks that the key be used, not only looked at.
	RoundTrip bool
}

// Sighting is what came of looking at a key.
type Sighting struct {
	Outcome v1alpha1.ProbeOutcome
	// Message says more, for people. It holds nothing secret, and is the same for the same cause.
	Message string
	// Fingerprint tells this key from any other that may take its place: "sha256:" and 64 hexadecimal digits. It says nothing of the material.
	Fingerprint string
	// Facts are what was seen. What was not seen is not among them.
	Facts []Fact
}

// Fact is one thing that was seen of a key. Names and values are those of package keys.
type Fact struct {
	Name, Value string
	Evidence    v1alpha1.KeyEvidence
}
