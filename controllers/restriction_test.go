package controllers

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

func TestWhatIsToldOfNodeRestriction(t *testing.T) {
	const counted = `apiserver_admission_controller_admission_duration_seconds_count{name="%"} 1`
	for sentence, c := range map[string]struct {
		metrics string
		err     error
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		"it runs":                      {strings.Replace(counted, "%", "NodeRestriction", 1), nil, metav1.ConditionTrue, "PluginOn", "cannot write"},
		"it does not":                  {strings.Replace(counted, "%", "ServiceAccount", 1), nil, metav1.ConditionFalse, "PluginOff", "--enable-admission-plugins=NodeRestriction"},
		"the metrics do not tell":      {"", nil, metav1.ConditionUnknown, "NotTold", "count no admission plugin"},
		"Terroir may not read metrics": {"", errors.New("forbidden"), metav1.ConditionUnknown, "NotTold", "forbidden"},
	} {
		t.Run(sentence, func(t *testing.T) {
			r := &restriction{metrics: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(c.metrics)), c.err }}
			var before, after v1alpha1.ConditionedStatus
			r.tell(&before, 1)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := r.Start(ctx); err != nil {
				t.Fatal(err)
			}
			r.tell(&after, 1)
			if is := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionNodeRestriction); is == nil || is.Status != metav1.ConditionUnknown {
				t.Errorf("before it is asked, it says %+v", is)
			}
			is := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionNodeRestriction)
			if is == nil || is.Status != c.status || is.Reason != c.reason || !strings.Contains(is.Message, c.says) {
				t.Errorf("it says %+v", is)
			}
		})
	}
}
