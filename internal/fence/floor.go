package fence

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// What the schema admits in a floor. A floor beyond it would not be stored, and the one before, which may owe less, would stay.
const (
	mostLevels  = 64
	mostDemands = 256
	mostSites   = 64
	mostSkew    = 1000
	mostMessage = 2048
)

// Floor is what every pod of a namespace owes at least, as the expressions of the fence read it. It is always one that the schema
// admits. Where what is owed does not fit, it falls towards refusal: the floor has as much of it as fits, and a problem.
func Floor(namespace string, owed policy.Obligation) *v1alpha1.PlacementFloor {
	floor := &v1alpha1.PlacementFloor{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.FloorName, Namespace: namespace},
		Spec: v1alpha1.PlacementFloorSpec{
			TrustLevels: names(owed.Levels), MissingTrustLevels: names(owed.Missing),
			MinSites: between(0, owed.MinSites, mostSites), MaxSkew: between(0, owed.MaxSkew, mostSkew), // a smaller skew is the stricter one
			NodeLocalStorage: owed.NodeLocalStorage,
		},
	}
	for _, d := range first(mostDemands, owed.Demands) {
		floor.Spec.DemandedBy = append(floor.Spec.DemandedBy, v1alpha1.FloorDemand{
			Kind: d.Kind, Name: d.Name, TrustLevels: writable(d.Levels), MinSites: d.MinSites, NodeLocalStorage: d.NodeLocalStorage,
		})
	}
	if problem := problemOf(namespace, owed); problem != "" {
		floor.Spec.Problems = []string{problem}
	}
	return floor
}

// problemOf is the first thing that keeps pods from honouring what is owed. Empty: nothing does.
func problemOf(namespace string, owed policy.Obligation) string {
	levels := len(owed.Levels)
	switch {
	case len(owed.Problems) > 0:
		return clip(owed.Problems[0].Message)
	case len(writable(owed.Levels)) < min(levels, mostLevels) || len(writable(owed.Missing)) < min(len(owed.Missing), mostLevels):
		return fmt.Sprintf("namespace %s owes a trust level whose name is not one; ask for trust levels by their names, such as secnumcloud", namespace)
	case levels > mostLevels:
		return fmt.Sprintf("namespace %s owes %d trust levels, and at most %d can be enforced together; have its policies ask for fewer", namespace, levels, mostLevels)
	case owed.MinSites > mostSites:
		return fmt.Sprintf("namespace %s owes a spread over %d sites, and at most %d can be enforced; have its policies ask for fewer", namespace, owed.MinSites, mostSites)
	default:
		return ""
	}
}

func names(levels []string) []v1alpha1.LevelName {
	var out []v1alpha1.LevelName
	for _, level := range writable(levels) {
		out = append(out, v1alpha1.LevelName(level))
	}
	return out
}

// writable are the names, each of which the schema admits, and as many as it admits.
func writable(levels []string) []string {
	var out []string
	for _, level := range levels {
		if len(validation.IsDNS1123Label(level)) == 0 {
			out = append(out, level)
		}
	}
	return first(mostLevels, out)
}

func first[T any](most int, list []T) []T { return list[:min(len(list), most)] }

func between(least, value, most int32) int32 { return min(max(value, least), most) }

// clip shortens a message that the schema would not admit, at the end of a character.
func clip(message string) string {
	if len(message) <= mostMessage {
		return message
	}
	const end = "…"
	return strings.ToValidUTF8(message[:mostMessage-len(end)], "") + end
}
