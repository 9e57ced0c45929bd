// Package bench measures Terroir, and prints what it found beside what was aimed at.
//
// The machine is nobody's own: figures are compared within one run, and what is compared is measured in turn. A system that lets
// everything through is very fast, so each is first seen to do what it is there for.
//
// # The tour
//
//   - bench.go is the order of events, and how much of everything there is.
//   - inprocess.go runs the Go benchmarks of this module: of the packages themselves, and those of decide_test.go.
//   - lab.go starts two control planes: a bare one with the alternatives, and one for Terroir.
//   - alternatives.go installs what Terroir is compared with: a ValidatingAdmissionPolicy, a MutatingAdmissionPolicy and
//     a webhook that does nothing (nothing.go). catalogue.go gives Terroir something to enforce.
//   - hooked.go has the bare cluster ask Terroir's webhook, to see what that alone costs.
//   - latency.go creates pods in all of them, in turn; flood.go puts real reviews to a webhook as fast as it answers.
//   - scale.go brings nodes and pods and counts what Terroir writes and holds; loss.go takes a qualification away.
//   - keys.go proves many keys of a transit server, and measures how long news of a key takes.
//   - writes.go counts requests in the API server's audit log, processes.go reads what the kernel knows of a process.
//   - figures.go is everything that was measured, aims.go what is thought of it, table.go how it looks.
package bench
