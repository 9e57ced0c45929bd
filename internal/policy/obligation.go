package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Source is an object that demands something.
type Source struct {
	// Kind is ClusterPlacementPolicy, PlacementPolicy, Namespace, or the kind of the workload or pod.
	Kind string
	// Namespace is empty for cluster-scoped objects.
	Namespace string
	Name      string
}

// String gives the source as Kind/name or Kind/namespace/name.
func (s Source) String() string {
	if s.Namespace == "" {
		return s.Kind + "/" + s.Name
	}
	return s.Kind + "/" + s.Namespace + "/" + s.Name
}

// Demand is what one source demands.
type Demand struct {
	Source
	// Levels are names of TrustLevels, sorted, without duplicates.
	Levels []string
	// MinSites is over how many sites at least pods are spread. 0: no spread is demanded.
	MinSites int32
	// MaxSkew is by how many pods the fullest site may exceed the emptiest. 0: the source does not say; then 1.
	MaxSkew int32
	// TooFewReplicas is what follows when a workload has fewer replicas than MinSites. Empty: the source does not say.
	TooFewReplicas v1alpha1.TooFewReplicas
	// NodeLocalStorage is whether data may lie on nodes. Empty: the source does not say; then QualifiedNodes.
	NodeLocalStorage v1alpha1.NodeLocalStorage
	// Encryption is what is demanded of volumes. Nil: nothing.
	Encryption *Encryption
}

// Demands reports whether d asks for anything at all.
func (d Demand) Demands() bool { return len(d.Levels) > 0 || d.MinSites > 0 || d.Encryption != nil }

// asksItself reports whether a workload or a pod demands it of itself, and no policy and no namespace of all that there is.
func (d Demand) asksItself() bool {
	return d.Kind != "ClusterPlacementPolicy" && d.Kind != "PlacementPolicy" && d.Kind != "Namespace"
}

// Problem is something about a demand that cannot be honoured. Pods that owe it are refused.
type Problem struct {
	Source Source
	// Reason is a fixed word for machines.
	Reason Reason
	// Message says what is wrong and what would be right.
	Message string
}

// unfound reports whether the problem is that something does not exist.
func (p Problem) unfound() bool {
	return p.Reason == TrustLevelNotFound || p.Reason == EncryptionKeyNotFound
}

// Reason is a fixed word for machines.
type Reason string

// What may be wrong with a demand.
const (
	// TrustLevelNotFound says that a trust level that is demanded does not exist.
	TrustLevelNotFound Reason = "TrustLevelNotFound"
	// SelectorInvalid says that nobody can tell which namespaces a policy was meant for. It governs none.
	SelectorInvalid Reason = "SelectorInvalid"
	// NamespaceExempt says that a policy is in a namespace that no policy governs.
	NamespaceExempt Reason = "NamespaceExempt"
	// AnnotationInvalid says that an annotation under Terroir's prefixes is unknown or does not parse.
	AnnotationInvalid Reason = "AnnotationInvalid"
	// EncryptionKeyNotFound says that an encryption key that is demanded does not exist.
	EncryptionKeyNotFound Reason = "EncryptionKeyNotFound"
	// EncryptionKeyForbidden says that the namespace may not ask for an encryption key that is demanded.
	EncryptionKeyForbidden Reason = "EncryptionKeyForbidden"
	// EncryptionContradicts says that no volume can satisfy all who demand something of volumes.
	EncryptionContradicts Reason = "EncryptionContradicts"
)

// Obligation is all that a workload owes, merged, with its provenance.
type Obligation struct {
	// Levels are the TrustLevels owed, sorted, without duplicates.
	Levels []string
	// MinSites is over how many sites at least pods are spread. 0: no spread is owed.
	MinSites int32
	// MaxSkew is by how many pods the fullest site may exceed the emptiest. 0: nobody says; [Obligation.Skew] has the default.
	MaxSkew int32
	// TooFewReplicas is what follows when a workload has fewer replicas than MinSites. Empty where no spread is owed.
	TooFewReplicas v1alpha1.TooFewReplicas
	// NodeLocalStorage is whether data may lie on nodes: the strictest of what is demanded. Empty where nothing is.
	NodeLocalStorage v1alpha1.NodeLocalStorage
	// Encryption is what is owed of volumes. Nil: nothing.
	Encryption *Encryption
	// Asking are the labels of the namespace that owes: encryption keys choose by them who may ask. Nil where they are not known.
	Asking map[string]string
	// Demands say who asked for what, in the order in which they were merged.
	Demands []Demand
	// Missing are those of the Levels that do not exist, sorted.
	Missing []string
	// Problems are why nothing can satisfy the obligation. While there is one, pods are refused.
	Problems []Problem
}

