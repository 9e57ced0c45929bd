package doors

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// change is one change of an object, however it is carried.
type change struct {
	// apiVersion, kind, namespace and name are those of the object; $name and the like are filled in.
	apiVersion, kind, namespace, name string
	// path leads to the field, and value is what it shall be; nil: it shall be gone.
	path  []string
	value any
}

// The verbs that can carry a change.
const (
	mergePatch     = "merge patch"
	strategicPatch = "strategic merge patch"
	jsonPatch      = "JSON patch"
	put            = "update"
	apply          = "server-side apply"
)

// carriers are the verbs that can carry a change of this object.
func (c change) carriers() []string {
	verbs := []string{mergePatch, jsonPatch, put}
	if !strings.Contains(c.apiVersion, "terroir.dev") {
		verbs = append(verbs, strategicPatch)
	}
	if c.value != nil {
		verbs = append(verbs, apply) // it cannot take away what others own
	}
	return verbs
}

// template is what variants made from one change have in common.
type template struct {
	by     who
	closed Closing
	set    func(context.Context, *stage) error
	ground string
	// resource is the plural, for the table.
	resource string
	// kubernetes says by verb and subresource, such as "update of pods/status", why Kubernetes itself closes it.
	kubernetes map[string]string
	noticed    func(context.Context, *stage) error
	// effect says whether it happened. Nil: it happened if the field has the value.
	effect func(context.Context, *stage, change) (effect, error)
}

// everyWay tries a change through every verb, on the object itself ("") and its subresources.
func (t template) everyWay(c change, subresources ...string) []Variant {
	var all []Variant
	for _, sub := range subresources {
		for _, verb := range c.carriers() {
			if sub == "finalize" && verb != put {
				continue // it is served for PUT alone
			}
			all = append(all, t.variant(c, verb, sub))
		}
	}
	return all
}

// through tries a change through single verbs, on the object itself.
func (t template) through(c change, verbs ...string) []Variant {
	var all []Variant
	for _, verb := range verbs {
		all = append(all, t.variant(c, verb, ""))
	}
	return all
}

func (t template) variant(c change, verb, sub string) Variant {
	resource := t.resource
	if sub != "" {
		resource += "/" + sub
	}
	through := verb + " of " + resource
	v := Variant{By: t.by, Through: through, Closed: t.closed, Ground: t.ground, Set: t.set, Noticed: t.noticed}
	if why := t.kubernetes[through]; why != "" {
		v.Closed, v.Why = Kubernetes, why
	}
	told := t.effect
	if told == nil {
		told = fieldChanged
	}
	v.Try = func(ctx context.Context, s *stage) (effect, error) {
		filled := c.fill(s)
		err := filled.carry(ctx, s, verb, sub)
		if isBroken(err) {
			return nothing, err
		}
		if err != nil && !apierrors.IsForbidden(err) && v.Closed != Kubernetes {
			return mishap("it never came before admission: %w", err)
		}
		e, failed := told(ctx, s, filled)
		if failed != nil {
			return e, failed
		}
		return e, err
	}
	return v
}

func (c change) fill(s *stage) change {
	c.namespace, c.name = s.fill(c.namespace), s.fill(c.name)
	if text, ok := c.value.(string); ok {
		c.value = s.fill(text)
	}
	c.path = slices.Clone(c.path)
	for i := range c.path {
		c.path[i] = s.fill(c.path[i])
	}
	return c
}

func (c change) object() *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(c.apiVersion)
	u.SetKind(c.kind)
	u.SetNamespace(c.namespace)
	u.SetName(c.name)
	return u
}

func (c change) read(ctx context.Context, s *stage) (*unstructured.Unstructured, error) {
	u := c.object()
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(u), u); err != nil {
		return nil, broken{fmt.Errorf("reading %s %s: %w", c.kind, c.name, err)}
	}
	return u, nil
}

// fieldChanged tells whether the field is now as the change wants it.
func fieldChanged(ctx context.Context, s *stage, c change) (effect, error) {
	u, err := c.read(ctx, s)
	if err != nil {
		return nothing, err
	}
	is, found, _ := unstructured.NestedFieldNoCopy(u.Object, c.path...)
	if c.value == nil {
		return effect(!found), nil
	}
	return effect(found && reflect.DeepEqual(is, c.value)), nil
}

