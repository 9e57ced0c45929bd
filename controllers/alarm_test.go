package controllers

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// told gives reason and message of the condition at a moment.
func (a *alarm) told(t *testing.T, missing []string, now time.Time) metav1.Condition {
	t.Helper()
	var s v1alpha1.ConditionedStatus
	a.tell(&s, 1, missing, now)
	c := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionUntampered)
	if c == nil {
		t.Fatal("nothing is told")
	}
	return *c
}

func TestAnAlarm(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	config := &v1alpha1.TerroirConfig{}
	recorder := events.NewFakeRecorder(8)
	a := &alarm{recorder: recorder, incidents: map[string]incident{}}
	expect := func(what string, c metav1.Condition, status metav1.ConditionStatus, reason, message string) {
		t.Helper()
		if c.Status != status || c.Reason != reason || message != "" && c.Message != message {
			t.Errorf("%s: it says %s %s: %q; want %s %s: %q", what, c.Status, c.Reason, c.Message, status, reason, message)
		}
	}
	expect("at first", a.told(t, nil, now), metav1.ConditionTrue, reasonNothingChanged, "")

	a.raise(config, "Service/b", changed, now)
	a.raise(config, "Policy/a", deleted, now.Add(time.Minute))
	const both = "somebody else changed what Terroir consists of, and it was put back: Policy/a was deleted at 2026-11-01T12:01:00Z; Service/b was changed at 2026-11-01T12:00:00Z"
	expect("after two incidents", a.told(t, nil, now.Add(time.Minute)), metav1.ConditionFalse, reasonPutBack, both)
	if got := <-recorder.Events; got != "Warning PutBack Service/b was changed by somebody else, and Terroir has put it back" {
		t.Errorf("the event is %q", got)
	}
	expect("an hour after the first, the message does not change", a.told(t, nil, now.Add(time.Hour)), metav1.ConditionFalse, reasonPutBack, both)
	expect("while a kind is missing", a.told(t, []string{"CustomResourceDefinition/zones.terroir.dev"}, now.Add(time.Minute)), metav1.ConditionFalse, reasonMissing, "")

	next := &alarm{recorder: recorder, incidents: map[string]incident{}}
	var s v1alpha1.TerroirConfigStatus
	condition(&s.ConditionedStatus, 1, v1alpha1.ConditionUntampered, metav1.ConditionFalse, reasonPutBack, "an older alarm")
	a.tell(&s.ConditionedStatus, 1, nil, now.Add(30*time.Minute))
	next.inherit(&s)
	expect("in the next process", next.told(t, nil, now.Add(60*time.Minute)), metav1.ConditionFalse, reasonPutBack, both)
	expect("an hour after the last incident, whenever it began", next.told(t, nil, now.Add(61*time.Minute)), metav1.ConditionTrue, reasonNothingChanged, "")

	expect("an hour after the last", a.told(t, nil, now.Add(61*time.Minute)), metav1.ConditionTrue, reasonNothingChanged, "")
}
