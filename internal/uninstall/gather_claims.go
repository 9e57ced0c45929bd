package uninstall

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// claim reads what an object says to be in force. One that says nothing claims nothing.
func (g *gatherer) claim(ctx context.Context, o Object, w *World) error {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(o.APIVersion)
	u.SetKind(o.Kind)
	found, err := g.get(ctx, u, o.Namespace, o.Name)
	if err != nil || !found {
		return err
	}
	conditions, err := conditionsOf(u)
	if err != nil {
		return fmt.Errorf("reading the status of %s: %w", o, err)
	}
	if len(conditions) > 0 {
		w.claims = append(w.claims, claim{Object: o, conditions: conditions, generation: u.GetGeneration()})
	}
	return nil
}

// conditionsOf reads the conditions of an object of whichever version.
func conditionsOf(u *unstructured.Unstructured) ([]metav1.Condition, error) {
	text, err := json.Marshal(u.Object["status"])
	if err != nil {
		return nil, err
	}
	var status v1alpha1.ConditionedStatus
	err = json.Unmarshal(text, &status)
	return status.Conditions, err
}
