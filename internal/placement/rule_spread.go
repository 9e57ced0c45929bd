package placement

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Law: a pod comes only to nodes that are open for every level it owes, distributed over their sites as asked.
//
// Reads spec.topologySpreadConstraints. For each level owed one constraint on open.…/<level> must be there which the scheduler
// cannot pass over (DoNotSchedule), which counts this workload and nothing else, and honours the pod's own affinity and
// tolerations. Where a spread is owed it has at least as many domains, and at most as much skew, as owed. Only such
// properties are checked: constraints are defaulted and merged before they are seen. Ignores every other constraint.
//
// The constraint filters out nodes without the open label, and unlike a nodeSelector it is not asked again of a running pod. Being there
// at all it switches off the scheduler's default constraints, so a pod that brings none of its own also gets
// a soft one over hostnames.
func ruleSpread() Rule {
	return Rule{
		Name: "spread",
		Judge: func(c Case) []Denial {
			var denials []Denial
			for _, level := range c.lackingSpreads() {
				denials = append(denials, Denial{Rule: "spread", Field: "spec.topologySpreadConstraints", Message: fmt.Sprintf(
					"%s%s, so spec.topologySpreadConstraints must contain Terroir's constraint on %s unchanged; leave it to Terroir",
					requiresLevel(c.Owed, level), c.overSites(), openKey(level))})
			}
			return denials
		},
		Patches: func(c Case) []Patch { return c.spreadPatches() },
		Variables: []Variable{
			{"spreadsRight", `variables.constraints.filter(c, c.whenUnsatisfiable == 'DoNotSchedule'
  && string(c.topologyKey).startsWith('open.terroir.node-restriction.kubernetes.io/')
  && c.?nodeAffinityPolicy.orValue('Honor') == 'Honor' && c.?nodeTaintsPolicy.orValue('Ignore') == 'Honor'
  && c.?labelSelector.matchExpressions.orValue([]).size() == 0 && c.?matchLabelKeys.orValue([]).size() == 0
  && c.?labelSelector.matchLabels.orValue({}).size() == 1
  && c.labelSelector.matchLabels[?'terroir.dev/workload'].orValue('') == variables.workload && variables.workload != ''
  && (!variables.spreads || (int(c.maxSkew) <= variables.maxSkew && int(c.?minDomains.orValue(0)) >= variables.minSites))
  ).map(c, string(c.topologyKey))`},
			{"lackingSpreads", `variables.levels.filter(l, !(('open.terroir.node-restriction.kubernetes.io/' + l) in variables.spreadsRight))`},
			{"staleSpreads", `variables.constraints.transformList(i, c,
  variables.lackingSpreads.exists(l, string(c.topologyKey) == 'open.terroir.node-restriction.kubernetes.io/' + l), i).reverse()`},
			{"needsHostname", `variables.levels.size() > 0 && !variables.constraints.exists(c, !string(c.topologyKey).startsWith('open.terroir.node-restriction.kubernetes.io/'))`},
		},
		Validations: func(Settings) []Validation {
			return []Validation{{
				`variables.lackingSpreads.size() == 0`,
				`variables.demanders.join(', ') + ' requires trust level ' + variables.lackingSpreads[0] + (variables.spreads ? ', spread over ' + string(variables.minSites) + ' sites' : '')
  + ': spec.topologySpreadConstraints must contain the constraint of Terroir on open.terroir.node-restriction.kubernetes.io/' + variables.lackingSpreads[0] + ' unchanged; leave it to Terroir'`,
			}}
		},
		Patch: `(has(object.spec.topologySpreadConstraints) || (variables.lackingSpreads.size() == 0 && !variables.needsHostname) ? [] :
    [JSONPatch{op: 'add', path: '/spec/topologySpreadConstraints', value: []}])
  + variables.staleSpreads.map(i, JSONPatch{op: 'remove', path: '/spec/topologySpreadConstraints/' + string(i)})
  + (variables.needsHostname ? [JSONPatch{op: 'add', path: '/spec/topologySpreadConstraints/-', value: {
      'maxSkew': dyn(1), 'topologyKey': dyn('kubernetes.io/hostname'), 'whenUnsatisfiable': dyn('ScheduleAnyway'),
      'labelSelector': dyn({'matchLabels': {'terroir.dev/workload': variables.workload}})}}] : [])
  + variables.lackingSpreads.map(l, JSONPatch{op: 'add', path: '/spec/topologySpreadConstraints/-', value: variables.spreads ? {
      'maxSkew': dyn(variables.maxSkew), 'minDomains': dyn(variables.minSites), 'topologyKey': dyn('open.terroir.node-restriction.kubernetes.io/' + l),
      'whenUnsatisfiable': dyn('DoNotSchedule'), 'nodeAffinityPolicy': dyn('Honor'), 'nodeTaintsPolicy': dyn('Honor'),
      'labelSelector': dyn({'matchLabels': {'terroir.dev/workload': variables.workload}})} : {
      'maxSkew': dyn(2147483647), 'topologyKey': dyn('open.terroir.node-restriction.kubernetes.io/' + l),
      'whenUnsatisfiable': dyn('DoNotSchedule'), 'nodeAffinityPolicy': dyn('Honor'), 'nodeTaintsPolicy': dyn('Honor'),
      'labelSelector': dyn({'matchLabels': {'terroir.dev/workload': variables.workload}})}})`,
	}
}

