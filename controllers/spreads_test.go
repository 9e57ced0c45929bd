package controllers

import (
	"testing"
	"time"
)

func TestASpreadIsLostWhenItStaysSo(t *testing.T) {
	l := &lostSpreads{}
	two, three := map[string]int{"a": 2}, map[string]int{"a": 3}
	for i, pass := range []struct {
		after  time.Duration
		bySite map[string]int // nil: it is not lost
		lost   bool
		again  time.Duration
	}{
		{0, two, false, spreadSettles},
		{time.Second, two, false, spreadSettles},
		{2 * time.Second, three, false, 2*time.Second + spreadSettles}, // a pod came
		{spreadSettles, three, false, 2*time.Second + spreadSettles},
		{2*time.Second + spreadSettles, three, true, 0},
		{time.Hour, three, true, 0},
		{2 * time.Hour, nil, false, 0},
		{3 * time.Hour, three, false, 3*time.Hour + spreadSettles}, // what was mended is forgotten
	} {
		lasts := l.at(noon.Add(pass.after))
		lost := pass.bySite != nil && lasts("w", pass.bySite)
		var again time.Time
		if pass.again != 0 {
			again = noon.Add(pass.again)
		}
		if lost != pass.lost || !l.again().Equal(again) {
			t.Errorf("pass %d: lost %v, again at %s", i, lost, l.again())
		}
	}
}
