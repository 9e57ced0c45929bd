package controllers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// census is what each policy finds.
type census map[policy.Source]tally

// tally is what one policy finds.
type tally struct {
	namespaces, pods, volumes int32
	// violations are the pods of which anything is not as the policy wants it; misplaced are those on nodes where they may not be.
	violations, misplaced, misplacedNamespaces int32
	// unwritten is of how many of the namespaces it could not be written what they owe.
	unwritten int32
	reasons   map[string]*reasonCount
	first     []v1alpha1.Violation // in order of namespace, pod, claim and reason
}

// reasonCount is how often a reason was found, and the first that it was found of.
type reasonCount struct {
	count   int32
	example v1alpha1.Violation
}

const listedViolations = 10

// count adds what was found of a pod.
func (t *tally) count(pod *seenPod, problems []problem) {
	if len(problems) == 0 {
		return
	}
	t.violations++
	if slices.ContainsFunc(problems, problem.misplaces) {
		t.misplaced++
	}
	for i := range problems {
		problems[i].node = cmp.Or(problems[i].node, pod.on())
	}
	t.add(pod.Namespace, pod.Name, problems)
}

func (p problem) misplaces() bool {
	return p.reason == v1alpha1.NodeNotQualified || p.reason == v1alpha1.NodeUnknown
}

// add adds what was found of a pod, or of a claim that no pod has.
func (t *tally) add(namespace, pod string, problems []problem) {
	for _, p := range problems {
		v := v1alpha1.Violation{Namespace: namespace, Pod: pod, Node: p.node, Claim: p.claim, Reason: p.reason, Message: clip(p.message)}
		t.addReason(v)
		at, _ := slices.BinarySearchFunc(t.first, v, compareViolations)
		if t.first = slices.Insert(t.first, at, v); len(t.first) > listedViolations {
			t.first = t.first[:listedViolations]
		}
	}
}

func (t *tally) addReason(v v1alpha1.Violation) {
	if t.reasons == nil {
		t.reasons = map[string]*reasonCount{}
	}
	known := t.reasons[v.Reason]
	if known == nil {
		known = &reasonCount{example: v}
		t.reasons[v.Reason] = known
	}
	known.count++
	if compareViolations(v, known.example) < 0 {
		known.example = v
	}
}

func compareViolations(a, b v1alpha1.Violation) int {
	return cmp.Or(
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Claim, b.Claim),
		cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Message, b.Message),
	)
}

// counts are the reasons with how often each was found, the commonest first.
func (t *tally) counts() []v1alpha1.ViolationCount {
	var all []v1alpha1.ViolationCount
	for reason, found := range t.reasons {
		all = append(all, v1alpha1.ViolationCount{Reason: reason, Count: found.count})
	}
	slices.SortFunc(all, func(a, b v1alpha1.ViolationCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

// compliance says whether all is as the policy wants it and, if not, what is amiss most often.
func (t *tally) compliance() (compliant bool, reason, message string) {
	counts := t.counts()
	if len(counts) == 0 {
		return true, "AllCompliant", fmt.Sprintf("all %d pods run where the policy wants them, and all %d volumes lie there", t.pods, t.volumes)
	}
	most := counts[0]
	example := t.reasons[most.Reason].example
	return false, most.Reason, fmt.Sprintf("%d of %d pods are not where, or not as, the policy wants them, or their volumes are not; most often %s (%d), such as %s: %s",
		t.violations, t.pods, most.Reason, most.Count, nameOf(example), example.Message)
}

// nameOf says of what something was found.
func nameOf(v v1alpha1.Violation) string {
	name := v.Namespace + "/" + v.Pod
	switch {
	case v.Pod == "":
		name = "claim " + v.Namespace + "/" + v.Claim
	case v.Claim != "":
		name += ", claim " + v.Claim
	}
	if v.Node != "" {
		name += " on " + v.Node
	}
	return name
}

// reasonOf is the reason of what a rule denies. What shaping gives has one for all.
func reasonOf(rule string) string {
	switch rule {
	case "node-selector", "spread", "workload", "encryption-gate":
		return v1alpha1.PodNotShaped
	case placement.RuleEncryption:
		return v1alpha1.VolumeNotEncrypted
	case placement.RuleKeyRevoked:
		return v1alpha1.KeyRevoked
	case placement.RuleVolume:
		return v1alpha1.VolumeNotQualified
	case placement.RuleVolumePlace:
		return v1alpha1.VolumePlaceUnknown
	}
	var word strings.Builder
	for part := range strings.SplitSeq(rule, "-") {
		word.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return word.String() + "NotAllowed"
}
