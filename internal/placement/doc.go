// Package placement answers the question: does this pod, here, honour what it owes?
//
// A pod honours an obligation by four things that the scheduler understands: for each trust level a nodeSelector entry on the
// held label, for each a hard topology spread constraint on the open label, the workload label by which those
// constraints count, and no way around the scheduler. [Shape] gives a pod what it lacks; [Judge] proves it from
// the pod alone; [JudgeBinding], [JudgeNode] and [JudgeTemplate] ask the same of a binding, of a bound pod and of a
// workload's template.
//
// Each rule lives in one file, with its law in prose on top, its check in Go, and its check and patch in CEL. The Go halves
// speak in the webhook, in audits and in tools; the CEL halves run inside the API server (package fence assembles them) and have
// the last word. Tests hold the halves equal.
//
// The zero Verdict denies. Allow is written in one place, [verdictOf].
package placement
