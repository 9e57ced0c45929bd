package uninstall

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// permission is something that must be allowed, in one namespace or, without one, everywhere.
type permission struct{ verb, group, resource, subresource, namespace string }

func (p permission) String() string {
	resource := p.resource
	if p.group != "" {
		resource += "." + p.group
	}
	if p.subresource != "" {
		resource += "/" + p.subresource
	}
	if p.namespace != "" {
		resource += " in " + p.namespace
	}
	return p.verb + " " + resource
}

// needed are the permissions that uninstalling takes. The verb maintain is what Terroir's own policies ask for before somebody may
// change its objects; the resource it is granted on exists in permissions only.
func needed(o Options) []permission {
	const admission, apps, batch, rbac = "admissionregistration.k8s.io", "apps", "batch", "rbac.authorization.k8s.io"
	home, own := v1alpha1.SystemNamespace, v1alpha1.GroupVersion.Group
	all := []permission{
		{verb: "maintain", group: own, resource: "installations"},
		{verb: "delete", group: apps, resource: "deployments", namespace: home},
		{verb: "get", group: "coordination.k8s.io", resource: "leases", namespace: home},
		{verb: "create", group: apps, resource: "deployments", namespace: "default"},
		{verb: "list", group: apps, resource: "replicasets"},
		{verb: "patch", group: own, resource: "trustlevels"},
		{verb: "delete", group: own, resource: "placementfloors"},
		{verb: "get", group: rbac, resource: "clusterroles"},
		{verb: "delete", group: rbac, resource: "clusterroles"},
		{verb: "get", group: rbac, resource: "clusterrolebindings"},
		{verb: "delete", group: rbac, resource: "clusterrolebindings"},
		{verb: "get", group: rbac, resource: "roles", namespace: newsNamespace},
		{verb: "delete", group: rbac, resource: "roles", namespace: newsNamespace},
		{verb: "get", group: rbac, resource: "rolebindings", namespace: newsNamespace},
		{verb: "delete", group: rbac, resource: "rolebindings", namespace: newsNamespace},
		{verb: "delete", resource: "namespaces"},
		{verb: "list", group: "apiextensions.k8s.io", resource: "customresourcedefinitions"},
	}
	for _, r := range []permission{
		{resource: "pods"},
		{resource: "nodes"},
		{resource: "namespaces"},
		{resource: "persistentvolumes"},
		{resource: "persistentvolumeclaims"},
		{group: "storage.k8s.io", resource: "storageclasses"},
		{group: apps, resource: "deployments"},
		{group: apps, resource: "statefulsets"},
		{group: apps, resource: "daemonsets"},
		{group: batch, resource: "cronjobs"},
	} {
		all = append(all, r.with("list"), r.with("patch"))
	}
	for _, resource := range []string{
		"mutatingwebhookconfigurations", "validatingwebhookconfigurations", "mutatingadmissionpolicybindings",
		"validatingadmissionpolicybindings", "mutatingadmissionpolicies", "validatingadmissionpolicies",
	} {
		r := permission{group: admission, resource: resource}
		all = append(all, r.with("list"), r.with("delete"))
	}
	if o.KeepKinds {
		return append(all, permission{verb: "patch", group: own, resource: "terroirconfigs", subresource: "status"})
	}
	return append(all, permission{verb: "delete", group: "apiextensions.k8s.io", resource: "customresourcedefinitions"})
}

func (p permission) with(verb string) permission {
	p.verb = verb
	return p
}

// allowed asks whether whoever runs this may do all of it. Half an uninstallation would be worse than none.
func (u *Uninstaller) allowed(ctx context.Context) error {
	var missing []string
	for _, p := range needed(u.options) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: p.verb, Group: p.group, Resource: p.resource, Subresource: p.subresource, Namespace: p.namespace,
			},
		}}
		if err := u.gatherer.client.Create(ctx, review); err != nil {
			return fmt.Errorf("asking whether you may %s: %w", p, err)
		}
		if !review.Status.Allowed {
			missing = append(missing, p.String())
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("you may not uninstall Terroir: you lack the permission to %s", strings.Join(missing, ", "))
	}
	return nil
}
