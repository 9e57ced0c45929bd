package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/terroir-dev/terroir/test/terroir"
)

// What is done to a pod that is being created.
const (
	toNothing    = "nothing installed"
	toFuture     = "nothing installed: Terroir's cluster, before"
	toValidated  = "ValidatingAdmissionPolicy, by hand"
	toMutated    = "MutatingAdmissionPolicy (JSONPatch), by hand"
	toNothingful = "webhook that does nothing"
	toShaped     = "Terroir: governed, must be shaped"
	toComplying  = "Terroir: governed, complies already"
	toFree       = "Terroir: ungoverned"
	toHooked     = "Terroir, webhook only: must be shaped"
	toFenced     = "Terroir, fence only (operator stopped): must be shaped"
	toFreeDown   = "Terroir, operator stopped: ungoverned"
)

// latencies are how long one thing took, each time. They are sorted.
type latencies []time.Duration

// at is a quantile.
func (l latencies) at(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

func (l latencies) p50() time.Duration { return l.at(0.50) }
func (l latencies) p99() time.Duration { return l.at(0.99) }

// subject is a creation under the name of what is done to it.
type subject struct {
	name string
	creation
}

// inTurn creates pods of all subjects in turn, each round in another order, for a while. What disturbs one disturbs all.
func inTurn(ctx context.Context, during time.Duration, subjects []subject) (map[string]latencies, error) {
	const warmUp = 20
	taken := map[string]latencies{}
	end := time.Now().Add(during)
	for round := 0; round < 2*warmUp || time.Now().Before(end); round++ {
		rand.Shuffle(len(subjects), func(i, j int) { subjects[i], subjects[j] = subjects[j], subjects[i] })
		for _, s := range subjects {
			begun := time.Now()
			if _, err := s.must(ctx); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if round >= warmUp {
				taken[s.name] = append(taken[s.name], time.Since(begun))
			}
		}
	}
	for _, l := range taken {
		slices.Sort(l)
	}
	return taken, nil
}

// subjectOf names who creates what where.
type subjectOf struct {
	name      string
	site      *site
	namespace string
	pod       *corev1.Pod
}

func subjects(of ...subjectOf) ([]subject, error) {
	all := make([]subject, len(of))
	for i, o := range of {
		c, err := o.site.creationOf(o.namespace, o.pod)
		if err != nil {
			return nil, err
		}
		all[i] = subject{name: o.name, creation: c}
	}
	return all, nil
}

// compare creates pods under everything that can be done to them.
func (b *bench) compare(ctx context.Context, l *lab, f *figures) (err error) {
	b.say("installing what Terroir is compared with")
	if err := l.installAlternatives(ctx); err != nil {
		return err
	}
	if err := l.terroir.createNamespace(ctx, free, nil); err != nil {
		return err
	}
	b.say("creating pods in both clusters, before Terroir is installed")
	if f.before, err = l.inTurn(ctx, b.calibration, subjectOf{toNothing, l.bare, nothing, pod()}, subjectOf{toFuture, l.terroir, free, pod()}); err != nil {
		return err
	}
	b.say("installing Terroir")
	if err := l.installTerroir(ctx); err != nil {
		return err
	}
	if err := l.hookBare(ctx); err != nil {
		return err
	}
	shaped, err := l.shaped(ctx, pod())
	if err != nil {
		return err
	}
	b.say("creating pods that owe nothing")
	if f.alone, err = l.inTurn(ctx, b.calibration, subjectOf{toNothing, l.bare, nothing, pod()}, subjectOf{toFree, l.terroir, free, pod()}); err != nil {
		return err
	}
	b.say("creating pods under everything in turn, for %s", b.latency)
	f.latency, err = l.inTurn(ctx, b.latency,
		subjectOf{toNothing, l.bare, nothing, pod()},
		subjectOf{toValidated, l.bare, validating, with(pod(), func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{ground: "true"} })},
		subjectOf{toMutated, l.bare, mutating, pod()},
		subjectOf{toNothingful, l.bare, webhooked, pod()},
		subjectOf{toHooked, l.bare, governed, pod()},
		subjectOf{toShaped, l.terroir, governed, pod()},
		subjectOf{toComplying, l.terroir, governed, shaped},
		subjectOf{toFree, l.terroir, free, pod()})
	if err != nil {
		return err
	}
	f.asked = map[string]asked{}
	for _, of := range []subjectOf{{toShaped, l.terroir, governed, pod()}, {toComplying, l.terroir, governed, shaped}, {toFree, l.terroir, free, pod()}} {
		if f.asked[of.name], err = of.countAsked(ctx); err != nil {
			return err
		}
	}
	return nil
}

