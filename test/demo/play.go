package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/terroir-dev/terroir/test/cluster"
)

// chapter is a part of the story.
type chapter struct {
	title string
	play  func(*story, context.Context) error
}

func chapters() []chapter {
	return []chapter{
		{"Before Terroir: a workload that will never hear of it", (*story).before},
		{"Terroir is installed and reads its catalogue", (*story).install},
		{"Nodes come, and are recognised or refused", (*story).nodes},
		{"What each zone is worth", (*story).zones},
		{"A governed namespace: six replicas over three sites", (*story).governed},
		{"An annotated workload in a free namespace", (*story).annotated},
		{"Ways around, closed", (*story).refusals},
		{"More sites asked for than exist: told at apply time", (*story).sites},
		{"A DaemonSet runs on qualified nodes, and hangs Pending nowhere", (*story).daemons},
		{"A qualification is suspended, and restored", (*story).suspension},
		{"Keys: proven in hardware, or the pod does not start", (*story).keys},
		{"The operator is killed, and nothing changes", (*story).killed},
		{"The workload of chapter 0 was never touched", (*story).untouched},
	}
}

// Play tells the story on a cluster that nothing was done to yet, and leaves everything as it is at the end. The error says what was
// expected, and what was seen instead.
func Play(ctx context.Context, c *cluster.Cluster, out io.Writer) error {
	began := time.Now()
	s, err := newStory(c, out)
	if err != nil {
		return err
	}
	for i, chapter := range chapters() {
		s.heading(i, chapter.title)
		if err := chapter.play(s, ctx); err != nil {
			return fmt.Errorf("chapter %d, %q: %w", i, chapter.title, err)
		}
	}
	if err := s.next(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nEvery check held: %d in %s.\n", s.held, seconds(time.Since(began)))
	for _, left := range s.left {
		fmt.Fprintf(out, "But %s.\n", left)
	}
	return nil
}
