package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Widths of the table: at most 120 columns.
const (
	wordsWide  = 54
	figureWide = 13
	aimWide    = 70
)

// table is what is printed, row by row.
type table struct{ strings.Builder }

// print prints the table.
func (f *figures) print(out io.Writer) error {
	var t table
	t.inProcess(f)
	t.probes(f)
	t.latency(f)
	t.asked(f)
	t.floods(f)
	t.scale(f.scale)
	t.losses(f)
	t.keys(f.keys)
	t.aims(f)
	if _, err := io.WriteString(out, t.String()); err != nil {
		return fmt.Errorf("printing the table: %w", err)
	}
	return nil
}

func (t *table) head(title string, columns ...string) {
	t.WriteString("\n")
	t.row(strings.ToUpper(title), columns...)
}

func (t *table) row(words string, columns ...string) {
	t.WriteString(left(words, wordsWide))
	for _, c := range columns {
		t.WriteString(right(c, figureWide))
	}
	t.WriteString("\n")
}

// left and right fill up with blanks. Package fmt counts bytes where these count characters.
func left(s string, width int) string {
	return s + strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 1))
}

func right(s string, width int) string {
	return strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 1)) + s
}

func (t *table) inProcess(f *figures) {
	t.head("In process, best of rounds", "time", "ratio", "allocations", "memory")
	for _, r := range inProcessRows {
		b := f.inProcess[r.name]
		t.row(r.what, short(b.time), times(ratio(b.time, f.inProcess[r.against].time)), fmt.Sprint(b.allocs), size(b.bytes))
	}
}

func (t *table) probes(f *figures) {
	t.head("One key, over loopback, best of rounds", "time", "round trips", "allocations", "memory")
	for _, r := range probeRows {
		b := f.inProcess[r.name]
		trips := "–"
		if b.trips > 0 {
			trips = fmt.Sprintf("%.0f", b.trips)
		}
		t.row(r.what, short(b.time), trips, fmt.Sprint(b.allocs), size(b.bytes))
	}
}

func (t *table) latency(f *figures) {
	t.head(fmt.Sprintf("Creating a pod, dry run, HTTP/1.1, %d each in turn", len(f.latency[toNothing])), "p50", "p99", "added p50", "added p99", "added, × MAP")
	t.creation(f.before, toNothing, "nothing installed, in either cluster")
	t.creation(f.before, toFuture, "… in Terroir's before it comes: the noise")
	for _, name := range []string{toNothing, toValidated, toMutated, toNothingful, toHooked, toShaped, toComplying, toFree} {
		t.creation(f.latency, name, name)
	}
	t.creation(f.alone, toNothing, "nothing installed, with ungoverned alone")
	t.creation(f.alone, toFree, "Terroir: ungoverned, alone with that")
	for _, name := range []string{toNothing, toMutated, toFenced, toFreeDown} {
		t.creation(f.without, name, map[string]string{toNothing: "nothing installed, again", toMutated: "MutatingAdmissionPolicy, again"}[name])
	}
}

func (t *table) creation(of map[string]latencies, name, words string) {
	if words == "" {
		words = name
	}
	l, base := of[name], of[toNothing]
	t.row(words, short(l.p50()), short(l.p99()), short(l.p50()-base.p50()), short(l.p99()-base.p99()), times(ratio(added(of, name), added(of, toMutated))))
}

func (t *table) asked(f *figures) {
	t.head("What Terroir is asked about 100 pods", "webhook calls", "shaping runs")
	for _, name := range []string{toShaped, toComplying, toFree} {
		t.row(name, fmt.Sprint(f.asked[name].webhook), fmt.Sprint(f.asked[name].shaping))
	}
}

func (t *table) floods(f *figures) {
	t.head(fmt.Sprintf("Reviews of %d bytes over loopback HTTPS, HTTP/1.1", f.reviewBytes), "reviews/s", "p50", "p99", "CPU each", "CPU ratio")
	for _, each := range f.floods {
		base := f.floodOf(floodNothing, each.connections)
		t.row(fmt.Sprintf("%s, %d at a time", each.name, each.connections),
			fmt.Sprintf("%.0f", each.rate()), short(each.latencies.p50()), short(each.latencies.p99()), short(each.cpuEach()), times(ratio(each.cpuEach(), base.cpuEach())))
	}
}

func (t *table) scale(s scale) {
	t.head("Memory of the manager", "resident", "peak", "more for each")
	t.row("no node, hardly a pod", size(s.empty.resident), size(s.empty.peak))
	t.row(fmt.Sprintf("%d nodes", s.nodes), size(s.withNodes.resident), size(s.withNodes.peak), size(s.perNode()))
	t.row(fmt.Sprintf("%d nodes, %d pods, %d of them governed", s.nodes, s.governed+s.pods, s.governed), size(s.withPods.resident), size(s.withPods.peak), size(s.perPod()))
	t.head("Requests to write, from the API server's audit log", "leases", "others", "others each")
	t.written(fmt.Sprintf("while %d nodes joined", s.nodes), s.joining, s.nodes)
	t.written(fmt.Sprintf("while %d governed pods were placed", s.governed), s.placing, s.governed)
	t.written(fmt.Sprintf("while for %s only heartbeats came", s.idle), s.idling, 0)
}

