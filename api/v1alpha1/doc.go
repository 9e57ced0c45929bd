// Package v1alpha1 is Terroir's API: what ground is qualified, by whom, until when, and what workloads demand of it.
//
// Read it in the order in which the facts depend on each other. A [Framework] is a certification scheme in one version. A
// [CloudProvider] is a company with the services it sells, and a [Zone] is one place where this cluster has nodes, bought
// from a provider under one of those offers. A [Qualification] says who vouches for which offer, where, until when. A
// [TrustLevel] gives a name to a conjunction of demands, and policies ([ClusterPlacementPolicy], [PlacementPolicy]) and
// annotations ask for that name. What a namespace owes in the end stands in its [PlacementFloor], which Terroir alone
// writes. [TerroirConfig] holds the settings of the installation and says what protects what.
//
// The package holds types and names only. It depends on apimachinery and can be imported by anyone.
//
// +kubebuilder:object:generate=true
// +groupName=terroir.dev
package v1alpha1
