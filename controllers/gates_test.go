package controllers

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keys"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/storage"
)

const (
	ebs   = "ebs.csi.aws.com"
	keyID = "arn:aws:kms:eu-west-3:1:key/1"
	thumb = "sha256:aa"

	azure   = "disk.csi.azure.com"
	diskSet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/d"
)

// sealed is a world in which all is as namespace n owes: its policy demands that volumes are under key kek, and its pod waits behind the gate with a
// claim of class fast, which names that key and was recorded. The volume does not exist yet.
type sealed struct {
	demand     v1alpha1.PlacementDemand
	namespaces []corev1.Namespace
	exempt     []string
	class      storagev1.StorageClass
	claims     []corev1.PersistentVolumeClaim
	volumes    []corev1.PersistentVolume
	keys       map[string]keys.Verdict
	pod        corev1.Pod
	snapshots  map[types.NamespacedName]*storage.Snapshot
}

func waiting() *sealed {
	w := &sealed{
		demand: v1alpha1.PlacementDemand{
			TrustLevels: []v1alpha1.LevelName{"here"}, Enforcement: v1alpha1.EnforcementEnforce, Encryption: &v1alpha1.Encryption{Keys: []v1alpha1.KeyName{"kek"}},
		},
		namespaces: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{"data": "health"}}}},
		class: storagev1.StorageClass{
			ObjectMeta: metav1.ObjectMeta{Name: "fast", UID: "class"}, Provisioner: ebs, Parameters: map[string]string{"encrypted": "true", "kmsKeyId": keyID},
			VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer),
		},
		keys: map[string]keys.Verdict{},
		pod: corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "db-0", UID: "pod"}, Spec: corev1.PodSpec{
			SchedulingGates: []corev1.PodSchedulingGate{{Name: "example.org/other"}, {Name: v1alpha1.EncryptionGate}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
			}}},
		}},
	}
	w.key("kek", nil)
	w.claim("data", nil)
	return w
}

// key adds a key that means the id which class fast names, Verified unless tweaked.
func (w *sealed) key(name string, tweak func(*keys.Verdict)) {
	key := &v1alpha1.EncryptionKey{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EncryptionKeySpec{
		Store: "hsm", Storage: []v1alpha1.StorageKey{{Driver: ebs, KeyID: keyID}, {Driver: azure, KeyID: diskSet}},
		NamespaceSelector: &v1alpha1.NamespaceSelector{MatchLabels: map[string]v1alpha1.LabelValue{"data": "health"}},
	}}
	v := keys.Verdict{
		Key: keys.Compile(key, &v1alpha1.KeyStore{ObjectMeta: metav1.ObjectMeta{Name: "hsm"}}), Phase: v1alpha1.PhaseVerified, Fingerprint: thumb,
		Facts: []keys.Fact{
			{Name: keys.FactNonExtractable, Value: "true", Evidence: v1alpha1.EvidenceReported},
			{Name: keys.FactProtection, Value: "HSM", Evidence: v1alpha1.EvidenceDeclared},
		},
		Home: []string{"z"}, VerifiedUntil: noon.Add(time.Hour),
	}
	if tweak != nil {
		tweak(&v)
	}
	w.keys[name] = v
}

// silent makes the key's store silent: nobody can tell how the key is, and the last proof lasts.
func silent(v *keys.Verdict) {
	v.Phase, v.Message, v.Facts = v1alpha1.PhaseUnknown, "the store does not answer", nil
}

// destroyed makes the key one that its store has destroyed.
func destroyed(v *keys.Verdict) {
	v.Phase, v.RevokedSince = v1alpha1.PhaseDestroyed, noon.Add(-time.Minute)
}

// claim adds a claim of class fast, as it was recorded.
func (w *sealed) claim(name string, tweak func(*corev1.PersistentVolumeClaim)) {
	c := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
		Namespace: "n", Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour)),
		Annotations: map[string]string{v1alpha1.ClassAnnotation: storage.Digest(&w.class)},
	}}
	c.Spec.StorageClassName = &w.class.Name
	if tweak != nil {
		tweak(&c)
	}
	w.claims = append(w.claims, c)
}

