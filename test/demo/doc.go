// Package demo plays a story on a local cluster: from a catalogue to workloads that land on qualified zones only. Each step checks
// its own outcome against the API server, and the story ends at the first one that does not hold.
//
// # The tour
//
//   - play.go has the chapters in their order; each chapter is a file.
//   - story.go tells: it prints, waits, and turns what was expected and what was seen into an error.
//   - table.go prints tables, and folds long sentences.
//   - machines.go lists the nodes and where each must be recognised, or why not.
//   - objects.go makes the workloads; look.go reads where pods are.
//
// Nodes are derived from documentation and code, not captured from clusters. The certificates of the story are fictitious.
package demo
