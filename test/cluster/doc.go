// Package cluster runs a real Kubernetes control plane for tests, demos and benchmarks.
//
// # What it is
//
// etcd, kube-apiserver, kube-controller-manager and kube-scheduler as released, plus kwok, which plays the kubelets:
// a Node created as a plain object becomes Ready, pods bound to it run, deletions finish. Everything speaks TLS and is
// authorized as in production (Node and RBAC authorization, NodeRestriction, no anonymous access), because the product
// rests on those walls and its tests must not pass without them. Package test/realnode joins a real node to it.
//
// # The tour
//
//   - binaries.go builds the programs from their Go modules, once per version of test/localcluster.
//   - cluster.go is the cluster: Start, Attach, Stop, and single components in between.
//   - components.go says with which flags each component runs and when it is ready.
//   - process.go starts and stops processes; lifeline.go lets none outlive its owner.
//   - state.go is what a state directory remembers, so that another process can attach or stop.
//   - authority.go issues certificates, kubeconfig.go turns them into ways to act as somebody.
//   - testing.go is for tests: New for a cluster of one's own, Shared for the common one.
//
// # Who stops it
//
// A cluster belongs to the process that started it and dies with that process, even by SIGKILL: each component holds
// the read end of a FIFO, the lifeline, and exits at its end of file. A detached cluster has no lifeline; it stays
// until Stop, which finds its processes by process id and start time, never by id alone.
package cluster
