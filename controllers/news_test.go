package controllers

import (
	"maps"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// eventsOf are the events that a recorder has.
func eventsOf(by *events.FakeRecorder) []string {
	var all []string
	for len(by.Events) > 0 {
		all = append(all, <-by.Events)
	}
	return all
}

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
		want    []string
	}{
		"it is violated":                {metav1.ConditionTrue, metav1.ConditionFalse, []string{"Warning Violated m"}},
		"it is violated from the start": {"", metav1.ConditionFalse, []string{"Warning Violated m"}},
		"it is violated still":          {metav1.ConditionFalse, metav1.ConditionFalse, nil},
		"it is honoured again":          {metav1.ConditionFalse, metav1.ConditionTrue, []string{"Normal Honoured m"}},
		"it is honoured from the start": {"", metav1.ConditionTrue, nil},
		"it goes on being honoured":     {metav1.ConditionTrue, metav1.ConditionTrue, nil},
	} {
		recorder := events.NewFakeRecorder(2)
		news := complianceNews{recorder: recorder}
		policies := []v1alpha1.ClusterPlacementPolicy{{ObjectMeta: metav1.ObjectMeta{UID: "u"}, Status: compliant(c.was)}}
		for range 2 { // the second time, the cache has not seen yet what was written the first time
			news.remember(policies)
			news.tell(&policies[0], compliant(c.is))
		}
		if got := eventsOf(recorder); !slices.Equal(got, c.want) {
			t.Errorf("%s: told %v, not %v", what, got, c.want)
		}
	}
}

func TestAPolicyThatIsGoneIsForgotten(t *testing.T) {
	news := complianceNews{recorder: events.NewFakeRecorder(2)}
	var violated v1alpha1.PolicyStatus
	condition(&violated.ConditionedStatus, 1, v1alpha1.ConditionCompliant, metav1.ConditionFalse, "R", "m")
	policies := []v1alpha1.ClusterPlacementPolicy{{ObjectMeta: metav1.ObjectMeta{UID: "stays"}}, {ObjectMeta: metav1.ObjectMeta{UID: "goes"}}}
	news.remember(policies)
	for i := range policies {
		news.tell(&policies[i], violated)
	}
	news.remember(policies[:1])
	if got := slices.Collect(maps.Keys(news.told)); !slices.Equal(got, []types.UID{"stays"}) {
		t.Errorf("remembered are %v", got)
	}
}