// lackingSpreads are the levels owed for which no constraint does what the law asks.
func (c Case) lackingSpreads() []string {
	var lacking []string
	for _, level := range c.Owed.Levels {
		if !c.hasSpread(level) {
			lacking = append(lacking, level)
		}
	}
	return lacking
}

func (c Case) hasSpread(level string) bool {
	for i := range c.Pod.Spec.TopologySpreadConstraints {
		if c.spreadRight(&c.Pod.Spec.TopologySpreadConstraints[i], level) {
			return true
		}
	}
	return false
}

// spreadRight reports whether a constraint does for a level what the law asks.
func (c Case) spreadRight(s *corev1.TopologySpreadConstraint, level string) bool {
	hard := s.TopologyKey == openKey(level) && s.WhenUnsatisfiable == corev1.DoNotSchedule &&
		(s.NodeAffinityPolicy == nil || *s.NodeAffinityPolicy == corev1.NodeInclusionPolicyHonor) &&
		s.NodeTaintsPolicy != nil && *s.NodeTaintsPolicy == corev1.NodeInclusionPolicyHonor
	return hard && c.countsWorkload(s) && c.wideEnough(s)
}

func (c Case) countsWorkload(s *corev1.TopologySpreadConstraint) bool {
	workload := c.Pod.workload()
	return len(s.MatchLabelKeys) == 0 && s.LabelSelector != nil && len(s.LabelSelector.MatchExpressions) == 0 &&
		len(s.LabelSelector.MatchLabels) == 1 && workload != "" && s.LabelSelector.MatchLabels[v1alpha1.WorkloadLabel] == workload
}

func (c Case) wideEnough(s *corev1.TopologySpreadConstraint) bool {
	if !c.spreadOwed() {
		return true
	}
	return s.MaxSkew <= c.Owed.Skew() && s.MinDomains != nil && *s.MinDomains >= c.Owed.MinSites
}

func (c Case) spreadOwed() bool { return c.Owed.MinSites > 0 && c.Pod.spreads() }

func (c Case) overSites() string {
	if !c.spreadOwed() {
		return ""
	}
	return fmt.Sprintf(", spread over %d sites (%s)", c.Owed.MinSites, c.Owed.Provenance(""))
}

// spreadPatches replaces constraints of ours that do not do what the law asks, and adds those that are missing.
func (c Case) spreadPatches() []Patch {
	const list = "/spec/topologySpreadConstraints"
	lacking, hostname := c.lackingSpreads(), c.needsHostname()
	var patches []Patch
	if c.Pod.Spec.TopologySpreadConstraints == nil && (len(lacking) > 0 || hostname) {
		patches = append(patches, Patch{Op: "add", Path: list, Value: []any{}})
	}
	for i := len(c.Pod.Spec.TopologySpreadConstraints) - 1; i >= 0; i-- {
		if isOpenKeyOf(c.Pod.Spec.TopologySpreadConstraints[i].TopologyKey, lacking) {
			patches = append(patches, Patch{Op: "remove", Path: list + "/" + strconv.Itoa(i)})
		}
	}
	if hostname {
		patches = append(patches, Patch{Op: "add", Path: list + "/-", Value: c.hostnameSpread()})
	}
	for _, level := range lacking {
		patches = append(patches, Patch{Op: "add", Path: list + "/-", Value: c.openSpread(level)})
	}
	return patches
}

func isOpenKeyOf(key string, levels []string) bool {
	for _, level := range levels {
		if key == openKey(level) {
			return true
		}
	}
	return false
}

// needsHostname reports whether a pod that owes a level brought no constraint of its own.
func (c Case) needsHostname() bool {
	for i := range c.Pod.Spec.TopologySpreadConstraints {
		if !strings.HasPrefix(c.Pod.Spec.TopologySpreadConstraints[i].TopologyKey, v1alpha1.OpenLabelPrefix) {
			return false
		}
	}
	return len(c.Owed.Levels) > 0
}

// hostnameSpread is the soft spread over hostnames of a pod that brought no constraint of its own.
func (c Case) hostnameSpread() corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: c.workloadSelector(),
	}
}

// openSpread is the constraint that the law asks for a level.
func (c Case) openSpread(level string) corev1.TopologySpreadConstraint {
	honor := corev1.NodeInclusionPolicyHonor
	s := corev1.TopologySpreadConstraint{
		MaxSkew: math.MaxInt32, TopologyKey: openKey(level), WhenUnsatisfiable: corev1.DoNotSchedule,
		NodeAffinityPolicy: &honor, NodeTaintsPolicy: &honor, LabelSelector: c.workloadSelector(),
	}
	if c.spreadOwed() {
		minDomains := c.Owed.MinSites
		s.MaxSkew, s.MinDomains = c.Owed.Skew(), &minDomains
	}
	return s
}

func (c Case) workloadSelector() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: c.Pod.workload()}}
}
