package guard_test

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
)

const (
	terroir             = "terroir.dev/v1alpha1"
	namespaceController = "system:serviceaccount:kube-system:namespace-controller"
	garbageCollector    = "system:serviceaccount:kube-system:generic-garbage-collector"
)

// changes, makes and deletes are requests about an object of which only the name matters.
func changes(resource, apiVersion, kind, ns, name string) fencetest.Request {
	return fencetest.Change(resource, named(apiVersion, kind, ns, name), named(apiVersion, kind, ns, name))
}

func makes(resource, apiVersion, kind, ns, name string) fencetest.Request {
	return fencetest.Change(resource, nil, named(apiVersion, kind, ns, name))
}

func deletes(resource, apiVersion, kind, ns, name string) fencetest.Request {
	return fencetest.Change(resource, named(apiVersion, kind, ns, name), nil)
}

func TestTerroirAloneWritesWhatANamespaceOwes(t *testing.T) {
	const refused = "a PlacementFloor says what a namespace owes, and Terroir alone writes it, from the policies and the namespace; to demand more, create a PlacementPolicy; to demand less, change the ClusterPlacementPolicy that requires it"
	floor := func(of func(resource, apiVersion, kind, ns, name string) fencetest.Request) fencetest.Request {
		return of("placementfloors", terroir, "PlacementFloor", "hr", "floor")
	}
	judge(t, "terroir-floors", map[string]judged{
		"somebody makes one":                             {by("dev", floor(makes)), refused},
		"somebody changes one":                           {by("dev", floor(changes)), refused},
		"somebody deletes one":                           {by("dev", floor(deletes)), refused},
		"somebody deletes all of them":                   {by("dev", all(floor(deletes))), refused},
		"an administrator changes one":                   {by("root", floor(changes)), refused},
		"the namespace controller deletes all":           {request: by(namespaceController, all(floor(deletes)))},
		"the garbage collector deletes one":              {request: by(garbageCollector, floor(deletes))},
		"the controller manager, with one account, does": {request: by("system:kube-controller-manager", floor(deletes))},
		"the namespace controller changes one":           {by(namespaceController, floor(changes)), refused},
		"the namespace controller makes one":             {by(namespaceController, floor(makes)), refused},
		"Terroir makes one":                              {request: by(placement.OperatorUser, floor(makes))},
		"Terroir deletes one":                            {request: by(placement.OperatorUser, floor(deletes))},
		"whoever maintains Terroir changes one":          {request: maintainer(floor(changes))},
	})
}

func TestTerroirAloneTellsWhatItFound(t *testing.T) {
	const (
		refused = "the status of a Zone says what Terroir found, and Terroir alone writes it"
		lost    = "TerroirConfig/cluster says who may bind governed pods, and without it none of them is bound; change it instead of deleting it"
	)
	status := through("status", changes("zones", terroir, "Zone", "", "paris"))
	config := deletes("terroirconfigs", terroir, "TerroirConfig", "", "cluster")
	judge(t, "terroir-statuses", map[string]judged{
		"somebody writes a status":                   {by("dev", status), refused},
		"an administrator writes a status":           {by("root", status), refused},
		"Terroir writes a status":                    {request: by(placement.OperatorUser, status)},
		"whoever maintains Terroir writes a status":  {request: maintainer(status)},
		"an administrator deletes the settings":      {by("root", config), lost},
		"an administrator deletes all settings":      {by("root", all(config)), lost},
		"the garbage collector deletes the settings": {by(garbageCollector, config), lost},
		"whoever maintains Terroir deletes them":     {request: maintainer(config)},
	})
}

