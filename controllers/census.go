package controllers

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// auditor judges what is there: every bound, unfinished pod, its node and its volumes, against each policy that concerns it, with the engine
// that judges what comes. It refuses nothing and moves nothing: what is older than its policy, or was made while the fence was
// away, is only told.
type auditor struct {
	set      *policy.Set
	settings placement.Settings
	world    demandWorld
	worth    map[string]trust.Assessment
	terrain  *placement.Terrain
	depot    depot
	// labels are those of the namespaces, and qualified says in which zones a key may lie.
	labels    map[string]map[string]string
	qualified func(zone, level string) bool
	// lasts tells of a spread that is lost whether it has been so for long enough; nil: nobody asks about spreads.
	lasts func(workload string, bySite map[string]int) bool
}

// takeCensus audits the world. failed are the namespaces of which it could not be written what they owe; lasts is as in auditor.
func takeCensus(
	set *policy.Set, settings placement.Settings, view *trust.View, world demandWorld, failed map[string]bool, lasts func(string, map[string]int) bool,
) census {
	worth := assessAll(view, world.nodes, world.drivers)
	a := &auditor{
		set: set, settings: settings, world: world, worth: worth,
		terrain: terrainOf(view, world.nodes, worth), depot: world.depot(), lasts: lasts,
		labels: map[string]map[string]string{}, qualified: qualifiedIn(view),
	}
	concerned := map[policy.Source]*concern{}
	for i := range world.namespaces {
		n := &world.namespaces[i]
		a.labels[n.Name] = n.Labels
		for _, p := range set.Concerning(namespaceOf(n)) {
			c := concerned[p.Source]
			if c == nil {
				c = &concern{Policy: p, owed: policy.Obligation{}.With(p.Demand), namespaces: map[string]bool{}, shapes: map[*look][]problem{}}
				concerned[p.Source] = c
			}
			c.namespaces[n.Name] = true
		}
	}
	counted := census{}
	for source, c := range concerned {
		t := tally{namespaces: int32(len(c.namespaces))}
		for namespace := range c.namespaces {
			if failed[namespace] {
				t.unwritten++
			}
			a.audit(&t, c, namespace)
		}
		counted[source] = t
	}
	return counted
}

// concern is a policy with the namespaces that it concerns.
type concern struct {
	policy.Policy
	owed       policy.Obligation
	namespaces map[string]bool
	// shapes remembers what stands against pods that a controller made, which are all alike.
	shapes map[*look][]problem
}

// problem is one thing that is not as a policy wants it.
type problem struct {
	reason      string
	node, claim string
	message     string
}

// audit judges one namespace.
func (a *auditor) audit(t *tally, c *concern, namespace string) {
	claims, before := a.claims(c, namespace), t.misplaced
	t.volumes += int32(len(claims))
	lost := a.lostSpreads(c, namespace)
	for _, pod := range a.world.pods[namespace] {
		if !pod.stands() {
			continue
		}
		t.pods++
		problems := a.pod(c, pod)
		for _, name := range pod.claims {
			if found, ok := claims[name]; ok {
				found.mounted = true
				problems = append(problems, found.problems...)
			}
		}
		t.count(pod, append(problems, lost[pod]...))
	}
	if t.misplaced > before {
		t.misplacedNamespaces++
	}
	for _, found := range claims {
		if !found.mounted {
			t.add(namespace, "", found.problems)
		}
	}
}

// pod judges a pod by itself and where it is.
func (a *auditor) pod(c *concern, pod *seenPod) []problem {
	problems := a.node(c.owed, pod.on())
	if c.Enforcement == v1alpha1.EnforcementEnforce {
		problems = append(problems, a.shape(c, pod)...)
	}
	for _, volume := range unplaced(c.owed, pod) {
		problems = append(problems, problem{reason: v1alpha1.VolumePlaceUnknown, message: "volume " + volume +
			" of the pod has no claim, and nothing says where its data lie; use a claim, whose PersistentVolume says so by node affinity or zone labels"})
	}
	return problems
}

// unplaced are the volumes of a pod of which nothing says where their data lie. Where Allow says that data on nodes are nobody's concern,
// those that may be there are not, either.
func unplaced(owed policy.Obligation, pod *seenPod) []string {
	if owed.NodeLocalStorage == v1alpha1.NodeLocalStorageAllow {
		return pod.remote
	}
	return slices.Concat(pod.remote, pod.opaque)
}

