package controllers

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/storage"
	"github.com/terroir-dev/terroir/internal/trust"
)

// Lookups gives admission what the caches have. A cache that does not answer has nothing, and with nothing admission refuses.
type Lookups struct {
	Cache cache.Cache
	// Live is the API server itself, for what StorageClasses point to.
	Live  client.Reader
	Store *snapshot.Store
	Now   Clock
}

// patience is how long a request waits for the cache to hear of its namespace. Whoever creates both with one command is only
// milliseconds behind; admission has already seen that the namespace exists.
const patience = 300 * time.Millisecond

// Namespace gives a namespace, or false if the cache has none of that name.
func (l Lookups) Namespace(name string) (policy.Namespace, bool) {
	var n corev1.Namespace
	key := client.ObjectKey{Name: name}
	heard := func(ctx context.Context) (bool, error) { return l.Cache.Get(ctx, key, &n) == nil, nil }
	if err := wait.PollUntilContextTimeout(context.Background(), 5*time.Millisecond, patience, true, heard); err != nil {
		return policy.Namespace{}, false
	}
	return namespaceOf(&n), true
}

// Nodes gives all nodes.
func (l Lookups) Nodes() []*corev1.Node {
	var list corev1.NodeList
	if err := listAll(context.Background(), l.Cache, &list); err != nil {
		return nil
	}
	nodes := make([]*corev1.Node, len(list.Items))
	for i := range list.Items {
		nodes[i] = &list.Items[i]
	}
	return nodes
}

// NodeFacts gives what is known of all nodes.
func (l Lookups) NodeFacts() []trust.NodeFacts {
	var nodes corev1.NodeList
	var drivers storagev1.CSINodeList
	if err := listAll(context.Background(), l.Cache, &nodes, &drivers); err != nil {
		return nil
	}
	return factsOf(nodes.Items, driversByNode(drivers.Items))
}

// Owing looks at all pods once, and then counts the unfinished ones on a node that owe a trust level.
func (l Lookups) Owing() func(node, level string) int {
	pods, err := l.pods()
	if err != nil {
		return func(string, string) int { return 0 }
	}
	type place struct{ node, level string }
	counted := map[place]int{}
	for _, p := range pods {
		if !p.stands() {
			continue
		}
		for _, level := range p.levels {
			counted[place{p.on(), level}]++
		}
	}
	return func(node, level string) int { return counted[place{node, level}] }
}

// Violating counts the unfinished pods that run on nodes where the policies of a set do not want them, and their namespaces.
func (l Lookups) Violating(set *policy.Set) (pods, namespaces int) {
	current, ok := l.Store.Load()
	if !ok {
		return 0, 0
	}
	world, err := gatherDemands(context.Background(), l.Cache, l.pods)
	if err != nil {
		return 0, 0
	}
	for _, t := range takeCensus(set, current.Settings, current.Catalogue.At(l.Now()), world, nil, nil) {
		pods += int(t.misplaced)
		namespaces += int(t.misplacedNamespaces)
	}
	return pods, namespaces
}

// LetGo names a pod that waits for a node and mounts a claim of this name, for which its gate was lifted; empty: there is none. False while pods are not known.
func (l Lookups) LetGo(namespace, claim string) (pod string, known bool) {
	pods, err := l.pods()
	if err != nil {
		return "", false
	}
	for _, p := range pods {
		if p.Namespace == namespace && p.letGo() && slices.Contains(p.claims, claim) {
			return p.Name, true
		}
	}
	return "", true
}

// Classes gives all StorageClasses, by name, or false where something of them could not be read. They are read from the API server itself: whoever creates a
// class and a claim with one command is only milliseconds behind, and a claim that was admitted because nobody knew its class stays.
func (l Lookups) Classes() ([]placement.Class, bool) {
	found, err := (&surveyor{reader: l.Cache, classes: l.Live, live: l.Live}).survey(context.Background(), storageWorld{}, nil, l.Now())
	if err != nil {
		return nil, false
	}
	standard := defaultClass(found.classes)
	var all []placement.Class
	for _, name := range slices.Sorted(maps.Keys(found.classes)) {
		c := found.classes[name]
		all = append(all, placement.Class{
			Name: name, Default: name == standard, Immediate: storage.Immediate(c.StorageClass), Protection: c.Protection, Keys: found.meaning(c.Protection),
		})
	}
	return all, true
}

// defaultClass is the class that claims get that name none; empty: there is none. Of several the API server takes the youngest, or else the first by name.
func defaultClass(classes map[string]protectedClass) string {
	const annotation = "storageclass.kubernetes.io/is-default-class"
	best := ""
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		c := classes[name].StorageClass
		if c.Annotations[annotation] != "true" && c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] != "true" {
			continue
		}
		if best == "" || classes[best].CreationTimestamp.Before(&c.CreationTimestamp) {
			best = name
		}
	}
	return best
}

func (l Lookups) pods() ([]*seenPod, error) {
	list, err := podsIn(context.Background(), l.Cache)
	if err != nil {
		return nil, err
	}
	return list()
}
