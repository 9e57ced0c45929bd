package placement

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// Template is a workload's pod template.
type Template struct {
	// Spreads tells that the workload is of a kind of which a spread is asked: not a DaemonSet, Job or CronJob.
	Spreads bool
	// Replicas is how many pods the workload wants. Nil where that is not its to say.
	Replicas *int32
	Pod      *corev1.PodTemplateSpec
}

// Ground is what the cluster's nodes offer.
type Ground struct {
	// Nodes are the nodes; what they are open for is in their labels.
	Nodes []*corev1.Node
	// Nearest says of a level that no zone satisfies which zone comes closest and what it lacks.
	Nearest func(level string) string
}

// JudgeTemplate gives an early answer about a workload: a denial where its template can never produce an admissible pod, and
// warnings where its pods can never be scheduled as the cluster is now.
func JudgeTemplate(t Template, owed policy.Obligation, s Settings, g Ground) (Verdict, []string) {
	pod := PodOf(&t.Pod.ObjectMeta, &t.Pod.Spec)
	c := Case{Pod: &pod, Owed: owed, Settings: s}
	if !owed.Owes() {
		return verdictOf(nil), nil
	}
	denials := c.unmendable()
	if pod.hasWorkloadLabel() && len(owed.Levels) > 0 {
		denials = append(denials, Denial{
			Rule: "workload", Field: "spec.template.metadata.labels[terroir.dev/workload]",
			Message: "label terroir.dev/workload in the template would make every pod one that is refused: Terroir gives it to each pod; remove it from the template and the selector",
		})
	}
	few, warnings := t.tooFewReplicas(owed)
	denials = append(denials, few...)
	if len(denials) == 0 {
		warnings = append(warnings, t.unschedulable(owed, g)...)
	}
	return verdictOf(denials), warnings
}

// tooFewReplicas compares replicas with the sites owed. A workload scaled to zero asks for nothing.
func (t Template) tooFewReplicas(owed policy.Obligation) ([]Denial, []string) {
	if !t.Spreads || t.Replicas == nil || t.scaledToZero() || *t.Replicas >= owed.MinSites {
		return nil, nil
	}
	message := fmt.Sprintf("%s cannot be spread over %s, as %s requires; ask for at least %s",
		count(*t.Replicas, "replica"), count(owed.MinSites, "site"), owed.Provenance(""), count(owed.MinSites, "replica"))
	switch owed.TooFewReplicas {
	case v1alpha1.TooFewReplicasIgnore:
		return nil, nil
	case v1alpha1.TooFewReplicasDeny:
		return []Denial{{Rule: "replicas", Field: "spec.replicas", Message: message}}, nil
	default:
		return nil, []string{message}
	}
}

func (t Template) scaledToZero() bool { return t.Replicas != nil && *t.Replicas == 0 }

// count says how many of a thing there are.
func count(n int32, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// unschedulable says why pods of the template would wait for ever.
func (t Template) unschedulable(owed policy.Obligation, g Ground) []string {
	if len(owed.Levels) == 0 || t.scaledToZero() {
		return nil
	}
	open := g.open(owed.Levels)
	if len(open) == 0 {
		return []string{fmt.Sprintf("no node of this cluster satisfies %s, so the pods will wait: %s", strings.Join(owed.Levels, " and "), g.nearest(owed.Levels))}
	}
	fitting := t.fitting(open)
	if len(fitting) == 0 {
		return []string{fmt.Sprintf("of %s that satisfy %s none fits the pods' own nodeSelector and affinity, so the pods will wait",
			count(int32(len(open)), "node"), strings.Join(owed.Levels, " and "))}
	}
	sites := sitesOf(fitting, owed.Levels[0])
	if t.Spreads && owed.MinSites > 0 && len(sites) < int(owed.MinSites) {
		return []string{fmt.Sprintf("%s requires %s, but only %d satisfy %s and fit the pods (%s): at most %s on each will run, and the others will wait",
			owed.Provenance(""), count(owed.MinSites, "site"), len(sites), strings.Join(owed.Levels, " and "), strings.Join(sites, ", "), count(owed.Skew(), "pod"))}
	}
	return nil
}

// open are the nodes that are open for every level.
func (g Ground) open(levels []string) []*corev1.Node {
	var open []*corev1.Node
	for _, n := range g.Nodes {
		if JudgeOpen(policy.Obligation{Levels: levels}, n.Name, n.Labels, nil).Allowed() {
			open = append(open, n)
		}
	}
	return open
}

func (g Ground) nearest(levels []string) string {
	var told []string
	for _, level := range levels {
		if g.Nearest != nil {
			told = append(told, g.Nearest(level))
		}
	}
	return strings.Join(slices.Compact(told), "; ")
}

// fitting are the nodes that fit the template's own nodeSelector and required affinity. Terroir's entries do not count: they are
// what made the nodes open. A term that cannot be read fits nothing, as in the scheduler.
func (t Template) fitting(nodes []*corev1.Node) []*corev1.Node {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Affinity: t.Pod.Spec.Affinity, NodeSelector: t.Pod.Spec.NodeSelector}}
	required := nodeaffinity.GetRequiredNodeAffinity(pod)
	var fitting []*corev1.Node
	for _, n := range nodes {
		if fits, err := required.Match(n); err == nil && fits {
			fitting = append(fitting, n)
		}
	}
	return fitting
}

func sitesOf(nodes []*corev1.Node, level string) []string {
	var sites []string
	for _, n := range nodes {
		sites = append(sites, n.Labels[openKey(level)])
	}
	slices.Sort(sites)
	return slices.Compact(sites)
}
