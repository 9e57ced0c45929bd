package controllers

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/trust"
)

// twoSites is a catalogue of two zones that satisfy the level here, recognised by the label place, and of one that does not.
func twoSites() *trust.View {
	zone := func(name string, country v1alpha1.Country) v1alpha1.Zone {
		return v1alpha1.Zone{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ZoneSpec{
			Country: country, Recognition: v1alpha1.ZoneRecognition{Labels: map[string]v1alpha1.LabelValue{"place": v1alpha1.LabelValue(name)}},
		}}
	}
	level := v1alpha1.TrustLevel{ObjectMeta: metav1.ObjectMeta{Name: "here"}, Spec: v1alpha1.TrustLevelSpec{Countries: []v1alpha1.Territory{"FR"}}}
	return trust.Compile(trust.Objects{Zones: []v1alpha1.Zone{zone("a", "FR"), zone("b", "FR"), zone("d", "DE")}, TrustLevels: []v1alpha1.TrustLevel{level}}).At(noon)
}

// audited is a world in which all is as its policies want it: namespace n has a policy that demands two sites, and on each of them a
// pod of one workload with a volume there; namespace free has none.
type audited struct {
	enforcement v1alpha1.Enforcement
	nodeLocal   v1alpha1.NodeLocalStorage
	pods        []*corev1.Pod
	world       demandWorld
}

func compliant() *audited {
	w := &audited{enforcement: v1alpha1.EnforcementEnforce}
	for _, site := range []string{"a", "b", "d"} {
		w.world.nodes = append(w.world.nodes, node("node-"+site, map[string]string{"place": site}))
	}
	w.world.nodes = append(w.world.nodes, node("stranger", nil))
	for _, name := range []string{"n", "free"} {
		w.world.namespaces = append(w.world.namespaces, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for _, site := range []string{"a", "b"} {
		w.pods = append(w.pods, w.shaped("web-"+site, "node-"+site))
		w.store("n", "data-web-"+site, site)
		w.attach("data-web-"+site, "node-"+site)
	}
	return w
}

// shaped is a pod as Terroir shapes it.
func (w *audited) shaped(name, on string) *corev1.Pod {
	p := replica(name, func(p *corev1.Pod) {
		p.Annotations, p.Spec.NodeName, p.Spec.Volumes = nil, on, p.Spec.Volumes[:1]
		honor, two := corev1.NodeInclusionPolicyHonor, int32(2)
		p.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew: 1, MinDomains: &two, TopologyKey: openHere, WhenUnsatisfiable: corev1.DoNotSchedule, NodeAffinityPolicy: &honor, NodeTaintsPolicy: &honor,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.WorkloadLabel: "rs"}},
		}}
	})
	return p
}

// store adds a claim with its volume in a place; empty: the volume says nothing.
func (w *audited) store(namespace, name, place string) *corev1.PersistentVolume {
	v := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
		ClaimRef:               &corev1.ObjectReference{Namespace: namespace, Name: name},
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "csi", VolumeHandle: name}},
	}}
	if place != "" {
		v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
			{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "place", Operator: corev1.NodeSelectorOpIn, Values: []string{place}}}},
		}}}
	}
	s := &w.world.storage
	s.volumes = append(s.volumes, v)
	s.claims = append(s.claims, corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: corev1.PersistentVolumeClaimSpec{VolumeName: name},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
	})
	return &s.volumes[len(s.volumes)-1]
}

func (w *audited) attach(volume, node string) {
	w.world.storage.attachments = append(w.world.storage.attachments, storagev1.VolumeAttachment{Spec: storagev1.VolumeAttachmentSpec{
		NodeName: node, Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &volume},
	}})
}

// audit is what the policy of namespace n finds.
func (w *audited) audit(t *testing.T) tally {
	t.Helper()
	l := newLooks()
	w.world.pods = map[string][]*seenPod{}
	for _, p := range w.pods {
		o, err := l.slim(p)
		if err != nil {
			t.Fatal(err)
		}
		w.world.pods[p.Namespace] = append(w.world.pods[p.Namespace], o.(*seenPod))
	}
	set := policy.Compile(policy.Objects{Levels: []string{"here"}, Policies: []v1alpha1.PlacementPolicy{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p"}, Spec: v1alpha1.PlacementPolicySpec{PlacementDemand: v1alpha1.PlacementDemand{
			TrustLevels: []v1alpha1.LevelName{"here"}, Enforcement: w.enforcement, NodeLocalStorage: w.nodeLocal, Spread: &v1alpha1.Spread{MinSites: 2, MaxSkew: 1},
		}},
	}}})
	return takeCensus(set, placement.DefaultSettings(), twoSites(), w.world, nil, func(string, map[string]int) bool { return true })[policy.Source{Kind: "PlacementPolicy", Namespace: "n", Name: "p"}]
}

