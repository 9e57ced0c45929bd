// Package uninstall takes Terroir out of a cluster: in an order in which nothing hangs, nothing is evicted, and nothing refuses its own removal.
//
// # How it works
//
// Everything is decided from the world as it is, never from what an earlier run remembers. So a run may die anywhere, and the next one
// goes on. [Decide] says, stage by stage, what is to be done ([Step]), what will end by itself ([Todo.Waits]) and what somebody else has to do
// ([Left]). [Uninstaller.Run] carries out one stage after the other, and looks at the world anew after every round.
//
// # The tour
//
//   - world.go is what is looked at; gather*.go look.
//   - plan.go is the order of the stages, with the reason for it.
//   - stage_*.go are the stages, one file each, the law on top. They are pure.
//   - permissions.go asks beforehand whether whoever uninstalls may do all of it.
//   - probe.go finds out whether the fence is still in force after it was deleted.
//   - run.go carries out.
package uninstall
