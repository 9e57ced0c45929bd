package doors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/terroir"
)

const (
	// abroad is a node that no zone recognises.
	abroad = "abroad"
	// level is what everything governed owes, franceLevel a weaker one that rests on a zone label alone.
	level       = "trusted"
	franceLevel = "in-france"
	// frenchZone is the zone label of the Zone that is recognised by nothing else.
	frenchZone = "par-1"

	openLevel  = v1alpha1.OpenLabelPrefix + level
	openFrance = v1alpha1.OpenLabelPrefix + franceLevel
)

// prepare makes what all phases share: the kinds of Terroir without anything that enforces them, nodes, the catalogue, users.
func (th *theatre) prepare(ctx context.Context) error {
	for _, what := range [][]string{{"-k", "config/crd"}, {"-f", "config/namespace/namespace.yaml"}, {"-k", "config/rbac"}} {
		if err := terroir.Apply(ctx, th.cluster, what[0], what[1]); err != nil {
			return err
		}
	}
	if _, err := terroir.Kubectl(ctx, th.cluster, "wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"); err != nil {
		return err
	}
	s := &stage{theatre: th, play: &play{door: &Door{}}}
	return errors.Join(s.prepare(ctx, nodes), s.prepare(ctx, catalogue), s.prepare(ctx, users))
}

const nodes = `
apiVersion: v1
kind: Node
metadata: {name: na1, labels: {topology.kubernetes.io/zone: gouv-west-1a, kubernetes.io/hostname: na1, doors.example.com/site: a, doors.example.com/daemons: "yes"}}
spec: {providerID: "aws:///gouv-west-1a/i-na1"}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: na1}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
---
apiVersion: v1
kind: Node
metadata: {name: na2, labels: {topology.kubernetes.io/zone: gouv-west-1a, kubernetes.io/hostname: na2, doors.example.com/site: a}}
spec: {providerID: "aws:///gouv-west-1a/i-na2"}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: na2}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
---
apiVersion: v1
kind: Node
metadata: {name: nb1, labels: {topology.kubernetes.io/zone: gouv-west-1b, kubernetes.io/hostname: nb1, doors.example.com/site: b}}
spec: {providerID: "aws:///gouv-west-1b/i-nb1"}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: nb1}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
---
apiVersion: v1
kind: Node
metadata: {name: nc1, labels: {topology.kubernetes.io/zone: gouv-west-1c, kubernetes.io/hostname: nc1, doors.example.com/site: c}}
spec: {providerID: "aws:///gouv-west-1c/i-nc1"}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: nc1}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
---
apiVersion: v1
kind: Node
metadata: {name: abroad, labels: {topology.kubernetes.io/zone: abroad-1a, kubernetes.io/hostname: abroad, doors.example.com/site: x, doors.example.com/daemons: "yes"}}
spec: {providerID: "aws:///abroad-1a/i-abroad"}
---
apiVersion: storage.k8s.io/v1
kind: CSINode
metadata: {name: abroad}
spec: {drivers: [{name: bsu.csi.outscale.com, nodeID: x}]}
`

const catalogue = `
apiVersion: terroir.dev/v1alpha1
kind: Framework
metadata: {name: fictitious-1.0}
spec: {title: Fictitious, version: "1.0", authority: {name: Nobody, kind: State, country: FR}, lifecycle: InForce, levels: [{name: qualified}]}
---
apiVersion: terroir.dev/v1alpha1
kind: CloudProvider
metadata: {name: cloud}
spec:
  legalEntity: Cloud SAS
  seat: FR
  recognition: {providerIDPrefixes: ["aws:///"], csiDrivers: [bsu.csi.outscale.com]}
  offers: [{name: kubernetes, serviceModel: CaaS, administrationFrom: [FR]}]
---
apiVersion: terroir.dev/v1alpha1
kind: Qualification
metadata: {name: grant}
spec:
  framework: fictitious-1.0
  levels: [qualified]
  subject: {provider: cloud, offer: kubernetes, regions: [gouv-west-1]}
  state: Granted
  validUntil: "2099-01-01T00:00:00Z"
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: trusted}
spec: {countries: [FR], qualifications: [{anyOf: [{framework: fictitious-1.0, levels: [qualified]}]}]}
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: in-france}
spec: {countries: [FR]}
---
apiVersion: terroir.dev/v1alpha1
kind: TrustLevel
metadata: {name: vouched}
spec: {countries: [FR], nodeEvidence: CloudController}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: par-1}
spec: {country: FR, recognition: {labels: {topology.kubernetes.io/zone: par-1}}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: gouv-west-1a}
spec: {country: FR, provider: cloud, offer: kubernetes, region: gouv-west-1, site: site-a, recognition: {providerIDPrefixes: ["aws:///gouv-west-1a/"], csiDrivers: [bsu.csi.outscale.com]}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: gouv-west-1b}
spec: {country: FR, provider: cloud, offer: kubernetes, region: gouv-west-1, site: site-b, recognition: {providerIDPrefixes: ["aws:///gouv-west-1b/"], csiDrivers: [bsu.csi.outscale.com]}}
---
apiVersion: terroir.dev/v1alpha1
kind: Zone
metadata: {name: gouv-west-1c}
spec: {country: FR, provider: cloud, offer: kubernetes, region: gouv-west-1, site: site-c, recognition: {providerIDPrefixes: ["aws:///gouv-west-1c/"], csiDrivers: [bsu.csi.outscale.com]}}
---
apiVersion: terroir.dev/v1alpha1
kind: TerroirConfig
metadata: {name: cluster}
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: peer-pods}
handler: peer-pods
`

