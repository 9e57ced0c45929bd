package guard

import (
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: what a node is worth is written by Terroir alone.
//
// Reads the labels of a Node under terroir.node-restriction.kubernetes.io before and after any request that creates or changes it,
// its status included. Denies every change of them to everybody but Terroir, however privileged, and whether the API server runs with
// NodeRestriction or not: pods go where these labels are. One label is set in the request of somebody else, by [nodeKeeper]: who set
// the providerID; it is admitted as far as it is true. Looks at nothing that did not change.
func nodes(s placement.Settings) Guard {
	return Guard{
		Name:       "terroir-nodes",
		Looks:      nodeRequests(),
		Conditions: []placement.Variable{notOperator},
		Variables: []placement.Variable{
			{Name: "is", Expression: `object.metadata.?labels.orValue({})`},
			{Name: "was", Expression: `oldObject == null ? {} : oldObject.metadata.?labels.orValue({})`},
			{Name: "changed", Expression: `variables.is.filter(k, ` + ownKey + ` && variables.was[?k] != optional.of(variables.is[k]))
  + variables.was.filter(k, ` + ownKey + ` && !(k in variables.is))`},
			{Name: "source", Expression: providerIDSource(s)},
			{Name: "forbidden", Expression: `variables.changed.filter(k, !(k == '` + v1alpha1.ProviderIDFromLabel + `' && variables.is[?k].orValue('') == variables.source && variables.source != ''))`},
		},
		Validations: []placement.Validation{{
			Expression: `variables.forbidden.size() == 0`,
			Message: `'label ' + variables.forbidden.sort()[0] + ' of node ' + object.metadata.?name.orValue('') + ' says what the node is worth, and Terroir alone writes it; ` +
				`to change what a node satisfies, change the catalogue'`,
		}},
	}
}

// Law: a node does not move, and who vouches for it is kept in mind.
//
// Reads the zone and region labels of a Node, GA and beta, and those by which Zones recognise nodes, when its kubelet changes the Node, and
// its providerID when anybody sets it. A
// kubelet may set these labels where the Node has none; what is there it cannot change: the label keeps its value, and a beta label
// that would say something else than the GA one, which the cloud controller would copy it over, is not added. The request itself
// is never refused: a kubelet that cannot write its Node takes the node out of the cluster, and that would be an outage
// of our making. Who else set the providerID is stamped on the Node: it says what recognition rests on.
func nodeKeeper(s placement.Settings) Keeper {
	return Keeper{
		Name:  "terroir-nodes",
		Looks: nodeRequests(),
		Conditions: []placement.Variable{{
			Name: "moves-or-is-named",
			Expression: `(` + providerIDSource(s) + `) != '' || oldObject != null && request.userInfo.?username.orValue('').startsWith('system:node:') && (` +
				moves(s) + `)`,
		}},
		Variables: []placement.Variable{
			{Name: "is", Expression: `object.metadata.?labels.orValue({})`},
			{Name: "was", Expression: `oldObject == null ? {} : oldObject.metadata.?labels.orValue({})`},
			{Name: "source", Expression: providerIDSource(s)},
			{Name: "kubelet", Expression: `oldObject != null && request.userInfo.?username.orValue('').startsWith('system:node:')`},
			{Name: "restored", Expression: `!variables.kubelet ? [] : ` + replaced(s)},
			{Name: "dropped", Expression: `!variables.kubelet ? [] : ` + contradicting()},
		},
		Patch: `(has(object.metadata.labels) || (variables.source == '' && variables.restored.size() == 0) ? [] : [JSONPatch{op: 'add', path: '/metadata/labels', value: {}}])
  + variables.restored.map(k, JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey(k), value: variables.was[k]})
  + variables.dropped.map(k, JSONPatch{op: 'remove', path: '/metadata/labels/' + jsonpatch.escapeKey(k)})
  + (variables.source == '' ? [] : [JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('` + v1alpha1.ProviderIDFromLabel + `'), value: variables.source}])`,
	}
}

func nodeRequests() []Resources {
	return []Resources{{Version: "v1", Names: []string{"nodes", "nodes/status"}, Operations: ops(create, update)}}
}

// ownKey holds, in CEL, of a label key k that only Terroir writes.
const ownKey = `(k.startsWith('terroir.node-restriction.kubernetes.io/') || k.contains('.terroir.node-restriction.kubernetes.io/'))`

// providerIDSource is, in CEL, who sets the providerID in this request; empty if it is not set here. The status subresource
// cannot set it. A kubelet's is not stamped: NodeRestriction looks at the request again after the stamp was added, takes it for the
// kubelet's own, and refuses the request. Without a stamp a providerID is no more than the kubelet's word, which is what it is.
func providerIDSource(s placement.Settings) string {
	return `request.?subResource.orValue('') != '' || object.?spec.providerID.orValue('') == '' || (oldObject != null && oldObject.?spec.providerID.orValue('') == object.spec.providerID) ? ''
  : request.userInfo.?username.orValue('').startsWith('system:node:') ? '' : ` + in(s.CloudControllerUsers...) + ` ? 'cloud-controller' : 'other'`
}

// zoneLabels are the labels by which Kubernetes says where a node or a volume is.
func zoneLabels() []string {
	return []string{
		"failure-domain.beta.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
		"topology.kubernetes.io/region", "topology.kubernetes.io/zone",
	}
}

// placeLabels are those, and the labels by which Zones recognise nodes.
func placeLabels(s placement.Settings) []string {
	keys := append(zoneLabels(), s.PlaceLabels...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// moves holds, in CEL, of an update that changes a place label.
func moves(s placement.Settings) string {
	return placement.Quoted(placeLabels(s)) + `.exists(k, object.metadata.?labels[?k] != oldObject.metadata.?labels[?k])`
}

// replaced are, in CEL, the place labels that were there and do not keep their value. It uses the variables is and was.
func replaced(s placement.Settings) string {
	return placement.Quoted(placeLabels(s)) + `.filter(k, k in variables.was && variables.is[?k] != variables.was[?k])`
}

// contradicting are, in CEL, the beta labels that are new and do not say what the GA one says. It uses the same variables.
func contradicting() string {
	return `[` + strings.Join(betaPairs(), ", ") + `]
  .filter(p, p[0] in variables.is && !(p[0] in variables.was) && variables.was[?p[1]].hasValue() && variables.is[?p[0]] != variables.was[?p[1]]).map(p, p[0])`
}

// betaPairs are, in CEL, the beta labels with their GA successors.
func betaPairs() []string {
	return []string{
		`['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region']`,
		`['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone']`,
	}
}
