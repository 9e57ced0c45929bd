package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/placement"
	"github.com/terroir-dev/terroir/internal/policy"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/storage"
	"github.com/terroir-dev/terroir/internal/trust"
)

// +kubebuilder:rbac:groups="",resources=pods,verbs=patch
// +kubebuilder:rbac:groups="",resources=pods/status,verbs=patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Gates lifts the scheduling gate of pods whose volumes are proven to be encrypted as they owe, says of the others why they wait, records what was
// proven, and evicts the pods of keys that are revoked, where that is wanted.
type Gates struct {
	writer
	reader   client.Reader
	live     client.Reader
	pods     podLister
	store    *snapshot.Store
	surveyor *surveyor
	now      Clock
	recorder events.EventRecorder
	evictor  evictor
	// told is what was last told, as an event, of each pod that waits. The cache may not have seen yet what was written of it.
	told map[types.UID]uint64
}

func (g *Gates) loop(news *announcements) loop {
	return loop{
		name: "gates", announcements: news, after: atOnce, pass: g.pass,
		watches: append(keyWatches(atOnce), []watch{
			{object: &corev1.Pod{}, after: atOnce, news: gateConcerns, about: func(o client.Object) bool { return o.(*seenPod).gated || annotated(o.(*seenPod)) }},
			{object: &corev1.PersistentVolumeClaim{}, after: atOnce, news: func(before, after client.Object) bool {
				return claimChanged(before, after) || metadataChanged(before, after)
			}},
			{object: &corev1.PersistentVolume{}, after: atOnce, news: volumeChanged},
			{object: &storagev1.StorageClass{}, after: atOnce, news: metadataChanged},
			{object: &corev1.Namespace{}, after: atOnce, news: metadataChanged},
		}...),
	}
}

// gateWorld is what the loop looks at.
type gateWorld struct {
	protections
	set        *policy.Set
	qualified  func(zone, level string) bool
	namespaces map[string]demanding
	pods       []*seenPod // those that are not finished
}

// demanding is a namespace with what is demanded of volumes in it. It is worked out once for all that is there.
type demanding struct {
	*corev1.Namespace
	// owed is what all its pods owe; nothing where it is exempt.
	owed policy.Obligation
	// observed is what policies that enforce nothing would demand of volumes, each by itself.
	observed []policy.Obligation
}

func demandingIn(set *policy.Set, n *corev1.Namespace) demanding {
	d := demanding{Namespace: n, owed: set.Namespace(namespaceOf(n))}
	for _, p := range set.Concerning(namespaceOf(n)) {
		if p.Encryption != nil && p.Enforcement != v1alpha1.EnforcementEnforce {
			d.observed = append(d.observed, policy.Obligation{}.With(p.Demand))
		}
	}
	return d
}

// gateDecision is what becomes of a pod that waits.
type gateDecision struct {
	pod *seenPod
	// lift: it need not wait any longer. free: because it owes nothing, as far as policies are known.
	lift, free      bool
	reason, message string
	// claims are those that were judged.
	claims []*corev1.PersistentVolumeClaim
}

func (g *Gates) pass(ctx context.Context) (reconcile.Result, error) {
	current, ok := g.store.Load()
	if !ok {
		return reconcile.Result{}, nil // the compiler announces the first snapshot
	}
	now := g.now()
	view := current.Catalogue.At(now)
	world, err := g.gather(ctx, current.Policies, view, now)
	if err != nil {
		return reconcile.Result{}, err
	}
	recorded := g.record(ctx, decideRecords(world))
	decided := decideGates(world)
	lifted := g.carryOut(ctx, current, world, decided)
	bearers := bearersIn(world)
	again, evicted := g.evictor.carryOut(ctx, decideEvictions(bearers, world.keys, world.braked), now)
	if err := errors.Join(recorded, lifted, evicted); err != nil {
		return reconcile.Result{}, err
	}
	return wakeAt(now, view.NextChange(), world.next(), world.again(decided), again, world.evictsAgain(bearers), now.Add(sweepEvery)), nil
}

