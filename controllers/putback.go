package controllers

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
)

// putBack keeps objects as Terroir wants them, whole: what somebody adds to a policy, such as a condition under which it does not look,
// is taken out. Server-side apply would leave it, since it is somebody else's field.
//
// It remembers what it wrote. Only what deviates from that was tampered with: what another version of Terroir wrote, or an installation
// before this process began, is just brought up to date.
type putBack struct {
	client client.Client
	// live reads from the API server itself. The cache tells when to look, and may be behind our own writes.
	live    client.Reader
	written map[string]written
}

// written is one object as the API server made it of what Terroir wanted.
type written struct {
	uid          types.UID
	wanted, held digest
}

type digest [sha256.Size]byte

// What was done to an object.
type deed string

const (
	nothing deed = ""
	deleted deed = "deleted"
	changed deed = "changed"
)

func keyOf(o client.Object) string {
	kind := o.GetObjectKind().GroupVersionKind().Kind
	if o.GetNamespace() != "" {
		return kind + "/" + o.GetNamespace() + "/" + o.GetName()
	}
	return kind + "/" + o.GetName()
}

// ensure writes an object unless the one that is present is known to be as it must be. It says whether it wrote, and what somebody
// else had done. Present is nil where there is none.
func (p putBack) ensure(ctx context.Context, wanted, present client.Object) (wrote bool, done deed, err error) {
	if present != nil && p.written[keyOf(wanted)] == versionOf(wanted, present) {
		return false, nothing, nil
	}
	// Whoever puts an authority into the webhook configurations may write at the same moment.
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		wrote, done, err = p.mend(ctx, wanted)
		return err
	})
	if err != nil {
		return false, nothing, fmt.Errorf("writing %s: %w", keyOf(wanted), err)
	}
	return wrote, done, nil
}

// mend looks at the object itself, and writes it if need be.
func (p putBack) mend(ctx context.Context, wanted client.Object) (wrote bool, done deed, err error) {
	key, found := keyOf(wanted), wanted.DeepCopyObject().(client.Object)
	switch err := p.live.Get(ctx, client.ObjectKeyFromObject(wanted), found); {
	case client.IgnoreNotFound(err) != nil:
		return false, nothing, err
	case err != nil:
		found = nil
	case p.written[key] == versionOf(wanted, found):
		return false, nothing, nil // the cache is behind
	}
	result, err := p.write(ctx, wanted, found)
	if err != nil {
		return false, nothing, err
	}
	done = p.deviation(key, wanted, found)
	p.written[key] = versionOf(wanted, result)
	return true, done, nil
}

// deviation says what became of an object since this process wrote it, if it did.
func (p putBack) deviation(key string, wanted, found client.Object) deed {
	was, known := p.written[key]
	switch {
	case !known:
		return nothing
	case found == nil || found.GetUID() != was.uid:
		return deleted
	case digestOf(held(wanted, found)) != was.held:
		return changed
	default:
		return nothing
	}
}

// write replaces what Terroir holds of an object, or creates it.
func (p putBack) write(ctx context.Context, wanted, found client.Object) (client.Object, error) {
	next := wanted.DeepCopyObject().(client.Object)
	if found == nil {
		return next, p.client.Create(ctx, next, client.FieldOwner(v1alpha1.FieldOwner))
	}
	if _, only := wanted.(*corev1.Secret); only {
		return found, nil // what is in it is not Terroir's to write here
	}
	labels := maps.Clone(found.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, wanted.GetLabels())
	next.SetLabels(labels)
	next.SetAnnotations(found.GetAnnotations())
	next.SetFinalizers(found.GetFinalizers())
	next.SetUID(found.GetUID())
	next.SetResourceVersion(found.GetResourceVersion())
	keepAuthorities(next, found)
	return next, p.client.Update(ctx, next, client.FieldOwner(v1alpha1.FieldOwner))
}

// forget is for what Terroir itself deletes.
func (p putBack) forget(key string) { delete(p.written, key) }

func versionOf(wanted, o client.Object) written {
	return written{uid: o.GetUID(), wanted: digestOf(held(wanted, wanted)), held: digestOf(held(wanted, o))}
}

// held is what Terroir holds of an object that it wants: all that it does, the mark, and that nobody owns it, since it would go with its owner.
func held(wanted, o client.Object) any {
	rest := map[string]any{"mark": o.GetLabels()[fence.ManagedByLabel], "owners": len(o.GetOwnerReferences())}
	switch o := o.(type) {
	case *corev1.Secret:
		return nil
	case *corev1.Service:
		rest["spec"] = o.Spec
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		rest["spec"] = o.Spec
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		rest["spec"] = o.Spec
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		rest["spec"] = o.Spec
	case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
		rest["spec"] = o.Spec
	default:
		rest["webhooks"] = hooks(withoutInjected(wanted, o))
	}
	return rest
}

func digestOf(content any) digest {
	text, err := json.Marshal(content)
	if err != nil {
		panic(fmt.Sprintf("encoding an object of the API: %v", err)) // they are made to be encoded
	}
	return sha256.Sum256(text)
}

// hooks are those of a webhook configuration.
func hooks(o client.Object) any {
	switch o := o.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		return o.Webhooks
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		return o.Webhooks
	default:
		return nil
	}
}

// clientConfigs are those of a webhook configuration, by the names of the hooks.
func clientConfigs(o client.Object) map[string]*admissionregistrationv1.WebhookClientConfig {
	found := map[string]*admissionregistrationv1.WebhookClientConfig{}
	switch o := o.(type) {
	case *admissionregistrationv1.MutatingWebhookConfiguration:
		for i := range o.Webhooks {
			found[o.Webhooks[i].Name] = &o.Webhooks[i].ClientConfig
		}
	case *admissionregistrationv1.ValidatingWebhookConfiguration:
		for i := range o.Webhooks {
			found[o.Webhooks[i].Name] = &o.Webhooks[i].ClientConfig
		}
	}
	return found
}

// keepAuthorities leaves the certificate authorities that somebody else puts into webhook configurations, where Terroir puts none.
func keepAuthorities(next, found client.Object) {
	was := clientConfigs(found)
	for name, c := range clientConfigs(next) {
		if is, known := was[name]; known && c.CABundle == nil {
			c.CABundle = is.CABundle
		}
	}
}

// withoutInjected is the object without such authorities.
func withoutInjected(wanted, o client.Object) client.Object {
	own, o := clientConfigs(wanted), o.DeepCopyObject().(client.Object)
	for name, c := range clientConfigs(o) {
		if mine, known := own[name]; known && mine.CABundle == nil {
			c.CABundle = nil
		}
	}
	return o
}

// asObjects are runtime objects as the objects of an API that they are.
func asObjects(of []runtime.Object) []client.Object {
	out := make([]client.Object, len(of))
	for i, o := range of {
		out[i] = o.(client.Object)
	}
	return out
}
