package doors

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func sortedStrings(of iter.Seq[string]) []string { return slices.Sorted(of) }

// tally is what came of the variants of one door.
type tally struct {
	variants, kubernetes, open     int
	closed, noticed                int
	closedDown, needsOperator, due int
	still                          int
}

func tallyOf(plays []*play) tally {
	var t tally
	for _, p := range plays {
		t.variants++
		if p.variant.Closed == Kubernetes {
			t.kubernetes++
			continue
		}
		t.open += one(p.happened(without))
		if p.variant.Closed.afterwards() {
			r, played := p.results[with]
			t.noticed += one(played && r.unnoticed == nil && !isBroken(r.err))
		} else {
			t.due++
			t.closed += one(p.closed(with))
			t.still += one(p.variant.Closed == StillOpen)
		}
		if p.variant.Closed.needsOperator() {
			t.needsOperator++
		} else {
			t.closedDown += one(p.closed(down))
		}
	}
	return t
}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

func (t tally) add(o tally) tally {
	return tally{
		t.variants + o.variants, t.kubernetes + o.kubernetes, t.open + o.open, t.closed + o.closed, t.noticed + o.noticed,
		t.closedDown + o.closedDown, t.needsOperator + o.needsOperator, t.due + o.due, t.still + o.still,
	}
}

// ours are the variants that Kubernetes itself leaves open.
func (t tally) ours() int { return t.variants - t.kubernetes }

func (t tally) columns() []string {
	if t.variants == 0 {
		return []string{"–", "–", "–", "–", "–"}
	}
	return []string{
		fmt.Sprint(t.variants),
		fmt.Sprintf("%d/%d", t.open, t.ours()),
		of(t.closed, t.due),
		of(t.noticed, t.ours()-t.due),
		of(t.closedDown, t.ours()-t.needsOperator),
	}
}

func of(n, all int) string {
	if all == 0 {
		return "–"
	}
	return fmt.Sprintf("%d/%d", n, all)
}

// table is what came of all doors, as text.
func table(doors []Door, plays []*play) string {
	var text strings.Builder
	var sum tally
	rows := [][]string{{"#", "door", "tried", "open without", "closed with", "noticed or put back", "closed, operator down", "closed by"}}
	for i := range doors {
		d := &doors[i]
		t := tallyOf(slices.DeleteFunc(slices.Clone(plays), func(p *play) bool { return p.door != d }))
		sum = sum.add(t)
		rows = append(rows, append(append([]string{fmt.Sprint(d.Number), d.Name}, t.columns()...), d.ClosedBy))
	}
	rows = append(rows, append(append([]string{"", "all"}, sum.columns()...), ""))
	columns(&text, rows)
	fmt.Fprintf(&text, "\n%d variants are closed by Kubernetes itself, also without Terroir; %d are known to be open still.\n", sum.kubernetes, sum.still)
	for i := range doors {
		about(&text, &doors[i])
	}
	return text.String()
}

// about says who tried a door, and through what.
func about(text *strings.Builder, d *Door) {
	fmt.Fprintf(text, "\n%d. %s\n", d.Number, d.Name)
	if d.Elsewhere != "" {
		fold(text, "", d.Elsewhere)
	}
	var order []string
	through := map[string][]string{}
	for _, v := range d.Variants {
		if _, known := through[v.By.words]; !known {
			order = append(order, v.By.words)
		}
		through[v.By.words] = append(through[v.By.words], v.Through+map[Closing]string{Webhook: " (needs the webhook)", Noticed: " (noticed)", PutBack: " (put back)", StillOpen: " (STILL OPEN)", Kubernetes: " (closed by Kubernetes)"}[v.Closed])
	}
	for _, by := range order {
		fold(text, by+": ", strings.Join(slices.Compact(through[by]), "; "))
	}
	for _, why := range openBecause(d) {
		fold(text, "STILL OPEN: ", why)
	}
}

// openBecause gives why variants of the door are still open, each reason once.
func openBecause(d *Door) []string {
	var all []string
	for _, v := range d.Variants {
		if v.Closed == StillOpen && !slices.Contains(all, v.Why) {
			all = append(all, v.Why)
		}
	}
	return all
}

const wide = 140

// fold prints words in lines, indented.
func fold(text *strings.Builder, first, words string) {
	line := "    " + first
	for _, word := range strings.Fields(words) {
		if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > wide {
			fmt.Fprintln(text, strings.TrimRight(line, " "))
			line = "      "
		}
		line += word + " "
	}
	fmt.Fprintln(text, strings.TrimRight(line, " "))
}

// columns prints rows in columns, as wide as what is in them.
func columns(text *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(text, strings.TrimRight(line.String(), " "))
	}
}

// TestFigures holds that the table says of each door how often it was tried, and that no variant is counted twice or not at all.
func TestFigures(t *testing.T) {
	p := func(closed Closing, results map[phase]*result) *play {
		return &play{door: &Door{}, variant: &Variant{Closed: closed}, results: results}
	}
	open, shut := &result{effect: happened}, &result{err: fmt.Errorf("refused")}
	plays := []*play{
		p(Refused, map[phase]*result{without: open, with: shut, down: shut}),
		p(Undone, map[phase]*result{without: open, with: {}, down: open}),
		p(Webhook, map[phase]*result{without: open, with: shut, down: open}),
		p(Noticed, map[phase]*result{without: open, with: open}),
		p(Noticed, map[phase]*result{without: open, with: {effect: happened, unnoticed: fmt.Errorf("nobody")}}),
		p(Kubernetes, map[phase]*result{without: shut, with: shut, down: shut}),
		p(Refused, map[phase]*result{without: open, with: {err: broken{fmt.Errorf("it went wrong")}}}),
	}
	want := []string{"7", "6/6", "3/4", "1/2", "1/3"}
	if diff := cmp.Diff(want, tallyOf(plays).columns()); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

// TestDoorsAreAllThere holds that each of the forty-one doors is there once, and that each is tried or says why not.
func TestDoorsAreAllThere(t *testing.T) {
	var numbers []int
	for _, d := range Doors() {
		numbers = append(numbers, d.Number)
		if (len(d.Variants) == 0) == (d.Elsewhere == "") {
			t.Errorf("door %d has %d variants, and says %q", d.Number, len(d.Variants), d.Elsewhere)
		}
		for _, v := range d.Variants {
			if (v.Closed == Kubernetes || v.Closed == StillOpen) != (v.Why != "") || v.Closed.afterwards() != (v.Noticed != nil) {
				t.Errorf("door %d, %s, %s: how it is closed (%d), why (%q) and by what it is noticed (%t) do not fit", d.Number, v.By.words, v.Through, v.Closed, v.Why, v.Noticed != nil)
			}
		}
	}
	var all []int
	for n := range 41 {
		all = append(all, n+1)
	}
	if diff := cmp.Diff(all, numbers); diff != "" {
		t.Errorf("doors (-want +got):\n%s", diff)
	}
}
