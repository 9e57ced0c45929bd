package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: what Terroir found is told by Terroir alone, and its settings stay.
//
// Reads who writes the status of a kind of terroir.dev, and who deletes the TerroirConfig. The fence reads in its status which nodes
// are losing trust levels, and refuses every binding of a governed pod while there is none.
func statuses() Guard {
	kinds := []string{
		"cloudproviders", "clusterplacementpolicies", "frameworks", "placementpolicies",
		"qualifications", "terroirconfigs", "trustlevels", "zones",
	}
	for i := range kinds {
		kinds[i] += "/status"
	}
	return Guard{
		Name: "terroir-statuses",
		Looks: []Resources{
			{Group: "terroir.dev", Version: "v1alpha1", Names: kinds, Operations: ops(update)},
			{Group: "terroir.dev", Version: "v1alpha1", Names: []string{"terroirconfigs"}, Operations: ops(remove)},
		},
		Conditions: []placement.Variable{notOperator},
		Validations: []placement.Validation{{
			Expression: maintains,
			Message: `request.operation == 'DELETE' ? 'TerroirConfig/cluster says who may bind governed pods, and without it none of them is bound; change it instead of deleting it'
  : 'the status of a ' + request.kind.kind + ' says what Terroir found, and Terroir alone writes it'`,
		}},
	}
}
