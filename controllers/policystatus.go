package controllers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/policy"
)

// policyTeller finds the words for the statuses of policies.
type policyTeller struct {
	census census
	set    *policy.Set
	// known says whether the policies were compiled as they are now. What the set says is not true of any other.
	known func(metav1.Object) bool
	bound *boundPolicies
	now   time.Time

	next time.Time // when a policy that is not in force yet will be
}

// again is when to look at policies that are not in force yet.
func (t *policyTeller) again() time.Time { return t.next }

// tell writes the statuses of policies.
func (o *Obligation) tell(ctx context.Context, t *policyTeller, world demandWorld) error {
	var failed error
	o.news.remember(world.clusterPolicies)
	for i := range world.clusterPolicies {
		p := &world.clusterPolicies[i]
		if !t.known(p) {
			continue // the snapshot that knows it will be announced
		}
		wanted := p.DeepCopy()
		wanted.Status = t.status(policy.Source{Kind: "ClusterPlacementPolicy", Name: p.Name}, p, &p.Spec.PlacementDemand, p.Status)
		if err := o.status(ctx, p, wanted); err != nil {
			failed = errors.Join(failed, err)
			continue // the next pass writes it, and tells
		}
		o.news.tell(p, wanted.Status)
	}
	for i := range world.policies {
		p := &world.policies[i]
		if !t.known(p) {
			continue
		}
		wanted := p.DeepCopy()
		wanted.Status = t.status(policy.Source{Kind: "PlacementPolicy", Namespace: p.Namespace, Name: p.Name}, p, &p.Spec.PlacementDemand, p.Status)
		failed = errors.Join(failed, o.status(ctx, p, wanted))
	}
	return failed
}

// status says whether a policy is in effect and honoured.
func (t *policyTeller) status(source policy.Source, p client.Object, demand *v1alpha1.PlacementDemand, was v1alpha1.PolicyStatus) v1alpha1.PolicyStatus {
	counted := t.census[source]
	status := *was.DeepCopy()
	status.Requires = strings.Join(wordsOf(demand.TrustLevels), ", ")
	status.Namespaces, status.Pods, status.Volumes, status.Violations = counted.namespaces, counted.pods, counted.volumes, counted.violations
	status.Reasons, status.Violating = counted.counts(), counted.first
	inForce := source.Kind != "ClusterPlacementPolicy" || wasEnforced(was, p.GetGeneration()) || t.inForce(p)
	ready, reason, message := readiness(demand.Enforcement, counted, t.set.ProblemsOf(source), inForce)
	condition(&status.ConditionedStatus, p.GetGeneration(), v1alpha1.ConditionReady, truth(ready), reason, message)
	compliant, reason, message := counted.compliance()
	condition(&status.ConditionedStatus, p.GetGeneration(), v1alpha1.ConditionCompliant, truth(compliant), reason, message)
	return status
}

// wasEnforced says whether a policy was found in force before, as it is now: a restart does not take that back.
func wasEnforced(was v1alpha1.PolicyStatus, generation int64) bool {
	c := meta.FindStatusCondition(was.Conditions, v1alpha1.ConditionReady)
	return c != nil && c.ObservedGeneration == generation && c.Reason == reasonEnforced
}

func (t *policyTeller) inForce(p client.Object) bool {
	from, bound := t.bound.from(p)
	if bound && !t.now.Before(from) {
		return true
	}
	if !bound {
		from = t.now.Add(shortly) // the fence loop is about to write it
	}
	t.next = earliest(t.next, from)
	return false
}

const reasonEnforced = "Enforced"

func readiness(enforcement v1alpha1.Enforcement, t tally, problems []policy.Problem, inForce bool) (ready bool, reason, message string) {
	switch {
	case len(problems) > 0:
		return false, string(problems[0].Reason), problems[0].Message + follows(problems[0].Reason, enforcement)
	case enforcement != v1alpha1.EnforcementEnforce:
		return true, "Observing", fmt.Sprintf("observes %d namespaces; nothing is refused", t.namespaces)
	case t.unwritten > 0:
		return false, "Writing", fmt.Sprintf("what %d of %d namespaces owe could not be written yet", t.unwritten, t.namespaces)
	case !inForce:
		return false, "Starting", "namespaces that are created now are not yet governed from their first request"
	default:
		return true, reasonEnforced, fmt.Sprintf("enforced in %d namespaces", t.namespaces)
	}
}

// follows says what follows from a problem of a policy.
func follows(reason policy.Reason, enforcement v1alpha1.Enforcement) string {
	switch {
	case reason == policy.NamespaceExempt:
		return ""
	case reason == policy.SelectorInvalid:
		return "; the policy governs no namespace"
	case reason == policy.EncryptionKeyNotFound:
		return "; no volume can be under it until it does"
	case enforcement == v1alpha1.EnforcementEnforce:
		return "; pods in the namespaces concerned are refused until it does"
	default:
		return ""
	}
}
