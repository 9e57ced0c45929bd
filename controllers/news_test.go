package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// lastNews keeps the reason of the last event.
type lastNews struct{ reason string }

func (l *lastNews) Eventf(_, _ runtime.Object, _, reason, _, _ string, _ ...any) { l.reason = reason }

func TestComplianceIsNewsWhenItChanges(t *testing.T) {
	compliant := func(status metav1.ConditionStatus) v1alpha1.PolicyStatus {
		var s v1alpha1.PolicyStatus
		if status != "" {
			condition(&s.ConditionedStatus, 1, v1alpha1.ConditionCompliant, status, "R", "m")
		}
		return s
	}
	for what, c := range map[string]struct {
		was, is metav1.ConditionStatus
		want    string
	}{
		"it is violated":                {metav1.ConditionTrue, metav1.ConditionFalse, "Violated"},
		"it is violated from the start": {"", metav1.ConditionFalse, "Violated"},
		"it is violated still":          {metav1.ConditionFalse, metav1.ConditionFalse, ""},
		"it is honoured again":          {metav1.ConditionFalse, metav1.ConditionTrue, "Honoured"},
		"it is honoured from the start": {"", metav1.ConditionTrue, ""},
		"it goes on being honoured":     {metav1.ConditionTrue, metav1.ConditionTrue, ""},
	} {
		news := &lastNews{}
		tellCompliance(news, &v1alpha1.ClusterPlacementPolicy{Status: compliant(c.was)}, compliant(c.is))
		if news.reason != c.want {
			t.Errorf("%s: told %q, not %q", what, news.reason, c.want)
		}
	}
}
