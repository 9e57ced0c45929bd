package webhook

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "sigs.k8s.io/json"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// longestAdvice is how long a warning about the catalogue may be.
const longestAdvice = 256

// entry is an object of the catalogue, not yet decoded, since its kind is known only afterwards.
type entry struct{ json.RawMessage }

// spec is the part of an entry that matters: the rest is of no consequence.
func (e *entry) spec() (json.RawMessage, error) {
	var parts struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := utiljson.UnmarshalCaseSensitivePreserveInts(e.RawMessage, &parts); err != nil {
		return nil, fmt.Errorf("reading an object: %w", err)
	}
	return parts.Spec, nil
}

// sameSpec reports whether an update leaves the spec as it was. What cannot be compared changed.
func sameSpec(is, was *entry) bool {
	if is == nil || was == nil {
		return false
	}
	a, errA := is.spec()
	b, errB := was.spec()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// catalogue says what a change of the catalogue costs. It never refuses: whoever maintains the catalogue states facts, and facts
// are not undone by refusing to write them down.
func (h *Handlers) catalogue(_ context.Context, r *request[entry]) answer {
	if sameSpec(r.Object, r.OldObject) {
		return admit(nil)
	}
	current, ok := h.era()
	if !ok {
		return admit(nil, "Terroir has not read the catalogue yet and cannot tell what this change brings")
	}
	next, err := changed(current.Objects, r)
	if err != nil {
		return admit(nil, fmt.Sprintf("Terroir cannot tell what this change brings: %v", err))
	}
	now := h.Now()
	comparison := comparison{before: current.Catalogue, after: trust.Compile(next), kind: r.Kind.Kind, name: nameOf(r)}
	warnings := h.losses(comparison.before.At(now), comparison.after.At(now))
	return admit(nil, clipped(append(warnings, comparison.problems()...))...)
}

func clipped(warnings []string) []string {
	for i, w := range warnings {
		warnings[i] = clip(w, longestAdvice)
	}
	return warnings
}

// nameOf is the name of the object that a request is about. A deletion of many names each only in the object.
func nameOf(r *request[entry]) string {
	var named struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	for _, o := range []*entry{r.Object, r.OldObject} {
		if o != nil && named.Metadata.Name == "" {
			_ = utiljson.UnmarshalCaseSensitivePreserveInts(o.RawMessage, &named) // without a name there, the request's will do
		}
	}
	return cmp.Or(named.Metadata.Name, r.Name)
}

// changed is the catalogue after the request.
func changed(o trust.Objects, r *request[entry]) (trust.Objects, error) {
	var err error
	name := nameOf(r)
	switch r.Kind.Kind {
	case trust.KindFramework:
		o.Frameworks, err = with(o.Frameworks, name, r)
	case trust.KindCloudProvider:
		o.Providers, err = with(o.Providers, name, r)
	case trust.KindZone:
		o.Zones, err = with(o.Zones, name, r)
	case trust.KindQualification:
		o.Qualifications, err = with(o.Qualifications, name, r)
	case trust.KindTrustLevel:
		o.TrustLevels, err = with(o.TrustLevels, name, r)
	default:
		err = fmt.Errorf("%q is no kind of the catalogue", r.Kind.Kind)
	}
	return o, err
}

// with is a list after the request: without the object of that name, and with the one that comes in its place.
func with[T any, P interface {
	*T
	metav1.Object
}](list []T, name string, r *request[entry]) ([]T, error) {
	out := make([]T, 0, len(list)+1)
	for i := range list {
		if P(&list[i]).GetName() != name {
			out = append(out, list[i])
		}
	}
	if r.Operation == "DELETE" {
		return out, nil
	}
	if r.Object == nil {
		return nil, fmt.Errorf("the request has no object")
	}
	var next T
	if err := utiljson.UnmarshalCaseSensitivePreserveInts(r.Object.RawMessage, &next); err != nil {
		return nil, fmt.Errorf("the %s cannot be read: %s", r.Kind.Kind, inWords(err))
	}
	return append(out, next), nil
}

// loss is what a change costs one level.
type loss struct{ nodes, pods int }

// losses says which levels nodes lose from one view to the other, how many pods there owe them, and how many nodes are no longer recognised.
func (h *Handlers) losses(before, after *trust.View) []string {
	lost := map[string]loss{}
	owing := sync.OnceValue(h.Owing.Owing) // most edits cost no node anything
	strangers, example := 0, ""
	for _, facts := range h.Facts.NodeFacts() {
		was, is := before.Assess(facts), after.Assess(facts)
		if was.State == trust.Recognised && is.State != trust.Recognised {
			strangers++
			example = cmp.Or(example, is.Message)
		}
		open := openTo(is)
		for _, level := range openTo(was) {
			if !slices.Contains(open, level) {
				lost[level] = loss{lost[level].nodes + 1, lost[level].pods + owing()(facts.Name, level)}
			}
		}
	}
	var told []string
	for _, level := range slices.Sorted(maps.Keys(lost)) {
		l := lost[level]
		told = append(told, fmt.Sprintf("%s %s %s, %s there %s it", count(l.nodes, "node"), verb(l.nodes, "lose"), level, count(l.pods, "pod"), verb(l.pods, "owe")))
	}
	if strangers > 0 {
		told = append(told, fmt.Sprintf("%s %s no longer recognised: %s", count(strangers, "node"), verb(strangers, "are"), example))
	}
	return told
}

// openTo are the levels whose new pods may come to a node.
func openTo(a trust.Assessment) []string {
	var levels []string
	for i := range a.Standings {
		if a.Standings[i].Worth == trust.Open {
			levels = append(levels, a.Standings[i].Level)
		}
	}
	return levels
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// verb is a verb, given in the plural, after n things.
func verb(n int, plural string) string {
	switch {
	case n != 1:
		return plural
	case plural == "are":
		return "is"
	default:
		return plural + "s"
	}
}

// comparison is of the catalogue before and after a change of one object.
type comparison struct {
	before, after *trust.Catalogue
	kind, name    string
}

// problems are those that the change brings, first those of the object itself.
func (c comparison) problems() []string {
	known := map[trust.Problem]bool{}
	for _, p := range c.before.Problems() {
		known[p] = true
	}
	var own, others []string
	for _, p := range c.after.Problems() {
		switch {
		case known[p]:
		case p.Kind == c.kind && p.Name == c.name:
			own = append(own, p.Field+": "+p.Message)
		default:
			others = append(others, fmt.Sprintf("%s %s, %s: %s", p.Kind, p.Name, p.Field, p.Message))
		}
	}
	return append(own, others...)
}

// sites are the buildings in which some node is open to all of the levels.
func (h *Handlers) sites(c *trust.Catalogue, levels []v1alpha1.LevelName, now time.Time) []string {
	view := c.At(now)
	found := map[string]bool{}
	for _, facts := range h.Facts.NodeFacts() {
		a := view.Assess(facts)
		open := openTo(a)
		if !slices.ContainsFunc(levels, func(l v1alpha1.LevelName) bool { return !slices.Contains(open, string(l)) }) {
			found[a.Site] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