// users are what each of them may do, beside what the stock ClusterRoles give.
const users = `
apiVersion: v1
kind: Namespace
metadata: {name: doors-platform}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-unrestricted-kubelets}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:node"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "doors:unrestricted-kubelets"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-worker}
rules:
- {apiGroups: [""], resources: [pods, pods/status, pods/binding, bindings, persistentvolumeclaims, persistentvolumeclaims/status], verbs: [get, list, create, patch, update, delete]}
- {apiGroups: [terroir.dev], resources: [placementfloors], verbs: [get, list, create, patch, update, delete, deletecollection]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-daemon}
rules:
- {apiGroups: [""], resources: [nodes, nodes/status], verbs: [get, list, patch, update]}
- {apiGroups: [storage.k8s.io], resources: [csinodes], verbs: [get, list, create, patch, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-daemon}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-daemon}
subjects: [{kind: ServiceAccount, namespace: doors-platform, name: daemon}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-second-scheduler}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:kube-scheduler"}
subjects: [{kind: ServiceAccount, namespace: doors-platform, name: second-scheduler}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-node-maker}
rules: [{apiGroups: [""], resources: [nodes, nodes/status], verbs: [get, list, create, patch, update, delete]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-node-maker}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-node-maker}
subjects: [{kind: ServiceAccount, namespace: doors-platform, name: node-maker}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-cloud-controller}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-node-maker}
subjects: [{kind: ServiceAccount, namespace: kube-system, name: cloud-controller-manager}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-pod-operator}
rules: [{apiGroups: [""], resources: [pods, pods/status, pods/ephemeralcontainers, pods/resize], verbs: [get, list, patch, update]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-pod-operator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-pod-operator}
subjects: [{kind: ServiceAccount, namespace: doors-platform, name: pod-operator}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-tenants}
rules:
- {apiGroups: [""], resources: [namespaces, namespaces/status, namespaces/finalize], verbs: [get, list, create, patch, update, delete]}
- {apiGroups: [""], resources: [pods], verbs: [create, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-tenants}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-tenants}
subjects: [{kind: ServiceAccount, namespace: doors-platform, name: tenants}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-storage-editor}
rules:
- {apiGroups: [storage.k8s.io], resources: ["*"], verbs: [get, list, create, patch, update, delete]}
- {apiGroups: [""], resources: [persistentvolumes, persistentvolumes/status, persistentvolumeclaims, persistentvolumeclaims/status], verbs: [get, list, create, patch, update, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-storage-editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-storage-editor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: storage-editor}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-agent}
rules:
- {apiGroups: [terroir.dev], resources: [keyobservations, keystores/status, encryptionkeys/status], verbs: [get, list, create, patch, update, delete]}
- {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, create, patch, update, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-agent}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-agent}
subjects:
- {kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe}
- {kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe-milan}
- {kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe-manager}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-platform-editor}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch, create, patch, update, delete, deletecollection]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-platform-editor}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-platform-editor}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: platform-editor}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-bootstrap-create}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:node-bootstrapper"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:bootstrappers"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-bootstrap-approve}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:certificates.k8s.io:certificatesigningrequests:nodeclient"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: "system:bootstrappers"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: doors-approver}
rules:
- {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [get, list, create]}
- {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update]}
- {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client-kubelet], verbs: [approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: doors-approver}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-approver}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: approver}]
`

