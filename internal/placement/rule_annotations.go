package placement

import (
	"fmt"
	"strings"

	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: every annotation under Terroir's prefixes is known and parses.
//
// Reads the annotations. Denies an unknown key, a list of levels that is none, a number of sites that is none, a name of a key that is none. Ignores
// terroir.dev/placement, which is ours and for people. Without this law a misspelt demand would be no demand.
//
// In Go, reading the annotations is [policy.ParseAnnotations]; what it found wrong stands among the obligation's problems,
// together with levels that do not exist, which CEL cannot know of a pod's own annotation: such a pod matches no node. Nor can it know of
// keys that do not exist, or that the namespace may not ask for: such a pod waits behind its gate.
func ruleAnnotations() Rule {
	return Rule{
		Name:     "annotations",
		Template: true,
		Judge: func(c Case) []Denial {
			denials := make([]Denial, 0, len(c.Owed.Problems))
			for _, p := range c.Owed.Problems {
				denials = append(denials, Denial{Rule: "annotations", Field: "metadata.annotations", Message: p.Message})
			}
			return denials
		},
		Validations: func(Settings) []Validation { return AnnotationValidations("variables.annotations") },
	}
}

// AnnotationValidations are the CEL checks of a map of annotations, given as a CEL expression.
func AnnotationValidations(annotations string) []Validation {
	unknown := annotations + `.filter(k, (` + OwnKey + `) && !(k in ` + Quoted(policy.Annotations()) + `))`
	levels := `['terroir.dev/trust-level', 'inherited.terroir.dev/trust-level'].filter(k, k in ` + annotations + ` && !(string(` + annotations + `[k]).size() <= ` +
		fmt.Sprint(policy.MaxLength) + ` && string(` + annotations + `[k]).split(',').size() <= ` + fmt.Sprint(policy.MaxLevels) +
		` && string(` + annotations + `[k]).split(',').all(l, l.trim().matches('` + policy.LevelPattern + `'))))`
	sites := `['terroir.dev/min-sites', 'inherited.terroir.dev/min-sites'].filter(k, k in ` + annotations + ` && !string(` + annotations + `[k]).matches('` + policy.SitesPattern + `'))`
	key := `['terroir.dev/encryption-key', 'inherited.terroir.dev/encryption-key'].filter(k, k in ` + annotations + ` && !string(` + annotations + `[k]).matches('` + policy.KeyPattern + `'))`
	return []Validation{
		{unknown + `.size() == 0`, `'annotation ' + ` + unknown + `.sort()[0] + ' is unknown; there is terroir.dev/encryption-key, terroir.dev/min-sites, terroir.dev/trust-level'`},
		{levels + `.size() == 0`, `'annotation ' + ` + levels + `.sort()[0] + ' must name at most ` + fmt.Sprint(policy.MaxLevels) + ` trust levels, separated by commas, such as "secnumcloud"'`},
		{sites + `.size() == 0`, `'annotation ' + ` + sites + `.sort()[0] + ' must be a number of sites from 1 to 64, in quotes, such as "3"'`},
		{key + `.size() == 0`, `'annotation ' + ` + key + `.sort()[0] + ' must name one encryption key, such as "health-kek"'`},
	}
}

// Quoted is a list of words in CEL. None of them may contain a quote.
func Quoted(words []string) string {
	if len(words) == 0 {
		return "[]"
	}
	return "['" + strings.Join(words, "', '") + "']"
}
