package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	shop     = "shop"
	shopTwin = "shop-twin"
	shopSize = 2
)

// image is a pod as its author and the API server made it, in bytes. What names it is left out, and where it is: the API server copies
// region and zone of the node to the pod's labels.
type image struct {
	uid   types.UID
	bytes string
}

func imageOf(p *corev1.Pod) (image, error) {
	spec, labels := p.Spec.DeepCopy(), maps.Clone(p.Labels)
	spec.NodeName = ""
	delete(labels, corev1.LabelTopologyRegion)
	delete(labels, corev1.LabelTopologyZone)
	content, err := json.Marshal(map[string]any{"labels": labels, "annotations": p.Annotations, "finalizers": p.Finalizers, "spec": spec})
	if err != nil {
		return image{}, fmt.Errorf("writing pod %s: %w", p.Name, err)
	}
	return image{p.UID, string(content)}, nil
}

func imagesOf(places []place) ([]image, error) {
	images := make([]image, len(places))
	for i := range places {
		var err error
		if images[i], err = imageOf(&places[i].pod); err != nil {
			return nil, err
		}
	}
	return images, nil
}

// before creates a workload on a cluster that has never seen Terroir, and keeps what its pods look like.
func (s *story) before(ctx context.Context) error {
	if err := s.create(ctx, namespace(shop, nil), deployment(shop, shop, shopSize, nil)); err != nil {
		return err
	}
	return s.holds(ctx, fmt.Sprintf("namespace %s has a Deployment; its %d pods are created, and kept in mind byte by byte", shop, shopSize), func(ctx context.Context) error {
		places, err := s.places(ctx, shop, shop)
		if err != nil || len(places) != shopSize {
			return fmt.Errorf("%s: %w", count(len(places), "pod"), err)
		}
		s.free, err = imagesOf(places)
		return err
	})
}

// untouched compares that workload with what it was, and with one of the same template that was created now.
func (s *story) untouched(ctx context.Context) error {
	if err := s.create(ctx, namespace(shopTwin, nil), deployment(shopTwin, shop, shopSize, nil)); err != nil {
		return err
	}
	s.say("The same Deployment is created once more, now with Terroir, in namespace %s. Pods are compared by labels, annotations, "+
		"finalizers and spec, but for the node, whose region and zone the API server itself copies to their labels.", shopTwin)
	for _, checked := range []struct {
		what  string
		check func(context.Context) error
	}{
		{fmt.Sprintf("the %d pods of chapter 0 still run, and are byte by byte what they were", shopSize), s.sameAsBefore},
		{"those created now are byte by byte the same", s.sameAsEver},
		{"nothing about either workload mentions Terroir, down to who wrote which field", s.unmentioned},
		{"the nodes that were refused carry no label of Terroir", s.refusedStayBare},
	} {
		if err := s.holds(ctx, checked.what, checked.check); err != nil {
			return err
		}
	}
	return nil
}

func (s *story) sameAsBefore(ctx context.Context) error {
	places, err := s.running(ctx, shop, shop, shopSize, "")
	if err != nil {
		return err
	}
	now, err := imagesOf(places)
	if err == nil && !sameUIDs(now, s.free) {
		err = fmt.Errorf("other pods: %v, not %v", now, s.free)
	}
	return errors.Join(err, s.likeBefore(now))
}

func sameUIDs(a, b []image) bool {
	return slices.EqualFunc(a, b, func(a, b image) bool { return a.uid == b.uid })
}

// likeBefore compares pods with those of chapter 0, which have one template and so are all alike.
func (s *story) likeBefore(now []image) error {
	for _, i := range now {
		if diff := cmp.Diff(s.free[0].bytes, i.bytes); diff != "" {
			return fmt.Errorf("pod %s differs (-before +now):\n%s", i.uid, diff)
		}
	}
	return nil
}

func (s *story) sameAsEver(ctx context.Context) error {
	places, err := s.running(ctx, shopTwin, shop, shopSize, "")
	if err != nil {
		return err
	}
	now, err := imagesOf(places)
	return errors.Join(err, s.likeBefore(now))
}

func (s *story) unmentioned(ctx context.Context) error {
	for _, namespace := range []string{shop, shopTwin} {
		for _, list := range []client.ObjectList{&corev1.PodList{}, &appsv1.DeploymentList{}, &appsv1.ReplicaSetList{}} {
			if err := s.List(ctx, list, client.InNamespace(namespace)); err != nil {
				return fmt.Errorf("listing what is in %s: %w", namespace, err)
			}
			if err := silent(list); err != nil {
				return fmt.Errorf("in namespace %s: %w", namespace, err)
			}
		}
	}
	return nil
}

// silent checks that no text of an object mentions Terroir.
func silent(o any) error {
	content, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("writing an object: %w", err)
	}
	if at := bytes.Index(content, []byte("terroir")); at >= 0 {
		return fmt.Errorf("%T mentions it: …%s…", o, content[max(0, at-60):min(len(content), at+60)])
	}
	return nil
}