// lookAgain is how long a pod waits at most until what nobody follows is asked anew: configuration of drivers, and snapshots.
const lookAgain = 30 * time.Second

// again is when to ask anew what nobody follows, if a pod waits.
func (w gateWorld) again(all []gateDecision) time.Time {
	if !w.unfollowed || !slices.ContainsFunc(all, func(d gateDecision) bool { return !d.lift }) {
		return time.Time{}
	}
	return w.at.Add(lookAgain)
}

func (g *Gates) gather(ctx context.Context, set *policy.Set, view *trust.View, now time.Time) (gateWorld, error) {
	var namespaces corev1.NamespaceList
	if err := listAll(ctx, g.reader, &namespaces); err != nil {
		return gateWorld{}, err
	}
	pods, err := g.pods()
	if err != nil {
		return gateWorld{}, err
	}
	stored, err := gatherStorage(ctx, g.reader)
	if err != nil {
		return gateWorld{}, err
	}
	w := gateWorld{set: set, qualified: qualifiedIn(view), namespaces: map[string]demanding{}}
	for i := range namespaces.Items {
		w.namespaces[namespaces.Items[i].Name] = demandingIn(set, &namespaces.Items[i])
	}
	for _, p := range pods {
		if !p.finished {
			w.pods = append(w.pods, p)
		}
	}
	w.protections, err = g.surveyor.survey(ctx, stored, encrypting(set, namespaces.Items, w.pods), now)
	return w, err
}

// qualifiedIn says whether a key may lie in a zone: pods that owe the level may stay there.
func qualifiedIn(view *trust.View) func(zone, level string) bool {
	return func(zone, level string) bool { return view.Standing(zone, level).Worth >= trust.Held }
}

// owed is what a pod owes; false while its namespace is not known.
func (w gateWorld) owed(p *seenPod) (policy.Obligation, bool) {
	n, known := w.namespaces[p.Namespace]
	if !known || !p.isAnnotated {
		return n.owed, known
	}
	return p.judged().Owed(w.set, n.owed, sourceOf(p)), true
}

// decideGates says of every pod that waits whether it still has to, and why.
func decideGates(w gateWorld) []gateDecision {
	var all []gateDecision
	for _, p := range w.pods {
		if !p.gated {
			continue
		}
		if owed, known := w.owed(p); known {
			if d, decided := w.gate(p, owed); decided {
				all = append(all, d)
			}
		}
	}
	return all
}

// gate decides about one pod. It is not decided while something is missing that Terroir itself is about to write.
func (w gateWorld) gate(p *seenPod, owed policy.Obligation) (d gateDecision, decided bool) {
	d.pod = p
	wait := func(reason, format string, args ...any) (gateDecision, bool) {
		d.reason, d.message = reason, clip(fmt.Sprintf(format, args...))
		return d, true
	}
	for _, problem := range owed.Problems {
		if problem.Reason != policy.TrustLevelNotFound { // no node satisfies such a level, whatever the gate does
			return wait(v1alpha1.ReasonEncryptionNotProven, "%s", problem.Message)
		}
	}
	if owed.Encryption == nil || len(p.claims) == 0 {
		d.lift, d.free = true, owed.Encryption == nil
		return wait(v1alpha1.ReasonNothingOwed, "the pod owes no encryption, or has no volume that could be encrypted")
	}
	if w.set.Exempt(p.Namespace) { // its own word is all that is demanded there, and what is recorded of claims is not guarded
		return wait(v1alpha1.ReasonEncryptionNotProven, "namespace %s is exempt, and nothing is guarded there that a proof of encryption rests on: run the pod elsewhere, or take its annotation %s off",
			p.Namespace, v1alpha1.EncryptionKeyAnnotation)
	}
	var denials []placement.Denial
	for _, name := range p.claims {
		claim := w.depot.claims[p.Namespace][name]
		if claim == nil {
			return wait(v1alpha1.ReasonClaimNotFound, "claim %q does not exist, so nobody can tell how its volume will be encrypted", name)
		}
		if w.unrecorded(claim) {
			return d, false
		}
		d.claims = append(d.claims, claim)
		denials = append(denials, w.against(owed, claim)...)
	}
	if len(denials) > 0 {
		return wait(reasonOfDenials(denials), "%s", sentences(denials))
	}
	d.lift = true
	return wait(v1alpha1.ReasonEncryptionProven, "every volume of the pod is, or will be, encrypted as it owes")
}

