package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch,namespace=default

// complianceNews tells as events that cluster policies cease, or begin again, to be honoured. It belongs to one loop.
type complianceNews struct {
	recorder events.EventRecorder
	// told is what was last known of each policy. The cache may not have seen yet what was written of it.
	told map[types.UID]metav1.ConditionStatus
}

// remember forgets all policies but these.
func (n *complianceNews) remember(policies []v1alpha1.ClusterPlacementPolicy) {
	told := make(map[types.UID]metav1.ConditionStatus, len(policies))
	for i := range policies {
		if status, known := n.told[policies[i].UID]; known {
			told[policies[i].UID] = status
		}
	}
	n.told = told
}

// tell tells that a cluster policy is no longer honoured, or is again. A policy that was never judged before is news only if it is
// not honoured. Of namespaced policies the status alone tells.
func (n *complianceNews) tell(policy *v1alpha1.ClusterPlacementPolicy, wanted v1alpha1.PolicyStatus) {
	is := meta.FindStatusCondition(wanted.Conditions, v1alpha1.ConditionCompliant)
	was := n.before(policy)
	n.told[policy.UID] = is.Status
	honoured := is.Status == metav1.ConditionTrue
	switch {
	case honoured && was == metav1.ConditionFalse:
		n.recorder.Eventf(policy, nil, corev1.EventTypeNormal, "Honoured", "Audit", "%s", is.Message)
	case !honoured && was != metav1.ConditionFalse:
		n.recorder.Eventf(policy, nil, corev1.EventTypeWarning, "Violated", "Audit", "%s", is.Message)
	}
}

// before is what was told of a policy last, by this process or by one before it. Empty: it was never judged.
func (n *complianceNews) before(policy *v1alpha1.ClusterPlacementPolicy) metav1.ConditionStatus {
	if was, told := n.told[policy.UID]; told {
		return was
	}
	if was := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionCompliant); was != nil {
		return was.Status
	}
	return ""
}
