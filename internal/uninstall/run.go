package uninstall

import (
	"context"
	"errors"
	"fmt"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Uninstaller uninstalls Terroir from one cluster.
type Uninstaller struct {
	gatherer gatherer
	options  Options
	patience time.Duration
	tell     func(string)
}

// New makes an uninstaller. The client must know the kinds of [Scheme]. patience is how long each stage may wait for what ends by
// itself. tell is told of every step, before it is taken, and of what is being waited for.
func New(c client.Client, options Options, patience time.Duration, tell func(string)) *Uninstaller {
	return &Uninstaller{gatherer: gatherer{client: c, now: time.Now}, options: options, patience: patience, tell: tell}
}

// Scheme gives the kinds that are read and written.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme))
	if err != nil {
		return nil, fmt.Errorf("collecting the kinds: %w", err)
	}
	return scheme, nil
}

// Plan says what [Uninstaller.Run] would begin with, and changes nothing.
func (u *Uninstaller) Plan(ctx context.Context) ([]Todo, error) {
	if err := u.allowed(ctx); err != nil {
		return nil, err
	}
	w, err := u.gatherer.gather(ctx)
	if err != nil {
		return nil, err
	}
	return Decide(w, u.options), nil
}

// Run uninstalls, and gives what is left for somebody else to do. Where it returns an error, or dies, it can be run again.
func (u *Uninstaller) Run(ctx context.Context) ([]Left, error) {
	if err := u.allowed(ctx); err != nil {
		return nil, err
	}
	if err := u.rehearse(ctx); err != nil {
		return nil, err
	}
	var left []Left
	for _, s := range stages() {
		stays, err := u.stage(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.name, err)
		}
		if s.first && len(stays) > 0 {
			return nil, fmt.Errorf("stage %s: %s; nothing beyond this was touched", s.name, stays[0].Says)
		}
		left = append(left, stays...)
	}
	return left, nil
}

// rehearse asks the API server whether it would let everything be deleted that is to be deleted, as far as policies are concerned that it
// reads from its own files: they refuse whoever asks, and it is better to know before the operator is stopped. Other refusals
// may come from what an earlier stage removes.
func (u *Uninstaller) rehearse(ctx context.Context) error {
	w, err := u.gatherer.gather(ctx)
	if err != nil {
		return err
	}
	for _, t := range Decide(w, u.options) {
		for _, s := range t.Steps {
			if s.Patch != nil {
				continue
			}
			if err := u.gatherer.client.Delete(ctx, s.named(), client.DryRunAll); refusedByManifest(err) {
				return manifestRefusal(s, err)
			}
		}
	}
	return nil
}

func manifestRefusal(s Step, err error) error {
	return fmt.Errorf("the API server refuses to %s, by a policy that it reads from its own files: %w; "+
		"remove Terroir's files from the directory of static admission manifests of every API server, then run this again", s.Says, err)
}

// round is what is remembered between the rounds of a stage.
type round struct {
	stage    stage
	until    time.Time
	told     map[string]bool
	failures map[string]error // by what the step says
}

// stage carries out a stage until nothing is to be done, nothing to be waited for, or the patience is over.
func (u *Uninstaller) stage(ctx context.Context, s stage) ([]Left, error) {
	r := round{stage: s, until: u.gatherer.now().Add(u.patience), told: map[string]bool{}}
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		w, err := u.gatherer.gather(ctx)
		if err != nil {
			return nil, err
		}
		todo := s.todo(w, u.options)
		switch {
		case todo.Refused != "":
			return nil, errors.New(todo.Refused)
		case len(todo.Steps) == 0 && len(todo.Waits) == 0:
			return todo.Left, nil
		case w.now.After(r.until):
			return r.overdue(todo), nil
		}
		if err := u.carryOut(ctx, &r, todo); err != nil {
			return nil, err
		}
		if r.hopeless(todo) {
			return r.overdue(todo), nil
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// sleep waits, or gives up with the context.
func sleep(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// overdue says what a stage that took too long leaves behind.
func (r *round) overdue(t Todo) []Left {
	left := t.Left
	for _, s := range t.Steps {
		says := "it was not possible to " + s.Says
		if err := r.failures[s.Says]; err != nil {
			says += ": " + err.Error()
		}
		left = append(left, Left{Stage: t.Stage, Says: says})
	}
	for _, w := range t.Waits {
		left = append(left, Left{Stage: t.Stage, Says: "waited in vain for " + w})
	}
	return left
}

// carryOut takes the steps of one round. A step that failed does not keep the others from being taken; the next round tries it again.
func (u *Uninstaller) carryOut(ctx context.Context, r *round, t Todo) error {
	r.failures = map[string]error{}
	for _, s := range t.Steps {
		r.once(u.tell, s.Says)
		err := u.take(ctx, s)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case refusedByManifest(err):
			return manifestRefusal(s, err)
		case err != nil:
			r.failures[s.Says] = err
		}
	}
	for _, w := range t.Waits {
		r.once(u.tell, "wait for "+w)
	}
	return nil
}

// hopeless tells whether another round would come to the same: nothing will end by itself, and everything that was tried was refused,
// by others than the fence, which API servers may not have forgotten everywhere.
func (r *round) hopeless(t Todo) bool {
	for _, err := range r.failures {
		refused := apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err)
		if !refused || refusedByFence(err) {
			return false
		}
	}
	return len(t.Waits) == 0 && len(r.failures) == len(t.Steps)
}

// once tells what has not been told in this stage.
func (r *round) once(tell func(string), what string) {
	if !r.told[what] {
		r.told[what] = true
		tell(r.stage.name + ": " + what)
	}
}

// take takes one step. An object that is gone needs no change any more.
func (u *Uninstaller) take(ctx context.Context, s Step) error {
	err := u.change(ctx, s.named(), s)
	if absent(err) {
		return nil
	}
	return err
}

// named is the object of a step, as the client wants it.
func (s Step) named() *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(s.Object.APIVersion)
	o.SetKind(s.Object.Kind)
	o.SetNamespace(s.Object.Namespace)
	o.SetName(s.Object.Name)
	return o
}

func (u *Uninstaller) change(ctx context.Context, o client.Object, s Step) error {
	c, owner := u.gatherer.client, client.FieldOwner(v1alpha1.FieldOwner+"-uninstall")
	patch := client.RawPatch(types.MergePatchType, s.Patch)
	switch {
	case s.Patch == nil:
		return c.Delete(ctx, o, client.PropagationPolicy(propagation(s.Object)))
	case s.Subresource != "":
		return c.SubResource(s.Subresource).Patch(ctx, o, patch, owner)
	default:
		return c.Patch(ctx, o, patch, owner)
	}
}

// propagation: the operator's Deployment is there until its pods are gone; nothing else has anybody waiting for its dependents.
func propagation(o Object) metav1.DeletionPropagation {
	if o.Kind == "Deployment" {
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}
