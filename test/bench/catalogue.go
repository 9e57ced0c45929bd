package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

// Node labels of the level that governed pods owe here.
const (
	open = v1alpha1.OpenLabelPrefix + "bench"
	held = v1alpha1.HeldLabelPrefix + "bench"
)

// byWebhook and byFence are who refuses, in the API server's words.
const (
	byWebhook = `admission webhook \"pods.terroir.dev\" denied the request`
	byFence   = "ValidatingAdmissionPolicy"
)

// installTerroir installs Terroir and gives it something to enforce, and sees it at work.
func (l *lab) installTerroir(ctx context.Context) error {
	if err := terroir.Install(ctx, l.terroir.Cluster); err != nil {
		return err //nolint:wrapcheck // says what it was doing
	}
	if err := l.terroir.create(ctx, "catalogue.yaml"); err != nil {
		return err
	}
	return errors.Join(l.seeShaping(ctx), l.seeRefusal(ctx, byWebhook), l.seeFreedom(ctx))
}

// seeShaping sees a governed pod given what it owes.
func (l *lab) seeShaping(ctx context.Context) error {
	return eventually(ctx, "Terroir to shape pods", func(ctx context.Context) error {
		_, err := l.shaped(ctx, pod())
		return err
	})
}

// seeRefusal sees a governed pod refused that would go round the scheduler.
func (l *lab) seeRefusal(ctx context.Context, who string) error {
	c, err := l.terroir.creationOf(governed, with(pod(), func(p *corev1.Pod) { p.Spec.NodeName = "any" }))
	if err != nil {
		return err
	}
	return eventually(ctx, "Terroir to refuse a pod with a nodeName", func(ctx context.Context) error {
		return c.refusedWith(ctx, who)
	})
}

// seeFreedom sees a pod that owes nothing left alone.
func (l *lab) seeFreedom(ctx context.Context) error {
	c, err := l.terroir.creationOf(free, pod())
	if err != nil {
		return err
	}
	answer, err := c.must(ctx)
	if err == nil && strings.Contains(string(answer), "terroir") {
		err = fmt.Errorf("a pod that owes nothing was changed: %s", answer)
	}
	return err
}

// shaped is a pod together with what Terroir gives it, and nothing that the API server adds.
func (l *lab) shaped(ctx context.Context, p *corev1.Pod) (*corev1.Pod, error) {
	c, err := l.terroir.creationOf(governed, p)
	if err != nil {
		return nil, err
	}
	created, err := c.pod(ctx)
	if err != nil {
		return nil, err
	}
	if created.Spec.NodeSelector[held] != "true" || len(created.Spec.TopologySpreadConstraints) == 0 || created.Labels[v1alpha1.WorkloadLabel] == "" {
		return nil, fmt.Errorf("a governed pod was not shaped: its nodeSelector is %v, its constraints are %v",
			created.Spec.NodeSelector, created.Spec.TopologySpreadConstraints)
	}
	return with(p, func(p *corev1.Pod) {
		p.Labels, p.Annotations = created.Labels, created.Annotations
		p.Spec.NodeSelector, p.Spec.TopologySpreadConstraints = created.Spec.NodeSelector, created.Spec.TopologySpreadConstraints
	}), nil
}
