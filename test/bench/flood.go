package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/webhook"
	"github.com/terroir-dev/terroir/test/terroir"
)

// Who is flooded with what.
const (
	floodNothing   = "webhook that does nothing"
	floodShaped    = "Terroir: must be shaped"
	floodComplying = "Terroir: complies already"
)

// flooded is how a webhook stood a flood of reviews.
type flooded struct {
	name        string
	connections int
	reviews     int
	took        time.Duration
	cpu         time.Duration // of the webhook's process
	latencies   latencies
}

func (f flooded) rate() float64 { return float64(f.reviews) / f.took.Seconds() }

func (f flooded) cpuEach() time.Duration { return f.cpu / time.Duration(max(f.reviews, 1)) }

// stream is who is asked what, and what the answer must contain.
type stream struct {
	name    string
	to      endpoint
	process process
	review  []byte
	says    string
}

// flood puts reviews that an API server really made to Terroir and to the webhook that does nothing, in turn.
func (b *bench) flood(ctx context.Context, l *lab, f *figures) error {
	b.say("putting reviews to the webhooks over loopback HTTPS")
	streams, err := l.streams(ctx)
	if err != nil {
		return err
	}
	f.reviewBytes = len(streams[0].review)
	for _, connections := range []int{1, 8} {
		sums := make([]flooded, len(streams))
		for range b.windows {
			for i, s := range streams {
				if err := s.flood(ctx, connections, b.window, &sums[i]); err != nil {
					return err
				}
			}
		}
		for _, s := range sums {
			slices.Sort(s.latencies)
			f.floods = append(f.floods, s)
		}
	}
	return nil
}

func (l *lab) streams(ctx context.Context) ([]stream, error) {
	shaped, err := l.shaped(ctx, pod())
	if err != nil {
		return nil, err
	}
	lacking, errLacking := l.recordReview(ctx, pod())
	complying, errComplying := l.recordReview(ctx, shaped)
	to, errTo := l.terroir.endpoint(ctx)
	manager, errManager := l.terroir.processOf(terroir.Component)
	nothing, errNothing := l.bare.processOf(nothingComponent)
	if err := errors.Join(errLacking, errComplying, errTo, errManager, errNothing); err != nil {
		return nil, err
	}
	return []stream{
		{floodNothing, l.nothing, nothing, lacking, `"allowed":true`},
		{floodShaped, to, manager, inGoverned(lacking), `"patch":`},
		{floodComplying, to, manager, inGoverned(complying), `"allowed":true}}`},
	}, nil
}

// recordReview has the API server review a pod, and shows the review.
func (l *lab) recordReview(ctx context.Context, p *corev1.Pod) ([]byte, error) {
	c, err := l.bare.creationOf(webhooked, p)
	if err != nil {
		return nil, err
	}
	if _, err := c.must(ctx); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+l.nothing.address+"/last", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: l.nothing.roots}}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("asking for the last review: %w", err)
	}
	defer response.Body.Close()
	review, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the last review: %w", err)
	}
	return review, nil
}

// inGoverned is the review as it would have been in a governed namespace.
func inGoverned(review []byte) []byte {
	return bytes.ReplaceAll(review, []byte(`"namespace":"`+webhooked+`"`), []byte(`"namespace":"`+governed+`"`))
}

// endpoint is where Terroir listens for reviews of pods.
func (s *site) endpoint(ctx context.Context) (endpoint, error) {
	var c admissionregistrationv1.MutatingWebhookConfiguration
	if err := s.client.Get(ctx, client.ObjectKey{Name: webhook.ConfigurationName}, &c); err != nil {
		return endpoint{}, fmt.Errorf("looking for Terroir's webhook: %w", err)
	}
	if len(c.Webhooks) == 0 || c.Webhooks[0].ClientConfig.URL == nil {
		return endpoint{}, errors.New("looking for Terroir's webhook: its configuration has no URL")
	}
	where, err := url.Parse(*c.Webhooks[0].ClientConfig.URL)
	if err != nil {
		return endpoint{}, fmt.Errorf("looking for Terroir's webhook: %w", err)
	}
	return endpoint{address: where.Host, roots: rootsOf(s.Cluster)}, nil
}

// flood asks over several connections at once, and adds what it saw to a sum.
func (s stream) flood(ctx context.Context, connections int, during time.Duration, sum *flooded) error {
	all, hangUp, err := s.dialAll(ctx, connections)
	defer hangUp()
	if err != nil {
		return err
	}
	used, err := s.process.cpu()
	if err != nil {
		return err
	}
	begun := time.Now()
	var group errgroup.Group
	for _, c := range all {
		group.Go(func() error { return c.until(begun.Add(during)) })
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	sum.name, sum.connections = s.name, connections
	sum.took += time.Since(begun)
	after, err := s.process.cpu()
	sum.cpu += after - used
	for _, c := range all {
		sum.reviews += len(c.taken)
		sum.latencies = append(sum.latencies, c.taken...)
	}
	return err
}

// dialAll connects several times. hangUp ends what was begun, also after an error.
func (s stream) dialAll(ctx context.Context, connections int) (all []*conversation, hangUp func(), err error) {
	hangUp = func() {
		for _, c := range all {
			_ = c.Close() // it has said all
		}
	}
	for range connections {
		c, err := s.dial(ctx)
		if err != nil {
			return all, hangUp, err
		}
		all = append(all, c)
	}
	return all, hangUp, nil
}

// conversation is one connection of a client that costs little, since it runs on the same cores: the request is written as it
// is, and the answer is read but not decoded.
type conversation struct {
	*tls.Conn
	answers *bufio.Reader
	request []byte
	says    []byte
	taken   latencies
}

// dial connects, asks once and looks at the answer.
func (s stream) dial(ctx context.Context) (*conversation, error) {
	dialer := &tls.Dialer{Config: &tls.Config{RootCAs: s.to.roots, NextProtos: []string{"http/1.1"}}}
	connection, err := dialer.DialContext(ctx, "tcp", s.to.address)
	if err != nil {
		return nil, fmt.Errorf("connecting to the %s: %w", s.name, err)
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", webhook.PodsPath, s.to.address, len(s.review))
	c := &conversation{
		Conn: connection.(*tls.Conn), answers: bufio.NewReaderSize(connection, 16<<10), request: append([]byte(head), s.review...), says: []byte(s.says),
	}
	if err := c.ask(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", s.name, err), c.Close())
	}
	return c, nil
}

func (c *conversation) until(end time.Time) error {
	for {
		begun := time.Now()
		if begun.After(end) {
			return nil
		}
		if err := c.ask(); err != nil {
			return err
		}
		c.taken = append(c.taken, time.Since(begun))
	}
}

// ask is an error unless the answer says what it must.
func (c *conversation) ask() error {
	if _, err := c.Write(c.request); err != nil {
		return fmt.Errorf("putting a review: %w", err)
	}
	response, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	if !bytes.Contains(body, c.says) {
		return fmt.Errorf("the answer does not contain %s: %s", c.says, body)
	}
	return nil
}