// against gives what stands against a claim. A class that binds at once makes volumes before anybody looks: then the volume itself is waited for.
func (w gateWorld) against(owed policy.Obligation, claim *corev1.PersistentVolumeClaim) []placement.Denial {
	if v := w.judge(owed, w.namespaces[claim.Namespace].Labels, claim, w.qualified); !v.Allowed() {
		return v.Denials
	}
	if class := w.classes[classOf(claim)]; class.StorageClass != nil && storage.Immediate(class.StorageClass) && w.depot.volumeOf(claim) == nil {
		return []placement.Denial{{Rule: placement.RuleEncryption, Message: fmt.Sprintf(
			"claim %q has no volume yet, and StorageClass %s makes volumes at once: it will be looked at when it is there", claim.Name, class.Name)}}
	}
	return nil
}

// unrecorded claims are those of which it is not recorded yet by which class their volume is made. Without that, nobody would notice another class.
func (w gateWorld) unrecorded(claim *corev1.PersistentVolumeClaim) bool {
	_, exists := w.classes[classOf(claim)]
	return exists && claim.Annotations[v1alpha1.ClassAnnotation] == ""
}

func reasonOfDenials(denials []placement.Denial) string {
	for _, d := range denials {
		if d.Rule == placement.RuleKeyRevoked {
			return v1alpha1.KeyRevoked
		}
	}
	return v1alpha1.ReasonEncryptionNotProven
}

func sentences(denials []placement.Denial) string {
	all := make([]string, len(denials))
	for i, d := range denials {
		all[i] = d.Message
	}
	return strings.Join(all, "; ")
}

// liftAtOnce bounds how many pods are written at the same time.
const liftAtOnce = 8

func (g *Gates) carryOut(ctx context.Context, current *snapshot.Snapshot, world gateWorld, all []gateDecision) error {
	g.forget(all)
	certain := newCertainty(g.live, current)
	var writers errgroup.Group // which ends none because another failed
	writers.SetLimit(liftAtOnce)
	failures := make([]error, len(all))
	for i, d := range all {
		if d.free && len(d.pod.claims) > 0 {
			sure, err := certain.of(ctx, world.namespaces[d.pod.Namespace].Namespace)
			if err != nil {
				failures[i] = err
			}
			if !sure {
				continue // the snapshot that knows the policy will be announced, as will the namespace as it is
			}
		}
		g.tell(d)
		writers.Go(func() error {
			failures[i] = g.settle(ctx, d, world.at)
			return nil
		})
	}
	return errors.Join(writers.Wait(), errors.Join(failures...))
}

// settle writes what was decided of a pod. That it is proven is said before the gate is lifted: it is true by then, and nobody would come back to say it.
func (g *Gates) settle(ctx context.Context, d gateDecision, now time.Time) error {
	if d.lift {
		if still, err := g.still(ctx, d.claims); err != nil || !still {
			return err // who changed a claim will be heard of
		}
	}
	if err := g.condition(ctx, d, now); err != nil || !d.lift {
		return err
	}
	return g.lift(ctx, d.pod)
}

// still reports whether claims are those that were judged, and have, or ask for, the volumes that they did: whoever may write a claim may delete it at the
// same moment, and make another one by its name.
func (g *Gates) still(ctx context.Context, judged []*corev1.PersistentVolumeClaim) (bool, error) {
	for _, was := range judged {
		var is corev1.PersistentVolumeClaim
		err := g.live.Get(ctx, client.ObjectKeyFromObject(was), &is)
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case err != nil:
			return false, fmt.Errorf("reading claim %s/%s as it is now: %w", was.Namespace, was.Name, err)
		case claimChanged(was, &is):
			return false, nil
		}
	}
	return true, nil
}

