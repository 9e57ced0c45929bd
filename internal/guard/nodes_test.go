package guard_test

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
)

const (
	open    = v1alpha1.OpenLabelPrefix + "c5"
	held    = v1alpha1.HeldLabelPrefix + "c5"
	zone    = v1alpha1.ZoneLabel
	stamp   = "terroir.node-restriction.kubernetes.io/provider-id-from"
	kubelet = "system:node:n1"

	ga         = "topology.kubernetes.io/zone"
	gaRegion   = "topology.kubernetes.io/region"
	beta       = "failure-domain.beta.kubernetes.io/zone"
	betaRegion = "failure-domain.beta.kubernetes.io/region"
)

type labels map[string]string

func node(providerID string, l labels) *corev1.Node {
	n := &corev1.Node{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Node"}, ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: l}}
	n.Spec.ProviderID = providerID
	return n
}

func created(providerID string, l labels) fencetest.Request {
	return fencetest.Change("nodes", nil, node(providerID, l))
}

func relabelled(was, is labels) fencetest.Request {
	return fencetest.Change("nodes", node("", was), node("", is))
}

// identified gives a node a providerID that had none.
func identified(was, is labels) fencetest.Request {
	return fencetest.Change("nodes", node("", was), node("cloud://1", is))
}

func TestTerroirAloneSaysWhatANodeIsWorth(t *testing.T) {
	refused := func(key string) string {
		return "label " + key + " of node n1 says what the node is worth, and Terroir alone writes it; to change what a node satisfies, change the catalogue"
	}
	stranger := "example.org/terroir.node-restriction.kubernetes.io"
	judge(t, "terroir-nodes", map[string]judged{
		"a node registers":                           {request: by(kubelet, created("", labels{"a": "b"}))},
		"a node registers without any label":         {request: by(kubelet, created("", nil))},
		"a node registers as one that is worth much": {by(kubelet, created("", labels{open: "a"})), refused(open)},
		"its kubelet opens it":                       {by(kubelet, relabelled(nil, labels{open: "a"})), refused(open)},
		"its kubelet opens it through its status":    {by(kubelet, through("status", relabelled(nil, labels{open: "a"}))), refused(open)},
		"an administrator puts it into a zone":       {by("root", relabelled(labels{"a": "b"}, labels{"a": "b", zone: "paris"})), refused(zone)},
		"an administrator puts it into another zone": {by("root", relabelled(labels{zone: "paris"}, labels{zone: "rome"})), refused(zone)},
		"an administrator takes a level off it":      {by("root", relabelled(labels{held: "true"}, nil)), refused(held)},
		"whoever maintains Terroir opens it":         {maintainer(relabelled(nil, labels{open: "a"})), refused(open)},
		"of several labels the first is told":        {by("root", relabelled(labels{zone: "paris"}, labels{open: "a", held: "true"})), refused(held)},
		"Terroir opens it":                           {request: by(placement.OperatorUser, relabelled(nil, labels{open: "a", zone: "paris"}))},
		"other labels change":                        {request: by("root", relabelled(labels{zone: "paris", "a": "b"}, labels{zone: "paris", "a": "c", "d": "e"}))},
		"a label is only called alike":               {request: by("root", relabelled(nil, labels{stranger: "x", "node-restriction.kubernetes.io/terroir": "x"}))},

		"a kubelet says that it set the providerID":                                    {by(kubelet, created("cloud://1", labels{stamp: "kubelet"})), refused(stamp)},
		"a kubelet sets the providerID, and says that the cloud controller did":        {by(kubelet, identified(nil, labels{stamp: "cloud-controller"})), refused(stamp)},
		"a kubelet says that the cloud controller set the providerID":                  {by(kubelet, created("cloud://1", labels{stamp: "cloud-controller"})), refused(stamp)},
		"a cloud controller says that it set the providerID":                           {request: by(cloudController, identified(nil, labels{stamp: "cloud-controller"}))},
		"an administrator says that the cloud controller set it":                       {by("root", identified(nil, labels{stamp: "cloud-controller"})), refused(stamp)},
		"a cloud controller claims a providerID that is there already":                 {by(cloudController, fencetest.Change("nodes", node("cloud://1", labels{stamp: "other"}), node("cloud://1", labels{stamp: "cloud-controller"}))), refused(stamp)},
		"a cloud controller claims a providerID that is not there":                     {by(cloudController, relabelled(nil, labels{stamp: "cloud-controller"})), refused(stamp)},
		"a cloud controller claims a providerID through the status, which sets none":   {by(cloudController, through("status", identified(nil, labels{stamp: "cloud-controller"}))), refused(stamp)},
		"it is no longer told who set the providerID":                                  {by("root", fencetest.Change("nodes", node("cloud://1", labels{stamp: "other"}), node("cloud://1", nil))), refused(stamp)},
		"it is no longer told who set the providerID, in a request that sets it":       {by("root", identified(labels{stamp: "other"}, nil)), refused(stamp)},
		"it is told that nobody set the providerID":                                    {by("root", relabelled(nil, labels{stamp: ""})), refused(stamp)},
		"who sets the providerID also opens the node":                                  {by(cloudController, identified(nil, labels{stamp: "cloud-controller", open: "a"})), refused(open)},
		"a providerID that somebody vouched for stays as it is while its node changes": {request: by("root", fencetest.Change("nodes", node("cloud://1", labels{stamp: "other"}), node("cloud://1", labels{stamp: "other", "a": "b"})))},
	})
}

// TestANodeDoesNotMove: what the keeper leaves of the labels that a request asks for. It never refuses.
func TestANodeDoesNotMove(t *testing.T) {
	for sentence, c := range map[string]struct {
		request fencetest.Request
		want    labels
	}{
		"a kubelet registers where it says":                           {by(kubelet, created("", labels{ga: "a", beta: "b"})), labels{ga: "a", beta: "b"}},
		"a kubelet changes its zone":                                  {by(kubelet, relabelled(labels{ga: "a"}, labels{ga: "b", "c": "d"})), labels{ga: "a", "c": "d"}},
		"a kubelet changes its zone through its status":               {by(kubelet, through("status", relabelled(labels{ga: "a"}, labels{ga: "b"}))), labels{ga: "a"}},
		"a kubelet changes its region":                                {by(kubelet, relabelled(labels{gaRegion: "a"}, labels{gaRegion: "b"})), labels{gaRegion: "a"}},
		"a kubelet changes its beta labels":                           {by(kubelet, relabelled(labels{beta: "a", betaRegion: "b"}, labels{beta: "c", betaRegion: "d"})), labels{beta: "a", betaRegion: "b"}},
		"a kubelet takes its zone off":                                {by(kubelet, relabelled(labels{ga: "a", "c": "d"}, labels{"c": "d"})), labels{ga: "a", "c": "d"}},
		"a kubelet takes all labels off":                              {by(kubelet, relabelled(labels{ga: "a", gaRegion: "b"}, nil)), labels{ga: "a", gaRegion: "b"}},
		"a kubelet adds a beta zone that says something else":         {by(kubelet, relabelled(labels{ga: "a"}, labels{ga: "a", beta: "b"})), labels{ga: "a"}},
		"a kubelet adds a beta region that says something else":       {by(kubelet, relabelled(labels{gaRegion: "a"}, labels{gaRegion: "a", betaRegion: "b"})), labels{gaRegion: "a"}},
		"a kubelet adds a beta zone that says the same":               {by(kubelet, relabelled(labels{ga: "a"}, labels{ga: "a", beta: "a"})), labels{ga: "a", beta: "a"}},
		"a kubelet changes its zone, and adds the beta one that fits": {by(kubelet, relabelled(labels{ga: "a"}, labels{ga: "b", beta: "b"})), labels{ga: "a"}},
		"a kubelet changes a beta zone that had a successor":          {by(kubelet, relabelled(labels{ga: "a", beta: "a"}, labels{ga: "a", beta: "b"})), labels{ga: "a", beta: "a"}},
		"a kubelet moves whose beta zone was wrong before":            {by(kubelet, relabelled(labels{ga: "a", beta: "b"}, labels{ga: "c", beta: "b"})), labels{ga: "a", beta: "b"}},
		"a kubelet adds a beta zone where it had none":                {by(kubelet, relabelled(labels{"c": "d"}, labels{"c": "d", beta: "a"})), labels{"c": "d", beta: "a"}},
		"a kubelet adds a zone where it had none":                     {by(kubelet, relabelled(labels{"c": "d"}, labels{"c": "d", ga: "a"})), labels{"c": "d", ga: "a"}},
		"a kubelet changes the zone of another node":                  {by("system:node:n2", relabelled(labels{ga: "a"}, labels{ga: "b"})), labels{ga: "a"}},
		"a kubelet changes other labels":                              {by(kubelet, relabelled(labels{ga: "a", "c": "d"}, labels{ga: "a", "c": "e"})), labels{ga: "a", "c": "e"}},
		"the cloud controller moves a node":                           {by(cloudController, relabelled(labels{ga: "a"}, labels{ga: "b"})), labels{ga: "b"}},
		"an administrator adds a beta zone that says something else":  {by("root", relabelled(labels{ga: "a"}, labels{ga: "a", beta: "b"})), labels{ga: "a", beta: "b"}},

		"a kubelet registers with a providerID":                          {by(kubelet, created("cloud://1", nil)), nil},
		"the cloud controller registers a node with a providerID":        {by(cloudController, created("cloud://1", labels{"a": "b"})), labels{"a": "b", stamp: "cloud-controller"}},
		"an administrator registers a node with a providerID":            {by("root", created("cloud://1", nil)), labels{stamp: "other"}},
		"a node registers without a providerID":                          {by(kubelet, created("", nil)), nil},
		"the cloud controller sets the providerID":                       {by(cloudController, identified(nil, nil)), labels{stamp: "cloud-controller"}},
		"a kubelet sets the providerID, and moves":                       {by(kubelet, identified(labels{ga: "a"}, labels{ga: "b"})), labels{ga: "a"}},
		"the stamp is taken off where the providerID is set":             {by("root", identified(labels{stamp: "other"}, nil)), labels{stamp: "other"}},
		"a providerID in a request for the status, which cannot set one": {by(cloudController, through("status", identified(nil, labels{"a": "b"}))), labels{"a": "b"}},
		"a providerID that stays":                                        {by(cloudController, fencetest.Change("nodes", node("cloud://1", labels{stamp: "other"}), node("cloud://1", labels{stamp: "other"}))), labels{stamp: "other"}},
	} {
		t.Run(sentence, func(t *testing.T) {
			kept, err := compile(t).Mutate("terroir-nodes", c.request)
			if err != nil {
				t.Fatal(err)
			}
			want := c.request.Object.(*corev1.Node).DeepCopy()
			want.Labels = c.want
			got := kept.(*corev1.Node)
			if len(got.Labels) == 0 && len(want.Labels) == 0 {
				got.Labels, want.Labels = nil, nil
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the node (-want +got):\n%s", diff)
			}
			admitted(t, c.request, got)
		})
	}
}

// admitted checks that the guard admits what the keeper has put right.
func admitted(t *testing.T, r fencetest.Request, kept *corev1.Node) {
	t.Helper()
	r.Object = kept
	if denials, err := compile(t).Validate("terroir-nodes", r); err != nil || len(denials) > 0 {
		t.Errorf("what the keeper leaves of %v is refused: %q, %v", maps.Clone(kept.Labels), denials, err)
	}
}

func TestAKubeletSaysWhichDriversItHas(t *testing.T) {
	drivers := func(names ...string) *storagev1.CSINode {
		n := &storagev1.CSINode{TypeMeta: metav1.TypeMeta{APIVersion: "storage.k8s.io/v1", Kind: "CSINode"}, ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
		for _, name := range names {
			n.Spec.Drivers = append(n.Spec.Drivers, storagev1.CSINodeDriver{Name: name, NodeID: "1"})
		}
		return n
	}
	annotated := drivers("a")
	annotated.Annotations = map[string]string{"x": "y"}
	const refused = "CSINode n1 says by which CSI drivers its node may be recognised, and only the kubelet of that node writes it"
	judge(t, "terroir-csinodes", map[string]judged{
		"a kubelet creates its own":                     {request: by(kubelet, fencetest.Change("csinodes", nil, drivers()))},
		"a kubelet adds a driver to its own":            {request: by(kubelet, fencetest.Change("csinodes", drivers(), drivers("a")))},
		"a kubelet adds a driver to another's":          {by("system:node:n2", fencetest.Change("csinodes", drivers(), drivers("a"))), refused},
		"a kubelet creates another's":                   {by("system:node:n2", fencetest.Change("csinodes", nil, drivers())), refused},
		"an administrator takes a driver away":          {by("root", fencetest.Change("csinodes", drivers("a"), drivers())), refused},
		"Terroir, which has no business there":          {by(placement.OperatorUser, fencetest.Change("csinodes", nil, drivers("a"))), refused},
		"whoever maintains Terroir adds a driver":       {request: maintainer(fencetest.Change("csinodes", drivers(), drivers("a")))},
		"an administrator changes something else":       {request: by("root", fencetest.Change("csinodes", drivers("a"), annotated))},
		"the kubelet of a node whose name begins alike": {by("system:node:n11", fencetest.Change("csinodes", drivers(), drivers("a"))), refused},
	})
}

// TestStrangersDoNotMoveNodes: the place labels that are there change by the cloud controller and by those who maintain Terroir.
func TestStrangersDoNotMoveNodes(t *testing.T) {
	refused := func(label string) string {
		return "label " + label + " of node n1 says where the node is, and pods go where it is qualified; only the cloud controller (cloudControllerUsers in TerroirConfig/cluster) changes it, " +
			"or whoever RBAC grants the verb maintain on installations.terroir.dev"
	}
	judge(t, "terroir-node-places", map[string]judged{
		"a labeller changes the zone":                            {by("labeller", relabelled(labels{ga: "a"}, labels{ga: "b"})), refused(ga)},
		"a labeller changes the zone through the status":         {by("labeller", through("status", relabelled(labels{ga: "a"}, labels{ga: "b"}))), refused(ga)},
		"a labeller takes the region off":                        {by("labeller", relabelled(labels{gaRegion: "a"}, nil)), refused(gaRegion)},
		"a labeller adds a beta zone that says something else":   {by("labeller", relabelled(labels{ga: "a"}, labels{ga: "a", beta: "b"})), refused(beta)},
		"a labeller adds a beta zone that says the same":         {request: by("labeller", relabelled(labels{ga: "a"}, labels{ga: "a", beta: "a"}))},
		"a labeller adds a zone where there was none":            {request: by("labeller", relabelled(nil, labels{ga: "a"}))},
		"a labeller changes other labels":                        {request: by("labeller", relabelled(labels{ga: "a", "c": "d"}, labels{ga: "a", "c": "e"}))},
		"the cloud controller moves a node":                      {request: by(cloudController, relabelled(labels{ga: "a"}, labels{ga: "b"}))},
		"whoever maintains Terroir moves a node":                 {request: maintainer(relabelled(labels{ga: "a"}, labels{ga: "b"}))},
		"a kubelet, whose change is not taken, is never refused": {request: by(kubelet, relabelled(labels{ga: "a"}, labels{ga: "b"}))},
	})
}
