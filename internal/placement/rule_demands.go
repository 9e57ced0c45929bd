package placement

import "fmt"

// Law: what is owed can be honoured at all.
//
// Reads the obligation. Denies while a level that a policy requires does not exist, while something else about the namespace's
// obligation does not parse, and a spread without a trust level: sites are those of qualified zones. In Go, missing levels stand
// among the obligation's problems and are told by the rule on annotations.
func ruleDemands() Rule {
	return Rule{
		Name:     "demands",
		Template: true,
		Judge: func(c Case) []Denial {
			if c.Owed.MinSites == 0 || len(c.Owed.Levels) > 0 {
				return nil
			}
			return []Denial{{Rule: "demands", Field: "metadata.annotations", Message: fmt.Sprintf(
				"a spread over %d sites is asked for (by %s), but no trust level is required, and sites are those of qualified zones; add the annotation terroir.dev/trust-level",
				c.Owed.MinSites, c.Owed.Provenance(""))}}
		},
		Validations: func(Settings) []Validation {
			return []Validation{
				{
					`variables.floor.?missingTrustLevels.orValue([]).size() == 0`,
					`'this namespace requires trust level "' + variables.floor.missingTrustLevels[0] + '", which does not exist; create it, or change the policy that requires it: ' + variables.demanders.join(', ')`,
				},
				{`variables.floor.?problems.orValue([]).size() == 0`, `variables.floor.problems[0]`},
				{
					`variables.minSites == 0 || variables.levels.size() > 0`,
					`'a spread over ' + string(variables.minSites) + ' sites is asked for, but no trust level is required, and sites are those of qualified zones; add the annotation terroir.dev/trust-level'`,
				},
			}
		},
	}
}
