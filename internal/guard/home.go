package guard

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"

	"github.com/terroir-dev/terroir/internal/placement"
)

// Law: what happens in Terroir's own namespace is done by Terroir, by the control plane, and by those who maintain it.
//
// Reads who does anything there that is not reading. Whoever may run a pod as Terroir's service account, ask for its token, enter its
// containers, read its Service's traffic by pointing it elsewhere, or write the certificate, is Terroir. Denies all of it, whatever
// the kind of Kubernetes, to everybody who is neither Terroir nor a part of the control plane nor a kubelet (which NodeRestriction
// limits to the pods of its node) nor granted the verb maintain. A kubelet creates no pods there, not even the mirror of a static one: it
// would answer the Service. Ignores events, which anybody may tell; evictions: they leave a replica in place, and whoever drains a
// node must not be held up; annotations of pods that are not Terroir's, alone: network plugins write them, and without them pods
// do not start; and foreign kinds, for the same reason. The agents that ask key stores write Leases there, each its own, and nothing else.
func home(s placement.Settings) Guard {
	return Guard{
		Name:  "terroir-home",
		Looks: lived(create, update, remove, admissionregistrationv1.Connect),
		Scope: Own,
		Conditions: []placement.Variable{
			notOperator,
			{Name: "no-event", Expression: `request.resource.resource != 'events'`},
			{Name: "no-eviction", Expression: `!(request.resource.resource == 'pods' && request.?subResource.orValue('') == 'eviction')`},
			{Name: "no-annotation-of-others", Expression: `!(request.resource.resource == 'pods' && request.operation == 'UPDATE' && ` + onlyAnnotated + `)`},
		},
		Validations: []placement.Validation{{
			Expression: anyOf(
				isKubelet+` && (request.operation != 'CREATE' || request.resource.resource != 'pods' || request.?subResource.orValue('') != '')`,
				isAgent+` && `+ownLease,
				in(slices.Concat([]string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"}, s.SchedulerUsers, controllers())...),
				maintains,
			),
			Message: `'namespace terroir-system belongs to Terroir, on which the placement of governed pods rests; ' +
  'only those may change anything there to whom RBAC grants the verb maintain on installations.terroir.dev'`,
		}},
	}
}

// ownLease holds, in CEL, of Leases by which the agent that writes them says that what it saw of a store still holds, and of the one by which
// its replicas agree on which of them speaks. Names of observers may have dots in them, so the labels of a Lease say which is which, too; those of stores have none,
// or the agent of zone b could write, and not only take over, the Lease by which that of zone a.b speaks.
const ownLease = `request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases' && request.operation in ['CREATE', 'UPDATE'] && (
  object.metadata.?name.orValue('') == 'terroir-keyprobe-' + ` + agentsObserver + `
  || !object.metadata.?labels[?'terroir.dev/key-store'].orValue('').contains('.') && object.metadata.?name.orValue('') == 'keys.' + object.metadata.?labels[?'terroir.dev/key-store'].orValue('') + '.' + ` + agentsObserver + `
  && object.?spec.holderIdentity.orValue('') == ` + agentsObserver + `
  && [object, oldObject == null ? object : oldObject].all(l, l.metadata.?labels[?'terroir.dev/observer'].orValue('') == ` + agentsObserver + `))`

// onlyAnnotated holds, in CEL, of a change of a pod that leaves everything as it is but annotations of others than Terroir.
const onlyAnnotated = `object.?spec == oldObject.?spec && object.?status == oldObject.?status
  && object.metadata.?labels == oldObject.metadata.?labels && object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences
  && object.metadata.?finalizers == oldObject.metadata.?finalizers
  && object.metadata.?annotations.orValue({}).all(k, !k.contains('terroir.dev/') || oldObject.metadata.?annotations[?k] == optional.of(object.metadata.annotations[k]))
  && oldObject.metadata.?annotations.orValue({}).all(k, !k.contains('terroir.dev/') || k in object.metadata.?annotations.orValue({}))`

// lived are all kinds that Kubernetes itself has in a namespace, with their subresources.
func lived(operations ...admissionregistrationv1.OperationType) []Resources {
	var all []Resources
	for _, group := range []string{
		"", "apps", "autoscaling", "batch", "certificates.k8s.io", "coordination.k8s.io", "discovery.k8s.io", "networking.k8s.io", "policy",
		"rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io",
	} {
		all = append(all, Resources{Group: group, Version: "*", Names: []string{"*/*"}, Operations: operations})
	}
	return all
}

// controllers are the service accounts of the controllers of kube-controller-manager that write in a namespace, as Kubernetes' own
// RBAC names them (plugin/pkg/auth/authorizer/rbac/bootstrappolicy, v1.37).
func controllers() []string {
	names := strings.Fields(`attachdetach-controller cronjob-controller daemon-set-controller deployment-controller
		device-taint-eviction-controller disruption-controller
		endpoint-controller endpointslice-controller endpointslicemirroring-controller ephemeral-volume-controller expand-controller
		generic-garbage-collector horizontal-pod-autoscaler job-controller legacy-service-account-token-cleaner namespace-controller
		node-controller persistent-volume-binder pod-garbage-collector podcertificaterequestcleaner podgroup-protection-controller pvc-protection-controller replicaset-controller replication-controller
		resource-claim-controller resourcequota-controller root-ca-cert-publisher service-account-controller service-controller
		statefulset-controller storage-version-migrator-controller taint-eviction-controller tokens-controller ttl-after-finished-controller`)
	for i := range names {
		names[i] = "system:serviceaccount:kube-system:" + names[i]
	}
	return names
}
