package controllers

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
	"github.com/terroir-dev/terroir/internal/trust"
)

// countClaims finds, for each level, the claims of pods that owe it whose data is reached where it is not satisfied: the volume lies
// there, or a pod there mounts it, whatever that pod owes. So it is also told where an annotation on one workload is all that is demanded.
func (u usage) countClaims(view *trust.View, world usageWorld, worth map[string]trust.Assessment) {
	depot, terrain := depotIn(world.storage), terrainOf(view, world.nodes, worth)
	for claim, pods := range mounted(depot, world.pods) {
		volume := depot.volumeOf(claim)
		if volume == nil {
			continue // nothing was written yet
		}
		for _, level := range levelsOwedBy(pods) {
			lies := terrain.JudgeVolume(policy.Obligation{Levels: []string{level}}, storage.Of(volume)).Allowed()
			if !lies || slices.ContainsFunc(pods, func(p *seenPod) bool { return worthTo(worth[p.on()], level) < trust.Held }) {
				u.stray[level] = append(u.stray[level], claim.Namespace+"/"+claim.Name)
			}
		}
	}
	for level := range u.stray {
		slices.Sort(u.stray[level])
	}
}

// mounted gives the claims that pods mount, with those pods.
func mounted(d depot, pods []*seenPod) map[*corev1.PersistentVolumeClaim][]*seenPod {
	all := map[*corev1.PersistentVolumeClaim][]*seenPod{}
	for _, p := range pods {
		if !p.stands() {
			continue
		}
		for _, name := range p.claims {
			if claim := d.claims[p.Namespace][name]; claim != nil {
				all[claim] = append(all[claim], p)
			}
		}
	}
	return all
}

// levelsOwedBy are the levels that any of the pods owes.
func levelsOwedBy(pods []*seenPod) []string {
	var levels []string
	for _, p := range pods {
		levels = append(levels, p.levels...)
	}
	slices.Sort(levels)
	return slices.Compact(levels)
}
