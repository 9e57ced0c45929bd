package placement

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Law: what a pod was judged by when it was created stays as it was.
//
// Reads a pod before and after an update, through pods or pods/status, the one subresource through which metadata can be changed.
// Denies a change of any annotation under Terroir's prefixes, and of the label terroir.dev/workload, since the spread of the whole workload
// counts by it; and that anybody but Terroir adds or removes a scheduling gate under terroir.dev/. In governed
// namespaces, of a pod that is bound and not finished, denies a change of the label pod-template-hash and, where it has no controller, of any
// label: a controller whose selector fits the new labels would adopt the pod and delete one that complies.
//
// Looks at nothing that did not change: finalizers of pods older than their policy must come off. Ignores labels of pods that
// have a controller, whose operators relabel them; pods that have finished; and what else the API server lets nobody
// change. While a pod is gated its nodeSelector and affinity can only be tightened.

// Update is an update of a pod.
type Update struct {
	Before, After *Pod
	// User is who asks for it.
	User string
	// Governed tells that the pod's namespace is governed.
	Governed bool
}

const (
	fixedLabel = "label terroir.dev/workload may not change: the spread of the workload counts by it"
	fixedHash  = "label pod-template-hash of a running pod may not change: another ReplicaSet would adopt the pod and delete one of its own; to take the pod out of service, change another label"
	fixedBare  = "the labels of a running pod without a controller may not change in a governed namespace: a controller whose selector fits the new labels would adopt it and delete a pod of its own; delete the pod, and create it anew with the labels that it should have"

	fixedAnnotation = " of a pod may not change: what a pod owes is settled when it is created; delete the pod, and create it anew with the annotations that it should have"
	fixedGate       = " is set and lifted by Terroir alone: the pod waits until what has to be looked up about it is known"
)

// JudgeUpdate judges an update of a pod.
func JudgeUpdate(u Update) Verdict {
	var denials []Denial
	deny := func(rule, field, message string) {
		denials = append(denials, Denial{Rule: rule, Field: field, Message: message})
	}
	before, after := u.Before.Metadata, u.After.Metadata
	if changed := changedKeys(policy.Own(before.Annotations), policy.Own(after.Annotations)); len(changed) > 0 {
		deny("annotations", fmt.Sprintf("metadata.annotations[%s]", changed[0]), "annotation "+changed[0]+fixedAnnotation)
	}
	if before.Labels[v1alpha1.WorkloadLabel] != after.Labels[v1alpha1.WorkloadLabel] {
		deny("workload", "metadata.labels[terroir.dev/workload]", fixedLabel)
	}
	if gates := changedGates(u.Before, u.After); len(gates) > 0 && u.User != OperatorUser {
		deny("gates", "spec.schedulingGates", "scheduling gate "+gates[0]+fixedGate)
	}
	if !u.Governed || !u.Before.running() {
		return verdictOf(denials)
	}
	if _, controlled := u.Before.controller(); !controlled && !maps.Equal(before.Labels, after.Labels) {
		deny("labels", "metadata.labels", fixedBare)
	}
	if before.Labels[templateHash] != after.Labels[templateHash] {
		deny("labels", "metadata.labels[pod-template-hash]", fixedHash)
	}
	return verdictOf(denials)
}

const templateHash = "pod-template-hash"

// running reports whether the pod is bound and not finished.
func (p *Pod) running() bool { return p.Spec.NodeName != "" && !p.finished() }

// finished reports whether the pod's containers have ended for good.
func (p *Pod) finished() bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// changedKeys are the keys that only one of two maps has, or of which the values differ, sorted.
func changedKeys(before, after map[string]string) []string {
	var changed []string
	for key, value := range after {
		if was, has := before[key]; !has || was != value {
			changed = append(changed, key)
		}
	}
	for key := range before {
		if !hasKey(after, key) {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return changed
}

// changedGates are the scheduling gates of Terroir that only one of two pods has, sorted.
func changedGates(before, after *Pod) []string { return changedKeys(before.gates(), after.gates()) }

func (p *Pod) gates() map[string]string {
	found := map[string]string{}
	for _, g := range p.Spec.SchedulingGates {
		if strings.HasPrefix(g.Name, v1alpha1.AnnotationPrefix) {
			found[g.Name] = ""
		}
	}
	return found
}

// UpdateVariables are what [UpdateValidations] use. exempt are the namespaces that are never governed, whatever their labels say.
func UpdateVariables(exempt []string) []Variable {
	const ours = `(` + OwnKey + `)`
	gates := func(of, notOf string) string {
		return of + `.spec.?schedulingGates.orValue([]).map(g, string(g.name)).filter(n, n.startsWith('terroir.dev/')
  && !` + notOf + `.spec.?schedulingGates.orValue([]).exists(g, g.name == n))`
	}
	return []Variable{
		{"is", `object.metadata.?annotations.orValue({})`},
		{"was", `oldObject.metadata.?annotations.orValue({})`},
		{"changed", `variables.is.filter(k, ` + ours + ` && variables.was[?k] != optional.of(variables.is[k])) + variables.was.filter(k, ` + ours + ` && !(k in variables.is))`},
		{"labels", `object.metadata.?labels.orValue({})`},
		{"labelsWere", `oldObject.metadata.?labels.orValue({})`},
		{"gates", gates("object", "oldObject") + ` + ` + gates("oldObject", "object")},
		{"concerned", `namespaceObject.metadata.?labels.orValue({})[?'terroir.dev/governed'].orValue('') == 'true' && !(namespaceObject.metadata.name in ` + Quoted(exempt) + `)
  && oldObject.spec.?nodeName.orValue('') != '' && !(oldObject.?status.phase.orValue('') in ['Succeeded', 'Failed'])`},
	}
}

// UpdateValidations are [JudgeUpdate] in CEL.
func UpdateValidations() []Validation {
	return []Validation{
		{`variables.changed.size() == 0`, `'annotation ' + variables.changed.sort()[0] + '` + fixedAnnotation + `'`},
		{`variables.labelsWere[?'terroir.dev/workload'].orValue('') == variables.labels[?'terroir.dev/workload'].orValue('')`, `'` + fixedLabel + `'`},
		{
			`variables.gates.size() == 0 || request.userInfo.?username.orValue('') == '` + OperatorUser + `'`,
			`'scheduling gate ' + variables.gates.sort()[0] + '` + fixedGate + `'`,
		},
		{
			`!variables.concerned || variables.labels == variables.labelsWere || oldObject.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))`,
			`'` + fixedBare + `'`,
		},
		{`!variables.concerned || variables.labelsWere[?'pod-template-hash'].orValue('') == variables.labels[?'pod-template-hash'].orValue('')`, `'` + fixedHash + `'`},
	}
}
