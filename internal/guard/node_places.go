package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: where a node is, is not for strangers to say.
//
// Reads the zone and region labels of a Node, GA and beta, and those by which Zones recognise nodes, before and after a change. Denies everybody but the cloud controller, and those
// who maintain Terroir, a change of one that is there, and a beta label that says something else than the GA one, over which the
// cloud controller would copy it. Ignores a label where there was none: that is how nodes get theirs, and a TrustLevel that
// shall not rest on it demands evidence. Ignores kubelets: [nodeKeeper] sees to them without refusing anything.
func nodePlaces(s placement.Settings) Guard {
	return Guard{
		Name:  "terroir-node-places",
		Looks: []Resources{{Version: "v1", Names: []string{"nodes", "nodes/status"}, Operations: ops(update)}},
		Conditions: []placement.Variable{
			notOperator,
			{Name: "no-kubelet", Expression: `!request.userInfo.?username.orValue('').startsWith('system:node:')`},
			{Name: "moves", Expression: moves(s)},
		},
		Variables: []placement.Variable{
			{Name: "is", Expression: `object.metadata.?labels.orValue({})`},
			{Name: "was", Expression: `oldObject.metadata.?labels.orValue({})`},
			{Name: "moved", Expression: replaced(s) + "\n  + " + contradicting()},
		},
		Validations: []placement.Validation{{
			Expression: anyOf(`variables.moved.size() == 0`, in(s.CloudControllerUsers...), maintains),
			Message: `'label ' + variables.moved[0] + ' of node ' + object.metadata.name + ' says where the node is, and pods go where it is qualified; ` +
				`only the cloud controller (cloudControllerUsers in TerroirConfig/cluster) changes it, or whoever RBAC grants the verb maintain on installations.terroir.dev'`,
		}},
	}
}