// disk makes the class one of another driver, which lets claims override what it says.
func (w *sealed) disk() {
	w.class.Provisioner, w.class.Parameters = azure, map[string]string{"diskEncryptionSetID": diskSet}
	w.claims[0].Annotations[v1alpha1.ClassAnnotation] = storage.Digest(&w.class)
}

// bound gives the claim data its volume, with what is recorded on that.
func (w *sealed) bound(proof string) *corev1.PersistentVolume {
	c := &w.claims[0]
	c.Spec.VolumeName, c.Status.Phase = "pv", corev1.ClaimBound
	w.volumes = append(w.volumes, corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name: "pv", UID: "uid-pv", CreationTimestamp: metav1.NewTime(noon.Add(-time.Minute)),
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": ebs},
		},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: w.class.Name, ClaimRef: &corev1.ObjectReference{Namespace: c.Namespace, Name: c.Name, UID: c.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: ebs, VolumeHandle: "vol-1"}},
		},
	})
	v := &w.volumes[len(w.volumes)-1]
	if proof != "" {
		v.Annotations[v1alpha1.ProofAnnotation] = proof
	}
	return v
}

// madeFrom makes the claim data one that is made from something.
func (w *sealed) madeFrom(kind, name string) {
	w.claims[0].Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: kind, Name: name}
	if kind == storage.SourceSnapshot {
		w.claims[0].Spec.DataSource.APIGroup = new("snapshot.storage.k8s.io")
	}
}

// world is what the loop sees: all of it slim, as the caches have it.
func (w *sealed) world(t *testing.T) gateWorld {
	t.Helper()
	var stored storageWorld
	for i := range w.claims {
		slim, _ := slimClaim(&w.claims[i])
		stored.claims = append(stored.claims, *slim.(*corev1.PersistentVolumeClaim))
	}
	for i := range w.volumes {
		slim, _ := slimVolume(&w.volumes[i])
		stored.volumes = append(stored.volumes, *slim.(*corev1.PersistentVolume))
	}
	set := policy.Compile(policy.Objects{
		Levels: []string{"here"}, Keys: []policy.Key{{Name: "kek", Allows: func(map[string]string) bool { return true }}}, ExemptNamespaces: wordsOf(w.exempt),
		Policies: []v1alpha1.PlacementPolicy{{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "p"}, Spec: v1alpha1.PlacementPolicySpec{PlacementDemand: w.demand}}},
	})
	g := gateWorld{set: set, qualified: qualifiedIn(here()), namespaces: map[string]demanding{}, pods: []*seenPod{seen(t, &w.pod)}}
	for i := range w.namespaces {
		g.namespaces[w.namespaces[i].Name] = demandingIn(set, &w.namespaces[i])
	}
	g.protections = protections{
		classes: map[string]protectedClass{}, origins: map[types.UID]origin{}, keys: w.keys, meant: meantBy(w.keys), depot: depotIn(stored), at: noon,
	}
	if w.class.Name != "" {
		g.classes[w.class.Name] = protectedBy(&w.class, nil)
	}
	asked := &inquiry{snapshots: w.snapshots} // of others there is nobody to ask
	(&surveyor{}).trace(context.Background(), &g.protections, stored.claims, encrypting(set, w.namespaces, g.pods), asked)
	return g
}

