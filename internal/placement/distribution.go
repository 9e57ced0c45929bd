package placement

import (
	"fmt"
	"maps"
	"slices"

	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: the pods of a workload stay distributed over sites as they came.
//
// Reads how many pods of one workload run on each site. Denies that there are fewer sites than owed though there are pods
// enough for them, and that the fullest site has more pods than the emptiest by more than owed. A site without a pod of the workload counts as
// empty only while too few sites have one: whether the workload may go there at all is for its own affinity to say. Nobody keeps a
// distribution: the scheduler asks for it when a pod comes, and never again.

// JudgeDistribution judges how the pods of one workload are distributed. bySite has an entry for each site where there is one.
func JudgeDistribution(owed policy.Obligation, workload string, bySite map[string]int) Verdict {
	if owed.MinSites == 0 || len(bySite) == 0 {
		return verdictOf(nil)
	}
	sites, pods := len(bySite), 0
	emptiest, fullest := 0, Fullest(bySite)
	for _, n := range bySite {
		pods += n
	}
	if sites >= int(owed.MinSites) {
		emptiest = slices.Min(slices.Collect(maps.Values(bySite)))
	}
	var message string
	switch {
	case pods >= int(owed.MinSites) && sites < int(owed.MinSites):
		message = fmt.Sprintf("%s requires a spread over %s, and the %s of %s are on %d", owed.Provenance(""), count(owed.MinSites, "site"), count(int32(pods), "pod"), workload, sites)
	case bySite[fullest]-emptiest > int(owed.Skew()):
		message = fmt.Sprintf("%s requires that no site has more than %s above another, and of %s site %s has %d, another %d",
			owed.Provenance(""), count(owed.Skew(), "pod"), workload, fullest, bySite[fullest], emptiest)
	default:
		return verdictOf(nil)
	}
	return verdictOf([]Denial{{Rule: "distribution", Field: "spec.topologySpreadConstraints", Message: message}})
}

// Fullest is the site with most pods, the first by name of equally full ones.
func Fullest(bySite map[string]int) string {
	fullest := ""
	for _, site := range slices.Sorted(maps.Keys(bySite)) {
		if fullest == "" || bySite[site] > bySite[fullest] {
			fullest = site
		}
	}
	return fullest
}