func TestWhatTerroirConsistsOfStays(t *testing.T) {
	refused := func(what string) string {
		return what + " is part of Terroir, on which the placement of governed pods rests; only those may change it to whom RBAC grants the verb maintain on installations.terroir.dev"
	}
	const crd, rbac, hooks = "apiextensions.k8s.io/v1", "rbac.authorization.k8s.io/v1", "admissionregistration.k8s.io/v1"
	kind := func(name string) fencetest.Request {
		return changes("customresourcedefinitions", crd, "CustomResourceDefinition", "", name)
	}
	served := "v1alpha1.terroir.dev"
	service := makes("apiservices", "apiregistration.k8s.io/v1", "APIService", "", served)
	role := deletes("clusterroles", rbac, "ClusterRole", "", "terroir-manager")
	home := deletes("namespaces", "v1", "Namespace", "", "terroir-system")
	judge(t, "terroir-installation", map[string]judged{
		"an administrator changes a kind of Terroir's":       {by("root", kind("zones.terroir.dev")), refused("CustomResourceDefinition zones.terroir.dev")},
		"an administrator changes what the kind's status is": {by("root", through("status", kind("zones.terroir.dev"))), refused("CustomResourceDefinition zones.terroir.dev")},
		"an administrator deletes every kind":                {by("root", all(deletes("customresourcedefinitions", crd, "CustomResourceDefinition", "", "zones.terroir.dev"))), refused("CustomResourceDefinition zones.terroir.dev")},
		"an administrator changes another kind":              {request: by("root", kind("zones.example.org"))},
		"an administrator changes a kind that ends alike":    {request: by("root", kind("zones.notterroir.dev"))},
		"the API server publishes a kind":                    {request: by("system:apiserver", through("status", kind("zones.terroir.dev")))},
		"somebody serves Terroir's kinds in its stead":       {by("root", service), refused("APIService " + served)},
		"the API server serves Terroir's kinds":              {request: by("system:apiserver", service)},

		"an administrator deletes a role":                   {by("root", role), refused("ClusterRole terroir-manager")},
		"an administrator deletes every role":               {by("root", all(role)), refused("ClusterRole terroir-manager")},
		"an administrator makes a role of a reserved name":  {by("root", makes("clusterroles", rbac, "ClusterRole", "", "terroir-x")), refused("ClusterRole terroir-x")},
		"an administrator makes one with Terroir's name":    {by("root", makes("clusterrolebindings", rbac, "ClusterRoleBinding", "", "terroir")), refused("ClusterRoleBinding terroir")},
		"an administrator deletes a role that begins alike": {request: by("root", deletes("clusterroles", rbac, "ClusterRole", "", "terroirists"))},
		"the garbage collector deletes a role":              {by(garbageCollector, role), refused("ClusterRole terroir-manager")},
		"an administrator points a webhook elsewhere":       {by("root", changes("validatingwebhookconfigurations", hooks, "ValidatingWebhookConfiguration", "", "terroir")), refused("ValidatingWebhookConfiguration terroir")},
		"an administrator changes another webhook":          {request: by("root", changes("mutatingwebhookconfigurations", hooks, "MutatingWebhookConfiguration", "", "istio"))},
		"Terroir writes its certificate into a webhook":     {request: by(placement.OperatorUser, changes("mutatingwebhookconfigurations", hooks, "MutatingWebhookConfiguration", "", "terroir"))},

		"an administrator deletes Terroir's namespace":    {by("root", home), refused("Namespace terroir-system")},
		"the namespace controller ends its deletion":      {request: by(namespaceController, through("finalize", changes("namespaces", "v1", "Namespace", "", "terroir-system")))},
		"an administrator finalizes it":                   {by("root", through("finalize", changes("namespaces", "v1", "Namespace", "", "terroir-system"))), refused("Namespace terroir-system")},
		"an administrator deletes a namespace like it":    {request: by("root", deletes("namespaces", "v1", "Namespace", "", "terroir-demo"))},
		"whoever maintains Terroir deletes its namespace": {request: maintainer(home)},
		"whoever maintains Terroir deletes a role":        {request: maintainer(role)},
		"whoever maintains Terroir changes a kind":        {request: maintainer(kind("zones.terroir.dev"))},
	})
}