// withoutOperator is what is left while the operator is away.
func (b *bench) withoutOperator(ctx context.Context, l *lab, f *figures) error {
	b.say("creating pods without the operator")
	if err := l.terroir.StopComponent(terroir.Component); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	if err := l.seeRefusal(ctx, byFence); err != nil {
		return err
	}
	taken, err := l.inTurn(ctx, b.without,
		subjectOf{toNothing, l.bare, nothing, pod()}, subjectOf{toMutated, l.bare, mutating, pod()},
		subjectOf{toFenced, l.terroir, governed, pod()}, subjectOf{toFreeDown, l.terroir, free, pod()})
	if err != nil {
		return err
	}
	f.without = taken
	if err := l.terroir.StartComponent(ctx, terroir.Component); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	return l.seeRefusal(ctx, byWebhook)
}

func (l *lab) inTurn(ctx context.Context, during time.Duration, of ...subjectOf) (map[string]latencies, error) {
	all, err := subjects(of...)
	if err != nil {
		return nil, err
	}
	return inTurn(ctx, during, all)
}

// asked is how often the API server turned to Terroir about a hundred pods: to its webhook, and to policies that shape.
type asked struct{ webhook, shaping int }

// countAsked creates a hundred pods.
func (of subjectOf) countAsked(ctx context.Context) (asked, error) {
	c, err := of.site.creationOf(of.namespace, of.pod)
	if err != nil {
		return asked{}, err
	}
	before, err := of.site.asked(ctx)
	if err != nil {
		return asked{}, err
	}
	for range 100 {
		if _, err := c.must(ctx); err != nil {
			return asked{}, err
		}
	}
	after, err := of.site.asked(ctx)
	return asked{webhook: after.webhook - before.webhook, shaping: after.shaping - before.shaping}, err
}

// asked is what the API server has counted so far.
func (s *site) asked(ctx context.Context) (asked, error) {
	metrics, err := s.metrics(ctx)
	if err != nil {
		return asked{}, err
	}
	webhook, errWebhook := sumOf(metrics, "apiserver_admission_webhook_request_total", "pods.terroir.dev")
	shaping, errShaping := sumOf(metrics, "apiserver_mutating_admission_policy_check_total", "pods")
	return asked{webhook: webhook, shaping: shaping}, errors.Join(errWebhook, errShaping)
}

// sumOf adds up a metric, as far as its labels contain a word.
func sumOf(metrics, name, word string) (int, error) {
	sum := 0
	for row := range strings.Lines(metrics) {
		if !strings.HasPrefix(row, name+"{") || !strings.Contains(row, word) {
			continue
		}
		value := strings.TrimSpace(row[strings.LastIndexByte(row, ' ')+1:])
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the metric %q: %w", row, err)
		}
		sum += int(count)
	}
	return sum, nil
}

func (s *site) metrics(ctx context.Context) (string, error) {
	clientset, err := kubernetes.NewForConfig(s.Config())
	if err != nil {
		return "", fmt.Errorf("making a client: %w", err)
	}
	raw, err := clientset.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return "", fmt.Errorf("reading the API server's metrics: %w", err)
	}
	return string(raw), nil
}
