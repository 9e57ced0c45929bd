// Package kmip is a small KMIP server for tests: it keeps keys, tells what they are, and takes them through their lives as an administrator would. It
// lets nobody use them, as servers do that only keep keys.
package kmip

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	kmipgo "github.com/ovh/kmip-go"
	"github.com/ovh/kmip-go/kmipserver"
	"github.com/ovh/kmip-go/payloads"
	"github.com/ovh/kmip-go/ttlv"
)

// Server is a running server.
type Server struct {
	listener net.Listener
	executor *kmipserver.BatchExecutor

	mu   sync.Mutex
	keys map[string]kmipgo.State // by unique identifier
}

// Start starts a server on a port of the loopback interface. Whom it lets in, its configuration says.
func Start(config *tls.Config) (*Server, error) {
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return nil, fmt.Errorf("listening for the KMIP server: %w", err)
	}
	s := &Server{listener: listener, executor: kmipserver.NewBatchExecutor(), keys: map[string]kmipgo.State{}}
	s.executor.Route(kmipgo.OperationGetAttributes, kmipserver.HandleFunc(s.attributes))
	go s.accept()
	return s, nil
}

// Endpoint is its host and port.
func (s *Server) Endpoint() string { return s.listener.Addr().String() }

// Close stops it.
func (s *Server) Close() error { return s.listener.Close() } //nolint:wrapcheck // of a test's server

// Be says in which state a key is; a new one is made.
func (s *Server) Be(id string, state kmipgo.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[id] = state
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.serve(conn)
	}
}

// serve answers the questions of one client.
func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	stream := ttlv.NewStream(conn, ttlv.DefaultMaxMessageSize)
	for {
		var question kmipgo.RequestMessage
		if stream.Recv(&question) != nil || stream.Send(s.executor.HandleRequest(context.Background(), &question)) != nil {
			return
		}
	}
}

// attributes tells those of a key that were asked for: an AES key of 256 bits that never leaves, made at a day long past.
func (s *Server) attributes(_ context.Context, q *payloads.GetAttributesRequestPayload) (*payloads.GetAttributesResponsePayload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, known := s.keys[q.UniqueIdentifier]
	if !known {
		return nil, kmipserver.ErrItemNotFound
	}
	made := time.Unix(1_700_000_000, 0)
	all := map[kmipgo.AttributeName]any{
		kmipgo.AttributeNameObjectType: kmipgo.ObjectTypeSymmetricKey, kmipgo.AttributeNameCryptographicAlgorithm: kmipgo.CryptographicAlgorithmAES,
		kmipgo.AttributeNameCryptographicLength: int32(256), kmipgo.AttributeNameCryptographicUsageMask: kmipgo.CryptographicUsageEncrypt | kmipgo.CryptographicUsageDecrypt,
		kmipgo.AttributeNameState: state, kmipgo.AttributeNameInitialDate: made, kmipgo.AttributeNameActivationDate: made,
		kmipgo.AttributeNameSensitive: true, kmipgo.AttributeNameAlwaysSensitive: true, kmipgo.AttributeNameExtractable: false, kmipgo.AttributeNameNeverExtractable: true,
	}
	answer := &payloads.GetAttributesResponsePayload{UniqueIdentifier: q.UniqueIdentifier}
	for _, name := range q.AttributeName {
		if value, has := all[name]; has {
			answer.Attribute = append(answer.Attribute, kmipgo.Attribute{AttributeName: name, AttributeValue: value})
		}
	}
	return answer, nil
}
