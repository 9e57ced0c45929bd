// Package controllers carries out what the pure packages decide.
//
// There is one loop per question, and each looks at the whole world: every fact here depends on every other, so a loop per
// object would watch everything anyway and see half of it. A loop gathers from caches, decides with the pure packages, and carries
// out the differences, in three functions. It is level-triggered: it may die anywhere and start over.
//
//   - [Compiler], on every replica: catalogue, policies and settings → the snapshot that admission and the other loops read.
//   - [Catalogue]: snapshot → statuses of the five kinds of the catalogue, and the finalizer of trust levels in use.
//   - [Standing]: snapshot and nodes → labels of nodes, and the list of nodes that are losing levels.
//   - [Obligation]: snapshot, namespaces, pods, nodes and volumes → floors, labels of namespaces, statuses of policies, which say what an
//     audit of everything that is there found.
//   - [Keys]: key stores, keys and what observers saw of them → statuses of keys and stores.
//   - [Marks]: namespaces, claims, volumes and classes → the marks by which guards know volumes and classes.
//   - [Gates]: snapshot, pods, claims, volumes, classes and keys → the gates of pods whose volumes are proven, why the others wait, what was proven, on
//     claims and volumes, and the evictions that policies want when a key is revoked.
//   - [Fence]: policies and settings → admission policies, webhook configurations, TerroirConfig.
//
// Events are coalesced: whatever happens within a moment leads to one [Pass]. A pass that knows when time alone
// changes its answer comes back then. Nothing is polled but what cannot be followed, while a pod waits for it; audit and gates also sweep every ten
// minutes, as a safety net.
package controllers
