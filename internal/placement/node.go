package placement

import (
	"fmt"
	"slices"

	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
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

// JudgeNode judges whether a pod may stay on a node, by what the node is worth now. What is unknown about the node stands against it.
func JudgeNode(owed policy.Obligation, node string, worth trust.Assessment) Verdict {
	var denials []Denial
	for _, level := range owed.Levels {
		why, holds := holds(worth, level)
		if !holds {
			denials = append(denials, Denial{Rule: "node", Field: "spec.nodeName", Message: fmt.Sprintf(
				"%s, which node %s does not satisfy: %s", requiresLevel(owed, level), node, why)})
		}
	}
	return verdictOf(denials)
}

// holds says whether pods that owe a level may stay on a node and, if not, why.
func holds(worth trust.Assessment, level string) (why string, holds bool) {
	i := slices.IndexFunc(worth.Standings, func(s trust.Standing) bool { return s.Level == level })
	switch {
	case worth.State != trust.Recognised && worth.State != trust.Suspect:
		return worth.Message, false
	case i < 0:
		return fmt.Sprintf("there is no trust level %s", level), false
	default:
		return worth.Standings[i].Message, worth.Standings[i].Worth >= trust.Held
	}
}
