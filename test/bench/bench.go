package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options say how to run.
type Options struct {
	// Short measures everything, each a little: it shows that every figure can be had, and is worth nothing as one.
	Short bool
	// Out gets the table, Progress a line for each step. Both are required.
	Out, Progress io.Writer
}

// sizes are how much of everything there is.
type sizes struct {
	rounds                        int    // in process
	benchtime                     string // of each benchmark in a round
	calibration, latency, without time.Duration
	window                        time.Duration // of a flood
	windows                       int
	nodes, lost, governed, pods   int
	podsWithin, idle              time.Duration
	losses                        int
	keyCount, storeCount, keyNews int
	keyEvery, keyRest             time.Duration
}

func (o Options) sizes() sizes {
	if o.Short {
		return sizes{
			rounds: 1, benchtime: "10ms", calibration: time.Second, latency: 4 * time.Second, without: time.Second,
			window: 200 * time.Millisecond, windows: 1, nodes: 60, lost: 20, governed: 20, pods: 100, podsWithin: 10 * time.Second,
			idle: 2 * time.Second, losses: 1,
			keyCount: 20, storeCount: 4, keyNews: 1, keyEvery: 2 * time.Second, keyRest: 5 * time.Second,
		}
	}
	return sizes{
		rounds: 4, benchtime: "150ms", calibration: 10 * time.Second, latency: 60 * time.Second, without: 12 * time.Second,
		window: 1500 * time.Millisecond, windows: 3, nodes: 1000, lost: 300, governed: 300, pods: 10000, podsWithin: 80 * time.Second,
		idle: 20 * time.Second, losses: 3,
		keyCount: 1000, storeCount: 100, keyNews: 5, keyEvery: 10 * time.Second, keyRest: 30 * time.Second,
	}
}

// bench is a run under way.
type bench struct {
	sizes
	progress io.Writer
	begun    time.Time
}

func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%6s  %s\n", time.Since(b.begun).Round(time.Second), fmt.Sprintf(format, args...))
}

// Run measures, and prints the table. It fails when something cannot be measured, never because a figure is bad.
func Run(ctx context.Context, o Options) error {
	b := &bench{sizes: o.sizes(), progress: o.Progress, begun: time.Now()}
	figures, err := b.measure(ctx)
	if err != nil {
		return err
	}
	figures.short, figures.took = o.Short, time.Since(b.begun)
	return figures.print(o.Out)
}

func (b *bench) measure(ctx context.Context) (f figures, err error) {
	b.say("deciding in process")
	if f.inProcess, err = b.inProcess(ctx); err != nil {
		return f, err
	}
	b.say("starting two control planes")
	l, err := newLab(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, l.stop()) }()
	for _, step := range []func(context.Context, *lab, *figures) error{b.compare, b.flood, b.withoutOperator, b.scale, b.lose, b.keys} {
		if err := step(ctx, l, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}
