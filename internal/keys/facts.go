package keys

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// known are the facts that are known of a key, by name.
type known map[string]Fact

// observable are the facts that an observer can see. Whose a store is, and where its keys lie, no store tells.
func observable(name string) bool {
	switch name {
	case FactAlgorithm, FactBits, FactNonExtractable, FactNeverExtractable, FactOrigin, FactPrivate, FactProtection, FactState, FactUsable, FactNotBefore, FactNotAfter:
		return true
	default:
		return false
	}
}

// knownTo are the facts as one observer knows them: what is declared, and over it what he saw.
func knownTo(o Observation, declared []Fact) known {
	saw := known{}
	for _, f := range o.Facts {
		if !observable(f.Name) || grade(f.Evidence) <= grade(v1alpha1.EvidenceDeclared) {
			continue
		}
		f.Source = o.Observer
		if other, twice := saw[f.Name]; twice && byWorth(other, f) < 0 {
			f = other
		}
		saw[f.Name] = f
	}
	for _, f := range declared {
		if _, better := saw[f.Name]; !better {
			saw[f.Name] = f
		}
	}
	return saw
}

// common is what all of several observers know. Of each fact the worst word counts, and it is known as well as by whoever knows it worst: a key that
// was tested in one zone and is only told of in another is only told of.
func common(observers []known) known {
	if len(observers) == 0 {
		return known{}
	}
	all := maps.Clone(observers[0])
	for _, other := range observers[1:] {
		for name, f := range all {
			g, knows := other[name]
			switch {
			case !knows:
				delete(all, name)
			case byWorth(g, f) < 0:
				all[name] = g
			}
		}
	}
	return all
}

// sorted gives facts by name.
func (k known) sorted() []Fact {
	var facts []Fact
	for _, name := range slices.Sorted(maps.Keys(k)) {
		facts = append(facts, k[name])
	}
	return facts
}

// is reports whether a fact is known to be true, and is not whether it is known to be false. What is not known is neither.
func (k known) is(name string) bool    { return k[name].Value == "true" }
func (k known) isNot(name string) bool { return k[name].Value == "false" }

// moment reads a fact that is a time. ok is false where there is none, or where it cannot be read.
func (k known) moment(name string) (t time.Time, ok bool) {
	t, err := time.Parse(time.RFC3339, k[name].Value)
	return t, err == nil
}

// grade orders evidence; what is no evidence is none.
func grade(e v1alpha1.KeyEvidence) int {
	switch e {
	case v1alpha1.EvidenceAttested:
		return 4
	case v1alpha1.EvidenceTested:
		return 3
	case v1alpha1.EvidenceReported:
		return 2
	case v1alpha1.EvidenceDeclared:
		return 1
	default:
		return 0
	}
}

// byWorth orders what several say of one fact, the worst first: by the value, then by how it is known, then by the youngest. It is total, so that the order in
// which observers are asked does not matter.
func byWorth(a, b Fact) int {
	return cmp.Or(
		byValue(a.Name, a.Value, b.Value),
		cmp.Compare(grade(a.Evidence), grade(b.Evidence)),
		b.Since.Compare(a.Since),
		cmp.Compare(a.Source, b.Source),
	)
}

func byValue(name, a, b string) int {
	switch name {
	case FactBits:
		return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a, b))
	case FactNotAfter: // the earliest end
		return cmp.Compare(a, b)
	case FactNotBefore: // the latest beginning
		return cmp.Compare(b, a)
	default:
		return cmp.Or(cmp.Compare(merit(name, a), merit(name, b)), cmp.Compare(a, b))
	}
}

// merit says how good a value is, the worst first; what is in no list is worse than all that is, and those that differ otherwise are alike.
func merit(name, value string) int {
	switch name {
	case FactNonExtractable, FactNeverExtractable, FactPrivate, FactUsable:
		return slices.Index([]string{"true"}, value)
	case FactOrigin:
		return slices.Index([]string{OriginGenerated}, value)
	case FactProtection:
		return slices.Index([]string{string(v1alpha1.ProtectionSoftware), string(v1alpha1.ProtectionHSM)}, value)
	case FactState:
		return slices.Index([]string{StateCompromised, StateDeactivated, StatePreActive, StateActive}, value)
	default:
		return 0
	}
}

// number reads a length; what is none is the shortest.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