func TestAPodWaitsUntilItsVolumesAreProven(t *testing.T) {
	proof := "uid-data:kek:" + thumb
	for what, c := range map[string]struct {
		tweak  func(*sealed)
		lifted bool
		reason string
		says   string // part of the message
	}{
		"a volume that will be under a key that is Verified": {
			tweak: func(*sealed) {}, lifted: true, reason: "Proven",
		},
		"a volume that is": {
			tweak: func(w *sealed) { w.bound("") }, lifted: true, reason: "Proven",
		},
		"the gate of a pod that owes nothing is lifted": {
			tweak: func(w *sealed) { w.demand.Encryption = nil; w.claims = nil }, lifted: true, reason: "NothingOwed",
		},
		"so is that of a pod without volumes": {
			tweak: func(w *sealed) { w.pod.Spec.Volumes = nil }, lifted: true, reason: "NothingOwed",
		},
		"so is that of a pod whose namespace is exempt": {
			tweak: func(w *sealed) { w.exempt = []string{"n"} }, lifted: true, reason: "NothingOwed",
		},
		"a pod that asks for a key in a namespace that is exempt waits: nothing could be proven there": {
			tweak: func(w *sealed) {
				w.exempt, w.pod.Annotations = []string{"n"}, map[string]string{v1alpha1.EncryptionKeyAnnotation: "kek"}
			}, reason: "EncryptionNotProven", says: "namespace n is exempt",
		},
		"a policy that only observes holds nobody up": {
			tweak: func(w *sealed) { w.demand.Enforcement = v1alpha1.EnforcementAudit; w.keys = nil }, lifted: true, reason: "NothingOwed",
		},
		"a pod's own word is enough": {
			tweak: func(w *sealed) {
				w.demand.Encryption, w.keys, w.pod.Annotations = nil, nil, map[string]string{v1alpha1.EncryptionKeyAnnotation: "kek"}
			}, reason: "EncryptionNotProven", says: "no EncryptionKey means it",
		},
		"what a pod asks for that nobody understands holds it up": {
			tweak: func(w *sealed) { w.pod.Annotations = map[string]string{v1alpha1.EncryptionKeyAnnotation: "a b"} }, reason: "EncryptionNotProven", says: "encryption-key",
		},
		"a claim that does not exist": {
			tweak: func(w *sealed) { w.claims = nil }, reason: "ClaimNotFound", says: `claim "data" does not exist`,
		},
		"one of two volumes that is not encrypted": {
			tweak: func(w *sealed) {
				w.claim("plain", func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = new("slow") })
				w.pod.Spec.Volumes = append(w.pod.Spec.Volumes, corev1.Volume{Name: "plain", VolumeSource: corev1.VolumeSource{
					PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "plain"},
				}})
			}, reason: "EncryptionNotProven", says: "StorageClass slow does not exist",
		},
		"an ephemeral volume has a claim like any other": {
			tweak: func(w *sealed) {
				w.pod.Spec.Volumes[0] = corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}
			}, reason: "ClaimNotFound", says: `claim "db-0-scratch"`,
		},
		"a class that does not encrypt": {
			tweak: func(w *sealed) {
				w.class.Parameters = nil
				w.claims[0].Annotations[v1alpha1.ClassAnnotation] = storage.Digest(&w.class)
			}, reason: "EncryptionNotProven", says: "is not encrypted",
		},
		"a class that was created anew with other parameters": {
			tweak: func(w *sealed) { w.class.UID, w.class.Parameters = "other", map[string]string{"kmsKeyId": keyID} }, reason: "EncryptionNotProven", says: "another class than the one that was recorded",
		},
		"the same class created anew": {
			tweak: func(w *sealed) { w.class.UID = "other" }, reason: "EncryptionNotProven", says: "another class than the one that was recorded",
		},
		"an old annotation on the claim that names another class": {
			tweak: func(w *sealed) { w.claims[0].Annotations[corev1.BetaStorageClassAnnotation] = "slow" }, reason: "EncryptionNotProven", says: "StorageClass slow does not exist",
		},
		"another class that the claim lets override its StorageClass": {
			tweak: func(w *sealed) { w.disk(); w.claims[0].Spec.VolumeAttributesClassName = new("plain") }, reason: "EncryptionNotProven", says: "VolumeAttributesClass plain",
		},
		"a StorageClass that nothing overrides": {
			tweak: (*sealed).disk, lifted: true, reason: "Proven",
		},
		"a volume that somebody made by hand": {
			tweak: func(w *sealed) { delete(w.bound("").Annotations, "pv.kubernetes.io/provisioned-by") }, reason: "EncryptionNotProven", says: "by hand",
		},
		"a volume that the claim names, and that anybody may still make by hand": {
			tweak: func(w *sealed) { w.claims[0].Spec.VolumeName = "pv" }, reason: "EncryptionNotProven", says: "names volume pv and does not have it yet",
		},
		"one that is there, and not bound to the claim yet": {
			tweak: func(w *sealed) { w.bound("").Spec.ClaimRef = nil }, reason: "EncryptionNotProven", says: "names volume pv and does not have it yet",
		},
		"a volume that is gone": {
			tweak: func(w *sealed) { w.bound(""); w.volumes = nil }, reason: "EncryptionNotProven", says: "names volume pv and does not have it yet",
		},
		"a volume of the class that somebody made by hand and nobody has": {
			tweak: func(w *sealed) { w.bound("").Spec.ClaimRef = nil; w.claims[0].Spec.VolumeName = "" }, reason: "EncryptionNotProven", says: "may get volume pv, which is there already",
		},
		"one that waits for a claim of this name": {
			tweak: func(w *sealed) { w.bound("").Spec.ClaimRef.UID = ""; w.claims[0].Spec.VolumeName = "" }, reason: "EncryptionNotProven", says: "may get volume pv, which is there already",
		},
		"one that waits for another claim, or is of another class, or is another's still": {
			tweak: func(w *sealed) {
				for i, tweak := range []func(*corev1.PersistentVolume){
					func(v *corev1.PersistentVolume) { v.Spec.ClaimRef.Name, v.Spec.ClaimRef.UID = "other", "" },
					func(v *corev1.PersistentVolume) { v.Spec.ClaimRef, v.Spec.StorageClassName = nil, "slow" },
					func(v *corev1.PersistentVolume) { v.Spec.ClaimRef.UID = "before" },
				} {
					v := w.bound("")
					v.Name = "pv-" + strconv.Itoa(i)
					tweak(v)
				}
				w.claims[0].Spec.VolumeName = ""
			}, lifted: true, reason: "Proven",
		},
		"a class that makes volumes at once, and has not": {
			tweak: func(w *sealed) { w.class.VolumeBindingMode = nil }, reason: "EncryptionNotProven", says: "makes volumes at once",
		},
		"one that has": {
			tweak: func(w *sealed) { w.class.VolumeBindingMode = nil; w.bound("") }, lifted: true, reason: "Proven",
		},
		"two keys that mean the same": {
			tweak: func(w *sealed) { w.key("other", nil) }, reason: "EncryptionNotProven", says: "2 EncryptionKeys say that they are it: kek, other",
		},
		"a key for which the namespace may not ask": {
			tweak: func(w *sealed) { w.namespaces[0].Labels = nil }, reason: "EncryptionNotProven", says: "does not let this namespace ask",
		},
		"a key that lies in a zone that is not qualified": {
			tweak: func(w *sealed) { w.key("kek", func(v *keys.Verdict) { v.Home = []string{"abroad", "z"} }) }, reason: "EncryptionNotProven", says: "Zone/abroad",
		},
		"a new volume waits while the store is silent": {
			tweak: func(w *sealed) { w.key("kek", silent) }, reason: "EncryptionNotProven", says: "the store does not answer",
		},
		"a volume that is there, and was never proven, waits too": {
			tweak: func(w *sealed) { w.key("kek", silent); w.bound("") }, reason: "EncryptionNotProven", says: "the store does not answer",
		},
		"a volume that was proven before may start while the store is silent": {
			tweak: func(w *sealed) { w.key("kek", silent); w.bound(proof) }, lifted: true, reason: "Proven",
		},
		"not after its lease": {
			tweak: func(w *sealed) {
				w.key("kek", func(v *keys.Verdict) { silent(v); v.VerifiedUntil = noon })
				w.bound(proof)
			}, reason: "EncryptionNotProven", says: "the store does not answer",
		},
		"not by the proof of another claim": {
			tweak: func(w *sealed) { w.key("kek", silent); w.bound("uid-other:kek:" + thumb) }, reason: "EncryptionNotProven", says: "Unknown",
		},
		"not by the proof of another key": {
			tweak: func(w *sealed) { w.key("kek", silent); w.bound("uid-data:other:" + thumb) }, reason: "EncryptionNotProven", says: "Unknown",
		},
		"not by the proof of a key that was replaced": {
			tweak: func(w *sealed) { w.key("kek", silent); w.bound("uid-data:kek:sha256:bb") }, reason: "EncryptionNotProven", says: "Unknown",
		},
		"not by a proof that nobody can read": {
			tweak: func(w *sealed) { w.key("kek", silent); w.bound("uid-data") }, reason: "EncryptionNotProven", says: "Unknown",
		},
		"not under a key that is destroyed": {
			tweak: func(w *sealed) { w.key("kek", destroyed); w.bound(proof) }, reason: "KeyRevoked", says: "Destroyed",
		},
		"the clone of a volume under the same key": {
			tweak: func(w *sealed) {
				w.madeFrom(storage.SourceClaim, "source")
				w.claim("source", func(c *corev1.PersistentVolumeClaim) { c.CreationTimestamp = metav1.NewTime(noon.Add(-2 * time.Hour)) })
			}, lifted: true, reason: "Proven",
		},
		"the clone of an unencrypted volume": {
			tweak: func(w *sealed) {
				w.madeFrom(storage.SourceClaim, "source")
				w.claim("source", func(c *corev1.PersistentVolumeClaim) {
					c.CreationTimestamp, c.Spec.StorageClassName = metav1.NewTime(noon.Add(-2*time.Hour)), new("slow")
				})
			}, reason: "EncryptionNotProven", says: `holds data of claim "source"`,
		},
		"a snapshot of which nobody knows": {
			tweak: func(w *sealed) {
				w.madeFrom(storage.SourceSnapshot, "snap")
				w.snapshots = map[types.NamespacedName]*storage.Snapshot{{Namespace: "n", Name: "snap"}: nil}
			}, reason: "EncryptionNotProven", says: "VolumeSnapshot snap, which is not there",
		},
		"a snapshot of an encrypted volume": {
			tweak: func(w *sealed) {
				w.madeFrom(storage.SourceSnapshot, "snap")
				w.claim("source", func(c *corev1.PersistentVolumeClaim) { c.CreationTimestamp = metav1.NewTime(noon.Add(-3 * time.Hour)) })
				w.snapshots = map[types.NamespacedName]*storage.Snapshot{{Namespace: "n", Name: "snap"}: {Claim: "source", Created: metav1.NewTime(noon.Add(-2 * time.Hour))}}
			}, lifted: true, reason: "Proven",
		},
		"a snapshot that is gone, of a volume that was proven": {
			tweak: func(w *sealed) {
				w.madeFrom(storage.SourceSnapshot, "snap")
				w.bound(proof)
				w.snapshots = map[types.NamespacedName]*storage.Snapshot{{Namespace: "n", Name: "snap"}: nil}
			}, lifted: true, reason: "Proven",
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := waiting()
			c.tweak(w)
			all := decideGates(w.world(t))
			if len(all) != 1 {
				t.Fatalf("%d decisions", len(all))
			}
			if d := all[0]; d.lift != c.lifted || d.reason != c.reason || !strings.Contains(d.message, c.says) {
				t.Errorf("lifted %v: %s: %s", d.lift, d.reason, d.message)
			}
		})
	}
}