// carry sends the change as the stage's actor.
func (c change) carry(ctx context.Context, s *stage, verb, sub string) error {
	if verb == put {
		return c.put(ctx, s, sub)
	}
	patch, err := c.patch(ctx, s, verb, sub)
	if err != nil {
		return err
	}
	u := c.object()
	var options []client.PatchOption
	if verb == apply {
		options = append(options, client.ForceOwnership, client.FieldOwner("mallory"))
	}
	if sub == "" {
		return s.actor().Patch(ctx, u, patch, options...)
	}
	on := &client.SubResourcePatchOptions{}
	for _, o := range options {
		on.PatchOptions.ApplyOptions([]client.PatchOption{o})
	}
	return s.actor().SubResource(sub).Patch(ctx, u, patch, on)
}

// What the subresource scale is made of, on all kinds.
const scaleVersion, scaleKind = "autoscaling/v1", "Scale"

func (c change) patch(ctx context.Context, s *stage, verb, sub string) (client.Patch, error) {
	switch verb {
	case jsonPatch:
		return c.jsonPatch(ctx, s)
	case strategicPatch:
		return raw(types.StrategicMergePatchType, nested(c.path, c.value))
	case apply:
		body := nested(c.path, c.value)
		body["apiVersion"], body["kind"] = c.apiVersion, c.kind
		if sub == "scale" {
			body["apiVersion"], body["kind"] = scaleVersion, scaleKind
		}
		meta, _ := body["metadata"].(map[string]any)
		if meta == nil {
			meta = map[string]any{}
			body["metadata"] = meta
		}
		meta["name"] = c.name
		return raw(types.ApplyPatchType, body)
	default:
		return raw(types.MergePatchType, nested(c.path, c.value))
	}
}

func raw(kind types.PatchType, body any) (client.Patch, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, broken{err}
	}
	return client.RawPatch(kind, text), nil
}

func nested(path []string, value any) map[string]any {
	if len(path) == 1 {
		return map[string]any{path[0]: value}
	}
	return map[string]any{path[0]: nested(path[1:], value)}
}

// jsonPatch makes the parents that are missing.
func (c change) jsonPatch(ctx context.Context, s *stage) (client.Patch, error) {
	u, err := c.read(ctx, s)
	if err != nil {
		return nil, err
	}
	var steps []map[string]any
	for i := 1; i < len(c.path); i++ {
		if _, found, _ := unstructured.NestedFieldNoCopy(u.Object, c.path[:i]...); !found {
			steps = append(steps, map[string]any{"op": "add", "path": pointer(c.path[:i]), "value": map[string]any{}})
		}
	}
	last := map[string]any{"op": "add", "path": pointer(c.path), "value": c.value}
	if c.value == nil {
		last = map[string]any{"op": "remove", "path": pointer(c.path)}
	}
	return raw(types.JSONPatchType, append(steps, last))
}

func pointer(path []string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var text strings.Builder
	for _, step := range path {
		text.WriteString("/" + escape.Replace(step))
	}
	return text.String()
}

// put sends the whole object back, and does so again when somebody else was faster: the kubelets' heartbeats are.
func (c change) put(ctx context.Context, s *stage, sub string) error {
	for {
		u, err := c.read(ctx, s)
		if err != nil {
			return err
		}
		if c.value == nil {
			unstructured.RemoveNestedField(u.Object, c.path...)
		} else if err := unstructured.SetNestedField(u.Object, c.value, c.path...); err != nil {
			return broken{err}
		}
		switch sub {
		case "":
			err = s.actor().Update(ctx, u)
		case "scale":
			body := &unstructured.Unstructured{Object: nested(c.path, c.value)}
			body.SetAPIVersion(scaleVersion)
			body.SetKind(scaleKind)
			body.SetNamespace(c.namespace)
			body.SetName(c.name)
			err = s.actor().SubResource(sub).Update(ctx, u, client.WithSubResourceBody(body))
		default:
			err = s.actor().SubResource(sub).Update(ctx, u)
		}
		if !isConflict(err) {
			return err
		}
	}
}
