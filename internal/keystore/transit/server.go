package transit

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// mostBytes is how long an answer may be, and mostHeaders how long what goes before it.
	mostBytes   = 1 << 20
	mostHeaders = 64 << 10
	// mostRedirects is how often a server may point to itself: several nodes may stand behind one name.
	mostRedirects = 3
)

var (
	errRedirect = errors.New("the server points to another host")
	errTooLong  = errors.New("the answer is too long")
	errNoAnswer = errors.New("the answer is none")
)

// server is one server, as one client.
type server struct {
	client           *http.Client
	base             *url.URL
	namespace, token string
}

// answer is what the server said. Body is nil where that was no JSON object.
type answer struct {
	status int
	body   *body
}

// body is what answers have in common.
type body struct {
	Data   json.RawMessage `json:"data"`
	Errors []string        `json:"errors"`
}

func newServer(base *url.URL, config *tls.Config, namespace, token string) *server {
	transport := &http.Transport{ // no proxy, no compression, nothing unbounded
		TLSClientConfig: config, DisableCompression: true, MaxResponseHeaderBytes: mostHeaders, MaxConnsPerHost: 1, IdleConnTimeout: 30 * time.Second,
	}
	return &server{client: &http.Client{Transport: transport, CheckRedirect: stay}, base: base, namespace: namespace, token: token}
}

// stay follows no redirect to another host: it was not said that he may have the token.
func stay(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	if next.URL.Scheme != first.Scheme || next.URL.Host != first.Host || len(before) > mostRedirects {
		return errRedirect
	}
	return nil
}

func (s *server) get(ctx context.Context, path ...string) (answer, error) {
	return s.call(ctx, http.MethodGet, nil, path)
}

// post sends a question and reads what data the answer has.
func (s *server) post(ctx context.Context, question, data any, path ...string) (answer, error) {
	text, err := json.Marshal(question)
	if err != nil {
		return answer{}, fmt.Errorf("encoding a question: %w", err)
	}
	a, err := s.call(ctx, http.MethodPost, text, path)
	if err != nil || a.status != http.StatusOK {
		return a, err
	}
	return a, a.read(data)
}

// read reads the data of an answer.
func (a answer) read(data any) error {
	if a.body == nil || json.Unmarshal(a.body.Data, data) != nil {
		return errNoAnswer
	}
	return nil
}

func (s *server) call(ctx context.Context, method string, question []byte, path []string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(append([]string{"v1"}, path...)...).String(), bytes.NewReader(question))
	if err != nil {
		return answer{}, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("X-Vault-Request", "true")
	request.Header.Set("X-Vault-Token", s.token)
	if s.namespace != "" {
		request.Header.Set("X-Vault-Namespace", s.namespace)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, fmt.Errorf("asking: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // what was to be read was read
	text, err := io.ReadAll(io.LimitReader(response.Body, mostBytes+1))
	switch {
	case err != nil:
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	case len(text) > mostBytes:
		return answer{}, errTooLong
	}
	a := answer{status: response.StatusCode}
	var said body
	if json.Unmarshal(text, &said) == nil && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		a.body = &said
	}
	return a, nil
}

func (s *server) close() { s.client.CloseIdleConnections() }
