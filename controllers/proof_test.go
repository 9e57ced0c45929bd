package controllers

import (
	"testing"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestAnAnswerOfTheAPIServer(t *testing.T) {
	const full, judges, off = v1alpha1.FenceFull, v1alpha1.FenceValidatingOnly, v1alpha1.FenceOff
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	long, just := now.Add(-time.Hour), now.Add(-time.Second)
	for what, c := range map[string]struct {
		was, answer, expected v1alpha1.Fence
		wrote                 time.Time
		told                  bool

		want   v1alpha1.Fence
		failed bool
		again  time.Duration
	}{
		"what was just written is in force":                          {"", full, full, just, true, full, false, askRarely},
		"what was just written is not in force yet":                  {"", judges, full, just, true, "", false, askSoon},
		"a change does not unprove what was in force before":         {full, off, full, just, true, full, false, askSoon},
		"no answer while what was written settles":                   {full, "", full, just, false, full, false, askSoon},
		"it is taken that it never will be":                          {"", judges, full, long, true, judges, false, askAgain},
		"the API server shapes no more":                              {full, judges, full, long, true, judges, false, askAgain},
		"nobody judges":                                              {full, off, full, long, true, off, false, askAgain},
		"without an answer what is proven stays":                     {full, "", full, long, false, full, true, askAgain},
		"an API server that does not serve the kind and that judges": {"", judges, judges, just, true, judges, false, askRarely},
	} {
		t.Run(what, func(t *testing.T) {
			p := proof{inForce: c.was, wrote: c.wrote}
			p.take(c.answer, c.told, c.expected, now)
			if p.inForce != c.want || p.failed != c.failed || p.next.Sub(now) != c.again {
				t.Errorf("it is %q, failed %v, asked again after %s; want %q, %v, %s", p.inForce, p.failed, p.next.Sub(now), c.want, c.failed, c.again)
			}
		})
	}
}