// standings waits until Terroir has judged the nodes.
func (th *theatre) standings(ctx context.Context) error {
	for node, site := range map[string]string{"na1": "site-a", "na2": "site-a", "nb1": "site-b", "nc1": "site-c"} {
		if err := eventually(ctx, func() error { return th.labelled(ctx, node, openLevel, site) }); err != nil {
			return err
		}
	}
	return nil
}

// labelled returns nil if a node has a label of this value; an empty one: does not have it.
func (th *theatre) labelled(ctx context.Context, node, key, value string) error {
	var n corev1.Node
	if err := th.admin.Get(ctx, client.ObjectKey{Name: node}, &n); err != nil {
		return err
	}
	if n.Labels[key] != value {
		return fmt.Errorf("node %s has %s=%q, not %q", node, key, n.Labels[key], value)
	}
	return nil
}

// policies makes those of the phase. Without Terroir they are objects like others.
func (th *theatre) policies(ctx context.Context, p phase) error {
	s := &stage{theatre: th, play: &play{door: &Door{}}, phase: p}
	err := s.prepare(ctx, `
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: doors-$phase}
spec: {namespaceSelector: {matchLabels: {doors: $phase}}, trustLevels: [trusted], spread: {minSites: 3}, enforcement: Enforce}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: doors-local-$phase}
spec: {namespaceSelector: {matchLabels: {local: $phase}}, trustLevels: [trusted], enforcement: Enforce, nodeLocalStorage: Deny}
---
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: doors-keys-$phase}
spec: {namespaceSelector: {matchLabels: {keys: $phase}}, trustLevels: [trusted], enforcement: Enforce, encryption: {}}
`)
	if err != nil || p == without {
		return err
	}
	for _, name := range []string{"doors-", "doors-local-", "doors-keys-"} {
		err = errors.Join(err, s.policyReady(ctx, s.fill(name+"$phase")))
	}
	return err
}

func (s *stage) policyReady(ctx context.Context, name string) error {
	if s.phase == without {
		return nil
	}
	return eventually(ctx, func() error {
		var p v1alpha1.ClusterPlacementPolicy
		if err := s.admin.Get(ctx, client.ObjectKey{Name: name}, &p); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReady) {
			return fmt.Errorf("policy %s: %+v", name, p.Status)
		}
		return nil
	})
}

// free makes a namespace that no policy selects, with its admin, its editor and its worker.
func free(ctx context.Context, s *stage) error {
	return s.once(func() error { return s.makeNamespace(ctx, "") })
}

// governed makes a namespace that the policy of the phase governs. Without Terroir it looks the same.
func governed(ctx context.Context, s *stage) error {
	return s.once(func() error {
		return errors.Join(s.makeNamespace(ctx, "doors: "+s.fill("$phase")), s.governedBy(ctx))
	})
}

// governedAlone is like governed, without anybody who may do anything there: for those who try to change the namespace itself.
func governedAlone(ctx context.Context, s *stage) error {
	return errors.Join(s.prepare(ctx, `{apiVersion: v1, kind: Namespace, metadata: {name: $namespace, labels: {made: for-doors, doors: $phase}}}`), s.governedBy(ctx))
}

// localDenied makes a namespace whose policy denies data on nodes.
func localDenied(ctx context.Context, s *stage) error {
	return s.once(func() error {
		return errors.Join(s.makeNamespace(ctx, "local: "+s.fill("$phase")), s.governedBy(ctx))
	})
}

// ownPolicy makes a namespace with a policy that governs it alone, so that what its status counts is known.
func ownPolicy(ctx context.Context, s *stage) error {
	return scene(given(`
apiVersion: terroir.dev/v1alpha1
kind: ClusterPlacementPolicy
metadata: {name: $name}
spec: {namespaceSelector: {matchLabels: {own: $name}}, trustLevels: [in-france], spread: {minSites: 1}, enforcement: Enforce}
`), func(ctx context.Context, s *stage) error {
		return errors.Join(s.policyReady(ctx, s.name()), s.makeNamespace(ctx, "own: "+s.name()), s.governedBy(ctx))
	})(ctx, s)
}

