package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/nearest"
)

// Patterns of annotation values. The same text serves Go and CEL, whose regular expressions are both RE2.
const (
	// LevelPattern matches the name of a trust level.
	LevelPattern = `^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`
	// KeyPattern matches the name of an encryption key.
	KeyPattern = LevelPattern
	// SitesPattern matches a number of sites: 1 to 64.
	SitesPattern = `^([1-9]|[1-5][0-9]|6[0-4])$`
	// MaxLength is how many characters the value of an annotation may have: as many as eight names of levels take.
	MaxLength = 600
	// MaxLevels is how many levels one annotation may name.
	MaxLevels = 8
)

var (
	levelRE = regexp.MustCompile(LevelPattern)
	keyRE   = regexp.MustCompile(KeyPattern)
	sitesRE = regexp.MustCompile(SitesPattern)
)

// Annotations are the keys under Terroir's prefixes that have a meaning; any other is refused.
func Annotations() []string {
	return []string{
		v1alpha1.EncryptionKeyAnnotation,
		v1alpha1.InheritedEncryptionKeyAnnotation,
		v1alpha1.InheritedMinSitesAnnotation,
		v1alpha1.InheritedTrustLevelAnnotation,
		v1alpha1.MinSitesAnnotation,
		v1alpha1.PlacementAnnotation,
		v1alpha1.TrustLevelAnnotation,
	}
}

// ParseAnnotations reads what annotations demand in the name of source. Levels named are not looked up here: see
// [Set.Add]. What does not parse demands nothing and is a problem instead.
func ParseAnnotations(source Source, annotations map[string]string) (Demand, []Problem) {
	d := Demand{Source: source}
	var problems []Problem
	refuse := func(format string, args ...any) {
		problems = append(problems, Problem{Source: source, Reason: AnnotationInvalid, Message: source.String() + ": " + fmt.Sprintf(format, args...)})
	}
	for _, key := range ownKeys(annotations) {
		value := annotations[key]
		switch key {
		case v1alpha1.TrustLevelAnnotation, v1alpha1.InheritedTrustLevelAnnotation:
			levels, ok := parseLevels(value)
			if !ok {
				refuse("annotation %s is %q; it must name at most %d trust levels, separated by commas, such as \"secnumcloud\"", key, shorten(value), MaxLevels)
				continue
			}
			d.Levels = union(d.Levels, levels)
		case v1alpha1.MinSitesAnnotation, v1alpha1.InheritedMinSitesAnnotation:
			if !sitesRE.MatchString(value) {
				refuse("annotation %s is %q; it must be a number of sites from 1 to 64, in quotes, such as \"3\"", key, shorten(value))
				continue
			}
			n, _ := strconv.ParseInt(value, 10, 32) // the pattern admits only 1 to 64
			d.MinSites = max(d.MinSites, int32(n))
		case v1alpha1.EncryptionKeyAnnotation, v1alpha1.InheritedEncryptionKeyAnnotation:
			if !keyRE.MatchString(value) {
				refuse("annotation %s is %q; it must name one encryption key, such as \"health-kek\"", key, shorten(value))
				continue
			}
			d.Encryption = d.Encryption.with(&Encryption{Keys: []string{value}})
		case v1alpha1.PlacementAnnotation: // ours, for people; never evidence
		default:
			refuse("annotation %s is unknown%s", key, whatExists(key, writable()))
		}
	}
	if why := (Obligation{}).With(d).contradiction(); why != "" {
		problems = append(problems, Problem{Source: source, Reason: EncryptionContradicts, Message: fmt.Sprintf("%s: annotations %s and %s ask for different keys, %q and %q; a volume has one",
			source, v1alpha1.EncryptionKeyAnnotation, v1alpha1.InheritedEncryptionKeyAnnotation, annotations[v1alpha1.EncryptionKeyAnnotation], annotations[v1alpha1.InheritedEncryptionKeyAnnotation])})
	}
	return d, problems
}

// IsOwn says whether the key of an annotation is under one of Terroir's prefixes.
func IsOwn(key string) bool {
	return strings.HasPrefix(key, v1alpha1.AnnotationPrefix) || strings.HasPrefix(key, v1alpha1.InheritedPrefix)
}

// Own are the annotations under Terroir's prefixes; nil where there are none.
func Own(annotations map[string]string) map[string]string {
	var own map[string]string
	for key, value := range annotations {
		if IsOwn(key) {
			if own == nil {
				own = map[string]string{}
			}
			own[key] = value
		}
	}
	return own
}

// ownKeys are the keys under Terroir's prefixes, sorted.
func ownKeys(annotations map[string]string) []string {
	var keys []string
	for key := range annotations {
		if IsOwn(key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// writable are the annotations that people write.
func writable() []string {
	return []string{v1alpha1.EncryptionKeyAnnotation, v1alpha1.MinSitesAnnotation, v1alpha1.TrustLevelAnnotation}
}

func parseLevels(value string) ([]string, bool) {
	if utf8.RuneCountInString(value) > MaxLength {
		return nil, false
	}
	var levels []string
	for part := range strings.SplitSeq(value, ",") {
		level := strings.TrimSpace(part)
		if !levelRE.MatchString(level) {
			return nil, false
		}
		levels = append(levels, level)
	}
	return levels, len(levels) <= MaxLevels
}

// whatExists ends a sentence about an unknown word: with what was probably meant, or else with what there is.
func whatExists(word string, known []string) string {
	if meant, ok := nearest.Name(word, known); ok {
		return fmt.Sprintf("; did you mean %q?", meant)
	}
	if len(known) == 0 {
		return "; there is none yet"
	}
	sorted := slices.Clone(known)
	slices.Sort(sorted)
	const most = 10
	if len(sorted) > most {
		return fmt.Sprintf("; there are %s and %d more", strings.Join(sorted[:most], ", "), len(sorted)-most)
	}
	return "; there is " + strings.Join(sorted, ", ")
}

// shorten keeps a value of any length from filling a message.
func shorten(value string) string {
	const most = 64
	if len(value) <= most {
		return value
	}
	return strings.ToValidUTF8(value[:most], "") + "…"
}
