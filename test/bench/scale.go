package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/test/cluster"
	"github.com/terroir-dev/terroir/test/terroir"
)

// scale is what Terroir holds and writes as the cluster grows.
type scale struct {
	nodes, governed, pods int
	// Memory of the manager: with nothing in the cluster, with nodes, with pods as well.
	empty, withNodes, withPods memory
	// Requests to write: while nodes joined, while governed pods were placed, while for so long nothing happened but heartbeats of nodes.
	joining, placing, idling writes
	idle                     time.Duration
}

// inParallel is how many objects are created at a time.
const inParallel = 16

// scale brings nodes and governed pods, does nothing for a while, and then brings many pods.
func (b *bench) scale(ctx context.Context, l *lab, f *figures) (err error) {
	s, of := l.terroir, &f.scale
	if err := l.bare.Stop(); err != nil { // it has been heard, and would only be in the way
		return err //nolint:wrapcheck // says what it was doing
	}
	manager, err := s.processOf(terroir.Component)
	if err != nil {
		return err
	}
	measures := []struct {
		what  string
		do    func() error
		wrote *writes
		holds *memory
	}{
		{"letting Terroir rest", func() error { return nil }, nil, &of.empty},
		{fmt.Sprintf("%d nodes join", b.nodes), func() error { return b.join(ctx, s, of) }, &of.joining, &of.withNodes},
		{fmt.Sprintf("%d governed pods are placed", b.governed), func() error { return b.place(ctx, s, of) }, &of.placing, nil},
		{fmt.Sprintf("nothing happens for %s", b.idle), func() error { return b.rest(ctx, of) }, &of.idling, nil},
		{fmt.Sprintf("%d pods stand on nodes", b.pods), func() error { return b.fill(ctx, s, of) }, nil, &of.withPods},
	}
	for _, m := range measures {
		b.say("%s", m.what)
		if err := s.whileWriting(m.wrote, m.do); err != nil {
			return err
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
		if m.holds == nil {
			continue
		}
		if *m.holds, err = manager.memory(); err != nil {
			return err
		}
	}
	return nil
}

// whileWriting counts what Terroir writes while something is done. Nobody asks if wrote is nil.
func (s *site) whileWriting(wrote *writes, do func() error) error {
	before, err := s.writes.count()
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := s.writes.count()
	if err != nil {
		return err
	}
	if wrote != nil {
		*wrote = after.since(before)
	}
	return nil
}

// settle waits until Terroir has written nothing but leases for three seconds, but for no longer than half a minute: whoever goes on
// writing shall be seen writing.
func (s *site) settle(ctx context.Context) error {
	const quiet, patience = 3 * time.Second, 30 * time.Second
	begun, last, since := time.Now(), -1, time.Now()
	for time.Since(begun) < patience && time.Since(since) < quiet {
		now, err := s.writes.count()
		if err != nil {
			return err
		}
		if now.sum() != last {
			last, since = now.sum(), time.Now()
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// pause lets time pass: here it is what is measured.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("waiting: %w", ctx.Err())
	case <-timer.C:
		return nil
	}
}

// join creates nodes and waits until Terroir has opened them all.
func (b *bench) join(ctx context.Context, s *site, of *scale) error {
	err := inParallelly(b.nodes, func(i int) error {
		if err := s.client.Create(ctx, b.node(i)); err != nil {
			return fmt.Errorf("creating a node: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	of.nodes = b.nodes
	return eventually(ctx, "all nodes to be open", func(ctx context.Context) error { return s.opened(ctx, "", b.nodes) })
}

func inParallelly(count int, do func(int) error) error {
	var group errgroup.Group
	group.SetLimit(inParallel)
	for i := range count {
		group.Go(func() error { return do(i) })
	}
	return group.Wait() //nolint:wrapcheck // says what it was doing
}

func nodeName(i int) string { return fmt.Sprintf("bench-%04d", i) }

// node is one with the labels that nodes have. The first of them stand in the zone that will be lost.
func (b *bench) node(i int) *corev1.Node {
	zone := "bench-kept"
	if i < b.lost {
		zone = "bench-lost"
	}
	labels := map[string]string{
		corev1.LabelTopologyZone: zone, corev1.LabelTopologyRegion: "r", corev1.LabelHostname: nodeName(i), corev1.LabelInstanceTypeStable: "tinav6.c4r8p1",
		corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64",
	}
	for j := range 14 {
		labels[fmt.Sprintf("feature.node.example.org/cpu-feature-%d", j)] = "true"
	}
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName(i), Labels: labels}, Spec: corev1.NodeSpec{ProviderID: fmt.Sprintf("bench:///%s/i-%08d", zone, i)}}
}

// opened complains unless so many nodes are open for new pods, of a site or of all.
func (s *site) opened(ctx context.Context, site string, want int) error {
	var nodes metav1.PartialObjectMetadataList
	nodes.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NodeList"))
	var which client.ListOption = client.HasLabels{open}
	if site != "" {
		which = client.MatchingLabels{open: site}
	}
	if err := s.client.List(ctx, &nodes, which); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	if len(nodes.Items) != want {
		return fmt.Errorf("%d of %d nodes are open", len(nodes.Items), want)
	}
	return nil
}

// place has the scheduler place governed pods.
func (b *bench) place(ctx context.Context, s *site, of *scale) error {
	labels := map[string]string{"app": "bench"}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: governed, Name: "bench"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(b.governed)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: bare(pod()).Spec},
		},
	}
	if err := s.client.Create(ctx, d); err != nil {
		return fmt.Errorf("creating a deployment: %w", err)
	}
	of.governed = b.governed
	return eventually(ctx, "governed pods to be placed", func(ctx context.Context) error {
		var pods corev1.PodList
		if err := s.client.List(ctx, &pods, client.InNamespace(governed), client.MatchingLabels(labels)); err != nil {
			return fmt.Errorf("listing pods: %w", err)
		}
		placed := 0
		for i := range pods.Items {
			if pods.Items[i].Spec.NodeName != "" {
				placed++
			}
		}
		if placed != b.governed {
			return fmt.Errorf("%d of %d pods are placed", placed, b.governed)
		}
		return nil
	})
}

// bare is a pod without what does not exist: its owner, its claim.
func bare(p *corev1.Pod) *corev1.Pod {
	return with(p, func(p *corev1.Pod) {
		p.OwnerReferences = nil
		p.Spec.Volumes[2].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
	})
}

// fill creates pods that stand on their nodes from the beginning, as many as there is time for. Whoever else would look after them is
// stopped for good: that would take the machine minutes, and is not what is measured.
func (b *bench) fill(ctx context.Context, s *site, of *scale) error {
	for _, name := range []string{cluster.Scheduler, cluster.ControllerManager, cluster.Kwok} {
		if err := s.StopComponent(name); err != nil {
			return err //nolint:wrapcheck // says what it was doing
		}
	}
	end := time.Now().Add(b.podsWithin)
	var created atomic.Int64
	err := inParallelly(b.pods, func(i int) error {
		if time.Now().After(end) {
			return nil
		}
		p := bare(pod())
		p.Namespace, p.Name, p.GenerateName, p.Spec.NodeName = free, fmt.Sprintf("bench-%05d", i), "", nodeName(i%b.nodes)
		if err := s.client.Create(ctx, p); err != nil {
			return fmt.Errorf("creating a pod: %w", err)
		}
		created.Add(1)
		return nil
	})
	of.pods = int(created.Load())
	return err
}

func (b *bench) rest(ctx context.Context, of *scale) error {
	of.idle = b.idle
	return pause(ctx, b.idle)
}

// waiting is a governed pod that fits no node, so that it can be bound by hand.
func waiting() *corev1.Pod {
	return with(bare(pod()), func(p *corev1.Pod) {
		p.Namespace, p.Name, p.GenerateName = governed, "bench-waiting", ""
		p.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = resource.MustParse("1M")
	})
}
