package uninstall

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/trust"
)

// workloads reads what makes pods from templates that can be changed.
func (g *gatherer) workloads(ctx context.Context, w *World) error {
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.StatefulSetList{}, &appsv1.DaemonSetList{}, &batchv1.CronJobList{}} {
		err := g.list(ctx, list, func(o client.Object) error {
			if x := workloadOf(o); o.GetDeletionTimestamp().IsZero() {
				w.workloads = append(w.workloads, x)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// workloadOf reads one of the kinds that [gatherer.workloads] lists.
func workloadOf(o client.Object) workload {
	apps := appsv1.SchemeGroupVersion
	switch o := o.(type) {
	case *appsv1.Deployment:
		return templated(named(apps.WithKind("Deployment"), o), &o.Spec.Template).deployment(o)
	case *appsv1.StatefulSet:
		return templated(named(apps.WithKind("StatefulSet"), o), &o.Spec.Template).statefulSet(o)
	case *appsv1.DaemonSet:
		return templated(named(apps.WithKind("DaemonSet"), o), &o.Spec.Template).daemonSet(o)
	case *batchv1.CronJob:
		return templated(named(batchv1.SchemeGroupVersion.WithKind("CronJob"), o), &o.Spec.JobTemplate.Spec.Template)
	default:
		panic(fmt.Sprintf("%T is none of the kinds that were listed", o))
	}
}

func templated(o Object, t *corev1.PodTemplateSpec) workload {
	x := workload{Object: o, asks: asksOf(&t.Spec, false)}
	for _, key := range slices.Sorted(maps.Keys(t.Annotations)) {
		if strings.HasPrefix(key, v1alpha1.InheritedPrefix) {
			x.mirrors = append(x.mirrors, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.Spec.NodeSelector)) {
		if strings.HasPrefix(key, v1alpha1.HeldLabelPrefix) {
			x.held = append(x.held, key)
		}
	}
	return x
}

func (x workload) deployment(o *appsv1.Deployment) workload {
	s := o.Status
	x.rolling = s.ObservedGeneration < o.Generation || s.UpdatedReplicas < wanted(o.Spec.Replicas) || s.Replicas > s.UpdatedReplicas
	if o.Spec.Paused {
		x.idle = "it is paused"
	}
	return x
}

func (x workload) statefulSet(o *appsv1.StatefulSet) workload {
	s, strategy := o.Status, o.Spec.UpdateStrategy
	x.rolling = s.ObservedGeneration < o.Generation || s.UpdateRevision != s.CurrentRevision
	switch {
	case strategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		x.idle = "its update strategy is OnDelete"
	case strategy.RollingUpdate != nil && strategy.RollingUpdate.Partition != nil && *strategy.RollingUpdate.Partition > 0:
		x.idle = fmt.Sprintf("its rolling update ends at partition %d", *strategy.RollingUpdate.Partition)
	}
	return x
}

func (x workload) daemonSet(o *appsv1.DaemonSet) workload {
	s := o.Status
	x.rolling = s.ObservedGeneration < o.Generation || s.UpdatedNumberScheduled < s.DesiredNumberScheduled
	if o.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		x.idle = "its update strategy is OnDelete"
	}
	return x
}

func wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

// asksOf are the labels of Terroir that a pod asks nodes for, sorted: what keeps it where it is, and, unless it is there
// already, what it needs to come.
func asksOf(spec *corev1.PodSpec, bound bool) []string {
	keys := slices.Collect(maps.Keys(spec.NodeSelector))
	if a := spec.Affinity; a != nil && a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		for _, term := range a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms {
			for _, e := range term.MatchExpressions {
				keys = append(keys, e.Key)
			}
		}
	}
	for _, c := range spec.TopologySpreadConstraints {
		if !bound && c.WhenUnsatisfiable == corev1.DoNotSchedule {
			keys = append(keys, c.TopologyKey)
		}
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return !trust.OwnLabel(key) })
	slices.Sort(keys)
	return slices.Compact(keys)
}