// status is what the condition of the pod says.
func (d gateDecision) status() corev1.ConditionStatus {
	if d.lift {
		return corev1.ConditionTrue
	}
	return corev1.ConditionFalse
}

// condition says in the pod's status how it stands.
func (g *Gates) condition(ctx context.Context, d gateDecision, now time.Time) error {
	if shownAs(d.status(), d.reason, d.message) == d.pod.shown {
		return nil
	}
	says := map[string]any{"type": v1alpha1.EncryptionProvenCondition, "status": d.status(), "reason": d.reason, "message": d.message}
	if d.lift || d.pod.shown == 0 { // else it was False before, and since when stays
		says["lastTransitionTime"] = metav1.NewTime(now)
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": d.pod.UID}, "status": map[string]any{"conditions": []any{says}},
	})
	if err != nil {
		return fmt.Errorf("encoding the condition of pod %s/%s: %w", d.pod.Namespace, d.pod.Name, err)
	}
	err = g.client.Status().Patch(ctx, podOf(d.pod), client.RawPatch(types.StrategicMergePatchType, patch), client.FieldOwner(v1alpha1.FieldOwner))
	if passed(err) {
		return nil
	}
	return fmt.Errorf("writing the condition of pod %s/%s: %w", d.pod.Namespace, d.pod.Name, err)
}

// lift takes the gate off the pod as it is now, if it is still that pod. Others may lift theirs at the same moment: then the next pass tries again.
func (g *Gates) lift(ctx context.Context, p *seenPod) error {
	var is corev1.Pod
	err := g.live.Get(ctx, client.ObjectKeyFromObject(p), &is)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading pod %s/%s to lift its gate: %w", p.Namespace, p.Name, err)
	}
	at := gateOf(is.Spec.SchedulingGates)
	if is.UID != p.UID || at < 0 {
		return nil
	}
	path := fmt.Sprintf("/spec/schedulingGates/%d", at)
	patch, err := json.Marshal([]placement.Patch{
		{Op: "test", Path: "/metadata/uid", Value: string(p.UID)},
		{Op: "test", Path: path + "/name", Value: v1alpha1.EncryptionGate},
		{Op: "remove", Path: path},
	})
	if err != nil {
		return fmt.Errorf("encoding how the gate of pod %s/%s is lifted: %w", p.Namespace, p.Name, err)
	}
	if err := g.client.Patch(ctx, podOf(p), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1alpha1.FieldOwner)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("lifting the gate of pod %s/%s: %w", p.Namespace, p.Name, err)
	}
	return nil
}

// passed says that nothing is left to be done: it is done, or the pod is gone, or another has come by its name.
func passed(err error) bool {
	return client.IgnoreNotFound(err) == nil || apierrors.IsConflict(err) || isAnother(err)
}

// isAnother says that a patch was for an object with another UID: the API server calls it an attempt to change that.
func isAnother(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field == "metadata.uid" })
}

// podOf is a pod for a client to write to, which fills it with the answer.
func podOf(p *seenPod) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name}}
}

// tell tells as an event why a pod waits, when that is new.
func (g *Gates) tell(d gateDecision) {
	says := shownAs(d.status(), d.reason, d.message)
	if d.lift || says == d.pod.shown || says == g.told[d.pod.UID] {
		return
	}
	g.told[d.pod.UID] = says
	of := &corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: d.pod.Namespace, Name: d.pod.Name, UID: d.pod.UID}
	// Recorders count events of one reason and action as one, and keep the first one's words. Another cause is other news.
	g.recorder.Eventf(of, nil, corev1.EventTypeWarning, d.reason, fmt.Sprintf("Wait-%08x", uint32(says)), "%s", d.message)
}

// forget forgets all pods but these.
func (g *Gates) forget(all []gateDecision) {
	told := make(map[types.UID]uint64, len(g.told))
	for _, d := range all {
		if says, known := g.told[d.pod.UID]; known {
			told[d.pod.UID] = says
		}
	}
	g.told = told
}
