package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: a volume is attached where its pod was bound, by the controller that follows bindings.
//
// Reads who creates a VolumeAttachment. Denies everybody but the attach-detach controller of the control plane and those who maintain
// Terroir: whoever else creates one has a volume attached to a node of his choice. It looks at every one, since a volume can be
// named in it without its claim and so without its namespace. Ignores what becomes of them: Kubernetes does not let
// their spec change, and CSI attachers write their status, finalizers and annotations.
func attachments() Guard {
	return Guard{
		Name:  "terroir-attachments",
		Looks: []Resources{{Group: "storage.k8s.io", Version: "v1", Names: []string{"volumeattachments"}, Operations: ops(create)}},
		Validations: []placement.Validation{{
			Expression: anyOf(in("system:serviceaccount:kube-system:attachdetach-controller", "system:kube-controller-manager"), maintains),
			Message: `'VolumeAttachment ' + object.metadata.?name.orValue('') + ' would attach a volume to node "' + object.spec.nodeName + '"; volumes are attached by the attach-detach controller alone, ` +
				`to the nodes to which the scheduler bound their pods'`,
		}},
	}
}
