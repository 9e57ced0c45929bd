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
	mostKeys    = 16
)

// Floor is what every pod of a namespace owes at least, as the expressions of the fence read it. It is always one that the schema
// admits. Where what is owed does not fit, it falls towards refusal: the floor has as much of it as fits, and a problem.
func Floor(namespace string, owed policy.Obligation) *v1alpha1.PlacementFloor {
	floor := &v1alpha1.PlacementFloor{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.FloorName, Namespace: namespace},
		Spec: v1alpha1.PlacementFloorSpec{
			TrustLevels: names(owed.Levels), MissingTrustLevels: names(owed.Missing),
			MinSites: between(0, owed.MinSites, mostSites), MaxSkew: between(0, owed.MaxSkew, mostSkew), // a smaller skew is the stricter one
			NodeLocalStorage: owed.NodeLocalStorage, Encryption: encryption(owed.Encryption),
		},
	}
	for _, d := range first(mostDemands, owed.Demands) {
		floor.Spec.DemandedBy = append(floor.Spec.DemandedBy, v1alpha1.FloorDemand{
			Kind: d.Kind, Name: d.Name, TrustLevels: writable(d.Levels), MinSites: d.MinSites, NodeLocalStorage: d.NodeLocalStorage, Encryption: d.Encryption != nil,
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
	case owed.Encryption != nil && len(keyNames(owed.Encryption.Keys)) < len(owed.Encryption.Keys):
		return fmt.Sprintf("namespace %s owes encryption under one of %d keys, of which one has a name that is none, or there are more than %d; ask for keys by their names, such as health-kek",
			namespace, len(owed.Encryption.Keys), mostKeys)
	default:
		return ""
	}
}

// encryption is what is owed of volumes. Where demands contradict each other, lists are empty that accept nothing: the problem beside them refuses.
func encryption(e *policy.Encryption) *v1alpha1.FloorEncryption {
	if e == nil {
		return nil
	}
	return &v1alpha1.FloorEncryption{
		Keys: keyNames(e.Keys), Protection: e.Protection, Custody: e.Custody,
		Evidence: v1alpha1.FloorEvidence{
			NonExtractable: e.Evidence.NonExtractable, Origin: e.Evidence.Origin, Protection: e.Evidence.Protection, Custody: e.Evidence.Custody,
		},
		AcceptedBindings: e.Accepted(), OnRevocation: e.OnRevocation,
	}
}

func keyNames(keys []string) []v1alpha1.KeyName {
	var out []v1alpha1.KeyName
	for _, key := range writable(keys) {
		out = append(out, v1alpha1.KeyName(key))
	}
	return first(mostKeys, out)
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
