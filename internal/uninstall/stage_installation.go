package uninstall

// Law: Terroir's permissions and its namespace go, with everything in it: Service, Secret, Lease, service account.
//
// Reads the ClusterRoles and ClusterRoleBindings that Terroir's manifests create. Ignores bindings that administrators made
// to those roles: they are theirs, and grant nothing without the role.
func removeInstallation(w World, _ Options, t *Todo) {
	for _, r := range w.roles {
		t.remove(r)
	}
	for _, n := range w.home {
		t.remove(n)
	}
}
