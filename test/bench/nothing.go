package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// ServeNothing serves a webhook that reads each review and admits it, until the context ends. It speaks HTTP/1.1, as webhooks behind
// a Service do. Under /last it shows the last review, so that real ones can be had.
func ServeNothing(ctx context.Context, address, certificate, key string) error {
	handler := &nothingHandler{}
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /last", handler.show)
	mux.HandleFunc("POST /pods", handler.admit)
	server := &http.Server{Addr: address, Handler: mux, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServeTLS(certificate, key); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving a webhook that does nothing: %w", err)
	}
	return nil
}

type nothingHandler struct {
	mu   sync.Mutex
	last []byte
}

func (h *nothingHandler) admit(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var review struct {
		Request struct {
			UID string `json:"uid"`
		} `json:"request"`
	}
	if err == nil {
		err = json.Unmarshal(body, &review)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h.mu.Lock()
	h.last = body
	h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":%q,"allowed":true}}`, review.Request.UID)
}

func (h *nothingHandler) show(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = w.Write(h.last)
}
