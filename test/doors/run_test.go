package doors

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

const (
	// patience is how long a condition may take on a busy machine. Nothing measures time here.
	patience = 2 * time.Minute
	// atOnce is how many variants are played at the same time.
	atOnce = 24
)

// only lets somebody who works on some doors try no others.
var only = flag.String("doors", "", "try only the doors of these numbers, separated by commas")

// phase is one of the three times that each variant is played.
type phase int

const (
	without phase = iota + 1
	with
	down
)

func (p phase) String() string {
	return map[phase]string{without: "without Terroir", with: "with Terroir", down: "with the operator down"}[p]
}

// play is a variant with what came of it.
type play struct {
	door    *Door
	number  int
	variant *Variant
	results map[phase]*result
}

// result is what came of a variant in one phase.
type result struct {
	effect effect
	err    error
	// unnoticed is what is still missing for it to be noticed.
	unnoticed error
}

func (p *play) name() string { return fmt.Sprintf("d%02d-%02d", p.door.Number, p.number) }

func TestDoors(t *testing.T) {
	doors := Doors()
	log.SetLogger(logr.Discard()) // its clients have nothing to say here
	c := cluster.New(t)
	th, err := newTheatre(c)
	if err != nil {
		t.Fatal(err)
	}
	plays := playsOf(doors)
	if err := th.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := th.begin(t, without, plays)
	first.play(t)
	first.end(t)
	if err := errors.Join(terroir.Install(t.Context(), c), th.standings(t.Context())); err != nil {
		t.Fatal(err)
	}
	second := th.begin(t, with, plays)
	second.play(t)
	third := th.begin(t, down, plays) // meanwhile the operator says what it noticed
	second.end(t)
	if err := c.StopComponent(terroir.Component); err != nil {
		t.Fatal(err)
	}
	third.play(t)
	third.end(t)
	if testing.Verbose() {
		fmt.Fprint(os.Stdout, table(doors, plays))
	}
}

func playsOf(doors []Door) []*play {
	var plays []*play
	for i := range doors {
		if *only != "" && !slices.Contains(strings.Split(*only, ","), fmt.Sprint(doors[i].Number)) {
			continue
		}
		for n := range doors[i].Variants {
			plays = append(plays, &play{door: &doors[i], number: n + 1, variant: &doors[i].Variants[n], results: map[phase]*result{}})
		}
	}
	return plays
}

func sorted(doors []Door) []Door {
	slices.SortFunc(doors, func(a, b Door) int { return cmp.Compare(a.Number, b.Number) })
	return doors
}

// act is one phase of the test.
type act struct {
	*theatre
	phase phase
	// ready are the plays whose stage stands, and waits what they wait for to be noticed.
	ready []*play
	waits sync.WaitGroup
}

// begin sets the stages of all variants.
func (th *theatre) begin(t *testing.T, p phase, plays []*play) *act {
	t.Helper()
	started := time.Now()
	a := &act{theatre: th, phase: p}
	if err := th.policies(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	a.set(t, plays)
	t.Logf("%s: setting the stages of %d variants took %s", p, len(a.ready), time.Since(started).Round(time.Second))
	return a
}

// set gives each play its stage.
func (a *act) set(t *testing.T, plays []*play) {
	t.Helper()
	var mu sync.Mutex
	due := slices.DeleteFunc(slices.Clone(plays), func(p *play) bool { return a.phase == down && p.variant.Closed.afterwards() })
	together(due, func(*play) bool { return true }, func(p *play) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if p.variant.Set != nil {
			if err := p.variant.Set(ctx, a.stage(p, a.phase)); err != nil {
				t.Errorf("%s, %s: setting the stage: %v", p.name(), a.phase, err)
				return
			}
		}
		mu.Lock()
		defer mu.Unlock()
		a.ready = append(a.ready, p)
	})
	slices.SortFunc(a.ready, func(a, b *play) int { return strings.Compare(a.name(), b.name()) })
}

// play tries all variants. It does not wait for what is to be noticed.
func (a *act) play(t *testing.T) {
	t.Helper()
	started := time.Now()
	together(firstNoticed(a.ready), func(p *play) bool { return !p.variant.Alone }, func(p *play) { a.try(t.Context(), p, a.waits.Go) })
	for _, p := range a.ready {
		if p.variant.Alone {
			a.try(t.Context(), p, func(wait func()) { wait() })
		}
	}
	t.Logf("%s: trying %d variants took %s", a.phase, len(a.ready), time.Since(started).Round(time.Second))
}

// end waits for what is to be noticed, and says what is not as it should be.
func (a *act) end(t *testing.T) {
	t.Helper()
	started := time.Now()
	a.waits.Wait()
	for _, p := range a.ready {
		if problem := p.problem(a.phase); problem != "" {
			t.Errorf("door %d (%s), %s, %s [%s]: %s, %s", p.door.Number, p.door.Name, p.variant.By.words, p.variant.Through, p.name(), a.phase, problem)
		}
	}
	if err := a.clear(t.Context(), a.phase); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: waiting for what is noticed took %s more", a.phase, time.Since(started).Round(time.Second))
}

