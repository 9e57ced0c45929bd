package uninstall

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

const (
	held = v1alpha1.HeldLabelPrefix + "in-france"
	open = v1alpha1.OpenLabelPrefix + "in-france"
)

// noon is when it is, in these tests.
func noon() time.Time { return time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) }

func object(kind, name string) Object {
	return Object{APIVersion: "v1", Kind: kind, Namespace: "shop", Name: name, version: "7"}
}

func going(o Object) Object {
	o.going = true
	return o
}

// lines are what is to be done in all stages, one line each.
func lines(plan []Todo) []string {
	var all []string
	for _, t := range plan {
		if t.Refused != "" {
			all = append(all, t.Stage+" refused: "+t.Refused)
		}
		for _, s := range t.Steps {
			line := t.Stage + ": " + s.Says
			if s.Patch != nil {
				line += " " + string(s.Patch)
			}
			all = append(all, line)
		}
		for _, w := range t.Waits {
			all = append(all, t.Stage+" waits for "+w)
		}
		for _, l := range t.Left {
			all = append(all, t.Stage+" leaves: "+l.Says)
		}
	}
	return all
}

func TestDecide(t *testing.T) {
	labelled := func(name string, labels ...string) node {
		return node{Object: Object{APIVersion: "v1", Kind: "Node", Name: name}, labels: labels}
	}
	asking := func(on string, maker Object, asks ...string) pod {
		return pod{Object: object("Pod", "p"), node: on, asks: asks, maker: maker}
	}
	web, agent := object("Deployment", "web"), object("DaemonSet", "agent")
	settled := func(o Object) workload { return workload{Object: o} }
	rolling := func(o Object) workload { return workload{Object: o, rolling: true} }
	for what, c := range map[string]struct {
		world   World
		options Options
		want    []string
	}{
		"nothing is to be done where nothing is": {},
		"the operator's Deployment goes, and its pods are waited for": {
			world: World{deployments: []Object{web}, managers: []Object{object("Pod", "web-1")}, lease: lease{holder: "web-1_x", duration: time.Minute}},
			want:  []string{"operator: delete Deployment shop/web", "operator waits for Pod shop/web-1 to end"},
		},
		"what is being deleted is not deleted again": {
			world: World{deployments: []Object{going(web)}},
			want:  []string{"operator waits for Deployment shop/web to be gone"},
		},
		"nobody stops an operator that runs elsewhere": {
			world: World{deployments: []Object{web}, lease: lease{holder: "laptop_x", duration: time.Minute, renewals: 1}},
			want: []string{"operator refused: an operator runs outside Deployment terroir-system/terroir-manager: Lease terroir-system/terroir-manager is held, " +
				"and renewed, by laptop_x; it would put back whatever is removed; stop it, then run this again"},
		},
		"a holder that nobody knows is watched before anything is touched": {
			world: World{deployments: []Object{web}, lease: lease{holder: "laptop_x", duration: time.Minute, still: 59 * time.Second}},
			want:  []string{"operator waits for whether laptop_x, who holds Lease terroir-system/terroir-manager, is still there"},
		},
		"a lease that nobody renewed for its duration is nobody's": {
			world: World{deployments: []Object{web}, lease: lease{holder: "laptop_x", duration: time.Minute, still: time.Minute}},
			want:  []string{"operator: delete Deployment shop/web"},
		},
		"the fence goes in the order in which it was read, and is waited for": {
			world: World{guards: []Object{object("Binding", "b"), object("Policy", "a")}},
			want:  []string{"fence: delete Binding shop/b", "fence: delete Policy shop/a"},
		},
		"a fence that is still in force is waited for": {
			world: World{fenced: true},
			want:  []string{"fence waits for the API server to forget the admission policies"},
		},
		"gates of others stay": {
			world: World{gated: []gated{{object("Pod", "p"), []string{"terroir.dev/a", "example.org/b"}}}},
			want:  []string{`gates: lift Terroir's scheduling gates of Pod shop/p {"metadata":{"resourceVersion":"7"},"spec":{"schedulingGates":[{"name":"example.org/b"}]}}`},
		},
		"a Deployment's own nodeSelector stays, its mirrors go": {
			world: World{workloads: []workload{{Object: web, mirrors: []string{"inherited.terroir.dev/trust-level"}, held: []string{held}}}},
			want: []string{`templates: remove mirrored annotations from the template of Deployment shop/web ` +
				`{"spec":{"template":{"metadata":{"annotations":{"inherited.terroir.dev/trust-level":null}}}}}`},
		},
		"a DaemonSet's entries for levels go with its mirrors": {
			world: World{workloads: []workload{{Object: agent, mirrors: []string{"m"}, asks: []string{held}, held: []string{held}}}},
			want: []string{
				`templates: remove mirrored annotations and nodeSelector entries for trust levels from the template of DaemonSet shop/agent ` +
					`{"spec":{"template":{"metadata":{"annotations":{"m":null}},"spec":{"nodeSelector":{"` + held + `":null}}}}}`,
				"nodes waits for the template of DaemonSet shop/agent to be changed",
			},
		},
		"a DaemonSet that asks for a zone by its own word is left": {
			world: World{workloads: []workload{{Object: agent, asks: []string{v1alpha1.ZoneLabel}}}},
			want: []string{"nodes leaves: the template of DaemonSet shop/agent itself asks nodes for " + v1alpha1.ZoneLabel +
				"; nobody will set that any more; remove it from the template"},
		},
		"a CronJob's template stands deeper": {
			world: World{workloads: []workload{{Object: object("CronJob", "nightly"), mirrors: []string{"m"}}}},
			want: []string{`templates: remove mirrored annotations from the template of CronJob shop/nightly ` +
				`{"spec":{"jobTemplate":{"spec":{"template":{"metadata":{"annotations":{"m":null}}}}}}}`},
		},
		"marks, floors and finalizers go, and somebody else's finalizer stays": {
			world: World{
				marked: []marked{
					{Object: Object{Kind: "Namespace", Name: "shop"}, marks: []string{"terroir.dev/governed"}}, {Object: Object{Kind: "StorageClass", Name: "fast"}, marks: []string{"terroir.dev/governed"}},
				},
				floors: []Object{object("PlacementFloor", "floor")},
				kept:   []kept{{Object{Kind: "TrustLevel", Name: "l", version: "3"}, []string{"example.org/a", "terroir.dev/in-use"}}},
			},
			want: []string{
				`marks: remove Terroir's marks from Namespace shop {"metadata":{"labels":{"terroir.dev/governed":null}}}`,
				`marks: remove Terroir's marks from StorageClass fast {"metadata":{"labels":{"terroir.dev/governed":null}}}`,
				"marks: delete PlacementFloor shop/floor",
				`marks: remove Terroir's finalizer from TrustLevel l {"metadata":{"finalizers":["example.org/a"],"resourceVersion":"3"}}`,
			},
		},
		"what was recorded of claims and volumes goes": {
			world: World{marked: []marked{
				{Object: object("PersistentVolumeClaim", "data"), marks: []string{"terroir.dev/encryption-key"}, records: []string{"terroir.dev/storage-class"}},
				{Object: Object{Kind: "PersistentVolume", Name: "pvc-1"}, records: []string{"terroir.dev/encryption-proof"}},
			}},
			want: []string{
				`marks: remove Terroir's marks from PersistentVolumeClaim shop/data ` +
					`{"metadata":{"annotations":{"terroir.dev/storage-class":null},"labels":{"terroir.dev/encryption-key":null}}}`,
				`marks: remove Terroir's marks from PersistentVolume pvc-1 {"metadata":{"annotations":{"terroir.dev/encryption-proof":null}}}`,
			},
		},
		"kinds go, and what keeps them is named": {
			world: World{kinds: []kind{{going(Object{Kind: "CustomResourceDefinition", Name: "zones"}), []string{"Zone a to lose its finalizers x"}}}},
			want: []string{
				"kinds waits for CustomResourceDefinition zones to be gone",
				"kinds waits for Zone a to lose its finalizers x",
			},
		},
		"kinds that are to be kept stay": {
			world:   World{kinds: []kind{{Object: Object{Kind: "CustomResourceDefinition", Name: "zones"}}}},
			options: Options{KeepKinds: true},
		},
		"permissions go before the namespace": {
			world: World{roles: []Object{{Kind: "ClusterRole", Name: "r"}}, home: []Object{{Kind: "Namespace", Name: "terroir-system"}}},
			want:  []string{"installation: delete ClusterRole r", "installation: delete Namespace terroir-system"},
		},
		"labels that nobody asks for go": {
			world: World{nodes: []node{labelled("n", held, open, v1alpha1.ZoneLabel)}},
			want:  []string{clears("n", held, open, v1alpha1.ZoneLabel)},
		},
		"a running pod keeps what it asks for on its node, and no others": {
			world: World{
				nodes: []node{labelled("n", held, open), labelled("m", held)}, workloads: []workload{settled(web)}, pods: []pod{asking("n", web, held)},
			},
			want: []string{
				clears("n", open), clears("m", held),
				"nodes leaves: Deployment shop/web has 1 pod that asks for " + held + "; restart it, or have it restarted by --restart-workloads",
			},
		},
		"a waiting pod keeps what it asks for everywhere": {
			world: World{nodes: []node{labelled("n", held, open), labelled("m", held)}, workloads: []workload{settled(web)}, pods: []pod{asking("", web, held, open)}},
			want: []string{
				"nodes leaves: Deployment shop/web has 1 pod that asks for " + held + ", " + open + "; restart it, or have it restarted by --restart-workloads",
			},
		},
		"workloads are restarted where that was wanted": {
			world:   World{now: noon(), workloads: []workload{settled(web)}, pods: []pod{asking("n", web, held)}},
			options: Options{RestartWorkloads: true},
			want: []string{
				`nodes: restart Deployment shop/web, so that its pods no longer ask for labels of Terroir ` +
					`{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-11-27T12:00:00Z"}}}}}`,
				"nodes waits for Deployment shop/web to replace its pods",
			},
		},
		"a workload that replaces its pods already is not restarted": {
			world:   World{workloads: []workload{rolling(agent)}, pods: []pod{asking("n", agent, held), asking("m", agent, held)}},
			options: Options{RestartWorkloads: true},
			want:    []string{"nodes waits for DaemonSet shop/agent to replace 2 pods that ask for " + held},
		},
		"a workload that replaces nothing by itself is left": {
			world:   World{workloads: []workload{{Object: agent, rolling: true, idle: "its update strategy is OnDelete"}}, pods: []pod{asking("n", agent, held)}},
			options: Options{RestartWorkloads: true},
			want: []string{"nodes leaves: DaemonSet shop/agent has 1 pod that asks for " + held +
				", and does not replace them by itself, since its update strategy is OnDelete; delete them"},
		},
		"a pod of nobody's is left": {
			world: World{nodes: []node{labelled("n", held)}, pods: []pod{asking("n", Object{}, held)}},
			want:  []string{"nodes leaves: Pod shop/p asks its node for " + held + ", and nobody would make it again; let it finish, or delete it"},
		},
		"a pod of a controller that is not known is left to it": {
			world: World{pods: []pod{asking("n", object("Job", "j"), held)}},
			want:  []string{"nodes leaves: Job shop/j has 1 pod that asks for " + held + "; let them finish, or replace them"},
		},
		"a pod that is ending is waited for": {
			world: World{pods: []pod{{Object: going(object("Pod", "p")), node: "n", asks: []string{held}, maker: web}}},
			want:  []string{"nodes waits for Pod shop/p to end"},
		},
		"a template that asks by its own word keeps labels, and is left": {
			world:   World{nodes: []node{labelled("n", held)}, workloads: []workload{{Object: web, asks: []string{held}, held: []string{held}}}},
			options: Options{RestartWorkloads: true},
			want: []string{"nodes leaves: the template of Deployment shop/web itself asks nodes for " + held +
				"; nobody will set that any more; remove it from the template"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			if diff := cmp.Diff(c.want, lines(Decide(c.world, c.options))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// clears is the line by which a node loses labels.
func clears(name string, labels ...string) string {
	var nulls []string
	for _, l := range slices.Sorted(slices.Values(labels)) {
		nulls = append(nulls, fmt.Sprintf("%q:null", l))
	}
	return "nodes: remove " + strings.Join(labels, ", ") + " from Node " + name + ` {"metadata":{"labels":{` + strings.Join(nulls, ",") + "}}}"
}

func TestKindsThatStayClaimNothing(t *testing.T) {
	ready := []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Enforced"}, {Type: "Compliant", Status: "True", Reason: "AllCompliant"}}
	c := claim{Object: Object{Kind: "ClusterPlacementPolicy", Name: "p"}, conditions: ready, generation: 4}
	const said = "Terroir was uninstalled: nothing is in force, and nobody looks"
	plan := Decide(World{now: noon(), claims: []claim{c}}, Options{KeepKinds: true})
	want := []string{`marks: say in the status of ClusterPlacementPolicy p that nothing is in force {"status":{"conditions":[` +
		`{"type":"Ready","status":"False","observedGeneration":4,"lastTransitionTime":"2026-11-27T12:00:00Z","reason":"Uninstalled","message":"` + said + `"},` +
		`{"type":"Compliant","status":"Unknown","observedGeneration":4,"lastTransitionTime":"2026-11-27T12:00:00Z","reason":"Uninstalled","message":"` + said + `"}]}}`}
	if diff := cmp.Diff(want, lines(plan)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if ready[0].Status != metav1.ConditionTrue {
		t.Error("what was read was changed")
	}
	c.conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: "Uninstalled"}}
	if again := lines(Decide(World{now: noon(), claims: []claim{c}}, Options{KeepKinds: true})); again != nil {
		t.Errorf("it is said again: %v", again)
	}
}

func TestAKeyThatStaysIsNotCalledVerified(t *testing.T) {
	c := claim{Object: Object{Kind: "EncryptionKey", Name: "kek"}, conditions: []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Verified"}}}
	plan := Decide(World{now: noon(), claims: []claim{c}}, Options{KeepKinds: true})
	want := []string{`marks: say in the status of EncryptionKey kek that nothing is in force {"status":{"conditions":[` +
		`{"type":"Ready","status":"False","lastTransitionTime":"2026-11-27T12:00:00Z","reason":"Uninstalled","message":"Terroir was uninstalled: nothing is in force, and nobody looks"}],` +
		`"phase":"Unknown","verifiedUntil":null}}`}
	if diff := cmp.Diff(want, lines(plan)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestObserve(t *testing.T) {
	at := func(second int) lease {
		return lease{holder: "laptop_x", renewed: noon().Add(time.Duration(second) * time.Second), duration: 15 * time.Second}
	}
	seen := func(l lease, renewals int, still time.Duration) lease {
		l.renewals, l.still = renewals, still
		return l
	}
	for what, c := range map[string]struct {
		before, read, want lease
		pods               []Object
	}{
		"what is seen first tells nothing yet":            {read: at(1), want: at(1)},
		"a lease that is not renewed gets stale":          {before: seen(at(1), 0, time.Second), read: at(1), want: seen(at(1), 0, 3*time.Second)},
		"a lease that is renewed has somebody behind it":  {before: seen(at(1), 0, time.Second), read: at(2), want: seen(at(2), 1, 0)},
		"once renewed is enough":                          {before: seen(at(2), 1, 0), read: at(2), want: seen(at(2), 1, 2*time.Second)},
		"the operator's own renewals are of no concern":   {before: at(1), read: at(2), want: at(2), pods: []Object{object("Pod", "laptop")}},
		"another holder begins anew":                      {before: seen(lease{holder: "other_y"}, 1, 0), read: at(2), want: at(2)},
		"a lease that was released is nobody's from then": {before: seen(at(1), 1, 0), read: lease{}, want: lease{}},
	} {
		t.Run(what, func(t *testing.T) {
			got := observe(c.before, c.read, c.pods, 2*time.Second)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(lease{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAsksOf(t *testing.T) {
	constraint := func(key string, when corev1.UnsatisfiableConstraintAction) corev1.TopologySpreadConstraint {
		return corev1.TopologySpreadConstraint{TopologyKey: key, WhenUnsatisfiable: when}
	}
	spec := &corev1.PodSpec{
		NodeSelector: map[string]string{held: "true", "disk": "ssd"},
		Affinity: &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: v1alpha1.ZoneLabel, Operator: corev1.NodeSelectorOpExists}}}},
		}}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
			constraint(open, corev1.DoNotSchedule), constraint(v1alpha1.OpenLabelPrefix+"other", corev1.ScheduleAnyway), constraint("zone", corev1.DoNotSchedule),
		},
	}
	if diff := cmp.Diff([]string{held, open, v1alpha1.ZoneLabel}, asksOf(spec, false)); diff != "" {
		t.Errorf("a pod that waits asks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{held, v1alpha1.ZoneLabel}, asksOf(spec, true)); diff != "" {
		t.Errorf("a pod that runs asks (-want +got):\n%s", diff)
	}
}

func TestMarksAreFoundWhateverTheirValue(t *testing.T) {
	all := map[string]string{"terroir.dev/governed": "true", "terroir.dev/unsettled": "true", "terroir.dev/warned": "", "terroir.dev/workload": "x", "app": "web"}
	if diff := cmp.Diff([]string{"terroir.dev/governed", "terroir.dev/unsettled", "terroir.dev/warned"}, marksIn(all)); diff != "" {
		t.Errorf("marks (-want +got):\n%s", diff)
	}
	if got := marksIn(map[string]string{"app": "web"}); len(got) > 0 {
		t.Errorf("without any, there are %v", got)
	}
	annotations := map[string]string{v1alpha1.ClassAnnotation: "uid:digest", v1alpha1.EncryptionKeyAnnotation: "health-kek"}
	if diff := cmp.Diff([]string{v1alpha1.ClassAnnotation}, recordsIn(annotations)); diff != "" {
		t.Errorf("records (-want +got); what the namespace's own people wrote is theirs:\n%s", diff)
	}
}