func TestTerroirsNamespaceIsItsOwn(t *testing.T) {
	const refused = "namespace terroir-system belongs to Terroir, on which the placement of governed pods rests; only those may change anything there to whom RBAC grants the verb maintain on installations.terroir.dev"
	pod := makes("pods", "v1", "Pod", "terroir-system", "intruder")
	exec := fencetest.Request{
		Kind: corev1.SchemeGroupVersion.WithKind("PodExecOptions"), Resource: corev1.SchemeGroupVersion.WithResource("pods"), SubResource: "exec",
		Operation: admission.Connect, Object: &corev1.PodExecOptions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodExecOptions"}, Command: []string{"sh"}},
	}
	byNode := by("system:node:n1", through("status", changes("pods", "v1", "Pod", "terroir-system", "terroir-0")))
	byNode.Groups = []string{"system:nodes", "system:authenticated"}
	annotated := func(subresource, key string) fencetest.Request {
		was := named("v1", "Pod", "terroir-system", "terroir-0")
		is := was.DeepCopyObject().(*metav1.PartialObjectMetadata)
		is.Annotations = map[string]string{key: "10.0.0.1"}
		return through(subresource, fencetest.Change("pods", was, is))
	}
	mirror := by("system:node:n1", pod)
	mirror.Groups = []string{"system:nodes"}
	judge(t, "terroir-home", map[string]judged{
		"a network plugin annotates a pod":                  {request: by("cni", annotated("status", "cni.projectcalico.org/podIP"))},
		"somebody annotates a pod in Terroir's name":        {by("cni", annotated("status", "terroir.dev/placement")), refused},
		"a kubelet mirrors a static pod behind the Service": {mirror, refused},
		"an administrator runs a pod there":                 {by("root", pod), refused},
		"an administrator enters a container":               {by("root", exec), refused},
		"an administrator asks for a token":                 {by("root", through("token", makes("serviceaccounts", "v1", "ServiceAccount", "terroir-system", "terroir-manager"))), refused},
		"an administrator points the Service elsewhere":     {by("root", changes("endpointslices", "discovery.k8s.io/v1", "EndpointSlice", "terroir-system", "terroir-x")), refused},
		"an administrator deletes every Secret":             {by("root", all(deletes("secrets", "v1", "Secret", "terroir-system", "certificate"))), refused},
		"an administrator tells an event":                   {request: by("root", makes("events", "v1", "Event", "terroir-system", "x"))},
		"an administrator tells an event of the new kind":   {request: by("root", makes("events", "events.k8s.io/v1", "Event", "terroir-system", "x"))},
		"a kubelet tells how its pod is":                    {request: byNode},
		"somebody calls himself a kubelet":                  {by("system:node:n1", pod), refused},
		"a controller makes a pod":                          {request: by("system:serviceaccount:kube-system:replicaset-controller", pod)},
		"a service account called like a controller":        {by("system:serviceaccount:hr:replicaset-controller", pod), refused},
		"the scheduler binds a pod":                         {request: by("system:kube-scheduler", through("binding", makes("pods", "v1", "Binding", "terroir-system", "terroir-0")))},
		"the API server writes there":                       {request: by("system:apiserver", changes("configmaps", "v1", "ConfigMap", "terroir-system", "x"))},
		"Terroir renews its Lease":                          {request: by(placement.OperatorUser, changes("leases", "coordination.k8s.io/v1", "Lease", "terroir-system", "terroir"))},
		"Terroir's namespace is emptied":                    {request: by(namespaceController, all(deletes("secrets", "v1", "Secret", "terroir-system", "certificate")))},
		"whoever maintains Terroir runs a pod there":        {request: maintainer(pod)},
		"whoever maintains Terroir enters a container":      {request: maintainer(exec)},
	})
}

const keyprobe = "system:serviceaccount:terroir-system:terroir-keyprobe"

func TestAnObserverTellsWhatItSawItself(t *testing.T) {
	refused := func(observer string) string {
		return "a KeyObservation of observer " + observer + " says what that observer saw of a key, and it alone writes it: Terroir for manager, the agent beside it for agent, for a zone the agent there; it comes and goes with the EncryptionKey"
	}
	of := func(observer string) runtime.Object {
		o := &v1alpha1.KeyObservation{Spec: v1alpha1.KeyObservationSpec{Key: "health-kek", Observer: v1alpha1.ObjectName(observer)}}
		o.APIVersion, o.Kind, o.Name = terroir, "KeyObservation", "health-kek."+observer
		return o
	}
	tells := func(observer string) fencetest.Request {
		return fencetest.Change("keyobservations", nil, of(observer))
	}
	tellsAgain := func(observer string) fencetest.Request {
		return fencetest.Change("keyobservations", of(observer), of(observer))
	}
	takesBack := func(observer string) fencetest.Request {
		return fencetest.Change("keyobservations", of(observer), nil)
	}
	judge(t, "terroir-key-observations", map[string]judged{
		"Terroir tells what it saw":                         {request: by(placement.OperatorUser, tells("manager"))},
		"Terroir tells what a zone saw":                     {by(placement.OperatorUser, tells("paris")), refused("paris")},
		"Terroir clears away what a zone saw":               {request: by(placement.OperatorUser, takesBack("paris"))},
		"the agent beside Terroir tells what it saw":        {request: by(keyprobe, tells("agent"))},
		"the agent beside Terroir tells what Terroir saw":   {by(keyprobe, tells("manager")), refused("manager")},
		"the agent beside Terroir tells what a zone saw":    {by(keyprobe, tells("paris")), refused("paris")},
		"a zone's agent tells what it saw":                  {request: by(keyprobe+"-paris", tells("paris"))},
		"a zone's agent tells it again":                     {request: by(keyprobe+"-paris", tellsAgain("paris"))},
		"a zone's agent takes it back":                      {request: by(keyprobe+"-paris", takesBack("paris"))},
		"the agent of a zone whose name has a dot":          {request: by(keyprobe+"-paris.one", tells("paris.one"))},
		"a zone's agent tells what another saw":             {by(keyprobe+"-paris", tells("milan")), refused("milan")},
		"a zone's agent takes back what another saw":        {by(keyprobe+"-paris", takesBack("milan")), refused("milan")},
		"a zone's agent makes another's its own":            {by(keyprobe+"-paris", fencetest.Change("keyobservations", of("milan"), of("paris"))), refused("paris")},
		"a zone's agent makes its own another's":            {by(keyprobe+"-paris", fencetest.Change("keyobservations", of("paris"), of("milan"))), refused("milan")},
		"a zone's agent tells what Terroir saw":             {by(keyprobe+"-paris", tells("manager")), refused("manager")},
		"the agent of a zone that is called manager":        {by(keyprobe+"-manager", tells("manager")), refused("manager")},
		"the agent of a zone that is called agent":          {by(keyprobe+"-agent", tells("agent")), refused("agent")},
		"a service account of that name elsewhere":          {by("system:serviceaccount:hr:terroir-keyprobe-paris", tells("paris")), refused("paris")},
		"an administrator tells what nobody saw":            {by("root", tells("paris")), refused("paris")},
		"an administrator has nobody have seen it":          {by("root", all(takesBack("paris"))), refused("paris")},
		"the garbage collector clears away what is left":    {request: by(garbageCollector, takesBack("paris"))},
		"the garbage collector tells something":             {by(garbageCollector, tellsAgain("paris")), refused("paris")},
		"whoever maintains Terroir restores what was there": {request: maintainer(tells("paris"))},
	})
}

