package placement

import (
	"fmt"

	"github.com/terroir-dev/terroir/internal/policy"
)

// JudgeOpen judges whether a pod may come to a node, by the labels of the live node: it must be open for every level owed.
// explain says why a level is not satisfied there; it may be nil.
func JudgeOpen(owed policy.Obligation, node string, labels map[string]string, explain func(level string) string) Verdict {
	var denials []Denial
	for _, level := range owed.Levels {
		if _, open := labels[openKey(level)]; open && labels[heldKey(level)] == "true" {
			continue
		}
		message := fmt.Sprintf("%s, which node %s does not satisfy", requiresLevel(owed, level), node)
		if explain != nil {
			message += ": " + explain(level)
		}
		denials = append(denials, Denial{Rule: "node", Field: "target.name", Message: message})
	}
	return verdictOf(denials)
}
