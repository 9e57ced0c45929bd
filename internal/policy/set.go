package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Objects are what a Set is made of.
type Objects struct {
	ClusterPolicies []v1alpha1.ClusterPlacementPolicy
	Policies        []v1alpha1.PlacementPolicy
	// Levels are the names of the TrustLevels that exist.
	Levels []string
	// Keys are the EncryptionKeys that exist.
	Keys []Key
	// ExemptNamespaces are namespaces that no policy governs, besides [AlwaysExempt].
	ExemptNamespaces []string
}

// Key is what policies can know of an EncryptionKey.
type Key struct {
	Name string
	// Allows reports whether a namespace with these labels may ask for the key.
	Allows func(namespace map[string]string) bool
}

// AlwaysExempt are the namespaces that no policy governs, by literal name: a cluster must be able to start, and Terroir with it.
func AlwaysExempt() []string {
	return []string{metav1.NamespaceSystem, "kube-node-lease", metav1.NamespacePublic, v1alpha1.SystemNamespace}
}

// Namespace is what policies can know of a namespace.
type Namespace struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
}

// Policy is one policy, compiled.
type Policy struct {
	Demand
	Enforcement v1alpha1.Enforcement

	selector labels.Selector // nil for namespaced policies
}

// Set is all policies of a cluster, compiled. It is immutable.
type Set struct {
	cluster    []Policy
	namespaced map[string][]Policy
	levels     []string
	keys       map[string]Key
	exempt     map[string]bool
	problems   map[Source][]Problem
}

// Compile never fails. What is wrong with a policy is found with [Set.ProblemsOf].
func Compile(objects Objects) *Set {
	s := &Set{
		namespaced: map[string][]Policy{},
		levels:     union(nil, objects.Levels),
		keys:       map[string]Key{},
		exempt:     map[string]bool{},
		problems:   map[Source][]Problem{},
	}
	for _, name := range append(AlwaysExempt(), objects.ExemptNamespaces...) {
		s.exempt[name] = true
	}
	for _, key := range objects.Keys {
		s.keys[key.Name] = key
	}
	for i := range objects.ClusterPolicies {
		s.addCluster(&objects.ClusterPolicies[i])
	}
	for i := range objects.Policies {
		s.addNamespaced(&objects.Policies[i])
	}
	byName := func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) }
	slices.SortFunc(s.cluster, byName)
	for _, policies := range s.namespaced {
		slices.SortFunc(policies, byName)
	}
	return s
}

func (s *Set) addCluster(p *v1alpha1.ClusterPlacementPolicy) {
	source := Source{Kind: "ClusterPlacementPolicy", Name: p.Name}
	selector, err := Selector(&p.Spec.NamespaceSelector)
	if err != nil {
		// Falls open: nobody can say whom such a policy was meant for, and refusing every pod of the cluster would stop also what could
		// mend it. The schema admits no such policy; one that comes all the same is not Ready, and whoever writes it is warned.
		s.problem(Problem{Source: source, Reason: SelectorInvalid, Message: fmt.Sprintf("%s: %v", source, err)})
		return
	}
	s.cluster = append(s.cluster, Policy{Demand: s.demand(source, &p.Spec.PlacementDemand), Enforcement: p.Spec.Enforcement, selector: selector})
}

// Selector compiles a selector. It is an error when it selects by nothing, or cannot be understood: such a policy governs nothing.
func Selector(s *v1alpha1.NamespaceSelector) (labels.Selector, error) {
	selector, err := metav1.LabelSelectorAsSelector(s.LabelSelector())
	switch {
	case err != nil:
		// Kubernetes' own words come with regular expressions; the schema, which says which key it is, admits no such selector.
		return nil, errors.New("spec.namespaceSelector cannot be understood: keys and values must be those of labels, and In and NotIn need values")
	case selector.Empty():
		return nil, errors.New("spec.namespaceSelector selects nothing: give at least one label")
	default:
		return selector, nil
	}
}

func (s *Set) addNamespaced(p *v1alpha1.PlacementPolicy) {
	source := Source{Kind: "PlacementPolicy", Namespace: p.Namespace, Name: p.Name}
	if s.exempt[p.Namespace] {
		s.problem(Problem{Source: source, Reason: NamespaceExempt, Message: fmt.Sprintf("%s: no policy governs namespace %s, which is exempt", source, p.Namespace)})
	}
	compiled := Policy{Demand: s.demand(source, &p.Spec.PlacementDemand), Enforcement: p.Spec.Enforcement}
	s.namespaced[p.Namespace] = append(s.namespaced[p.Namespace], compiled)
}

func (s *Set) demand(source Source, d *v1alpha1.PlacementDemand) Demand {
	out := Demand{Source: source, NodeLocalStorage: d.NodeLocalStorage, Encryption: encryptionOf(d.Encryption)}
	for _, level := range d.TrustLevels {
		out.Levels = append(out.Levels, string(level))
		if !s.Exists(string(level)) {
			s.problem(missingLevel(source, string(level), s.levels))
		}
	}
	out.Levels = union(nil, out.Levels)
	// A key that does not exist makes a policy not Ready, and refuses no pod: pods without volumes owe it nothing, and the others wait.
	for _, p := range s.keyProblems(nil, out) {
		s.problem(p)
	}
	if d.Spread != nil {
		out.MinSites, out.MaxSkew, out.TooFewReplicas = d.Spread.MinSites, d.Spread.MaxSkew, d.Spread.TooFewReplicas
	}
	return out
}

