package fence

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Floor is what every pod of a namespace owes at least, as the expressions of the fence read it.
func Floor(namespace string, owed policy.Obligation) *v1alpha1.PlacementFloor {
	floor := &v1alpha1.PlacementFloor{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.FloorName, Namespace: namespace},
		Spec: v1alpha1.PlacementFloorSpec{
			TrustLevels: names(owed.Levels), MissingTrustLevels: names(owed.Missing), MinSites: owed.MinSites, MaxSkew: owed.MaxSkew,
		},
	}
	for _, d := range owed.Demands {
		floor.Spec.DemandedBy = append(floor.Spec.DemandedBy, v1alpha1.FloorDemand{
			Kind: d.Kind, Name: d.Name, TrustLevels: d.Levels, MinSites: d.MinSites,
		})
	}
	if len(owed.Problems) > 0 {
		floor.Spec.Problems = []string{owed.Problems[0].Message}
	}
	return floor
}

func names(levels []string) []v1alpha1.LevelName {
	var out []v1alpha1.LevelName
	for _, level := range levels {
		out = append(out, v1alpha1.LevelName(level))
	}
	return out
}
