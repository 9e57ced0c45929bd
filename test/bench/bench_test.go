package bench

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestShort runs the short version: whatever is in the table can be measured. No figure is judged here.
func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("needs two control planes; run without -short")
	}
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Short: true, Out: &out, Progress: t.Output()}); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows() {
		if !strings.Contains(out.String(), row) {
			t.Errorf("the table has no row %q", row)
		}
	}
	for row := range strings.Lines(out.String()) {
		if width := utf8.RuneCountInString(strings.TrimRight(row, "\n")); width > 120 {
			t.Errorf("a row has %d columns: %s", width, row)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// rows are what each row of the table begins with.
func rows() []string {
	all := []string{
		toNothing, toValidated, toMutated, toNothingful, toShaped, toComplying, toFree, toFenced, "… in Terroir's before it comes",
		floodNothing + ", 1 at", floodNothing + ", 8 at", floodShaped + ", 1 at", floodShaped + ", 8 at", floodComplying + ", 1 at", floodComplying + ", 8 at",
		"no node, hardly a pod", "60 nodes ", "60 nodes, 120 pods, 20 of them governed",
		"while 60 nodes joined", "while 20 governed pods were placed", "while for 2s only heartbeats came", "time number 1", "by hand: a label", "Terroir: ungoverned, alone",
	}
	for _, r := range inProcessRows {
		all = append(all, r.what)
	}
	var none figures
	for _, a := range none.aims() {
		all = append(all, a.what)
	}
	return all
}

func TestDigits(t *testing.T) {
	for want, got := range map[string]string{
		"999 ns": short(999), "1.00 µs": short(1000), "12.3 ms": short(12_345_678), "-1.50 ms": short(-1_500_000), "2.00 s": short(2_000_000_000),
		"1023 B": size(1023), "1.00 KiB": size(1024), "70.0 MiB": size(70 << 20),
		"–": times(0), "1.25×": times(1.25), "1/25": times(0.04),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestReadsWhatTestingPrints(t *testing.T) {
	const out = "goos: linux\nBenchmarkPod/must_be_shaped-2    \t    5875\t     55663 ns/op\t 227.60 MB/s\t   14370 B/op\t     138 allocs/op\n"
	best := map[string]benchmark{}
	for _, each := range []string{strings.Replace(out, "55663", "99999", 1), out, strings.Replace(out, "55663", "77777", 1)} {
		if err := keepBest(best, each); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := best["Pod/must_be_shaped"], (benchmark{time: 55663, bytes: 14370, allocs: 138}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestWhatWasWrittenSince(t *testing.T) {
	after := writes{"leases": 9, "nodes": 5, "zones/status": 1}.since(writes{"leases": 4, "nodes": 5})
	if after.sum() != 1 || after["leases"] != 5 {
		t.Errorf("got %v", after)
	}
}