// node judges a node. One that does not exist, or that is not recognised, has no worth, so that a pod on it is a violation.
func (a *auditor) node(owed policy.Obligation, name string) []problem {
	on, known := a.worth[name]
	if !known {
		on.Message = "the node does not exist"
	}
	v := placement.JudgeNode(owed, name, on)
	if v.Allowed() {
		return nil
	}
	reason := v1alpha1.NodeNotQualified
	if on.State != trust.Recognised && on.State != trust.Suspect {
		reason = v1alpha1.NodeUnknown
	}
	return []problem{{reason: reason, node: name, message: v.Message()}}
}

// shape judges whether a pod is as it would have to be if it were created now. Static pods cannot be shaped: of them only the node counts.
func (a *auditor) shape(c *concern, pod *seenPod) []problem {
	if pod.mirror {
		return nil
	}
	controlled := pod.controller != ""
	if found, known := c.shapes[pod.look]; known && controlled {
		return found
	}
	problems := problemsOf(placement.Judge(placement.Case{Pod: pod.judged(), Owed: c.owed, Settings: a.settings}))
	if controlled {
		c.shapes[pod.look] = problems
	}
	return problems
}

// problemsOf gives the denials of a verdict by their reason, each reason once.
func problemsOf(v placement.Verdict) []problem {
	var problems []problem
	told := map[string]bool{}
	for _, d := range v.Denials {
		if reason := reasonOf(d.Rule); !told[reason] {
			told[reason] = true
			problems = append(problems, problem{reason: reason, message: d.Message})
		}
	}
	return problems
}

// lostSpreads finds the workloads whose spread is lost, and gives for each the pod by which to mend it: one on the fullest site.
func (a *auditor) lostSpreads(c *concern, namespace string) map[*seenPod][]problem {
	if c.Enforcement != v1alpha1.EnforcementEnforce || c.owed.MinSites == 0 || a.lasts == nil {
		return nil
	}
	lost := map[*seenPod][]problem{}
	for id, d := range a.distributions(c.owed, a.world.pods[namespace]) {
		v := placement.JudgeDistribution(c.owed, d.workload, d.bySite)
		if !v.Allowed() && a.lasts(c.String()+" "+namespace+" "+id, d.bySite) {
			pod := d.first[placement.Fullest(d.bySite)]
			lost[pod] = []problem{{reason: v1alpha1.SpreadLost, message: v.Message()}}
		}
	}
	return lost
}

// distribution is on which sites the pods of one workload are.
type distribution struct {
	workload string // in words
	bySite   map[string]int
	first    map[string]*seenPod // on each site, by name
}

// distributions counts the pods of which a spread is asked. Pods on nodes where they may not be are on no site.
func (a *auditor) distributions(owed policy.Obligation, pods []*seenPod) map[string]distribution {
	all := map[string]distribution{}
	for _, pod := range pods {
		on := a.worth[pod.on()]
		if !pod.stands() || !placement.JudgeNode(owed, pod.on(), on).Allowed() {
			continue
		}
		workload, asked := pod.judged().Counted()
		if !asked || pod.mirror {
			continue
		}
		d, known := all[workload]
		if !known {
			d = distribution{pod.workload(), map[string]int{}, map[string]*seenPod{}}
			all[workload] = d
		}
		d.bySite[on.Site]++
		if first := d.first[on.Site]; first == nil || pod.Name < first.Name {
			d.first[on.Site] = pod
		}
	}
	return all
}

func assessAll(view *trust.View, nodes []corev1.Node, drivers map[string][]string) map[string]trust.Assessment {
	worth := make(map[string]trust.Assessment, len(nodes))
	for _, n := range factsOf(nodes, drivers) {
		worth[n.Name] = view.Assess(n)
	}
	return worth
}

func terrainOf(view *trust.View, nodes []corev1.Node, worth map[string]trust.Assessment) *placement.Terrain {
	all := make([]*corev1.Node, len(nodes))
	for i := range nodes {
		all[i] = &nodes[i]
	}
	return placement.NewTerrain(view, all, worth)
}
