package controllers

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/storage"
)

func TestTheAuditFindsHowVolumesAreEncrypted(t *testing.T) {
	proof := "uid-data:kek:" + thumb
	for what, c := range map[string]struct {
		tweak func(*sealed)
		want  []string // reason, pod and claim of each violation
	}{
		"all is well":                           {func(w *sealed) { w.bound(proof) }, nil},
		"a volume that does not exist yet":      {func(*sealed) {}, nil},
		"a class that does not encrypt":         {func(w *sealed) { w.class.Parameters = nil; w.bound("") }, []string{"VolumeNotEncrypted db-0 data"}},
		"a key that is destroyed":               {func(w *sealed) { w.key("kek", destroyed); w.bound(proof) }, []string{"KeyRevoked db-0 data"}},
		"a store that is silent, and a proof":   {func(w *sealed) { w.key("kek", silent); w.bound(proof) }, nil},
		"a store that is silent, and none":      {func(w *sealed) { w.key("kek", silent); w.bound("") }, []string{"VolumeNotEncrypted db-0 data"}},
		"a class that was created anew":         {func(w *sealed) { w.class.UID = "other"; w.bound(proof) }, []string{"VolumeNotEncrypted db-0 data"}},
		"a claim without a pod":                 {func(w *sealed) { w.key("kek", destroyed); w.bound(proof); w.pod.Spec.Volumes = nil }, []string{"KeyRevoked  data"}},
		"a pod that waits is no violation":      {func(w *sealed) { w.pod.Spec.NodeName = ""; w.claims = nil }, nil},
		"where nothing is demanded nothing is":  {func(w *sealed) { w.demand.Encryption = nil; w.keys = nil; w.bound("") }, nil},
		"a volume that comes with the pod":      {func(w *sealed) { w.bring(); w.bound(proof) }, []string{"VolumePlaceUnknown db-0 "}},
		"a volume that comes with an owing pod": {func(w *sealed) { w.bring(); w.demand.Enforcement = v1alpha1.EnforcementEnforce; w.bound(proof) }, []string{"PodNotShaped db-0 ", "VolumeNotEncrypted db-0 ", "VolumePlaceUnknown db-0 "}},
		"what a pod's gate was is not asked for": {func(w *sealed) {
			w.demand.Enforcement, w.demand.TrustLevels = v1alpha1.EnforcementEnforce, nil
			w.bound(proof)
		}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			w := waiting()
			w.demand.Enforcement, w.demand.NodeLocalStorage = v1alpha1.EnforcementAudit, v1alpha1.NodeLocalStorageAllow
			w.pod.Spec.SchedulingGates, w.pod.Spec.NodeName = nil, "node-1"
			c.tweak(w)
			for i := range w.volumes {
				w.volumes[i].Labels = map[string]string{corev1.LabelTopologyZone: "here"}
			}
			g := w.world(t)
			world := demandWorld{
				namespaces: w.namespaces, pods: map[string][]*seenPod{"n": g.pods}, protections: &g.protections,
				nodes:   []corev1.Node{node("node-1", map[string]string{"place": "here", corev1.LabelTopologyZone: "here"})},
				storage: storageWorld{claims: w.claims, volumes: w.volumes},
			}
			var got []string
			for _, counted := range takeCensus(g.set, placement.DefaultSettings(), here(), world, nil, nil) {
				for _, v := range counted.first {
					got = append(got, v.Reason+" "+v.Pod+" "+v.Claim)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// bring has the pod bring a share of its own.
func (w *sealed) bring() {
	w.pod.Spec.Volumes = append(w.pod.Spec.Volumes, corev1.Volume{Name: "share", VolumeSource: corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{}}})
}

// server answers questions, and counts them.
type server struct {
	client.Reader
	configMaps map[types.NamespacedName]map[string]string
	snapshots  map[types.NamespacedName]string // the claims of which they were taken
	fails      error
	asked      []string
}

func (s *server) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	s.asked = append(s.asked, key.String())
	if s.fails != nil {
		return s.fails
	}
	switch o := o.(type) {
	case *corev1.ConfigMap:
		if data, has := s.configMaps[key]; has {
			o.Data = data
			return nil
		}
	case *unstructured.Unstructured:
		if claim, has := s.snapshots[key]; has {
			o.SetCreationTimestamp(metav1.NewTime(noon.Add(-2 * time.Hour)))
			return unstructured.SetNestedField(o.Object, claim, "spec", "source", "persistentVolumeClaimName")
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
}

func TestWhatIsAskedOfTheAPIServer(t *testing.T) {
	home := map[string]string{"rbd.csi.ceph.com": "ceph"}
	config := types.NamespacedName{Namespace: "ceph", Name: "csi-kms-connection-details"}
	for what, c := range map[string]struct {
		server *server
		driver string
		want   map[string]string
		asked  int
		fails  bool
	}{
		"a driver's configuration, once":                       {&server{configMaps: map[types.NamespacedName]map[string]string{config: {"a": "b"}}}, "rbd.csi.ceph.com", map[string]string{"a": "b"}, 1, false},
		"that there is none, once":                             {&server{}, "rbd.csi.ceph.com", nil, 1, false},
		"nothing of a driver of which nobody says where":       {&server{}, "cephfs.csi.ceph.com", nil, 0, false},
		"what Terroir may not read nobody knows":               {&server{fails: apierrors.NewForbidden(schema.GroupResource{}, "x", errors.New("x"))}, "rbd.csi.ceph.com", nil, 1, false},
		"a kind that the cluster does not have nobody knows":   {&server{fails: &meta.NoKindMatchError{}}, "rbd.csi.ceph.com", nil, 1, false},
		"that the API server does not answer says nothing yet": {&server{fails: errors.New("timeout")}, "rbd.csi.ceph.com", nil, 1, true},
	} {
		q := &inquiry{live: c.server, homes: home, configMaps: map[types.NamespacedName]map[string]string{}}
		lookup := q.lookup(context.Background())
		lookup(c.driver, config.Name)
		if diff := cmp.Diff(c.want, lookup(c.driver, config.Name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		if len(c.server.asked) != c.asked || (q.failed != nil) != c.fails {
			t.Errorf("%s: asked %v, failed %v", what, c.server.asked, q.failed)
		}
	}
}

// What a volume was made from was decided when it was made.
func TestASnapshotThatIsGoneIsRemembered(t *testing.T) {
	for what, c := range map[string]struct {
		tweak func(*sealed)
		known bool
	}{
		"of a volume that is there":         {func(w *sealed) { w.bound("") }, true},
		"not of one that is not made yet":   {func(*sealed) {}, false},
		"not of another claim by that name": {func(w *sealed) { w.bound(""); w.claims[0].UID = "before" }, false},
	} {
		w := waiting()
		c.tweak(w)
		w.madeFrom(storage.SourceSnapshot, "snap")
		w.claim("source", func(c *corev1.PersistentVolumeClaim) { c.CreationTimestamp = metav1.NewTime(noon.Add(-3 * time.Hour)) })
		w.snapshots = map[types.NamespacedName]*storage.Snapshot{{Namespace: "n", Name: "snap"}: nil}
		p := w.world(t).protections
		s, matters := &surveyor{}, map[string]bool{"n": true}
		there := &server{snapshots: map[types.NamespacedName]string{{Namespace: "n", Name: "snap"}: "source"}}
		s.trace(context.Background(), &p, w.claims, matters, &inquiry{live: there, snapshots: map[types.NamespacedName]*storage.Snapshot{}})
		if from := p.origins[w.claims[0].UID]; from.unknown != "" || len(from.claims) != 1 {
			t.Fatalf("%s: while it is there: %+v", what, from)
		}
		w.claims[0].UID = "uid-data"
		s.trace(context.Background(), &p, w.claims, matters, &inquiry{live: &server{}, snapshots: map[types.NamespacedName]*storage.Snapshot{}})
		if from := p.origins["uid-data"]; (from.unknown == "") != c.known {
			t.Errorf("%s: when it is gone: %+v", what, from)
		}
		s.trace(context.Background(), &p, nil, matters, &inquiry{})
		if len(s.snapshots) > 0 {
			t.Errorf("%s: of claims that are gone there is still %v", what, s.snapshots)
		}
	}
}

func TestTheDefaultClass(t *testing.T) {
	class := func(name string, standard bool, age time.Duration) protectedClass {
		c := &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(noon.Add(-age))}}
		if standard {
			c.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
		}
		return protectedClass{StorageClass: c}
	}
	for what, c := range map[string]struct {
		classes []protectedClass
		want    string
	}{
		"there is none":                 {[]protectedClass{class("a", false, 0)}, ""},
		"there is one":                  {[]protectedClass{class("a", false, 0), class("b", true, time.Hour)}, "b"},
		"the youngest of several":       {[]protectedClass{class("a", true, time.Hour), class("b", true, time.Minute), class("c", true, 2*time.Hour)}, "b"},
		"the first by name of the same": {[]protectedClass{class("b", true, time.Hour), class("a", true, time.Hour)}, "a"},
	} {
		all := map[string]protectedClass{}
		for _, p := range c.classes {
			all[p.Name] = p
		}
		if got := defaultClass(all); got != c.want {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// The caches keep what is read: whatever is judged of a claim and a volume is judged of the slim ones as of the whole.
func TestSlimClaimsAndVolumesSayAllThatIsRead(t *testing.T) {
	w := waiting()
	w.madeFrom(storage.SourceSnapshot, "snap")
	w.labelled()
	v := w.bound("uid-data:kek:" + thumb)
	v.Spec.CSI.VolumeAttributes = map[string]string{"encrypted": "true", "other": "x"}
	v.Annotations["other"], w.claims[0].Annotations["other"], w.claims[0].Labels["other"] = "x", "x", "x"
	slimmed, _ := slimClaim(&w.claims[0])
	claim := slimmed.(*corev1.PersistentVolumeClaim)
	want := w.claims[0].DeepCopy()
	delete(want.Annotations, "other")
	delete(want.Labels, "other")
	if diff := cmp.Diff(want, claim); diff != "" {
		t.Errorf("claim (-want +got):\n%s", diff)
	}
	slimmed, _ = slimVolume(v)
	volume := slimmed.(*corev1.PersistentVolume)
	kept := v.DeepCopy()
	delete(kept.Annotations, "other")
	delete(kept.Spec.CSI.VolumeAttributes, "other")
	if diff := cmp.Diff(kept, volume); diff != "" {
		t.Errorf("volume (-want +got):\n%s", diff)
	}
	if len(v.Annotations) != 3 || v.Spec.CSI.VolumeAttributes["other"] == "" {
		t.Error("what was handed over was changed")
	}
}