func TestTheAuditFindsWhatIsAmissAndNothingElse(t *testing.T) {
	for what, c := range map[string]struct {
		tweak func(*audited)
		want  []string // reason, pod, claim and node of each violation
	}{
		"all is well": {func(*audited) {}, nil},
		"a pod on an unqualified node": {
			func(w *audited) { w.pods[0].Spec.NodeName = "node-d" }, []string{"NodeNotQualified web-a  node-d"},
		},
		"a pod on a node that is not recognised": {
			func(w *audited) { w.pods[0].Spec.NodeName = "stranger" }, []string{"NodeUnknown web-a  stranger"},
		},
		"a pod on a node that does not exist": {
			func(w *audited) { w.pods[0].Spec.NodeName = "gone" }, []string{"NodeUnknown web-a  gone"},
		},
		"a pod older than the policy": {
			func(w *audited) {
				w.pods[0].Spec.NodeSelector, w.pods[0].Spec.TopologySpreadConstraints, w.pods[0].Labels = nil, nil, nil
			},
			[]string{"PodNotShaped web-a  node-a"},
		},
		"a pod whose constraint asks for fewer sites": {
			func(w *audited) { w.pods[0].Spec.TopologySpreadConstraints[0].MinDomains = nil }, []string{"PodNotShaped web-a  node-a"},
		},
		"a pod of another scheduler": {
			func(w *audited) { w.pods[0].Spec.SchedulerName = "mine" }, []string{"SchedulerNotAllowed web-a  node-a"},
		},
		"a static pod is judged by its node alone": {
			func(w *audited) {
				w.pods = append(w.pods, replica("static", func(p *corev1.Pod) {
					*p = corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "static", Annotations: map[string]string{corev1.MirrorPodAnnotationKey: "x"}}, Spec: corev1.PodSpec{NodeName: "node-d"}}
				}))
			},
			[]string{"NodeNotQualified static  node-d"},
		},
		"a pod that waits, or is finished, is none": {
			func(w *audited) {
				w.pods[0].Spec.NodeName = ""
				w.pods[1].Status.Phase, w.pods[1].Spec.NodeName = corev1.PodSucceeded, "node-d"
			}, nil,
		},
		"too many pods on one site": {
			func(w *audited) {
				for i := range 2 {
					p := w.shaped(fmt.Sprint("web-a", i), "node-a")
					p.Spec.Volumes = nil
					w.pods = append(w.pods, p)
				}
			},
			[]string{"SpreadLost web-a  node-a"},
		},
		"a workload on one site": {
			func(w *audited) { w.pods[1].Spec.NodeName = "node-a" }, []string{"SpreadLost web-a  node-a"},
		},
		"the pods of a DaemonSet are not spread": {
			func(w *audited) {
				for _, p := range w.pods {
					p.OwnerReferences[0].Kind, p.Spec.NodeName = "DaemonSet", "node-a"
				}
			}, nil,
		},
		"a volume elsewhere": {
			func(w *audited) {
				w.world.storage.volumes[0].Spec.NodeAffinity.Required.NodeSelectorTerms[0].MatchExpressions[0].Values[0] = "d"
			},
			[]string{"VolumeNotQualified web-a data-web-a node-a"},
		},
		"a volume that says nothing": {
			func(w *audited) { w.world.storage.volumes[0].Spec.NodeAffinity = nil }, []string{"VolumePlaceUnknown web-a data-web-a node-a"},
		},
		"a claim elsewhere that no pod mounts": {
			func(w *audited) { w.store("n", "old", "d") }, []string{"VolumeNotQualified  old "},
		},
		"a claim whose volume is gone": {
			func(w *audited) {
				w.world.storage.volumes = w.world.storage.volumes[1:]
				w.world.storage.claims[0].Status.Phase = corev1.ClaimLost
			},
			[]string{"VolumePlaceUnknown web-a data-web-a node-a"},
		},
		"a claim that waits for its volume": {
			func(w *audited) { w.world.storage.volumes[0].Spec.ClaimRef.Name = "another" }, nil,
		},
		"a share that the pod brings itself": {
			func(w *audited) {
				w.pods[0].Spec.Volumes = append(w.pods[0].Spec.Volumes, corev1.Volume{Name: "share", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}})
			},
			[]string{"VolumePlaceUnknown web-a  node-a"},
		},
		"a volume of which a driver decides where it lies": {
			func(w *audited) {
				w.pods[0].Spec.Volumes = append(w.pods[0].Spec.Volumes, corev1.Volume{Name: "inline", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}})
			},
			[]string{"VolumePlaceUnknown web-a  node-a"},
		},
		"such a volume where nobody asks what lies on nodes": {
			func(w *audited) {
				w.nodeLocal = v1alpha1.NodeLocalStorageAllow
				w.pods[0].Spec.Volumes = append(w.pods[0].Spec.Volumes, corev1.Volume{Name: "inline", VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{}}})
			}, nil,
		},
		"a share of the pod's where nobody asks what lies on nodes": {
			func(w *audited) {
				w.nodeLocal = v1alpha1.NodeLocalStorageAllow
				w.pods[0].Spec.Volumes = append(w.pods[0].Spec.Volumes, corev1.Volume{Name: "share", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}})
			},
			[]string{"VolumePlaceUnknown web-a  node-a"},
		},
		"a cloud's disk that the pod brings itself": {
			func(w *audited) {
				w.pods[0].Spec.Volumes = append(w.pods[0].Spec.Volumes, corev1.Volume{Name: "disk", VolumeSource: corev1.VolumeSource{Cinder: &corev1.CinderVolumeSource{}}})
			},
			[]string{"VolumePlaceUnknown web-a  node-a"},
		},
		"a volume on the pod's own node": {
			func(w *audited) {
				w.pods[0].Spec.Volumes = append(w.pods[0].Spec.Volumes, corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
			}, nil,
		},
		"a volume attached elsewhere": {
			func(w *audited) { w.attach("data-web-a", "node-d") }, []string{"AttachmentNotQualified web-a data-web-a node-d"},
		},
		"the same volume under another name": {
			func(w *audited) { w.store("free", "alias", "a").Spec.CSI.VolumeHandle = "data-web-a" }, []string{"ClaimShared web-a data-web-a node-a"},
		},
		"a copy in another namespace": {
			func(w *audited) {
				w.store("free", "copy", "a")
				from := "n"
				w.world.storage.claims[2].Spec.DataSourceRef = &corev1.TypedObjectReference{Kind: "PersistentVolumeClaim", Name: "data-web-a", Namespace: &from}
			},
			[]string{"ClaimShared  PersistentVolumeClaim/data-web-a "},
		},
		"what other namespaces do concerns nobody": {
			func(w *audited) {
				w.store("free", "elsewhere", "d")
				w.pods = append(w.pods, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "free", Name: "p"}, Spec: corev1.PodSpec{NodeName: "node-d"}})
			}, nil,
		},
		"a policy that only watches shapes and spreads nothing": {
			func(w *audited) {
				w.enforcement = v1alpha1.EnforcementAudit
				for _, p := range w.pods {
					p.Spec.NodeName, p.Spec.NodeSelector, p.Spec.TopologySpreadConstraints = "node-a", nil, nil
				}
			}, nil,
		},
		"but it judges nodes and volumes": {
			func(w *audited) {
				w.enforcement = v1alpha1.EnforcementWarn
				w.pods[0].Spec.NodeName = "node-d"
				w.world.storage.volumes[1].Spec.NodeAffinity = nil
			},
			[]string{"NodeNotQualified web-a  node-d", "VolumePlaceUnknown web-b data-web-b node-b"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := compliant()
			c.tweak(w)
			found := w.audit(t)
			var got []string
			pods := map[string]bool{}
			for _, v := range found.first {
				got = append(got, fmt.Sprintf("%s %s %s %s", v.Reason, v.Pod, v.Claim, v.Node))
				if v.Pod != "" {
					pods[v.Pod] = true
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
			if int(found.violations) != len(pods) {
				t.Errorf("%d pods violate it, not %d", found.violations, len(pods))
			}
			if ok, reason, message := found.compliance(); ok != (len(c.want) == 0) {
				t.Errorf("compliant: %v, %s: %s", ok, reason, message)
			}
		})
	}
}