// governedBy waits for the mark and the floor; without Terroir it makes them.
func (s *stage) governedBy(ctx context.Context) error {
	if s.phase == without {
		return errors.Join(s.prepare(ctx, floor), s.mark(ctx))
	}
	return eventually(ctx, func() error {
		var n corev1.Namespace
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.namespace()}, &n); err != nil {
			return err
		}
		if n.Labels[v1alpha1.GovernedLabel] != "true" {
			return fmt.Errorf("namespace %s has labels %v", n.Name, n.Labels)
		}
		return s.admin.Get(ctx, client.ObjectKey{Namespace: n.Name, Name: v1alpha1.FloorName}, &v1alpha1.PlacementFloor{})
	})
}

const floor = `
apiVersion: terroir.dev/v1alpha1
kind: PlacementFloor
metadata: {name: floor, namespace: $namespace}
spec: {trustLevels: [trusted], minSites: 3}
`

func (s *stage) mark(ctx context.Context) error {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace()}}
	return s.admin.Patch(ctx, n, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"terroir.dev/governed":"true"}}}`)))
}

func (s *stage) makeNamespace(ctx context.Context, labels string) error {
	err := s.prepare(ctx, `
apiVersion: v1
kind: Namespace
metadata: {name: $namespace, labels: {made: for-doors, `+labels+`}, annotations: {made: for-doors}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: admin, namespace: $namespace}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: alice}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: edit, namespace: $namespace}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: eve}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: worker, namespace: $namespace}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: doors-worker}
subjects: [{kind: ServiceAccount, namespace: $namespace, name: worker}]
`)
	if err != nil {
		return err
	}
	// The worker's binding was made last, and the authorizer hears of bindings in the order in which they were made.
	return errors.Join(s.mayCreatePods(ctx, worker), s.hasAccount(ctx))
}

// mayCreatePods waits until the authorizer has heard of what was granted.
func (s *stage) mayCreatePods(ctx context.Context, w who) error {
	return eventually(ctx, func() error {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: s.namespace(), Verb: "create", Resource: "pods"},
		}}
		if err := s.as(w).Create(ctx, review); err != nil {
			return err
		}
		if !review.Status.Allowed {
			return fmt.Errorf("the %s may not create pods yet", w.words)
		}
		return nil
	})
}

// hasAccount waits until the namespace has its default service account, without which no pod is created.
func (s *stage) hasAccount(ctx context.Context) error {
	return eventually(ctx, func() error {
		return s.admin.Get(ctx, client.ObjectKey{Namespace: s.namespace(), Name: "default"}, &corev1.ServiceAccount{})
	})
}

// running makes a pod and waits until it is bound.
func running(ctx context.Context, s *stage) error {
	err := s.prepare(ctx, `
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace, labels: {app: victim, terroir.dev/workload: $name}, annotations: {terroir.dev/placement: before}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: x}]}
`)
	if err != nil {
		return err
	}
	_, err = s.bound(ctx, s.name())
	return err
}

// waiting makes a pod that fits no node, so that nobody binds it.
func waiting(ctx context.Context, s *stage) error {
	return s.prepare(ctx, `
apiVersion: v1
kind: Pod
metadata: {name: $name, namespace: $namespace, labels: {app: victim, terroir.dev/workload: $name}}
spec: {terminationGracePeriodSeconds: 0, nodeSelector: {fits: nowhere}, containers: [{name: c, image: x}]}
`)
}

// Nodes of a stage's own keep others' pods away.
const apart = `taints: [{key: doors.example.com/apart, effect: NoSchedule}]`

// strangeNode makes a node that no zone recognises.
func strangeNode(ctx context.Context, s *stage) error {
	err := s.prepare(ctx, `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, topology.kubernetes.io/zone: strange-1a, topology.kubernetes.io/region: strange-1}, annotations: {made: for-doors}}
spec: {`+apart+`}
`)
	return errors.Join(err, s.isReady(ctx))
}

// placelessNode makes a node of which nothing says where it is.
func placelessNode(ctx context.Context, s *stage) error {
	err := s.prepare(ctx, `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node}, annotations: {made: for-doors}}
