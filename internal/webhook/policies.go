package webhook

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// policyObject is a ClusterPlacementPolicy or a PlacementPolicy, which has no selector.
type policyObject struct {
	Metadata policyMetadata                      `json:"metadata"`
	Spec     v1alpha1.ClusterPlacementPolicySpec `json:"spec"`
}

type policyMetadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// policies says what a policy will not find: levels, sites, and ground under pods that run already. It never refuses.
func (h *Handlers) policies(_ context.Context, r *request[policyObject]) answer {
	if r.Object == nil || r.OldObject != nil && equality.Semantic.DeepEqual(r.Object.Spec, r.OldObject.Spec) {
		return admit(nil)
	}
	current, ok := h.era()
	if !ok {
		return admit(nil, "Terroir has not read the catalogue yet and cannot tell what this policy brings")
	}
	set, source := compiledAlone(current, r)
	warnings := refusing(set.ProblemsOf(source), r.Object.Spec.Enforcement)
	now := h.Now()
	if len(warnings) == 0 {
		warnings = current.missing(levelsOf(r.Object.Spec.PlacementDemand), now, "so pods that it concerns will wait")
	}
	if len(warnings) == 0 {
		warnings = h.tooFewSites(current, r.Object.Spec.PlacementDemand, now)
	}
	warnings = append(warnings, onNodes(r.Object.Spec.PlacementDemand)...)
	unfound := policy.Obligation{}.Refusing(set.ProblemsOf(source)...).Unfound()
	return admit(nil, append(warnings, h.violations(set)...)...).unless(unfound)
}

// compiledAlone is the set that holds only the policy that is being written.
func compiledAlone(e *era, r *request[policyObject]) (*policy.Set, policy.Source) {
	objects := policy.Objects{Levels: e.Catalogue.Levels(), Keys: e.Policies.Keys()}
	source := policy.Source{Kind: r.Kind.Kind, Name: cmp.Or(r.Object.Metadata.Name, r.Name)}
	if r.Kind.Kind == "PlacementPolicy" {
		source.Namespace = cmp.Or(r.Object.Metadata.Namespace, r.Namespace)
		p := v1alpha1.PlacementPolicy{Spec: v1alpha1.PlacementPolicySpec{PlacementDemand: r.Object.Spec.PlacementDemand}}
		p.Namespace, p.Name = source.Namespace, source.Name
		objects.Policies = []v1alpha1.PlacementPolicy{p}
	} else {
		p := v1alpha1.ClusterPlacementPolicy{Spec: r.Object.Spec}
		p.Name = source.Name
		objects.ClusterPolicies = []v1alpha1.ClusterPlacementPolicy{p}
	}
	return policy.Compile(objects), source
}

// refusing says of each problem of a policy what follows from it.
func refusing(problems []policy.Problem, enforcement v1alpha1.Enforcement) []string {
	var warnings []string
	for _, p := range problems {
		follows := "Until this is mended the policy is not Ready"
		switch {
		case p.Reason == policy.SelectorInvalid:
			follows += " and governs no namespace"
		case p.Reason == policy.EncryptionKeyNotFound:
			follows += ", and no volume can be under that key"
		case enforcement == v1alpha1.EnforcementEnforce:
			follows += ", and pods in its namespaces are refused"
		}
		end := ". "
		if strings.HasSuffix(p.Message, "?") {
			end = " "
		}
		warnings = append(warnings, p.Message+end+follows)
	}
	return warnings
}

// onNodes says what a demand on volumes leaves out.
func onNodes(d v1alpha1.PlacementDemand) []string {
	if d.Encryption == nil || d.NodeLocalStorage == v1alpha1.NodeLocalStorageDeny {
		return nil
	}
	return []string{"volumes are demanded to be encrypted, but what pods write on the node itself (emptyDir, hostPath, their own layers) is under none of these keys; nodeLocalStorage: Deny keeps volumes off it"}
}

func levelsOf(s v1alpha1.PlacementDemand) []string {
	levels := make([]string, len(s.TrustLevels))
	for i, l := range s.TrustLevels {
		levels[i] = string(l)
	}
	return levels
}

// tooFewSites compares the sites asked for with those that qualify and have nodes.
func (h *Handlers) tooFewSites(e *era, d v1alpha1.PlacementDemand, now time.Time) []string {
	if d.Spread == nil {
		return nil
	}
	sites := h.sites(e.Catalogue, d.TrustLevels, now)
	if len(sites) >= int(d.Spread.MinSites) {
		return nil
	}
	which := ""
	if len(sites) > 0 {
		which = " (" + strings.Join(sites, ", ") + ")"
	}
	each := count(int(max(d.Spread.MaxSkew, 1)), "pod")
	return []string{fmt.Sprintf("%s asked for, but only %d with nodes satisfy %s%s: at most %s of a workload on each will run, and the others will wait",
		count(int(d.Spread.MinSites), "site"), len(sites), strings.Join(levelsOf(d), " and "), which, each)}
}

// violations counts pods that run where the policy does not want them.
func (h *Handlers) violations(set *policy.Set) []string {
	if h.Violating == nil {
		return nil
	}
	pods, namespaces := h.Violating.Violating(set)
	if pods == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s in %s %s where this policy does not want pods", count(pods, "pod"), count(namespaces, "namespace"), verb(pods, "run"))}
}
