package controllers

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unique"
	"weak"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
)

// seenPod is what the cache keeps of a Pod. Pods are the most numerous objects of a cluster: what the pods of a workload have in common is
// kept once, and of each pod only its name, its node, its claims, whether it is finished or going, and what was told of its encryption.
type seenPod struct {
	metav1.ObjectMeta // namespace, name, resource version, and the UID of a pod that waits or was told something; nothing else
	*look
	node     unique.Handle[string]
	claims   []string // the names of the PersistentVolumeClaims that it mounts
	finished bool
	// gated: it waits behind the gate of encryption. leaving: it is being deleted.
	gated, leaving bool
	// shown is the digest of what its condition EncryptionProven says; 0: it has none.
	shown uint64
}

// look is what the pods of a workload have in common, as far as judgements read it.
type look struct {
	// pod is what the rules read. It has neither name nor node.
	pod placement.Pod
	// levels are the trust levels that the nodeSelector asks for.
	levels []string
	// isAnnotated: the pod owes something by its own, or its workload's, word.
	isAnnotated bool
	// mirror pods show a kubelet's static pod. Nobody can shape them.
	mirror bool
	// controller names what made the pod, in words; empty: nothing did.
	controller string
	// remote are the volumes that the pod itself brings from elsewhere, without a claim, such as a share of NFS. opaque are those of which
	// not even that is known, such as inline csi.
	remote, opaque []string
}

// GetObjectKind, with DeepCopyObject, lets caches and queues handle a seenPod as what it was made from.
func (p *seenPod) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject copies the pod. What it shares with others of its workload nobody changes.
func (p *seenPod) DeepCopyObject() apiruntime.Object {
	copied := *p
	copied.ObjectMeta = *p.DeepCopy()
	copied.claims = slices.Clone(p.claims)
	return &copied
}

// on is the node to which the pod is bound; empty: none.
func (p *seenPod) on() string { return p.node.Value() }

// stands reports whether the pod holds ground: it is bound, and not finished.
func (p *seenPod) stands() bool { return p.on() != "" && !p.finished }

// letGo reports whether the gate of encryption was lifted from the pod, and no node has it yet. Its condition says so before its gate goes.
func (p *seenPod) letGo() bool {
	return p.shown != 0 && !p.gated && !p.finished && !p.leaving && p.on() == ""
}

// judged is the pod as the rules read it: as it would be created, before anybody bound it or lifted the gate of encryption. What its volumes are
// under is judged by themselves.
func (p *seenPod) judged() *placement.Pod {
	pod := p.pod
	pod.Metadata.Name = p.Name
	pod.Spec.SchedulingGates = []corev1.PodSchedulingGate{{Name: v1alpha1.EncryptionGate}}
	return &pod
}

// workload names the pod's workload in words.
func (p *seenPod) workload() string {
	return cmp.Or(p.controller, "Pod/"+p.Name)
}

// looks keeps one copy of every look that a pod in the cache has.
type looks struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]weak.Pointer[look]
}

func newLooks() *looks { return &looks{known: map[[sha256.Size]byte]weak.Pointer[look]{}} }

// slim keeps of a pod what seenPod has. It is a transformation of the cache.
func (l *looks) slim(o any) (any, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil // a tombstone, or slim already
	}
	is, err := l.share(lookOf(p))
	if err != nil {
		return nil, fmt.Errorf("reading pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	s := &seenPod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: unique.Make(p.Namespace).Value(), Name: p.Name, ResourceVersion: p.ResourceVersion,
		},
		look: is, node: unique.Make(p.Spec.NodeName), claims: claimsOf(p),
		finished: p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed,
		gated:    gateOf(p.Spec.SchedulingGates) >= 0, leaving: !p.DeletionTimestamp.IsZero(), shown: shownOf(p.Status.Conditions),
	}
	if s.gated || s.shown != 0 {
		s.UID = p.UID // to be sure that it is this pod of which something is written, or that is evicted
	}
	return s, nil
}

// gateOf is where among scheduling gates the one of encryption is; -1: nowhere.
func gateOf(gates []corev1.PodSchedulingGate) int {
	return slices.IndexFunc(gates, func(g corev1.PodSchedulingGate) bool { return g.Name == v1alpha1.EncryptionGate })
}

// shownOf is the digest of what the condition EncryptionProven says; 0: there is none.
func shownOf(conditions []corev1.PodCondition) uint64 {
	for i := range conditions {
		if c := &conditions[i]; c.Type == v1alpha1.EncryptionProvenCondition {
			return shownAs(c.Status, c.Reason, c.Message)
		}
	}
	return 0
}

// shownAs is a digest of what a condition says. That two things have the same would leave the older standing, and nothing worse.
func shownAs(status corev1.ConditionStatus, reason, message string) uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\n%s\n%s", status, reason, message)
	return max(h.Sum64(), 1)
}