// together does something with the plays chosen, several at a time.
func together(plays []*play, choose func(*play) bool, do func(*play)) {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, p := range plays {
		if !choose(p) {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			do(p)
		})
	}
	group.Wait()
}

// firstNoticed puts those first for which the operator has to do something: that takes the longest.
func firstNoticed(plays []*play) []*play {
	return slices.SortedStableFunc(slices.Values(plays), func(a, b *play) int { return one(b.variant.Closed.afterwards()) - one(a.variant.Closed.afterwards()) })
}

// try plays a variant. What is to be noticed is waited for apart, so that nothing else has to wait with it.
func (a *act) try(ctx context.Context, p *play, apart func(func())) {
	trying, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := &result{}
	s := a.stage(p, a.phase)
	early := a.phase == with && p.variant.Closed == Noticed && p.variant.Noticed(trying, s) == nil
	r.effect, r.err = p.variant.Try(trying, s)
	p.results[a.phase] = r
	switch {
	case early:
		r.unnoticed = errors.New("it was said before it happened")
	case a.phase == with && p.variant.Closed.afterwards() && !isBroken(r.err):
		apart(func() {
			r.unnoticed = eventually(ctx, func() error { return p.variant.Noticed(ctx, s) })
		})
	}
}

// eventually waits for a condition, and gives what was last missing. It asks less and less often, since many wait at the same time.
func eventually(ctx context.Context, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	asking := wait.Backoff{Duration: 20 * time.Millisecond, Factor: 1.5, Steps: 20, Cap: 250 * time.Millisecond}
	err := asking.DelayFunc().Until(ctx, true, true, func(context.Context) (bool, error) {
		last = check()
		return last == nil, nil
	})
	return errors.Join(err, last)
}

// problem is what came of the variant that should not have. Empty: nothing.
func (p *play) problem(ph phase) string {
	r := p.results[ph]
	if isBroken(r.err) {
		return fmt.Sprintf("the try went wrong: %v", r.err)
	}
	return p.judge(ph, r)
}

func (p *play) judge(ph phase, r *result) string {
	closed := p.variant.Closed
	switch {
	case closed == Kubernetes:
		return when(bool(r.effect), "it happened, though Kubernetes itself should prevent it")
	case closed == StillOpen && ph != without:
		return when(!bool(r.effect), fmt.Sprintf("it is said to be open, and is not any more: say how it is closed: %v", r.err))
	case ph == without:
		return when(!bool(r.effect), fmt.Sprintf("it should have been open; it did not happen: %v", r.err))
	case closed.afterwards() && !bool(r.effect) && r.err == nil:
		return "it did not happen, and nothing prevented it"
	case closed.afterwards():
		return when(r.unnoticed != nil, fmt.Sprintf("nobody notices it: %v", r.unnoticed))
	case closed == Webhook && ph == down:
		return "" // it says what it needs
	case bool(r.effect):
		return "IT IS OPEN"
	case closed == Undone:
		return when(r.err != nil && !refused(r.err) && !withoutFloor(r.err), fmt.Sprintf("it is refused, and not by Terroir: %v", r.err))
	default:
		return when(!refused(r.err), fmt.Sprintf("it is not refused by a sentence of Terroir's: %v", r.err))
	}
}

func when(holds bool, words string) string {
	if holds {
		return words
	}
	return ""
}

// happened tells whether the variant had its effect in this phase.
func (p *play) happened(ph phase) bool {
	r, played := p.results[ph]
	return played && bool(r.effect)
}

// closed tells whether the door was closed to the variant in this phase.
func (p *play) closed(ph phase) bool {
	r, played := p.results[ph]
	return played && !bool(r.effect) && !isBroken(r.err)
}

// ownSentence recognises a refusal by Terroir: a sentence of its fence or of its webhook. That an expression could not be
// evaluated, or that a parameter is missing, is no sentence.
var ownSentence = regexp.MustCompile(`(?s)ValidatingAdmissionPolicy 'terroir-[a-z-]+' with binding '[^']+' denied request: \S|admission webhook "[^"]*terroir\.dev" denied the request: \S`)

// withoutFloor tells whether the fence refused because the namespace has no floor yet: in the API server's words, which are not Terroir's to choose.
func withoutFloor(err error) bool {
	return strings.Contains(err.Error(), "policy 'terroir-") && strings.Contains(err.Error(), "no params found")
}

// refused tells whether an error is a refusal by Terroir.
func refused(err error) bool {
	if err == nil || isBroken(err) {
		return false
	}
	text := err.Error()
	return ownSentence.MatchString(text) && !strings.Contains(text, "resulted in error") && !strings.Contains(text, "failed to configure")
}