// Owes reports whether anything is owed. An obligation with problems owes: it refuses.
func (o Obligation) Owes() bool {
	return len(o.Levels) > 0 || o.MinSites > 0 || o.Encryption != nil || len(o.Problems) > 0
}

// Unfound reports whether something is demanded that does not exist: it may just have been created.
func (o Obligation) Unfound() bool {
	return len(o.Missing) > 0 || slices.ContainsFunc(o.Problems, Problem.unfound)
}

// With returns the obligation tightened by d.
func (o Obligation) With(d Demand) Obligation {
	if !d.Demands() {
		return o
	}
	o.Levels = union(o.Levels, d.Levels)
	o.Demands = append(slices.Clone(o.Demands), d)
	o.NodeLocalStorage = stricterStorage(o.NodeLocalStorage, d.NodeLocalStorage)
	o.Encryption = o.Encryption.with(d.Encryption)
	if d.MinSites > 0 {
		o.MaxSkew = stricterSkew(o.MaxSkew, d.MaxSkew)
		o.MinSites = max(o.MinSites, d.MinSites)
		o.TooFewReplicas = stricterReplicas(o.TooFewReplicas, d.TooFewReplicas)
	}
	return o
}

// Refusing returns the obligation with further problems.
func (o Obligation) Refusing(problems ...Problem) Obligation {
	o.Problems = append(slices.Clone(o.Problems), problems...)
	return o
}

// ProblemsFrom are those that came with what one source demands.
func (o Obligation) ProblemsFrom(source Source) []Problem {
	return slices.DeleteFunc(slices.Clone(o.Problems), func(p Problem) bool { return p.Source != source })
}

// Skew is by how many pods the fullest site may exceed the emptiest where a spread is owed: what the strictest source says, or 1.
func (o Obligation) Skew() int32 { return max(o.MaxSkew, 1) }

// DemandedBy names who demands level, or who demands a spread if level is empty, sorted by when they were merged.
func (o Obligation) DemandedBy(level string) []Source {
	var by []Source
	for _, d := range o.Demands {
		if level == "" && d.MinSites > 0 || level != "" && slices.Contains(d.Levels, level) {
			by = append(by, d.Source)
		}
	}
	return by
}

// DeniesNodeLocalStorage names who wants no data on nodes, in the order in which they were merged.
func (o Obligation) DeniesNodeLocalStorage() []Source {
	var by []Source
	for _, d := range o.Demands {
		if d.NodeLocalStorage == v1alpha1.NodeLocalStorageDeny {
			by = append(by, d.Source)
		}
	}
	return by
}

// Provenance names who demands level (or a spread, if level is empty) in words.
func (o Obligation) Provenance(level string) string {
	by := o.DemandedBy(level)
	if len(by) == 0 {
		return "nobody"
	}
	return InWords(by)
}

// InWords names sources, as part of a sentence.
func InWords(sources []Source) string {
	names := make([]string, len(sources))
	for i, s := range sources {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}

func union(a, b []string) []string {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// stricterSkew merges skews, of which 0 means unsaid.
func stricterSkew(owed, demanded int32) int32 {
	if owed == 0 || demanded == 0 {
		return max(owed, demanded)
	}
	return min(owed, demanded)
}

func stricterReplicas(owed, demanded v1alpha1.TooFewReplicas) v1alpha1.TooFewReplicas {
	if demanded == "" {
		demanded = v1alpha1.TooFewReplicasWarn
	}
	order := []v1alpha1.TooFewReplicas{"", v1alpha1.TooFewReplicasIgnore, v1alpha1.TooFewReplicasWarn, v1alpha1.TooFewReplicasDeny}
	if slices.Index(order, owed) > slices.Index(order, demanded) {
		return owed
	}
	return demanded
}

// stricterStorage merges what is owed with what one more source demands. A source that does not say counts as one that wants
// QualifiedNodes: else a policy that allows more could loosen what an annotation, which cannot say, already demands.
func stricterStorage(owed, demanded v1alpha1.NodeLocalStorage) v1alpha1.NodeLocalStorage {
	order := []v1alpha1.NodeLocalStorage{"", v1alpha1.NodeLocalStorageAllow, v1alpha1.NodeLocalStorageQualifiedNodes, v1alpha1.NodeLocalStorageDeny}
	demanded = cmp.Or(demanded, v1alpha1.NodeLocalStorageQualifiedNodes)
	if slices.Index(order, owed) > slices.Index(order, demanded) {
		return owed
	}
	return demanded
}

func missingLevel(s Source, level string, known []string) Problem {
	return Problem{Source: s, Reason: TrustLevelNotFound, Message: fmt.Sprintf("%s requires trust level %q, which does not exist%s", s, level, whatExists(level, known))}
}
