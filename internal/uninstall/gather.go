package uninstall

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence"
)

const (
	// managerName is the name of the operator's Deployment, its Lease and its permissions.
	managerName = "terroir-manager"
	// agentName is the name of what agents may do in the whole cluster.
	agentName = "terroir-keyprobe"
)

// ownRoles are the ClusterRoles that Terroir's manifests create, and ownBindings the ClusterRoleBindings.
func ownRoles() []string {
	return []string{
		managerName, agentName,
		"terroir-namespace-viewer", "terroir-namespace-admin", "terroir-catalog-viewer", "terroir-catalog-editor", "terroir-key-editor",
	}
}

func ownBindings() []string { return []string{managerName, agentName} }

// newsNamespace is where events are told about what has no namespace. There the manifests create a Role and its RoleBinding, both of managerName.
const newsNamespace = metav1.NamespaceDefault

// gatherer looks at the world. What it remembers from one look to the next is since when a lease has not been renewed, and what a probe has shown.
type gatherer struct {
	client   client.Client
	now      func() time.Time
	lease    lease
	looked   time.Time
	unfenced bool // a probe has shown that the fence is out of force
}

// gather looks at everything.
func (g *gatherer) gather(ctx context.Context) (World, error) {
	w := World{now: g.now()}
	for _, look := range []func(context.Context, *World) error{
		g.operator, g.guards, g.probe, g.workloads, g.pods, g.nodes, g.marked, g.kinds, g.installation,
	} {
		if err := look(ctx, &w); err != nil {
			return World{}, err
		}
	}
	return w, nil
}

// absent tells whether an error says that there is no such object, or no such kind: both are what uninstalling is for.
func absent(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// list reads a list in pages. A kind that does not exist has no objects.
func (g *gatherer) list(ctx context.Context, l client.ObjectList, visit func(client.Object) error, options ...client.ListOption) error {
	const page = 500
	next := ""
	for {
		l := l.DeepCopyObject().(client.ObjectList) // nothing of one page may show through the next
		err := g.client.List(ctx, l, append(options, client.Limit(page), client.Continue(next))...)
		if absent(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %T: %w", l, err)
		}
		if err := meta.EachListItem(l, func(o runtime.Object) error { return visit(o.(client.Object)) }); err != nil {
			return err
		}
		if next = l.GetContinue(); next == "" {
			return nil
		}
	}
}

// get reads an object, and tells whether it is there.
func (g *gatherer) get(ctx context.Context, o client.Object, namespace, name string) (bool, error) {
	err := g.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, o)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %T %s: %w", o, name, err)
	}
	return true, nil
}

// named names an object of a kind.
func named(gvk schema.GroupVersionKind, o client.Object) Object {
	return Object{
		APIVersion: gvk.GroupVersion().String(), Kind: gvk.Kind, Namespace: o.GetNamespace(), Name: o.GetName(),
		going: !o.GetDeletionTimestamp().IsZero(), version: o.GetResourceVersion(),
	}
}

func (g *gatherer) operator(ctx context.Context, w *World) error {
	var d appsv1.Deployment
	found, err := g.get(ctx, &d, v1alpha1.SystemNamespace, managerName)
	if err != nil {
		return err
	}
	if found {
		w.deployments = append(w.deployments, named(appsv1.SchemeGroupVersion.WithKind("Deployment"), &d))
	}
	err = g.list(ctx, metadata(corev1.SchemeGroupVersion.WithKind("Pod")), func(o client.Object) error {
		w.managers = append(w.managers, named(corev1.SchemeGroupVersion.WithKind("Pod"), o))
		return nil
	}, client.InNamespace(v1alpha1.SystemNamespace), client.MatchingLabels{"app.kubernetes.io/name": "terroir", "app.kubernetes.io/component": "manager"})
	return errors.Join(err, g.leader(ctx, w))
}

func (g *gatherer) leader(ctx context.Context, w *World) error {
	var l coordinationv1.Lease
	found, err := g.get(ctx, &l, v1alpha1.SystemNamespace, managerName)
	if err != nil {
		return err
	}
	var read lease
	if found && l.Spec.HolderIdentity != nil && l.Spec.RenewTime != nil && l.Spec.LeaseDurationSeconds != nil {
		read = lease{holder: *l.Spec.HolderIdentity, renewed: l.Spec.RenewTime.Time, duration: time.Duration(*l.Spec.LeaseDurationSeconds) * time.Second}
	}
	g.lease = observe(g.lease, read, w.managers, w.now.Sub(g.looked))
	g.looked, w.lease = w.now, g.lease
	return nil
}

// guards reads the fence. API servers before 1.36 do not serve the mutating kinds.
func (g *gatherer) guards(ctx context.Context, w *World) error {
	for _, kind := range []string{
		"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
		"MutatingAdmissionPolicyBinding", "ValidatingAdmissionPolicyBinding",
		"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy",
	} {
		gvk := admissionregistrationv1.SchemeGroupVersion.WithKind(kind)
		err := g.list(ctx, metadata(gvk), func(o client.Object) error {
			w.guards = append(w.guards, named(gvk, o))
			return nil
		}, client.MatchingLabels{fence.ManagedByLabel: fence.ManagedBy})
		if err != nil {
			return err
		}
	}
	return nil
}

