package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: what a namespace owes is written by Terroir alone.
//
// Reads who creates, changes or deletes a PlacementFloor. The fence in the API server reads it for every pod, so whoever may edit
// it decides where pods run. In a namespace that is being deleted, its floor is cleared away with everything else.
func floors() Guard {
	return Guard{
		Name:       "terroir-floors",
		Looks:      []Resources{{Group: "terroir.dev", Version: "v1alpha1", Names: []string{"placementfloors"}, Operations: ops(create, update, remove)}},
		Conditions: []placement.Variable{notOperator},
		Validations: []placement.Validation{{
			Expression: anyOf(`request.operation == 'DELETE' && `+isCleaner, isMigrator, maintains),
			Message: `'a PlacementFloor says what a namespace owes, and Terroir alone writes it, from the policies and the namespace; to demand more, create a PlacementPolicy; ` +
				`to demand less, change the ClusterPlacementPolicy that requires it'`,
		}},
	}
}
