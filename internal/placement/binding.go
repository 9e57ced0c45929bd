package placement

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Law: a governed pod is bound by a known scheduler, to a node that keeps its trust levels, and comes out of it unchanged.
//
// Reads a Binding and who sends it. Denies users that TerroirConfig's schedulerUsers does not list; the legacy bindings
// resource, which rules on pods/binding do not see; a target that is not a Node; labels and annotations, which the
// API server would copy over the pod's own without any check (zone and region it stamps itself); and nodes that are
// losing a trust level at this moment. Ignores what the node is worth: the webhook looks at the live node, [JudgeOpen].

// Binding is the part of a Binding, and of the request that carries it, that the law reads.
type Binding struct {
	User        string
	Legacy      bool // sent to the bindings resource instead of pods/binding
	TargetKind  string
	Node        string
	Labels      map[string]string
	Annotations map[string]string
}

// stamped are the labels that the API server itself puts on a Binding.
func stamped() []string { return []string{corev1.LabelTopologyRegion, corev1.LabelTopologyZone} }

// JudgeBinding judges a binding in a governed namespace. revoking are the nodes that are losing trust levels.
func JudgeBinding(b Binding, s Settings, revoking []string) Verdict {
	var denials []Denial
	deny := func(field, format string, args ...any) {
		denials = append(denials, Denial{Rule: "binding", Field: field, Message: fmt.Sprintf(format, args...)})
	}
	if b.Legacy {
		deny("", "pods in this namespace are not bound through the legacy bindings resource; use pods/binding")
	}
	if !slices.Contains(s.SchedulerUsers, b.User) {
		deny("", "user %q may not bind pods in this namespace; only %s may, so that pods land on qualified zones", b.User, strings.Join(s.SchedulerUsers, ", "))
	}
	if b.Node == "" || b.TargetKind != "" && b.TargetKind != "Node" {
		deny("target", "a pod is bound to a Node, not to %s %q", b.TargetKind, b.Node)
	}
	if !onlyStamped(b.Labels) || len(b.Annotations) > 0 {
		deny("metadata", "a binding carries no labels and annotations: they would replace those of the pod")
	}
	if slices.Contains(revoking, b.Node) {
		deny("target.name", "node %s is losing a trust level at this moment", b.Node)
	}
	return verdictOf(denials)
}

func onlyStamped(labels map[string]string) bool {
	for key := range labels {
		if !slices.Contains(stamped(), key) {
			return false
		}
	}
	return true
}

// BindingVariables are what [BindingValidations] use. The list of nodes may be long: what is asked of each is one comparison.
func BindingVariables() []Variable {
	return []Variable{{"node", `string(object.target.?name.orValue(''))`}}
}

// BindingValidations are [JudgeBinding] in CEL. params is TerroirConfig/cluster.
func BindingValidations(s Settings) []Validation {
	return []Validation{
		{`request.resource.resource != 'bindings'`, `'pods in this namespace are not bound through the legacy bindings resource; use pods/binding'`},
		{
			`request.userInfo.?username.orValue('') in ` + Quoted(s.SchedulerUsers),
			`'user "' + request.userInfo.?username.orValue('') + '" may not bind pods in this namespace; only ` + strings.Join(s.SchedulerUsers, ", ") + ` may, so that pods land on qualified zones'`,
		},
		{
			`object.target.?kind.orValue('') in ['', 'Node'] && object.target.?name.orValue('') != ''`,
			`'a pod is bound to a Node, not to ' + object.target.?kind.orValue('') + ' "' + object.target.?name.orValue('') + '"'`,
		},
		{
			`object.?metadata.labels.orValue({}).all(k, k in ` + Quoted(stamped()) + `) && object.?metadata.annotations.orValue({}).size() == 0`,
			`'a binding carries no labels and annotations: they would replace those of the pod'`,
		},
		{
			`!params.?status.revoking.orValue([]).exists(r, r.node == variables.node)`,
			`'node ' + object.target.name + ' is losing a trust level at this moment'`,
		},
	}
}