func TestAnAgentWritesTheLatchOfAKeyStoreAndNothingElse(t *testing.T) {
	const refused = "the status of a KeyStore says what Terroir found, and Terroir alone writes it"
	store := func(status v1alpha1.KeyStoreStatus) runtime.Object {
		s := &v1alpha1.KeyStore{Status: status}
		s.APIVersion, s.Kind, s.Name, s.Spec.Type = terroir, "KeyStore", "paris-hsm", v1alpha1.KeyStorePKCS11
		return s
	}
	ready := func(verified int32, message string, login *v1alpha1.KeyStoreLogin) v1alpha1.KeyStoreStatus {
		status := v1alpha1.KeyStoreStatus{Keys: 3, Verified: verified, Login: login}
		status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Message: message}}
		return status
	}
	changed := func(was, is v1alpha1.KeyStoreStatus) fencetest.Request {
		return through("status", fencetest.Change("keystores", store(was), store(is)))
	}
	ofZones := func(was, is v1alpha1.KeyStoreStatus) fencetest.Request {
		r := changed(was, is)
		for _, o := range []runtime.Object{r.Object, r.Old} {
			o.(*v1alpha1.KeyStore).Spec.Probe.From = v1alpha1.ProbeFromAgent
		}
		return r
	}
	trying, failed := &v1alpha1.KeyStoreLogin{State: v1alpha1.LoginTrying}, &v1alpha1.KeyStoreLogin{State: v1alpha1.LoginFailed}
	judge(t, "terroir-statuses", map[string]judged{
		"an agent closes the latch": {request: by(keyprobe+"-paris", ofZones(ready(3, "", nil), ready(3, "", trying)))},
		"a zone's agent opens that of a store which the agent beside Terroir asks": {by(keyprobe+"-paris", changed(ready(3, "", failed), ready(3, "", nil))), refused},
		"the agent beside Terroir opens that of a store which zones ask":           {by(keyprobe, ofZones(ready(3, "", failed), ready(3, "", nil))), refused},
		"an agent tells what came of it":                                           {request: by(keyprobe, changed(ready(3, "", trying), ready(3, "", failed)))},
		"an agent closes the latch of a new store":                                 {request: by(keyprobe, changed(v1alpha1.KeyStoreStatus{}, v1alpha1.KeyStoreStatus{Login: trying}))},
		"an agent says how many keys are verified":                                 {by(keyprobe, changed(ready(2, "", trying), ready(3, "", failed))), refused},
		"an agent writes a condition":                                              {by(keyprobe, changed(ready(3, "", trying), ready(3, "all is well", failed))), refused},
		"an agent takes conditions away":                                           {by(keyprobe, changed(ready(3, "", trying), v1alpha1.KeyStoreStatus{Keys: 3, Verified: 3, Login: failed})), refused},
		"an agent writes what a key was found to be":                               {by(keyprobe, through("status", changes("encryptionkeys", terroir, "EncryptionKey", "", "health-kek"))), "the status of a EncryptionKey says what Terroir found, and Terroir alone writes it"},
		"an administrator opens the latch":                                         {by("root", changed(ready(3, "", failed), ready(3, "", nil))), refused},
		"Terroir writes the status":                                                {request: by(placement.OperatorUser, changed(ready(3, "", failed), ready(0, "x", failed)))},
		"whoever maintains Terroir opens the latch":                                {request: maintainer(changed(ready(3, "", failed), ready(3, "", nil)))},
		"an agent deletes the settings of Terroir":                                 {by(keyprobe, deletes("terroirconfigs", terroir, "TerroirConfig", "", "cluster")), "TerroirConfig/cluster says who may bind governed pods, and without it none of them is bound; change it instead of deleting it"},
		"an agent writes the status of something else":                             {by(keyprobe, through("status", changes("zones", terroir, "Zone", "", "paris"))), "the status of a Zone says what Terroir found, and Terroir alone writes it"},
	})
}

