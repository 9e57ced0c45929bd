package trust

import (
	"slices"
	"time"

	"github.com/terroir-dev/terroir/api/v1alpha1"
)

// framework is a certification scheme in one version.
type framework struct {
	name        string
	lifecycle   v1alpha1.Lifecycle
	acceptUntil time.Time // zero: never
	levelNames  []string  // sorted
	// holds says for each level which levels whoever has it holds: itself and all that it includes, directly or through others.
	holds map[string][]string
	flaw  string
}

func compileFramework(f *file, o *v1alpha1.Framework) *framework {
	w := &framework{name: o.Name, lifecycle: o.Spec.Lifecycle, acceptUntil: instant(o.Spec.AcceptUntil), holds: map[string][]string{}}
	switch w.lifecycle {
	case v1alpha1.LifecycleInForce, v1alpha1.LifecycleSuperseded, v1alpha1.LifecycleDraft, v1alpha1.LifecycleProposed:
	default:
		f.reject("spec.lifecycle", Malformed, "%q must be Draft, Proposed, InForce or Superseded", w.lifecycle)
	}
	if !w.acceptUntil.IsZero() && w.lifecycle != v1alpha1.LifecycleSuperseded {
		f.reject("spec.acceptUntil", Malformed, "acceptUntil has a meaning only when lifecycle is Superseded, not %s", w.lifecycle)
	}
	w.compileLevels(f, o.Spec.Levels)
	w.flaw = f.flaw()
	return w
}

func (w *framework) compileLevels(f *file, levels []v1alpha1.FrameworkLevel) {
	includes := map[string][]string{}
	for _, l := range levels {
		name := string(l.Name)
		if _, twice := includes[name]; name == "" || twice {
			f.reject("spec.levels", Malformed, "level %q must have a name of its own", name)
			continue
		}
		includes[name] = texts(l.Include)
		w.levelNames = append(w.levelNames, name)
	}
	if len(includes) == 0 {
		f.reject("spec.levels", Malformed, "at least one level must be given")
	}
	slices.Sort(w.levelNames)
	for _, name := range w.levelNames {
		field := "spec.levels[" + name + "].include"
		for _, included := range includes[name] {
			if _, exists := includes[included]; !exists {
				f.reject(field, FrameworkLevelUnknown, "there is no level %s in this framework%s", included, didYouMean(included, w.levelNames))
			}
		}
		held, cycle := reach(name, includes)
		if cycle {
			f.reject(field, IncludeCycle, "level %s includes itself, by way of the levels it includes: which of them is the higher one cannot be told", name)
		}
		w.holds[name] = held
	}
}

// reach follows includes from a level and says whether they lead back to it.
func reach(from string, includes map[string][]string) (held []string, cycle bool) {
	seen := map[string]bool{from: true}
	held = []string{from}
	for i := 0; i < len(held); i++ {
		for _, next := range includes[held[i]] {
			cycle = cycle || next == from
			if !seen[next] {
				seen[next] = true
				held = append(held, next)
			}
		}
	}
	return held, cycle
}

// inForce says whether qualifications under the framework count. Draft, Proposed and what is not known do not.
func (w *framework) inForce(now time.Time) bool {
	switch w.lifecycle {
	case v1alpha1.LifecycleInForce:
		return true
	case v1alpha1.LifecycleSuperseded:
		return now.Before(w.acceptUntil)
	default:
		return false
	}
}

// lapsed is a framework that is not in force, as a sentence: why qualifications under it do not count.
type lapsed framework

func (w *lapsed) String() string {
	switch {
	case w.lifecycle == v1alpha1.LifecycleDraft:
		return w.name + " is a draft, and a draft satisfies nothing"
	case w.lifecycle == v1alpha1.LifecycleProposed:
		return w.name + " is only proposed, and a proposal satisfies nothing"
	case w.acceptUntil.IsZero():
		return w.name + " is superseded"
	default:
		return w.name + " is superseded and was accepted until " + moment(w.acceptUntil)
	}
}