func TestNothingIsDecidedOfAPod(t *testing.T) {
	for what, tweak := range map[string]func(*sealed){
		"that does not wait":                      func(w *sealed) { w.pod.Spec.SchedulingGates = w.pod.Spec.SchedulingGates[:1] },
		"whose claim's class is not recorded yet": func(w *sealed) { w.claims[0].Annotations = nil },
		"whose namespace is not known yet":        func(w *sealed) { w.namespaces = nil },
	} {
		w := waiting()
		tweak(w)
		if all := decideGates(w.world(t)); len(all) > 0 {
			t.Errorf("%s: %+v", what, all)
		}
	}
}

func TestWhatWasFoundIsRecorded(t *testing.T) {
	fast := func(w *sealed) string { return storage.Digest(&w.class) }
	for what, c := range map[string]struct {
		tweak func(*sealed)
		want  func(*sealed) []string
	}{
		"of a new claim its class, its key and how that protects it": {
			func(w *sealed) { w.claims[0].Annotations = nil },
			func(w *sealed) []string {
				return []string{"n/data terroir.dev/encryption-binding=ProviderEnvelope terroir.dev/encryption-key=kek terroir.dev/storage-class=" + fast(w)}
			},
		},
		"a class that was recorded stays so, though it was created anew": {
			func(w *sealed) { w.class.UID = "other"; w.labelled() }, nil,
		},
		"what is there already is not written again": {
			func(w *sealed) { w.labelled(); w.bound("uid-data:kek:" + thumb) }, nil,
		},
		"a proof on the volume": {
			func(w *sealed) { w.labelled(); w.bound("") },
			func(*sealed) []string { return []string{"/pv terroir.dev/encryption-proof=uid-data:kek:" + thumb} },
		},
		"a newer proof in place of an older one": {
			func(w *sealed) { w.labelled(); w.bound("uid-data:kek:sha256:old") },
			func(*sealed) []string { return []string{"/pv terroir.dev/encryption-proof=uid-data:kek:" + thumb} },
		},
		"no proof, and none taken off, while the store is silent": {
			func(w *sealed) {
				w.labelled()
				w.key("kek", silent)
				w.bound("uid-data:kek:sha256:old")
			}, nil,
		},
		"no proof of a volume that is not what its class promised": {
			func(w *sealed) {
				w.labelled()
				w.bound("").Spec.CSI.Driver = "other"
			}, nil,
		},
		"no proof of a volume of another claim by the name": {
			func(w *sealed) {
				w.labelled()
				w.bound("").Spec.ClaimRef.UID = "before"
			}, nil,
		},
		"no proof where the pod asks for more than there is": {
			func(w *sealed) {
				w.labelled()
				w.bound("")
				w.pod.Annotations = map[string]string{v1alpha1.EncryptionKeyAnnotation: "other"}
			}, nil,
		},
		"that nobody can tell": {
			func(w *sealed) { w.key("other", nil); w.labelled() },
			func(*sealed) []string { return []string{"n/data terroir.dev/encryption-key-"} },
		},
		"nothing stays for people where nothing is owed": {
			func(w *sealed) { w.demand.Encryption = nil; w.labelled() },
			func(*sealed) []string {
				return []string{"n/data terroir.dev/encryption-binding- terroir.dev/encryption-key-"}
			},
		},
		"a policy that observes has it recorded too": {
			func(w *sealed) {
				w.demand.Enforcement = v1alpha1.EnforcementAudit
				w.claims[0].Annotations = nil
				w.labelled()
			},
			func(w *sealed) []string { return []string{"n/data terroir.dev/storage-class=" + fast(w)} },
		},
		"nothing in an exempt namespace": {func(w *sealed) { w.exempt = []string{"n"} }, nil},
	} {
		t.Run(what, func(t *testing.T) {
			w := waiting()
			c.tweak(w)
			var want []string
			if c.want != nil {
				want = c.want(w)
			}
			if diff := cmp.Diff(want, recordLines(decideRecords(w.world(t)))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// labelled puts on the claim data what people read.
func (w *sealed) labelled() {
	w.claims[0].Labels = map[string]string{v1alpha1.KeyLabel: "kek", v1alpha1.BindingLabel: "ProviderEnvelope"}
}

// recordLines are what must be written, a line for each object.
func recordLines(all []record) []string {
	var lines []string
	for _, r := range all {
		words := []string{}
		for _, changes := range []map[string]any{r.labels, r.annotations} {
			for key, value := range changes {
				if value == nil {
					words = append(words, key+"-")
				} else {
					words = append(words, key+"="+value.(string))
				}
			}
		}
		slices.Sort(words)
		lines = append(lines, r.object.GetNamespace()+"/"+r.object.GetName()+" "+strings.Join(words, " "))
	}
	slices.Sort(lines)
	return lines
}