func TestAnAgentWritesItsOwnLeasesInTerroirsNamespace(t *testing.T) {
	const refused = "namespace terroir-system belongs to Terroir, on which the placement of governed pods rests; only those may change anything there to whom RBAC grants the verb maintain on installations.terroir.dev"
	lease := func(name, store, observer, holder string) runtime.Object {
		l := &coordinationv1.Lease{TypeMeta: metav1.TypeMeta{APIVersion: "coordination.k8s.io/v1", Kind: "Lease"}}
		l.Namespace, l.Name, l.Labels = "terroir-system", name, map[string]string{"terroir.dev/key-store": store, "terroir.dev/observer": observer}
		l.Spec.HolderIdentity = &holder
		return l
	}
	const paris = keyprobe + "-paris"
	own, manager, beside := lease("keys.hsm.paris", "hsm", "paris", "paris"), lease("keys.hsm.manager", "hsm", "manager", "manager"), lease("keys.hsm.agent", "hsm", "agent", "agent")
	election := func(name string) fencetest.Request {
		return makes("leases", "coordination.k8s.io/v1", "Lease", "terroir-system", name)
	}
	leases := func(was, is runtime.Object) fencetest.Request { return fencetest.Change("leases", was, is) }
	judge(t, "terroir-home", map[string]judged{
		"a zone's agent says that what it saw still holds": {request: by(paris, leases(nil, own))},
		"it says so again":                                       {request: by(paris, leases(own, own))},
		"the agent beside Terroir does":                          {request: by(keyprobe, leases(beside, beside))},
		"the agent beside Terroir says so for Terroir":           {by(keyprobe, leases(manager, manager)), refused},
		"the agent of a zone whose name has a dot":               {request: by(keyprobe+"-old.paris", leases(nil, lease("keys.hsm.old.paris", "hsm", "old.paris", "old.paris")))},
		"a zone's agent makes that of a zone that ends alike":    {by(paris, leases(nil, lease("keys.hsm.old.paris", "hsm.old", "paris", "paris"))), refused},
		"a zone's agent says so for Terroir":                     {by(paris, leases(manager, manager)), refused},
		"a zone's agent makes the Lease of another":              {by(paris, leases(nil, lease("keys.hsm.milan", "hsm", "milan", "milan"))), refused},
		"a zone's agent makes its Lease another's by label":      {by(paris, leases(own, lease("keys.hsm.paris", "hsm", "milan", "paris"))), refused},
		"a zone's agent makes its Lease another's by its holder": {by(paris, leases(own, lease("keys.hsm.paris", "hsm", "paris", "milan"))), refused},
		"a zone's agent takes that of a zone that ends alike":    {by(paris, leases(lease("keys.hsm.old.paris", "hsm", "old.paris", "old.paris"), lease("keys.hsm.old.paris", "hsm.old", "paris", "paris"))), refused},
		"a zone's agent deletes its Lease":                       {by(paris, leases(own, nil)), refused},
		"replicas of an agent agree on which speaks":             {request: by(paris, election("terroir-keyprobe-paris"))},
		"replicas of the agent beside Terroir do":                {request: by(keyprobe, election("terroir-keyprobe-agent"))},
		"a zone's agent speaks for another's":                    {by(paris, election("terroir-keyprobe-milan")), refused},
		"an agent leads in Terroir's stead":                      {by(keyprobe, election("terroir-manager")), refused},
		"an agent writes a Secret":                               {by(keyprobe, makes("secrets", "v1", "Secret", "terroir-system", "terroir-keyprobe-manager")), refused},
		"an agent runs a pod":                                    {by(keyprobe, makes("pods", "v1", "Pod", "terroir-system", "terroir-keyprobe-manager")), refused},
	})
}