func (s *Set) problem(p Problem) { s.problems[p.Source] = append(s.problems[p.Source], p) }

// Exists reports whether a TrustLevel of that name exists.
func (s *Set) Exists(level string) bool {
	_, found := slices.BinarySearch(s.levels, level)
	return found
}

// Keys are the EncryptionKeys that exist, by name.
func (s *Set) Keys() []Key {
	return slices.SortedFunc(maps.Values(s.keys), func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
}

// ProblemsOf returns what is wrong with a policy.
func (s *Set) ProblemsOf(source Source) []Problem { return s.problems[source] }

// Exempt reports whether no policy governs the namespace of that name.
func (s *Set) Exempt(namespace string) bool { return s.exempt[namespace] }

// Concerning returns the policies, of any enforcement, that concern a namespace: cluster policies by name, then namespaced ones.
func (s *Set) Concerning(ns Namespace) []Policy {
	if s.Exempt(ns.Name) {
		return nil
	}
	var concerning []Policy
	for _, p := range s.cluster {
		if p.selector.Matches(labels.Set(ns.Labels)) {
			concerning = append(concerning, p)
		}
	}
	return append(concerning, s.namespaced[ns.Name]...)
}

// All returns every policy that compiled.
func (s *Set) All() []Policy {
	all := slices.Clone(s.cluster)
	for _, policies := range s.namespaced {
		all = append(all, policies...)
	}
	slices.SortFunc(all, func(a, b Policy) int { return cmp.Compare(a.String(), b.String()) })
	return all
}

// Namespace returns what every pod of a namespace owes: what enforcing policies and the namespace's own annotations demand.
func (s *Set) Namespace(ns Namespace) Obligation {
	owed := Obligation{Asking: ns.Labels}
	if s.Exempt(ns.Name) {
		return owed
	}
	for _, p := range s.Concerning(ns) {
		if p.Enforcement == v1alpha1.EnforcementEnforce {
			owed = s.Add(owed, p.Demand)
		}
	}
	return s.AddAnnotations(owed, Source{Kind: "Namespace", Name: ns.Name}, ns.Annotations)
}

// AddAnnotations tightens an obligation by what annotations demand in the name of source.
func (s *Set) AddAnnotations(owed Obligation, source Source, annotations map[string]string) Obligation {
	demand, problems := ParseAnnotations(source, annotations)
	return s.Add(owed, demand).Refusing(problems...)
}

// Add tightens an obligation by a demand. Levels that do not exist become problems, and so do keys, where a workload's or a pod's own
// annotation asks for one that does not exist or that the namespace may not ask for, and demands on volumes that nothing can satisfy.
func (s *Set) Add(owed Obligation, d Demand) Obligation {
	contradicted := owed.contradiction() != "" || (Obligation{}).With(d).contradiction() != ""
	owed = owed.With(d)
	if why := owed.contradiction(); why != "" && !contradicted {
		owed = owed.Refusing(Problem{Source: d.Source, Reason: EncryptionContradicts, Message: why})
	}
	if d.asksItself() {
		owed = owed.Refusing(s.keyProblems(owed.Asking, d)...)
	}
	for _, level := range d.Levels {
		if !s.Exists(level) {
			owed.Missing = union(owed.Missing, []string{level})
			owed = owed.Refusing(missingLevel(d.Source, level, s.levels))
		}
	}
	return owed
}

// keyProblems are what is wrong with the keys that a demand names: those that do not exist, and those that a namespace with these labels may
// not ask for. Nil labels are not known, and then the latter is not asked.
func (s *Set) keyProblems(asking map[string]string, d Demand) []Problem {
	if d.Encryption == nil {
		return nil
	}
	var problems []Problem
	for _, name := range d.Encryption.Keys {
		key, exists := s.keys[name]
		switch {
		case !exists:
			problems = append(problems, Problem{Source: d.Source, Reason: EncryptionKeyNotFound, Message: fmt.Sprintf(
				"%s requires encryption key %q, which does not exist%s", d.Source, name, whatExists(name, s.keysFor(asking)))})
		case asking != nil && !key.Allows(asking):
			problems = append(problems, Problem{Source: d.Source, Reason: EncryptionKeyForbidden, Message: fmt.Sprintf(
				"%s requires encryption key %q, for which this namespace may not ask; have the namespaceSelector of EncryptionKey/%s select it", d.Source, name, name)})
		}
	}
	return problems
}

// keysFor are the names of the keys that a namespace with these labels may ask for: others are none of its business. Nil labels are not known: all.
func (s *Set) keysFor(asking map[string]string) []string {
	var names []string
	for name, key := range s.keys {
		if asking == nil || key.Allows(asking) {
			names = append(names, name)
		}
	}
	return names
}

// MissingKeys are what is wrong with the keys that annotations of a Namespace ask for. They do not refuse its pods, so whoever writes them is told early.
func (s *Set) MissingKeys(ns Namespace) []Problem {
	demand, _ := ParseAnnotations(Source{Kind: "Namespace", Name: ns.Name}, ns.Annotations)
	return s.keyProblems(ns.Labels, demand)
}
