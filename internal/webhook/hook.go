package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/terroir-dev/terroir/internal/snapshot"
)

// longestBody is how many bytes a review may have. The API server takes objects of three megabytes; an update sends two of them,
// and some escape their text twice.
const longestBody = 16 << 20

// hook carries reviews about objects of one kind from the wire to their judge, and the answers back.
type hook[O any] struct {
	*Handlers
	name  string
	judge func(context.Context, *request[O]) answer
	// falls is what becomes of a request that the judge cannot even be asked about.
	falls func(sentence string) answer
	// reads is what is read of a review; nil: no part of it is worth passing over.
	reads part
	seen  seenBy
}

// newHook makes a hook that denies what it cannot decide.
func newHook[O any](h *Handlers, name string, judge func(context.Context, *request[O]) answer) *hook[O] {
	deny := func(sentence string) answer { return undecided("%s", sentence) }
	return &hook[O]{Handlers: h, name: name, judge: judge, falls: deny, seen: h.seen.by(name)}
}

// advising makes the hook one that only warns: what it cannot decide passes, with the reason for a warning.
func (k *hook[O]) advising() *hook[O] {
	k.falls = func(sentence string) answer { return admit(nil, sentence) }
	return k
}

// reading has the hook decode no more than a part of each review.
func (k *hook[O]) reading(reads part) *hook[O] {
	k.reads = reads
	return k
}

// ServeHTTP answers one review. What is none gets an HTTP error, which the API server treats as its failurePolicy says.
func (k *hook[O]) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begun := k.Now()
	body, free, err := read(w, r)
	defer free()
	if err == nil {
		body, err = k.review(r.Context(), body)
	}
	if err != nil {
		k.seen.count(outcomeInvalid, k.Now().Sub(begun))
		k.Log.Error(err, "Request is no admission review", "hook", k.name)
		http.Error(w, err.Error(), statusOf(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // whoever went away without the answer has decided without it
}

// review turns the bytes of a review into those of its answer.
func (k *hook[O]) review(ctx context.Context, body []byte) ([]byte, error) {
	begun := k.Now()
	in, unreadable, err := decode[O](body, k.reads)
	if err != nil {
		return nil, err
	}
	a := k.answer(ctx, in.Request, unreadable)
	out, err := encode(in.Request.UID, a)
	k.seen.count(a.outcome(), k.Now().Sub(begun))
	return out, err
}

// patience is how long an answer that a newer snapshot may change waits for one: whoever creates a trust level and what asks for it
// with one command is only milliseconds behind.
const patience = 300 * time.Millisecond

// newer waits for another snapshot than the one seen.
func (k *hook[O]) newer(ctx context.Context, seen *snapshot.Snapshot) bool {
	return wait.PollUntilContextTimeout(ctx, 5*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		current, _ := k.Snapshots.Load()
		return current != seen, nil
	}) == nil
}

// answer never panics.
func (k *hook[O]) answer(ctx context.Context, r *request[O], unreadable error) (a answer) {
	defer func() {
		if cause := recover(); cause != nil {
			k.Log.Error(fmt.Errorf("panic: %v", cause), "Deciding failed", "hook", k.name, "namespace", r.Namespace, "name", r.Name, "stack", string(debug.Stack()))
			a = k.falls("Terroir could not decide because of an error of its own, which its log describes")
		}
	}()
	if unreadable != nil {
		return k.falls("Terroir cannot read the object: " + inWords(unreadable))
	}
	seen, _ := k.Snapshots.Load()
	a = k.judge(ctx, r)
	if a.stale && k.newer(ctx, seen) {
		a = k.judge(ctx, r)
	}
	return a
}

// inWords says what cannot be decoded without the words of our code.
func inWords(unreadable error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(unreadable, &wrong) {
		return fmt.Sprintf("%s is of the wrong type, %s", wrong.Field, wrong.Value)
	}
	return unreadable.Error()
}

var (
	errMethod      = errors.New("an admission review is sent by POST")
	errContentType = errors.New("an admission review is application/json")
)

func statusOf(err error) int {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, errContentType):
		return http.StatusUnsupportedMediaType
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	default:
		return http.StatusBadRequest
	}
}

// bodies are buffers that have been read, kept for the next ones. Decoding copies what it keeps.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// mostKept is how large a buffer may be to be kept.
const mostKept = 256 << 10

// read reads a body of at most [longestBody] bytes, which is valid until free is called.
func read(w http.ResponseWriter, r *http.Request) (body []byte, free func(), err error) {
	if r.Method != http.MethodPost {
		return nil, func() {}, errMethod
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return nil, func() {}, errContentType
	}
	buffer, ok := bodies.Get().(*bytes.Buffer)
	if !ok {
		buffer = new(bytes.Buffer) // the pool holds nothing else
	}
	free = func() {
		if buffer.Cap() <= mostKept {
			buffer.Reset()
			bodies.Put(buffer)
		}
	}
	if _, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, longestBody)); err != nil {
		return nil, free, fmt.Errorf("reading an admission review: %w", err)
	}
	return buffer.Bytes(), free, nil
}

func isJSON(contentType string) bool {
	const want = "application/json"
	if contentType == want { // what API servers send
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == want
}
