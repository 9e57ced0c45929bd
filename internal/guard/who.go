package guard

import (
	"strings"

	"github.com/terroir-dev/terroir/internal/placement"
)

// maintains holds, in CEL, of whoever RBAC grants the verb maintain on installations.terroir.dev. No such resource is served: it is a
// name for RBAC to speak of, so that Helm, Argo CD or Flux can be given it. It is asked last, since it costs more than all the rest.
const maintains = `authorizer.group('terroir.dev').resource('installations').check('maintain').allowed()`

// isOperator holds, in CEL, of requests that Terroir itself makes.
const isOperator = `request.userInfo.?username.orValue('') == '` + placement.OperatorUser + `'`

// notOperator is a condition: of what Terroir itself does there is nothing to judge.
var notOperator = placement.Variable{Name: "not-terroir", Expression: `!(` + isOperator + `)`}

// isCleaner holds, in CEL, of those who clear away what an authorised deletion left: the contents of a namespace, and what nobody
// owns any more.
var isCleaner = in(
	"system:kube-controller-manager",
	"system:serviceaccount:kube-system:namespace-controller",
	"system:serviceaccount:kube-system:generic-garbage-collector",
)

// isKubelet holds, in CEL, of kubelets, as the Node authorizer knows them.
const isKubelet = `request.userInfo.?username.orValue('').startsWith('system:node:') && 'system:nodes' in request.userInfo.?groups.orValue([])`

// isMigrator holds, in CEL, of the controller that has objects stored anew in another version, as they are.
var isMigrator = in("system:serviceaccount:kube-system:storage-version-migrator-controller")

// in holds, in CEL, of requests by one of the users.
func in(users ...string) string {
	return `request.userInfo.?username.orValue('') in ` + placement.Quoted(users)
}

// any of the CEL expressions holds; they are asked in this order.
func anyOf(expressions ...string) string {
	return `(` + strings.Join(expressions, `) || (`) + `)`
}