// share gives the copy that the others have, or makes this one theirs.
func (l *looks) share(own *look) (*look, error) {
	text, err := json.Marshal([]any{own.pod, own.controller, own.mirror}) // the rest follows from these
	if err != nil {
		return nil, err //nolint:wrapcheck // the caller says of which pod
	}
	key := sha256.Sum256(text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.known[key].Value(); known != nil {
		return known, nil
	}
	l.known[key] = weak.Make(own)
	runtime.AddCleanup(own, l.forget, key)
	return own, nil
}

// forget drops a look that no pod has any more, unless one has come again meanwhile.
func (l *looks) forget(key [sha256.Size]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known[key].Value() == nil {
		delete(l.known, key)
	}
}

// lookOf reads what the rules read of a pod, and leaves out what differs between the pods of a workload.
func lookOf(p *corev1.Pod) *look {
	l := &look{pod: placement.PodOf(&p.ObjectMeta, &p.Spec)}
	pod := &l.pod
	pod.Spec.NodeName, pod.Metadata.Name, pod.Metadata.GenerateName = "", "", ""
	pod.Spec.SchedulingGates = nil // they differ from one moment to the next
	pod.Metadata.Labels = only(p.Labels, func(key string) bool { return key == v1alpha1.WorkloadLabel })
	pod.Metadata.Annotations = only(p.Annotations, func(key string) bool { return policy.IsOwn(key) && key != v1alpha1.PlacementAnnotation })
	pod.Spec.NodeSelector = only(p.Spec.NodeSelector, func(key string) bool { return strings.HasPrefix(key, v1alpha1.HeldLabelPrefix) })
	pod.Spec.TopologySpreadConstraints = slices.DeleteFunc(slices.Clone(p.Spec.TopologySpreadConstraints), func(c corev1.TopologySpreadConstraint) bool {
		return !strings.HasPrefix(c.TopologyKey, v1alpha1.OpenLabelPrefix)
	})
	pod.Metadata.OwnerReferences = slices.DeleteFunc(pod.Metadata.OwnerReferences, func(o placement.Owner) bool { return !o.Controller })
	_, l.mirror = p.Annotations[corev1.MirrorPodAnnotationKey]
	if o := metav1.GetControllerOf(p); o != nil {
		l.controller = o.Kind + "/" + o.Name
	}
	for key := range pod.Spec.NodeSelector {
		l.levels = append(l.levels, strings.TrimPrefix(key, v1alpha1.HeldLabelPrefix))
	}
	slices.Sort(l.levels)
	demand, problems := policy.ParseAnnotations(policy.Source{}, pod.Metadata.Annotations)
	l.isAnnotated = demand.Demands() || len(problems) > 0
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.Remote():
			l.remote = append(l.remote, v.Name)
		case v.Opaque():
			l.opaque = append(l.opaque, v.Name)
		}
	}
	return l
}

// only keeps the entries whose key is wanted; nil if there is none.
func only(m map[string]string, wanted func(key string) bool) map[string]string {
	var kept map[string]string
	for key, value := range m {
		if wanted(key) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

// claimsOf are the names of the claims that a pod mounts. An ephemeral volume has a claim of its own, named after pod and volume.
func claimsOf(p *corev1.Pod) []string {
	var names []string
	for i := range p.Spec.Volumes {
		switch v := &p.Spec.Volumes[i]; {
		case v.PersistentVolumeClaim != nil:
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			names = append(names, p.Name+"-"+v.Name)
		}
	}
	return names
}

// podLister gives all pods. They are shared, and nobody may change them.
type podLister func() ([]*seenPod, error)

// podsIn gives the pods that a cache has. The cache's own reader cannot: it gives what its kind says, and a seenPod is no [corev1.Pod].
func podsIn(ctx context.Context, c cache.Cache) (podLister, error) {
	informer, err := c.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("following pods: %w", err)
	}
	indexed, ok := informer.(toolscache.SharedIndexInformer)
	if !ok {
		return nil, fmt.Errorf("following pods: %T has no index", informer)
	}
	return func() ([]*seenPod, error) {
		if !indexed.HasSynced() {
			return nil, errors.New("listing pods: not all of them are known yet")
		}
		var pods []*seenPod
		for _, o := range indexed.GetIndexer().List() {
			if p, ok := o.(*seenPod); ok {
				pods = append(pods, p)
			}
		}
		return pods, nil
	}, nil
}

// owesByItself passes over the pods, most of a cluster's, that ask for no level.
func owesByItself(o client.Object) bool { return len(o.(*seenPod).levels) > 0 }

// podMoved notices that a pod came to a node or left it.
func podMoved(before, after client.Object) bool {
	was, is := before.(*seenPod), after.(*seenPod)
	return was.node != is.node || was.finished != is.finished
}

// podConcerns also notices what says what a pod owes, whether it honours it, and which volumes it has.
func podConcerns(before, after client.Object) bool {
	was, is := before.(*seenPod), after.(*seenPod)
	return podMoved(before, after) || was.look != is.look || !slices.Equal(was.claims, is.claims)
}

// gateConcerns notices also that the gate was lifted, what was told of the pod, and that it is going.
func gateConcerns(before, after client.Object) bool {
	was, is := before.(*seenPod), after.(*seenPod)
	return podConcerns(before, after) || was.gated != is.gated || was.shown != is.shown || was.UID != is.UID || was.leaving != is.leaving
}

// annotated pods are those that owe something by their own word and are not finished.
func annotated(p *seenPod) bool { return p.isAnnotated && !p.finished }