func TestTheCommonestReasonIsTold(t *testing.T) {
	var found tally
	found.add("n", "b", []problem{{reason: "Rare", message: "m1"}, {reason: "Common", message: "m2"}})
	found.add("n", "a", []problem{{reason: "Common", node: "x", message: "m3"}})
	found.add("n", "", []problem{{reason: "AsRare", claim: "c", message: "m4"}})
	want := []v1alpha1.ViolationCount{{Reason: "Common", Count: 2}, {Reason: "AsRare", Count: 1}, {Reason: "Rare", Count: 1}}
	if diff := cmp.Diff(want, found.counts()); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
	_, reason, message := found.compliance()
	if reason != "Common" || message != "0 of 0 pods are not where, or not as, the policy wants them, or their volumes are not; most often Common (2), such as n/a on x: m3" {
		t.Errorf("it says %s: %s", reason, message)
	}
}

func TestClaimsOfPodsThatOweALevelByThemselvesAreFollowed(t *testing.T) {
	for what, c := range map[string]struct {
		tweak func(*audited)
		want  []string
	}{
		"all is well": {func(*audited) {}, nil},
		"a volume elsewhere": {func(w *audited) {
			w.store("n", "extra", "d")
			w.pods[0].Spec.Volumes[0].PersistentVolumeClaim.ClaimName = "extra"
		}, []string{"n/extra"}},
		"a claim that a pod elsewhere mounts, too": {
			func(w *audited) {
				other := w.shaped("other", "node-d")
				other.Spec.NodeSelector = nil
				other.Spec.Volumes[0].PersistentVolumeClaim.ClaimName = "data-web-b"
				w.pods = append(w.pods, other)
			},
			[]string{"n/data-web-b"},
		},
		"that one owes nothing, and mounts its own": {
			func(w *audited) {
				other := w.shaped("other", "node-d")
				other.Spec.NodeSelector = nil
				w.store("n", "data-other", "d")
				w.pods = append(w.pods, other)
			}, nil,
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := compliant()
			c.tweak(w)
			world := usageWorld{nodes: w.world.nodes, storage: w.world.storage}
			for _, p := range w.pods {
				world.pods = append(world.pods, seen(t, p))
			}
			got := decideUsage(policy.Compile(policy.Objects{}), twoSites(), world)
			if diff := cmp.Diff(c.want, got.stray["here"]); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecideMarks(t *testing.T) {
	volume := func(name, namespace string, claim types.UID, labels map[string]string) corev1.PersistentVolume {
		v := corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
		if namespace != "" {
			v.Spec.ClaimRef = &corev1.ObjectReference{Namespace: namespace, UID: claim}
		}
		return v
	}
	claim := func(namespace string, uid types.UID, class string) corev1.PersistentVolumeClaim {
		return corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, UID: uid}, Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &class}}
	}
	class := func(name string, labels map[string]string) storagev1.StorageClass {
		return storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	mark := map[string]string{v1alpha1.GovernedLabel: "true"}
	world := marksWorld{
		governed: map[string]bool{"n": true, "free": false},
		claims:   []corev1.PersistentVolumeClaim{claim("n", "u1", "used"), claim("free", "u2", "other")},
		volumes: []corev1.PersistentVolume{
			volume("bound", "n", "u1", nil), volume("marked", "n", "u1", mark), volume("falsified", "n", "u1", map[string]string{v1alpha1.GovernedLabel: "no"}),
			volume("released", "n", "gone", mark), volume("of-a-namespace-that-is-gone", "gone", "u9", mark), volume("given-away", "free", "u2", mark),
			volume("released-elsewhere", "free", "u8", mark), volume("of-another-claim", "free", "u1", mark), volume("free", "free", "u2", nil), volume("unbound", "", "", nil), volume("unbound-marked", "", "", mark),
		},
		classes: []storagev1.StorageClass{class("used", nil), class("used-no-more", mark), class("other", nil)},
	}
	got := map[string]bool{}
	for _, m := range decideMarks(world) {
		got[m.object.GetName()] = m.marked
	}
	want := map[string]bool{"bound": true, "falsified": true, "given-away": false, "used": true, "used-no-more": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
}
