package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/controllers"
	"github.com/terroir-dev/terroir/test/cluster"
)

const (
	// patience is how long an outcome may take on a busy machine.
	patience = time.Minute
	poll     = 50 * time.Millisecond
)

// story tells and checks.
type story struct {
	out     io.Writer
	cluster *cluster.Cluster
	client.Client
	warnings *warnings
	held     int      // checks
	left     []string // what was not played, and why

	free []image // the pods of chapter 0
}

func newStory(c *cluster.Cluster, out io.Writer) (*story, error) {
	s := &story{out: out, cluster: c, warnings: &warnings{}}
	var err error
	s.Client, err = clientFor(c.Config(), s.warnings)
	return s, err
}

// clientFor makes a client that knows Terroir's kinds and tells the API server's warnings to w.
func clientFor(config *rest.Config, w *warnings) (client.Client, error) {
	config.WarningHandler = w
	scheme, err := controllers.Scheme(clientgoscheme.AddToScheme)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	made, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return made, nil
}

// as is a client that acts as a user.
func (s *story) as(user string, groups ...string) (client.Client, error) {
	config, err := s.cluster.ConfigFor(user, groups...)
	if err != nil {
		return nil, fmt.Errorf("acting as %s: %w", user, err)
	}
	return clientFor(config, s.warnings)
}

// warnings collects what the API server says beside its answers, as kubectl would print it.
type warnings struct {
	mu   sync.Mutex
	said []string
}

// HandleWarningHeader implements [rest.WarningHandler].
func (w *warnings) HandleWarningHeader(code int, _, text string) {
	const warning = 299 // the only code that Kubernetes sends
	if code == warning {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.said = append(w.said, text)
	}
}

// take gives what was said since the last time.
func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.said
	w.said = nil
	return said
}

func (s *story) heading(number int, title string) { fmt.Fprintf(s.out, "\n%d. %s\n\n", number, title) }

// say tells what is being done.
func (s *story) say(format string, args ...any) {
	s.fold("   ", "   ", fmt.Sprintf(format, args...))
}

// quote repeats what the API server said.
func (s *story) quote(sentence string) { s.fold("     | ", "     | ", sentence) }

// ok tells that a check held.
func (s *story) ok(what string) {
	s.held++
	s.fold("   ok  ", "       ", what)
}

// holds waits until a check finds nothing wrong.
func (s *story) holds(ctx context.Context, what string, check func(context.Context) error) error {
	if err := await(ctx, what, check); err != nil {
		return err
	}
	s.ok(what)
	return nil
}

// await waits until a check finds nothing wrong. Its error says what was expected and what was seen last.
func await(ctx context.Context, what string, check func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	for {
		last := check(ctx)
		if last == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limited.Done():
			return expected(what, fmt.Errorf("after %s still: %w", patience, last))
		case <-ticker.C:
		}
	}
}

func expected(what string, seen error) error {
	return fmt.Errorf("expected: %s; seen: %w", what, seen)
}

// refused checks that the API server refused, in a sentence with these words, and shows the sentence.
func (s *story) refused(what string, err error, words ...string) error {
	switch {
	case err == nil:
		return expected(what+" is refused", errors.New("it was accepted"))
	case !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err):
		return expected(what+" is refused", fmt.Errorf("another error: %w", err))
	case !contains(err.Error(), words):
		return expected(fmt.Sprintf("%s is refused with the words %q", what, words), err)
	}
	s.ok(what + " is refused:")
	s.quote(err.Error())
	return nil
}

// warned checks that what was just done was answered by a warning with these words, and shows what was said.
func (s *story) warned(what string, err error, words ...string) error {
	said := s.warnings.take()
	if err != nil {
		return expected(what+" is accepted with a warning", err)
	}
	if !contains(strings.Join(said, "\n"), words) {
		return expected(fmt.Sprintf("%s is answered by a warning with the words %q", what, words), fmt.Errorf("the warnings %q", said))
	}
	s.ok(what + " is accepted, with a warning:")
	for _, sentence := range said {
		s.quote("Warning: " + sentence)
	}
	return nil
}

func contains(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