// metadata is a list of the metadata of objects of a kind.
func metadata(gvk schema.GroupVersionKind) *metav1.PartialObjectMetadataList {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	return l
}

// marked reads what carries a mark: namespaces, the volumes and classes of governed claims, and claims of which it is recorded under which key they are.
func (g *gatherer) marked(ctx context.Context, w *World) error {
	for _, gvk := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Namespace"), corev1.SchemeGroupVersion.WithKind("PersistentVolume"), storagev1.SchemeGroupVersion.WithKind("StorageClass"),
		corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"),
	} {
		err := g.list(ctx, metadata(gvk), func(o client.Object) error {
			if marks, records := marksIn(o.GetLabels()), recordsIn(o.GetAnnotations()); len(marks)+len(records) > 0 {
				w.marked = append(w.marked, marked{Object: named(gvk, o), marks: marks, records: records})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// marksIn are the keys of Terroir's marks among labels.
func marksIn(labels map[string]string) []string {
	return present(labels, v1alpha1.GovernedLabel, v1alpha1.UnsettledLabel, v1alpha1.WarnedLabel, v1alpha1.EncryptedLabel, v1alpha1.KeyLabel, v1alpha1.BindingLabel)
}

// recordsIn are the keys of what Terroir recorded among annotations: by which class a claim's volume is made, and under which key a volume was proven.
// Only those: a namespace's own annotations under the same prefix are its administrators'.
func recordsIn(annotations map[string]string) []string {
	return present(annotations, v1alpha1.ClassAnnotation, v1alpha1.ProofAnnotation)
}

// present are those of the keys that a map has, whatever their values.
func present(m map[string]string, keys ...string) []string {
	return slices.DeleteFunc(keys, func(key string) bool {
		_, has := m[key]
		return !has
	})
}

// kinds reads the kinds of the group, whichever a version of Terroir installed, and of their objects what stage marks needs.
func (g *gatherer) kinds(ctx context.Context, w *World) error {
	gvk := apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition")
	return g.list(ctx, &apiextensionsv1.CustomResourceDefinitionList{}, func(o client.Object) error {
		crd := o.(*apiextensionsv1.CustomResourceDefinition)
		if crd.Spec.Group != v1alpha1.GroupVersion.Group {
			return nil
		}
		k := kind{Object: named(gvk, crd)}
		err := g.objects(ctx, crd, &k, w)
		w.kinds = append(w.kinds, k)
		return err
	})
}

// objects reads the objects of one kind.
func (g *gatherer) objects(ctx context.Context, crd *apiextensionsv1.CustomResourceDefinition, k *kind, w *World) error {
	gvk := schema.GroupVersionKind{Group: crd.Spec.Group, Version: served(crd), Kind: crd.Spec.Names.Kind}
	return g.list(ctx, metadata(gvk), func(o client.Object) error {
		object := named(gvk, o)
		foreign := except(o.GetFinalizers(), isOurs)
		if len(foreign) < len(o.GetFinalizers()) {
			w.kept = append(w.kept, kept{Object: object, finalizers: o.GetFinalizers()})
		}
		if len(foreign) > 0 {
			k.remaining = append(k.remaining, fmt.Sprintf("%s to lose its finalizers %s, which are not Terroir's", object, strings.Join(foreign, ", ")))
		}
		switch gvk.Kind {
		case "PlacementFloor":
			w.floors = append(w.floors, object)
		case "TerroirConfig", "ClusterPlacementPolicy", "PlacementPolicy", "KeyStore", "EncryptionKey":
			return g.claim(ctx, object, w)
		}
		return nil
	})
}

// served is a version in which the API server gives the objects of a kind.
func served(crd *apiextensionsv1.CustomResourceDefinition) string {
	for _, v := range crd.Spec.Versions {
		if v.Served {
			return v.Name
		}
	}
	return ""
}

func (g *gatherer) installation(ctx context.Context, w *World) error {
	var home corev1.Namespace
	found, err := g.get(ctx, &home, "", v1alpha1.SystemNamespace)
	if err != nil {
		return err
	}
	if found {
		w.home = append(w.home, named(corev1.SchemeGroupVersion.WithKind("Namespace"), &home))
	}
	for _, name := range ownBindings() {
		if err := g.role(ctx, &rbacv1.ClusterRoleBinding{}, "ClusterRoleBinding", "", name, w); err != nil {
			return err
		}
	}
	if err := g.role(ctx, &rbacv1.RoleBinding{}, "RoleBinding", newsNamespace, managerName, w); err != nil {
		return err
	}
	if err := g.role(ctx, &rbacv1.Role{}, "Role", newsNamespace, managerName, w); err != nil {
		return err
	}
	for _, name := range ownRoles() {
		if err := g.role(ctx, &rbacv1.ClusterRole{}, "ClusterRole", "", name, w); err != nil {
			return err
		}
	}
	return nil
}

func (g *gatherer) role(ctx context.Context, o client.Object, kind, namespace, name string, w *World) error {
	found, err := g.get(ctx, o, namespace, name)
	if found {
		w.roles = append(w.roles, named(rbacv1.SchemeGroupVersion.WithKind(kind), o))
	}
	return err
}
