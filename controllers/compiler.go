package controllers

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/trust"
)

// +kubebuilder:rbac:groups=terroir.dev,resources=encryptionkeys,verbs=get;list;watch

// Compiler publishes the snapshot, on every replica.
type Compiler struct {
	reader client.Reader
	store  *snapshot.Store
	news   *announcements
}

// sources are the objects that a snapshot is compiled from.
type sources struct {
	catalogue trust.Objects
	policies  policy.Objects
	config    v1alpha1.TerroirConfig
}

func (c *Compiler) loop() loop {
	l := loop{name: "compiler", everywhere: true, pass: c.pass}
	for _, o := range []client.Object{
		&v1alpha1.Framework{}, &v1alpha1.CloudProvider{}, &v1alpha1.Zone{}, &v1alpha1.Qualification{}, &v1alpha1.TrustLevel{},
		&v1alpha1.ClusterPlacementPolicy{}, &v1alpha1.PlacementPolicy{}, &v1alpha1.EncryptionKey{},
	} {
		l.watches = append(l.watches, watch{object: o, after: atOnce, news: specChanged})
	}
	l.watches = append(l.watches, watch{object: &v1alpha1.TerroirConfig{}, after: atOnce, news: configChanged})
	return l
}

// specChanged passes over updates of statuses and other metadata, most of which Terroir itself wrote.
func specChanged(before, after client.Object) bool {
	return before.GetGeneration() != after.GetGeneration() || before.GetDeletionTimestamp().IsZero() != after.GetDeletionTimestamp().IsZero()
}

func configChanged(before, after client.Object) bool {
	was, is := before.(*v1alpha1.TerroirConfig), after.(*v1alpha1.TerroirConfig)
	return specChanged(before, after) || !equality.Semantic.DeepEqual(was.Status.Revoking, is.Status.Revoking)
}

func (c *Compiler) pass(ctx context.Context) (reconcile.Result, error) {
	found, err := c.gather(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	c.store.Publish(compile(found))
	c.news.announce()
	return reconcile.Result{}, nil
}

func (c *Compiler) gather(ctx context.Context) (sources, error) {
	var s sources
	var clusterPolicies v1alpha1.ClusterPlacementPolicyList
	var policies v1alpha1.PlacementPolicyList
	var encryptionKeys v1alpha1.EncryptionKeyList
	if err := listAll(ctx, c.reader, &clusterPolicies, &policies, &encryptionKeys); err != nil {
		return s, err
	}
	// A missing config has the defaults: the fence loop creates it.
	if err := c.reader.Get(ctx, client.ObjectKey{Name: v1alpha1.ConfigName}, &s.config); client.IgnoreNotFound(err) != nil {
		return s, fmt.Errorf("reading TerroirConfig/%s: %w", v1alpha1.ConfigName, err)
	}
	s.policies = policy.Objects{
		ClusterPolicies: clusterPolicies.Items, Policies: policies.Items, Keys: namedKeys(encryptionKeys.Items), ExemptNamespaces: wordsOf(s.config.Spec.ExemptNamespaces),
	}
	var err error
	s.catalogue, err = gatherCatalogue(ctx, c.reader)
	return s, err
}

// namedKeys are what policies have to know of keys: which there are, and who may ask for them. What they are at is for the gate to look up.
func namedKeys(encryptionKeys []v1alpha1.EncryptionKey) []policy.Key {
	named := make([]policy.Key, len(encryptionKeys))
	for i := range encryptionKeys {
		named[i] = policy.Key{Name: encryptionKeys[i].Name, Allows: keys.Compile(&encryptionKeys[i], nil).Allows}
	}
	return named
}

func gatherCatalogue(ctx context.Context, reader client.Reader) (trust.Objects, error) {
	var (
		frameworks     v1alpha1.FrameworkList
		providers      v1alpha1.CloudProviderList
		zones          v1alpha1.ZoneList
		qualifications v1alpha1.QualificationList
		levels         v1alpha1.TrustLevelList
	)
	if err := listAll(ctx, reader, &frameworks, &providers, &zones, &qualifications, &levels); err != nil {
		return trust.Objects{}, err
	}
	return trust.Objects{
		Frameworks: frameworks.Items, Providers: providers.Items, Zones: zones.Items,
		Qualifications: qualifications.Items, TrustLevels: levels.Items,
	}, nil
}

// listAll fills lists from the cache. What they hold belongs to the cache and must not be changed.
func listAll(ctx context.Context, reader client.Reader, lists ...client.ObjectList) error {
	for _, list := range lists {
		if err := reader.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("reading %T: %w", list, err)
		}
	}
	return nil
}

func compile(s sources) *snapshot.Snapshot {
	catalogue := trust.Compile(s.catalogue)
	s.policies.Levels = catalogue.Levels()
	return &snapshot.Snapshot{
		Catalogue: catalogue,
		Objects:   s.catalogue,
		Policies:  policy.Compile(s.policies),
		Settings:  settingsOf(&s.config),
		Versions:  s.versions(),
		Revoking:  revokingOf(&s.config),
	}
}

// versions remembers what was compiled.
func (s sources) versions() map[types.UID]int64 {
	seen := map[types.UID]int64{}
	note := func(o metav1.Object) { seen[o.GetUID()] = o.GetGeneration() }
	noteAll(s.catalogue.Frameworks, note)
	noteAll(s.catalogue.Providers, note)
	noteAll(s.catalogue.Zones, note)
	noteAll(s.catalogue.Qualifications, note)
	noteAll(s.catalogue.TrustLevels, note)
	noteAll(s.policies.ClusterPolicies, note)
	noteAll(s.policies.Policies, note)
	return seen
}

// noteAll visits the items of a list; P is the pointer by which an item is an object.
func noteAll[T any, P interface {
	*T
	metav1.Object
}](items []T, note func(metav1.Object)) {
	for i := range items {
		note(P(&items[i]))
	}
}

func settingsOf(config *v1alpha1.TerroirConfig) placement.Settings {
	s := placement.DefaultSettings()
	if len(config.Spec.AllowedSchedulers) > 0 {
		s.Schedulers = wordsOf(config.Spec.AllowedSchedulers)
	}
	s.RuntimeClasses = wordsOf(config.Spec.AllowedRuntimeClasses)
	if len(config.Spec.SchedulerUsers) > 0 {
		s.SchedulerUsers = wordsOf(config.Spec.SchedulerUsers)
	}
	if len(config.Spec.CloudControllerUsers) > 0 {
		s.CloudControllerUsers = wordsOf(config.Spec.CloudControllerUsers)
	}
	return s
}

func revokingOf(config *v1alpha1.TerroirConfig) []string {
	var nodes []string
	for _, r := range config.Status.Revoking {
		nodes = append(nodes, r.Node)
	}
	return nodes
}

func wordsOf[S ~string](from []S) []string {
	out := make([]string, len(from))
	for i, s := range from {
		out[i] = string(s)
	}
	return out
}
