package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: which CSI drivers a node has is told by that node's kubelet.
//
// Reads who creates or changes a CSINode. A Zone may recognise its nodes by their drivers: nobody shall put them there for another
// machine. The kubelet itself may lie, which is why a driver alone is never more than a claim.
func csiNodes() Guard {
	return Guard{
		Name:       "terroir-csinodes",
		Looks:      []Resources{{Group: "storage.k8s.io", Version: "v1", Names: []string{"csinodes"}, Operations: ops(create, update)}},
		Conditions: []placement.Variable{{Name: "drivers-change", Expression: `oldObject == null || object.spec != oldObject.spec`}},
		Validations: []placement.Validation{{
			Expression: anyOf(`request.userInfo.?username.orValue('') == 'system:node:' + object.metadata.name`, maintains),
			Message:    `'CSINode ' + object.metadata.name + ' says by which CSI drivers its node may be recognised, and only the kubelet of that node writes it'`,
		}},
	}
}
