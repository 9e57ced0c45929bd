package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// alarmFor is how long an alarm stands after the last incident.
const alarmFor = time.Hour

// Reasons of the condition Untampered.
const (
	reasonNothingChanged = "NothingChanged"
	reasonPutBack        = "PutBack"
	reasonMissing        = "Missing"
)

// alarm remembers what somebody else did to what Terroir consists of.
type alarm struct {
	recorder  events.EventRecorder
	incidents map[string]incident // by kind and name
	// before is the alarm that a process before this one left, and until when it stands. Whoever cannot know falls towards the alarm.
	before string
	until  time.Time
}

type incident struct {
	done deed
	at   time.Time
}

// raise tells that something was put back.
func (a *alarm) raise(config *v1alpha1.TerroirConfig, key string, done deed, now time.Time) {
	a.incidents[key] = incident{done, now}
	a.recorder.Eventf(config, nil, corev1.EventTypeWarning, reasonPutBack, "PutBack", "%s was %s by somebody else, and Terroir has put it back", key, done)
}

// inherit takes over the alarm that stands when this process begins. It stands for as long as it would have: an operator that restarts
// every hour would otherwise never end it.
func (a *alarm) inherit(s *v1alpha1.TerroirConfigStatus) {
	if stands := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionUntampered); stands != nil && stands.Reason == reasonPutBack {
		a.before, a.until = stands.Message, stands.LastTransitionTime.Add(alarmFor)
	}
}

// end is when the alarm ends, unless something else happens. Zero: there is none.
func (a *alarm) end() time.Time {
	last := a.until
	for _, i := range a.incidents {
		if ends := i.at.Add(alarmFor); ends.After(last) {
			last = ends
		}
	}
	return last
}

// tell sets the condition.
func (a *alarm) tell(s *v1alpha1.ConditionedStatus, generation int64, missing []string, now time.Time) {
	set := func(status metav1.ConditionStatus, reason, message string) {
		condition(s, generation, v1alpha1.ConditionUntampered, status, reason, message)
	}
	if !now.Before(a.end()) {
		a.incidents, a.before, a.until = map[string]incident{}, "", time.Time{}
	}
	switch {
	case len(missing) > 0:
		set(metav1.ConditionFalse, reasonMissing, strings.Join(missing, ", ")+
			" is gone or about to go. Terroir does not put it back, since an empty kind would owe nothing; until Terroir's manifests are applied again, governed pods are refused")
	case len(a.incidents) > 0:
		set(metav1.ConditionFalse, reasonPutBack, a.message())
		// With every incident the condition ceases to hold anew. This is how the next process knows when the last one was.
		meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionUntampered).LastTransitionTime = *moment(a.end().Add(-alarmFor))
	case a.before != "":
		set(metav1.ConditionFalse, reasonPutBack, a.before)
	default:
		set(metav1.ConditionTrue, reasonNothingChanged, "nobody else changed or deleted what Terroir consists of in the last hour")
	}
}

// message names every object to which something was done.
func (a *alarm) message() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(a.incidents)) {
		i := a.incidents[key]
		parts = append(parts, fmt.Sprintf("%s was %s at %s", key, i.done, i.at.UTC().Format(time.RFC3339)))
	}
	return "somebody else changed what Terroir consists of, and it was put back: " + strings.Join(parts, "; ")
}
