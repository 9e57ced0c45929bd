//go:build cgo

package pkcs11

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
)

// module is a library, of which there is one in the process, whatever the number of stores behind it. A call into C cannot be cancelled, so one
// goroutine at a time is inside, and those who wait for it may stop waiting. Whoever is inside holds the gate.
type module struct {
	path string
	gate chan struct{}

	// Held by the gate.
	native  native
	binding *pkcs11.Ctx // nil: not loaded yet
	users   int         // open sessions
	ours    bool        // initialised here, so to be finalised here
	logins  map[uint]*login
	refused map[string]bool // digests of what tokens refused
	secret  [32]byte        // of digests, which say nothing outside of this process

	mutex   sync.Mutex
	pending []func() // what is to be done by the next who holds the gate
}

// login is that of this process with a token, which all its sessions share.
type login struct {
	pin      []byte // a digest
	sessions int
}

func newModule(path string) *module {
	m := &module{path: path, gate: make(chan struct{}, 1), logins: map[uint]*login{}, refused: map[string]bool{}}
	_, _ = rand.Read(m.secret[:]) // never fails
	return m
}

// digest is a name for what is secret, under which it can be compared and remembered.
func (m *module) digest(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, m.secret[:])
	for _, part := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write(part)
	}
	return h.Sum(nil)
}

// loggedIn remembers by which PIN the process logged in to a token.
func (m *module) loggedIn(slot uint, pin []byte) *login {
	l := &login{pin: pin}
	m.logins[slot] = l
	return l
}

// left tells that one session less shares a login. Without sessions there is none.
func (m *module) left(slot uint, l *login) {
	l.sessions--
	if l.sessions == 0 && m.logins[slot] == l {
		delete(m.logins, slot)
	}
}

// do lets one look happen inside the library, for as long as the context lasts. A look that takes longer goes on by itself, and the library
// is shut to everybody until it is over.
func (m *module) do(ctx context.Context, look func() keystore.Sighting) keystore.Sighting {
	if err := late(ctx); err != nil {
		return sightingOf(err)
	}
	select {
	case m.gate <- struct{}{}:
	case <-ctx.Done():
		return sightingOf(failed(v1alpha1.OutcomeUnreachable, "the library has not come back from an earlier call: nothing else is asked of it until it has"))
	}
	seen := make(chan result, 1)
	go func() {
		r := guarded(func() keystore.Sighting { m.doPending(); return look() })
		m.leave() // before anybody hears of it, so that what he does next finds the gate open
		seen <- r
	}()
	select {
	case r := <-seen:
		if r.panicked != nil {
			panic(r.panicked) // in the goroutine of whoever asked, who knows what to do about it
		}
		return r.sighting
	case <-ctx.Done():
		return sightingOf(late(ctx))
	}
}

// result is what comes of a look.
type result struct {
	sighting keystore.Sighting
	panicked any
}

func guarded(look func() keystore.Sighting) (r result) {
	defer func() { r.panicked = recover() }()
	return result{sighting: look()}
}

// afterwards has something done inside the library: now, if nobody is in, or else by whoever goes out or in next. It does not wait.
func (m *module) afterwards(task func()) {
	m.mutex.Lock()
	m.pending = append(m.pending, task)
	m.mutex.Unlock()
	select {
	case m.gate <- struct{}{}:
		m.leave()
	default:
	}
}

// leave gives the gate back. What is put off after the last look at what is pending is seen by another one, once the gate is open.
func (m *module) leave() {
	for {
		m.doPending()
		<-m.gate
		if !m.hasPending() {
			return
		}
		select {
		case m.gate <- struct{}{}:
		default:
			return // whoever is in now does it
		}
	}
}

func (m *module) hasPending() bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return len(m.pending) > 0
}

func (m *module) doPending() {
	m.mutex.Lock()
	tasks := m.pending
	m.pending = nil
	m.mutex.Unlock()
	for _, task := range tasks {
		task()
	}
}

// begin makes the library ready for one more session.
func (m *module) begin() error {
	if err := m.loaded(); err != nil {
		return err
	}
	if m.users == 0 {
		err := m.binding.Initialize()
		if err != nil && !isOneOf(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
			return during("C_Initialize", err)
		}
		m.ours = err == nil
	}
	m.users++
	return nil
}

// end tells that a session is over. After the last one the library is finalised, so that after a fault everything begins anew: what it knew of tokens and
// connections is no more.
func (m *module) end() {
	m.users--
	if m.users == 0 && m.ours {
		// What it answers changes nothing: the next C_Initialize tells.
		_ = m.binding.Finalize()
	}
}

func (m *module) loaded() error {
	if m.binding != nil {
		return nil
	}
	n, err := load(m.path)
	if err != nil {
		return failed(v1alpha1.OutcomeMisconfigured, "loading the module: %s", shortened(err.Error()))
	}
	binding := pkcs11.New(m.path)
	if binding == nil {
		return failed(v1alpha1.OutcomeMisconfigured, "loading the module %s failed", m.path)
	}
	m.native, m.binding = n, binding
	return nil
}

// shortened bounds what a linker or a library has to say.
func shortened(s string) string {
	const longest = 200
	if len(s) > longest {
		return fmt.Sprintf("%.*s…", longest, s)
	}
	return s
}
