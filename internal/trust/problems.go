package trust

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/terroir-dev/terroir/internal/nearest"
)

// The kinds of which a [Problem] speaks.
const (
	KindFramework     = "Framework"
	KindCloudProvider = "CloudProvider"
	KindZone          = "Zone"
	KindQualification = "Qualification"
	KindTrustLevel    = "TrustLevel"
)

// Problem is something wrong with an object of the catalogue.
type Problem struct {
	// Kind and Name say which object.
	Kind, Name string
	// Field is the path of what is wrong, such as spec.subject.offer.
	Field string
	// Reason is a fixed word.
	Reason Reason
	// Message says what is wrong and what would be right.
	Message string
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Field, b.Field),
		cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message),
	)
}

// file collects what is wrong with one object.
type file struct {
	kind, name string
	problems   []Problem
	rejections []Problem // those of the problems for which the object satisfies nothing
}

// note records a problem that only fails those who ask about the field, such as a reference to what does not exist.
func (f *file) note(field string, reason Reason, format string, args ...any) {
	f.problems = append(f.problems, Problem{f.kind, f.name, field, reason, clip(fmt.Sprintf(format, args...))})
}

// reject records a problem for which the whole object satisfies nothing.
func (f *file) reject(field string, reason Reason, format string, args ...any) {
	f.note(field, reason, format, args...)
	f.rejections = append(f.rejections, f.problems[len(f.problems)-1])
}

// flaw says in a few words why the object satisfies nothing, for whoever relied on it; empty when the object is sound.
func (f *file) flaw() string {
	if len(f.rejections) == 0 {
		return ""
	}
	first := slices.MinFunc(f.rejections, compareProblems)
	return first.Field + ": " + first.Message
}

// didYouMean is the end of a sentence about a name that does not exist.
func didYouMean(word string, known []string) string {
	if name, found := nearest.Name(word, known); found {
		return fmt.Sprintf(" (did you mean %s?)", name)
	}
	return ""
}
