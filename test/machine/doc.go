// Package machine makes a small machine within this one: processes, mounts and a network of their own, and a container runtime.
// Package test/realnode runs a kubelet on it.
//
// # The tour
//
//   - machine.go is what everybody may know of a machine: its directory, its addresses, the process its world hangs on.
//   - outside.go keeps the machine from outside: it makes the namespaces, gives a network link, passes connections on to the API server.
//   - inside.go is the machine's first process: it mounts, runs containerd, and reaps.
//   - enter.go runs a program on the machine.
//   - network.go and cgroups.go are what the kernel does not clear away by itself.
//
// # Why namespaces
//
// A container runtime leaves much behind when it is killed: shims that are nobody's children, mounts, named network namespaces, a
// bridge. Here all of it lives in namespaces, and the first process of the machine dies with whoever keeps it. Then the kernel ends every other
// one, and mounts and network go with the last. Nothing has to be found and removed, also after SIGKILL, but for empty control groups:
// the next machine of the same number removes them.
//
// It also meets no other container runtime: /run, /var/lib and /var/log are folders of the machine's directory, so that
// every default path is its own, and short enough for a socket.
package machine
