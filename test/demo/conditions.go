package demo

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// allReady checks that nothing is wrong with any object of the catalogue.
func allReady(o trust.Objects) error {
	var failed error
	note := func(kind, name string, s v1alpha1.ConditionedStatus) {
		failed = errors.Join(failed, has(kind+" "+name, s.Conditions, v1alpha1.ConditionReady, metav1.ConditionTrue))
	}
	for i := range o.Frameworks {
		note("Framework", o.Frameworks[i].Name, o.Frameworks[i].Status.ConditionedStatus)
	}
	for i := range o.Providers {
		note("CloudProvider", o.Providers[i].Name, o.Providers[i].Status.ConditionedStatus)
	}
	for i := range o.Qualifications {
		note("Qualification", o.Qualifications[i].Name, o.Qualifications[i].Status.ConditionedStatus)
	}
	for i := range o.Zones {
		note("Zone", o.Zones[i].Name, o.Zones[i].Status.ConditionedStatus)
	}
	for i := range o.TrustLevels {
		note("TrustLevel", o.TrustLevels[i].Name, o.TrustLevels[i].Status.ConditionedStatus)
	}
	return failed
}

// has checks a condition.
func has(what string, conditions []metav1.Condition, kind string, status metav1.ConditionStatus) error {
	c := meta.FindStatusCondition(conditions, kind)
	switch {
	case c == nil:
		return fmt.Errorf("%s has no condition %s", what, kind)
	case c.Status != status:
		return fmt.Errorf("%s has %s=%s: %s", what, kind, c.Status, c.Message)
	default:
		return nil
	}
}

func message(conditions []metav1.Condition, kind string) string {
	if c := meta.FindStatusCondition(conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

func fictitious(o trust.Objects) int {
	n := 0
	for i := range o.Qualifications {
		if strings.HasPrefix(o.Qualifications[i].Name, "fictitious-") {
			n++
		}
	}
	return n
}
