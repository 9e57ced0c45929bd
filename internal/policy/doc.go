// Package policy answers the question: what does this workload owe?
//
// [Compile] turns cluster policies and namespaced policies into a [Set]. Asked about a [Namespace], the set merges what its
// enforcing policies and its own annotations demand into an [Obligation]. Annotations of workloads, templates and pods are
// read by [ParseAnnotations] into one more [Demand] and added with [Obligation.With].
//
// Merging only tightens: levels are united, the larger number of sites and the smaller skew win, and the stricter
// answer to too few replicas. There is no demand that takes something away.
//
// What cannot be understood falls towards refusal: a level that does not exist and an annotation that does not parse become
// a [Problem] of the obligation, and pods that owe an obligation with problems are refused with its message.
package policy
