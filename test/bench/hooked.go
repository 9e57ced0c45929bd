package bench

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/webhook"
)

// hookBare has the bare cluster ask Terroir's webhook about pods, without anything of Terroir in its API server. What the webhook
// answers depends on the namespace's name alone, and in Terroir's cluster that one is governed.
func (l *lab) hookBare(ctx context.Context) error {
	shaping, err := l.shapingHook(ctx)
	if err != nil {
		return err
	}
	if err := l.bare.createNamespace(ctx, governed, nil); err != nil {
		return err
	}
	shaping.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: governed}}
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "bench-terroir"}, Webhooks: []admissionregistrationv1.MutatingWebhook{shaping},
	}
	if err := l.bare.client.Create(ctx, configuration); err != nil {
		return fmt.Errorf("registering Terroir's webhook in the bare cluster: %w", err)
	}
	return l.seeHooked(ctx)
}

// shapingHook is the hook that shapes governed pods, as Terroir registered it in its own cluster.
func (l *lab) shapingHook(ctx context.Context) (admissionregistrationv1.MutatingWebhook, error) {
	var registered admissionregistrationv1.MutatingWebhookConfiguration
	if err := l.terroir.client.Get(ctx, client.ObjectKey{Name: webhook.ConfigurationName}, &registered); err != nil {
		return admissionregistrationv1.MutatingWebhook{}, fmt.Errorf("reading Terroir's webhook configuration: %w", err)
	}
	for _, w := range registered.Webhooks {
		if w.Name == "pods.terroir.dev" {
			return w, nil
		}
	}
	return admissionregistrationv1.MutatingWebhook{}, errors.New("the webhook configuration has no hook for governed pods")
}

// seeHooked sees a pod of the bare cluster given what it would owe in Terroir's.
func (l *lab) seeHooked(ctx context.Context) error {
	c, err := l.bare.creationOf(governed, pod())
	if err != nil {
		return err
	}
	return eventually(ctx, "Terroir's webhook to shape pods of the bare cluster", func(ctx context.Context) error {
		created, err := c.pod(ctx)
		if err == nil && created.Spec.NodeSelector[v1alpha1.HeldLabelPrefix+"bench"] != "true" {
			err = fmt.Errorf("the nodeSelector is %v", created.Spec.NodeSelector)
		}
		return err
	})
}
