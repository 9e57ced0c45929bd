package placement

// CEL conditions under which the API server looks at a request at all, in the fence and before it calls the webhook. Passing by is
// what most requests do, so these are cheap: one look at each annotation, however many there are.
const (
	// ConditionAnnotated holds of objects that carry an annotation under Terroir's prefixes.
	ConditionAnnotated = `object.metadata.?annotations.orValue({})` + hasOwnKey
	// ConditionDemanding is [ConditionAnnotated] but for terroir.dev/placement, which is told to people and demands nothing. A
	// namespace marked as governed for that would owe nothing, and Terroir would take the mark off again.
	ConditionDemanding = `object.metadata.?annotations.orValue({}).exists(k, k != 'terroir.dev/placement'
  && (` + OwnKey + `))`
	// ConditionNotMirror holds of every pod but a kubelet's mirror of a static pod: see [Pod.Mirror].
	ConditionNotMirror = `!('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({})
  && object.spec.?nodeName.orValue('') != '' && request.userInfo.username == 'system:node:' + object.spec.nodeName)`
	// ConditionAnnotatedPod is both of them in one, the cheap test first: the API server evaluates every condition of a policy before
	// it looks at any result, for every pod of every free namespace.
	ConditionAnnotatedPod = `has(object.metadata.annotations) && object.metadata.annotations` + hasOwnKey + ` && ` + ConditionNotMirror
	// ConditionWorkload holds of workloads that carry, or carried, such an annotation, or whose template does.
	ConditionWorkload = `object.metadata.?annotations.orValue({})` + hasOwnKey + `
  || (oldObject != null && oldObject.metadata.?annotations.orValue({})` + hasOwnKey + `)
  || (request.kind.kind == 'CronJob' ? object.spec.jobTemplate.spec.template : object.spec.template).?metadata.annotations.orValue({})` + hasOwnKey
	// ConditionChanged holds of updates of pods that change something which [JudgeUpdate] reads. Hardly any update through pods/status
	// does, and those are the most frequent writes of a cluster.
	ConditionChanged = `object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})
  || object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})
  || object.spec.?schedulingGates.orValue([]) != oldObject.spec.?schedulingGates.orValue([])`

	// OwnKey holds of the key k of an annotation under one of Terroir's prefixes, as [policy.IsOwn] does.
	OwnKey = `k.startsWith('terroir.dev/') || k.startsWith('inherited.terroir.dev/')`

	hasOwnKey = `.exists(k, ` + OwnKey + `)`
)
