// Package realnode joins one real node to a local cluster: the kubelet as released, with containerd, runc and CNI plugins of the
// distribution, on a machine of its own (package test/machine). kwok shows what the control plane does. Only a kubelet shows what a
// node does: static pods, the checks after a restart, containers that end or do not.
//
// # The tour
//
//   - packages.go says what has to be installed, and installs it.
//   - image.go makes images from static binaries: there is no registry.
//   - node.go joins the node, and acts on it.
//   - configuration.go is what its kubelet is told.
//
// The node is two components of the cluster: the machine, and the kubelet on it, which can be stopped and started while pods go
// on running. Both end with the cluster.
package realnode
