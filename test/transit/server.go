// Package transit is a small server that speaks those calls of the transit secrets engine of Vault and OpenBao that Terroir asks: reading a
// key, encrypting and decrypting, signing and verifying, the server's health, and looking a token up.
//
// It is the project's own, made after the engines' documented REST interface, for tests and the demo: its keys are real, lie in memory, and are
// gone when it stops. It is no secrets engine, and nothing that matters belongs into it.
package transit

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Options say what server it is.
type Options struct {
	// Address is where it listens, such as 127.0.0.1:8200. Empty: any free port of the loopback interface.
	Address string
	// Certificate is the server's own.
	Certificate tls.Certificate
	// Token is the one token that it takes.
	Token string
	// Mount is where its one engine is mounted. Empty: transit.
	Mount string
	// Now tells the time at which versions of keys are made. Nil: the time of day.
	Now func() time.Time
}

// Server is a running server.
type Server struct {
	options  Options
	http     *http.Server
	listener net.Listener

	mu        sync.Mutex
	keys      map[string]*key
	condition Condition
	denied    map[string]bool // paths below the mount
	instead   http.HandlerFunc
	asked     []string
}

// Condition is what is the matter with a server.
type Condition int

// What may be the matter.
const (
	Active Condition = iota
	Sealed
	Standby
	Uninitialised
)

// Start starts a server.
func Start(o Options) (*Server, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Mount == "" {
		o.Mount = "transit"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("listening for the transit server: %w", err)
	}
	s := &Server{options: o, listener: listener, keys: map[string]*key{}, denied: map[string]bool{}}
	s.http = &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{o.Certificate}},
	}
	secure := tls.NewListener(listener, s.http.TLSConfig)
	go func() { _ = s.http.Serve(secure) }() // which says that it was closed
	return s, nil
}

// Address is the address that a KeyStore names: https, host and port.
func (s *Server) Address() string { return "https://" + s.listener.Addr().String() }

// Close stops the server. Its keys are gone.
func (s *Server) Close() error {
	err := errors.Join(s.listener.Close(), s.http.Close()) // both: the one may not know of the other yet
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("stopping the transit server: %w", err)
	}
	return nil
}

// Be changes what is the matter with the server.
func (s *Server) Be(c Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.condition = c
}

// Deny has the server deny the token what is at a path below the mount, such as keys/kek, or allow it again.
func (s *Server) Deny(path string, denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[path] = denied
}

// Instead has somebody else answer. Nil: the server does again.
func (s *Server) Instead(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = h
}

// Asked gives the methods and paths that were asked for since it was last called.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	instead := s.instead
	s.mu.Unlock()
	if instead != nil {
		instead(w, r)
		return
	}
	status, body := s.answer(r)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // whoever asked may have gone
}

// answer is the status, and what is told.
func (s *Server) answer(r *http.Request) (int, any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	switch {
	case !ok:
		return failure(http.StatusNotFound)
	case path == "sys/health":
		return s.health()
	case s.condition == Sealed:
		return failure(http.StatusServiceUnavailable, "Vault is sealed")
	case s.condition != Active:
		return failure(http.StatusInternalServerError, "local node not active but active cluster node not found")
	case r.Header.Get("X-Vault-Token") != s.options.Token:
		return failure(http.StatusForbidden, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
	case path == "auth/token/lookup-self" && s.denied[path]:
		return failure(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case path == "auth/token/lookup-self":
		return success(map[string]any{"policies": []string{"default"}})
	}
	below, ok := strings.CutPrefix(path, s.options.Mount+"/")
	if !ok {
		return failure(http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
	}
	if s.denied[below] {
		return failure(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	}
	return s.engine(r, below)
}

func (s *Server) health() (int, any) {
	status := map[Condition]int{Active: http.StatusOK, Sealed: http.StatusServiceUnavailable, Standby: http.StatusTooManyRequests, Uninitialised: http.StatusNotImplemented}
	return status[s.condition], map[string]any{"initialized": s.condition != Uninitialised, "sealed": s.condition == Sealed, "standby": s.condition == Standby}
}

func success(data any) (int, any) { return http.StatusOK, map[string]any{"data": data} }

func failure(status int, says ...string) (int, any) {
	return status, map[string]any{"errors": append([]string{}, says...)}
}
