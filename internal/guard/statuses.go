package guard

import (
	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: what Terroir found is told by Terroir alone, and its settings stay.
//
// Reads who writes the status of a kind of terroir.dev, and who deletes the TerroirConfig. The fence reads in its status which nodes
// are losing trust levels, and refuses every binding of a governed pod while there is none. The agents that ask key stores write one thing
// in the status of a KeyStore that is theirs to ask: the latch that keeps a wrong PIN from being tried again. Whoever opens another's spends its tries.
func statuses() Guard {
	const (
		is       = `dyn(object.?status.orValue({}))`
		was      = `dyn(oldObject.?status.orValue({}))`
		itsStore = `(` + agentsObserver + ` == '` + v1alpha1.AgentObserver + `' ? object.?spec.probe.from.orValue('') != '` + string(v1alpha1.ProbeFromAgent) + `' && object.?spec.type.orValue('') == '` + string(v1alpha1.KeyStorePKCS11) + `'
  : object.?spec.probe.from.orValue('') == '` + string(v1alpha1.ProbeFromAgent) + `')`
		loginOnly = `request.resource.resource == 'keystores' && ` + itsStore + ` && ` + is + `.all(k, k == 'login' || ` + was + `[?k] == optional.of(` + is + `[k])) && ` +
			was + `.all(k, k == 'login' || k in ` + is + `)`
	)
	kinds := []string{
		"cloudproviders", "clusterplacementpolicies", "encryptionkeys", "frameworks", "keystores", "placementpolicies",
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
			Expression: anyOf(isAgent+` && request.operation == 'UPDATE' && `+loginOnly, maintains),
			Message: `request.operation == 'DELETE' ? 'TerroirConfig/cluster says who may bind governed pods, and without it none of them is bound; change it instead of deleting it'
  : 'the status of a ' + request.kind.kind + ' says what Terroir found, and Terroir alone writes it'`,
		}},
	}
}
