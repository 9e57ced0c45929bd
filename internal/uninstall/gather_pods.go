package uninstall

import (
	"context"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/trust"
)

// pods reads the pods that wait for Terroir, or ask nodes for labels of it.
func (g *gatherer) pods(ctx context.Context, w *World) error {
	gvk := corev1.SchemeGroupVersion.WithKind("Pod")
	err := g.list(ctx, &corev1.PodList{}, func(o client.Object) error {
		p := o.(*corev1.Pod)
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			return nil
		}
		object := named(gvk, p)
		if gates := gatesOf(p); slices.ContainsFunc(gates, isOurs) && !object.going {
			w.gated = append(w.gated, gated{Object: object, gates: gates})
		}
		if asks := asksOf(&p.Spec, p.Spec.NodeName != ""); len(asks) > 0 {
			w.pods = append(w.pods, pod{Object: object, node: p.Spec.NodeName, asks: asks, maker: ownerOf(p)})
		}
		return nil
	})
	if err != nil || len(w.pods) == 0 {
		return err
	}
	return g.resolve(ctx, w)
}

func gatesOf(p *corev1.Pod) []string {
	var names []string
	for _, g := range p.Spec.SchedulingGates {
		names = append(names, g.Name)
	}
	return names
}

// ownerOf is the controller of an object; of no kind where there is none.
func ownerOf(o client.Object) Object {
	owner := metav1.GetControllerOf(o)
	if owner == nil {
		return Object{}
	}
	return Object{APIVersion: owner.APIVersion, Kind: owner.Kind, Namespace: o.GetNamespace(), Name: owner.Name}
}

// resolve puts Deployments in the place of the ReplicaSets that make their pods.
func (g *gatherer) resolve(ctx context.Context, w *World) error {
	makers := map[string]Object{}
	gvk := appsv1.SchemeGroupVersion.WithKind("ReplicaSet")
	err := g.list(ctx, metadata(gvk), func(o client.Object) error {
		if owner := ownerOf(o); owner.Kind == "Deployment" {
			makers[named(gvk, o).String()] = owner
		}
		return nil
	})
	for i, p := range w.pods {
		if maker, is := makers[p.maker.String()]; is {
			w.pods[i].maker = maker
		}
	}
	return err
}

// nodes reads the nodes that carry labels of Terroir.
func (g *gatherer) nodes(ctx context.Context, w *World) error {
	gvk := schema.GroupVersionKind{Version: "v1", Kind: "Node"}
	return g.list(ctx, metadata(gvk), func(o client.Object) error {
		labels := except(slices.Sorted(maps.Keys(o.GetLabels())), func(key string) bool { return !trust.OwnLabel(key) })
		if len(labels) > 0 {
			w.nodes = append(w.nodes, node{Object: named(gvk, o), labels: labels})
		}
		return nil
	})
}