func (t *table) written(words string, w writes, among int) {
	each := ""
	if among > 0 {
		each = fmt.Sprintf("%.2f", float64(w.sum())/float64(among))
	}
	t.row(words, fmt.Sprint(w["leases"]), fmt.Sprint(w.sum()), each)
	for _, resource := range slices.Sorted(maps.Keys(w)) {
		if resource != "leases" {
			t.row("  "+resource, "", fmt.Sprint(w[resource]))
		}
	}
}

func (t *table) losses(f *figures) {
	t.head(fmt.Sprintf("A qualification under %d nodes is suspended", f.lostNodes), "edit takes", "refused from", "last bound", "first label", "last label")
	for i, l := range f.losses {
		bound := "none"
		if l.bound > 0 {
			bound = short(l.bound)
		}
		t.row(fmt.Sprintf("time number %d", i+1), short(l.edit), short(l.refused), bound, short(l.first), short(l.last))
	}
	t.row("by hand: a label on as many nodes, 16 at a time", "", "", "", "", short(f.byHand))
}

func (t *table) keys(k keyFigures) {
	t.head(fmt.Sprintf("Keys of a transit server, looked at every %s", k.every), "all Verified", "one sweep", "CPU, steady", "resident", "grown by")
	for _, s := range k.sweeps {
		t.row(fmt.Sprintf("%d keys in %d stores", s.keys, s.stores), short(s.first), short(s.sweep), fmt.Sprintf("%.1f %%", 100*float64(s.cpu)/float64(s.steady)),
			size(s.holds.resident), size(s.holds.resident-s.without.resident))
	}
	t.head("Requests to write while nothing changes", "leases", "others", "sweeps", "leases each")
	for _, s := range k.sweeps {
		t.row(fmt.Sprintf("%d keys in %d stores, for %s", s.keys, s.stores, s.steady), fmt.Sprint(s.wrote["leases"]), fmt.Sprint(s.wrote.sum()), fmt.Sprint(s.looks),
			fmt.Sprintf("%.2f", float64(s.wrote["leases"])/float64(max(s.looks*s.stores, 1))))
	}
	t.head(fmt.Sprintf("News of a key that is looked at every %s", keyInterval), "quickest", "middle", "slowest")
	for _, n := range []struct {
		what  string
		times []time.Duration
	}{
		{"made in the store → status Verified", k.made},
		{"Verified → the waiting pod is let go", k.gate},
		{"destroyed in the store → status Destroyed", k.destroyed},
	} {
		sorted := slices.Sorted(slices.Values(n.times))
		t.row(n.what, short(sorted[0]), short(sorted[len(sorted)/2]), short(sorted[len(sorted)-1]))
	}
}

func (t *table) aims(f *figures) {
	t.WriteString("\n" + left("AIM", aimWide) + left("REACHED", 2*figureWide) + "\n")
	for _, a := range f.aims() {
		t.WriteString(left(a.what, aimWide) + left(a.reached, 2*figureWide) + map[bool]string{true: "met", false: "MISSED"}[a.met] + "\n")
	}
	fmt.Fprintf(&t.Builder, "\nTook %s. Figures of other runs and machines do not compare; ratios do.\n", f.took.Round(time.Second))
	if f.short {
		t.WriteString("This was the short version: it shows that everything can be measured. Its figures are worth nothing.\n")
	}
}

// short gives a duration three digits.
func short(d time.Duration) string {
	switch abs := max(d, -d); {
	case abs < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case abs < time.Millisecond:
		return fmt.Sprintf("%s µs", digits(float64(d)/float64(time.Microsecond)))
	case abs < time.Second:
		return fmt.Sprintf("%s ms", digits(float64(d)/float64(time.Millisecond)))
	default:
		return fmt.Sprintf("%s s", digits(d.Seconds()))
	}
}

// size gives a number of bytes three digits.
func size(bytes int64) string {
	switch abs := max(bytes, -bytes); {
	case abs < 1<<10:
		return fmt.Sprintf("%d B", bytes)
	case abs < 1<<20:
		return digits(float64(bytes)/(1<<10)) + " KiB"
	default:
		return digits(float64(bytes)/(1<<20)) + " MiB"
	}
}

func digits(v float64) string {
	switch abs := max(v, -v); {
	case abs < 10:
		return fmt.Sprintf("%.2f", v)
	case abs < 100:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.0f", v)
	}
}

// times gives a ratio, or a dash where there is none.
func times(ratio float64) string {
	switch {
	case ratio == 0:
		return "–"
	case ratio > 0 && ratio < 0.1:
		return fmt.Sprintf("1/%.0f", 1/ratio)
	default:
		return fmt.Sprintf("%.2f×", ratio)
	}
}
