package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// writer writes by server-side apply, and only what differs: an apply that changes nothing costs the API server as much as one that does.
type writer struct{ client client.Client }

// status writes the status of wanted if it differs from that of current. An object that is gone meanwhile needs none.
func (w writer) status(ctx context.Context, current, wanted client.Object) error {
	if equality.Semantic.DeepEqual(current, wanted) {
		return nil
	}
	u, err := w.unstructured(wanted)
	if err != nil {
		return err
	}
	only := &unstructured.Unstructured{Object: map[string]any{"status": u.Object["status"]}}
	only.SetGroupVersionKind(u.GroupVersionKind())
	only.SetName(wanted.GetName())
	only.SetNamespace(wanted.GetNamespace())
	only.SetUID(wanted.GetUID()) // never the status of another object that has come by the same name
	err = w.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(only), client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of %s %s: %w", u.GetKind(), client.ObjectKeyFromObject(wanted), err)
	}
	return nil
}

// merge changes a few fields of an object that others write, too, and gives the object as the API server answers.
func (w writer) merge(ctx context.Context, o client.Object, changes map[string]any) (client.Object, error) {
	patch, err := json.Marshal(changes)
	if err != nil {
		return nil, fmt.Errorf("encoding changes of %s: %w", o.GetName(), err)
	}
	target := o.DeepCopyObject().(client.Object) // the answer is written into what is handed over
	err = w.client.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldOwner))
	if client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("changing %T %s: %w", o, client.ObjectKeyFromObject(o), err)
	}
	return target, nil
}

func (w writer) unstructured(o client.Object) (*unstructured.Unstructured, error) {
	gvk, err := apiutil.GVKForObject(o, w.client.Scheme())
	if err != nil {
		return nil, fmt.Errorf("finding the kind of %T: %w", o, err)
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("converting %s %s: %w", gvk.Kind, client.ObjectKeyFromObject(o), err)
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	return u, nil
}

// condition sets one condition of a status.
func condition(s *v1alpha1.ConditionedStatus, generation int64, kind string, status metav1.ConditionStatus, reason, message string) {
	s.ObservedGeneration = generation
	meta.SetStatusCondition(&s.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, Message: clip(message), ObservedGeneration: generation,
	})
}

// truth turns a finding into a condition's status.
func truth(holds bool) metav1.ConditionStatus {
	if holds {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}

// clip keeps a message within what the schema admits.
func clip(message string) string {
	const most = 1000
	runes := []rune(message)
	if len(runes) <= most {
		return message
	}
	return string(runes[:most-1]) + "…"
}
