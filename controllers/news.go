package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch,namespace=default

// recorder tells news as events.
type recorder interface {
	Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any)
}

// tellCompliance tells that a cluster policy is no longer honoured, or is again. A policy that was never judged before is news only if it is
// not honoured. Events about objects without a namespace are in namespace default, and nowhere else may Terroir write any: of
// namespaced policies the status alone tells.
func tellCompliance(news recorder, policy *v1alpha1.ClusterPlacementPolicy, wanted v1alpha1.PolicyStatus) {
	was := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionCompliant)
	is := meta.FindStatusCondition(wanted.Conditions, v1alpha1.ConditionCompliant)
	honoured := is.Status == metav1.ConditionTrue
	switch {
	case honoured && was != nil && was.Status == metav1.ConditionFalse:
		news.Eventf(policy, nil, corev1.EventTypeNormal, "Honoured", "Audit", "%s", is.Message)
	case !honoured && (was == nil || was.Status != metav1.ConditionFalse):
		news.Eventf(policy, nil, corev1.EventTypeWarning, "Violated", "Audit", "%s", is.Message)
	}
}
