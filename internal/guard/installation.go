package guard

import "github.com/terroir-dev/terroir/internal/placement"

// Law: what Terroir consists of outside its namespace is changed by Terroir and by those who maintain it.
//
// Reads who changes or deletes the kinds of terroir.dev and the API that serves them, Terroir's webhook configurations, its cluster-wide
// RBAC, and its namespace. Denies everybody else. What the control plane itself does to them is let pass: the API server publishes
// kinds, the namespace's end is the namespace controller's. Admission policies cannot be guarded by admission
// policies: RBAC does that, Terroir puts back what is gone, and static manifests close it for good.
func installation() Guard {
	const publisher = `request.userInfo.?username.orValue('') == 'system:apiserver'`
	return Guard{
		Name: "terroir-installation",
		Looks: []Resources{
			{Group: "apiextensions.k8s.io", Version: "v1", Names: []string{"customresourcedefinitions", "customresourcedefinitions/status"}, Operations: ops(update, remove)},
			{Group: "apiregistration.k8s.io", Version: "v1", Names: []string{"apiservices", "apiservices/status"}, Operations: ops(create, update, remove)},
			{
				Group: "admissionregistration.k8s.io", Version: "v1",
				Names: []string{"mutatingwebhookconfigurations", "validatingwebhookconfigurations"}, Operations: ops(create, update, remove),
			},
			{Group: "rbac.authorization.k8s.io", Version: "v1", Names: []string{"clusterroles", "clusterrolebindings"}, Operations: ops(create, update, remove)},
			{Version: "v1", Names: []string{"namespaces", "namespaces/finalize", "namespaces/status"}, Operations: ops(update, remove)},
		},
		Conditions: []placement.Variable{notOperator, {Name: "terroirs-own", Expression: ownObject()}},
		Validations: []placement.Validation{{
			Expression: anyOf(publisher, isCleaner+` && request.resource.resource == 'namespaces'`, isMigrator, maintains),
			Message: `request.kind.kind + ' ' + (oldObject == null ? object : oldObject).metadata.?name.orValue('') +
  ' is part of Terroir, on which the placement of governed pods rests; only those may change it to whom RBAC grants the verb maintain on installations.terroir.dev'`,
		}},
	}
}

// ownObject holds, in CEL, of the objects without a namespace of which Terroir consists. The name is read from the object, not from
// the request: a request to delete a whole collection names none.
func ownObject() string {
	const name = `(oldObject == null ? object : oldObject).metadata.?name.orValue('')`
	return `request.resource.resource in ['customresourcedefinitions', 'apiservices'] ? ` + name + `.endsWith('.terroir.dev')
  : request.resource.resource == 'namespaces' ? ` + name + ` == 'terroir-system'
  : ` + name + ` == 'terroir' || ` + name + `.startsWith('terroir-')`
}
