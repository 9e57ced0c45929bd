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
// the kind, to everybody who is neither Terroir nor a part of the control plane nor a kubelet (which NodeRestriction limits to the
// pods of its node) nor granted the verb maintain. A kubelet may not run a pod there, beyond the mirror of a static one, which has no service
// account: NodeRestriction would say the same, and may be off. Ignores events, which anybody may tell, and evictions: they
// leave a replica in place, and whoever drains a node must not be held up.
func home(s placement.Settings) Guard {
	return Guard{
		Name:  "terroir-home",
		Looks: []Resources{{Group: "*", Version: "*", Names: []string{"*/*"}, Operations: ops(create, update, remove, admissionregistrationv1.Connect)}},
		Scope: Own,
		Conditions: []placement.Variable{
			notOperator,
			{Name: "no-event", Expression: `request.resource.resource != 'events'`},
			{Name: "no-eviction", Expression: `!(request.resource.resource == 'pods' && request.?subResource.orValue('') == 'eviction')`},
		},
		Validations: []placement.Validation{{
			Expression: anyOf(
				isKubelet+` && (request.operation != 'CREATE' || request.resource.resource != 'pods' || request.?subResource.orValue('') != ''
  || object.metadata.?annotations[?'kubernetes.io/config.mirror'].hasValue())`,
				in(slices.Concat([]string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"}, s.SchedulerUsers, controllers())...),
				maintains,
			),
			Message: `'namespace terroir-system belongs to Terroir, on which the placement of governed pods rests; ' +
  'only those may change anything there to whom RBAC grants the verb maintain on installations.terroir.dev'`,
		}},
	}
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
