// Package fence assembles the rules of package placement into the admission objects that the API server itself evaluates.
//
// They are a fixed handful, whatever the number of policies: MutatingAdmissionPolicies shape pods and workloads and mark
// namespaces as governed; ValidatingAdmissionPolicies prove pods, their updates, annotations and bindings. Only the bindings
// that mark namespaces are one for each enforcing ClusterPlacementPolicy, since they carry its selector. What a
// namespace owes reaches the expressions as their parameter, its PlacementFloor.
//
// Everything here fails closed (failurePolicy Fail, a missing floor denies), and nothing here depends on a running Terroir.
package fence
