package doors

// who is a user, as far as it matters what they may do.
type who struct {
	words string
	// user gives the name and the groups; they may depend on the stage's own namespace and node.
	user func(*stage) (name string, groups []string)
}

const (
	// platform is the namespace of service accounts that serve the whole cluster.
	platform = "doors-platform"
	// bootstrapID is the public half of a bootstrap token.
	bootstrapID = "abcdef"
)

func account(words, name string) who {
	return who{words, func(*stage) (string, []string) {
		return "system:serviceaccount:" + platform + ":" + name, []string{"system:serviceaccounts", "system:serviceaccounts:" + platform}
	}}
}

// agent is one that asks key stores, by the name of its service account, to which somebody granted more than config/keyprobe does.
func agent(words, name string) who {
	const home = "system:serviceaccounts:terroir-system"
	return person(words, "system:serviceaccount:terroir-system:"+name, "system:serviceaccounts", home)
}

func person(words, name string, groups ...string) who {
	return who{words, func(*stage) (string, []string) { return name, groups }}
}

// The users. What each may do is in ground_test.go.
var (
	// namespaceAdmin holds the stock ClusterRole admin in the stage's namespace, and nothing else.
	namespaceAdmin = person("namespace admin", "alice")
	// namespaceEditor holds the stock ClusterRole edit there.
	namespaceEditor = person("namespace editor", "eve")
	// worker is a service account of the namespace to which somebody granted more than admin has there: bindings, statuses, floors.
	worker = who{"service account of the namespace", func(s *stage) (string, []string) {
		return "system:serviceaccount:" + s.namespace() + ":worker", []string{"system:serviceaccounts", "system:serviceaccounts:" + s.namespace()}
	}}
	// kubelet is that of the stage's own node.
	kubelet = who{"kubelet", func(s *stage) (string, []string) { return "system:node:" + s.node(), []string{"system:nodes"} }}
	// otherKubelet is that of another node.
	otherKubelet = person("kubelet of another node", "system:node:abroad", "system:nodes")
	// unrestrictedKubelet is the kubelet as an API server without NodeRestriction sees it: that plugin looks at the group only.
	unrestrictedKubelet = who{"kubelet without NodeRestriction", func(s *stage) (string, []string) {
		return "system:node:" + s.node(), []string{"doors:unrestricted-kubelets"}
	}}
	daemon          = account("DaemonSet account that patches nodes", "daemon")
	secondScheduler = account("second scheduler", "second-scheduler")
	nodeMaker       = account("node autoscaler", "node-maker")
	cloudController = person("cloud controller", "system:serviceaccount:kube-system:cloud-controller-manager", "system:serviceaccounts", "system:serviceaccounts:kube-system")
	podOperator     = account("operator that patches pods", "pod-operator")
	tenantsOperator = account("tenants operator that edits namespaces", "tenants")
	storageEditor   = person("storage editor", "storage-editor")
	// otherAgent asks key stores from another zone than the one of which it tells, managersAgent beside Terroir.
	otherAgent        = agent("agent of another zone", "terroir-keyprobe-milan")
	managersAgent     = agent("agent beside Terroir", "terroir-keyprobe")
	agentNamedManager = agent("agent of a zone called manager", "terroir-keyprobe-manager")
	// platformEditor may write nearly everything but does not maintain Terroir.
	platformEditor = person("platform editor", "platform-editor")
	bootstrapper   = person("holder of a bootstrap token", "system:bootstrap:"+bootstrapID, "system:bootstrappers")
	scheduler      = person("kube-scheduler", "system:kube-scheduler")
	// collector is the garbage collector, whom an owner reference to something that is gone makes anybody's deputy.
	collector = person("garbage collector as a deputy", "system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccounts", "system:serviceaccounts:kube-system")
	// replicaSetController adopts what the selector of somebody's ReplicaSet fits.
	replicaSetController = person("replicaset controller as a deputy", "system:serviceaccount:kube-system:replicaset-controller", "system:serviceaccounts", "system:serviceaccounts:kube-system")
	approver             = person("certificate approver", "approver")
	administrator        = person("cluster-admin", "root", "system:masters")
)