spec: {`+apart+`}
`)
	return errors.Join(err, s.isReady(ctx))
}

// isReady waits until the stage's node is ready and nobody else is about to write it: then what was sent in vain was not overwritten.
func (s *stage) isReady(ctx context.Context) error {
	return eventually(ctx, func() error {
		var n corev1.Node
		if err := s.admin.Get(ctx, client.ObjectKey{Name: s.node()}, &n); err != nil {
			return err
		}
		ready := slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		})
		if !ready || len(n.Spec.Taints) != 1 {
			return fmt.Errorf("node %s has conditions %+v and taints %+v", n.Name, n.Status.Conditions, n.Spec.Taints)
		}
		return nil
	})
}

// frenchNode makes a node that is recognised by its zone label, and waits until it is.
func frenchNode(ctx context.Context, s *stage) error {
	err := s.prepare(ctx, `
apiVersion: v1
kind: Node
metadata: {name: $node, labels: {kubernetes.io/hostname: $node, topology.kubernetes.io/zone: par-1, topology.kubernetes.io/region: par}, annotations: {made: for-doors}}
spec: {`+apart+`}
status: {nodeInfo: {machineID: before, systemUUID: before, bootID: before, kernelVersion: x, osImage: x, containerRuntimeVersion: x, kubeletVersion: x, kubeProxyVersion: x, operatingSystem: linux, architecture: amd64}}
`)
	return errors.Join(err, s.isReady(ctx), s.isOpen(ctx))
}

// isOpen waits until the stage's node is open for the weaker level. Without Terroir nothing is.
func (s *stage) isOpen(ctx context.Context) error {
	if s.phase == without {
		return nil
	}
	return eventually(ctx, func() error { return s.labelled(ctx, s.node(), openFrance, frenchZone) })
}

// closes is noticed when the stage's node is open no longer.
func closes(ctx context.Context, s *stage) error { return s.labelled(ctx, s.node(), openFrance, "") }

// counted is noticed when the stage's own policy counts a violation.
func counted(ctx context.Context, s *stage) error {
	var p v1alpha1.ClusterPlacementPolicy
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name()}, &p); err != nil {
		return err
	}
	if p.Status.Violations == 0 || !meta.IsStatusConditionFalse(p.Status.Conditions, v1alpha1.ConditionCompliant) {
		return fmt.Errorf("the policy says %+v", p.Status)
	}
	return nil
}

// incompliant returns nil if the stage's own policy gives one of the reasons why it is not complied with.
func (s *stage) incompliant(ctx context.Context, reasons ...string) error {
	var p v1alpha1.ClusterPlacementPolicy
	if err := s.admin.Get(ctx, client.ObjectKey{Name: s.name()}, &p); err != nil {
		return err
	}
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionCompliant)
	if c == nil || c.Status != metav1.ConditionFalse || !slices.Contains(reasons, c.Reason) {
		return fmt.Errorf("the policy says %+v", p.Status)
	}
	return nil
}

// clear deletes the nodes of the phase: each of them has a heartbeat.
func (th *theatre) clear(ctx context.Context, p phase) error {
	var all corev1.NodeList
	if err := th.admin.List(ctx, &all); err != nil {
		return err
	}
	for i := range all.Items {
		if !strings.Contains(all.Items[i].Name, fmt.Sprintf("-p%d", p)) {
			continue
		}
		if err := client.IgnoreNotFound(th.admin.Delete(ctx, &all.Items[i])); err != nil {
			return err
		}
	}
	return nil
}

// judgedAgain waits until Terroir has looked at all nodes once more. A node made now is labelled in a pass that has seen what came before;
// one made after that, in a pass after that one.
func (s *stage) judgedAgain(ctx context.Context) error {
	if s.phase != with {
		return nil
	}
	for _, marker := range []string{"-first", "-second"} {
		err := s.prepare(ctx, `
apiVersion: v1
kind: Node
metadata: {name: $name`+marker+`, labels: {topology.kubernetes.io/zone: par-1}}
spec: {`+apart+`}
`)
		if err != nil {
			return broken{err}
		}
		err = eventually(ctx, func() error { return s.labelled(ctx, s.name()+marker, openFrance, frenchZone) })
		if err != nil {
			return broken{err}
		}
	}
	return nil
}

// isConflict tells whether somebody else wrote the object in the meantime. NodeRestriction, which comes before that is looked at, takes
// taints of a moment ago for taints that a kubelet would change.
func isConflict(err error) bool {
	return apierrors.IsConflict(err) || err != nil && strings.Contains(err.Error(), "not allowed to modify taints")
}
