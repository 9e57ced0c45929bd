package keys

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/test/softhsm"
	"github.com/terroir-dev/terroir/test/terroir"
)

// agents are who the agents of two zones are, and what they may read. That of par-1 is there already, with the rights of config/keyprobe/rbac.
const agents = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: terroir-keyprobe-par-2, namespace: terroir-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: keyprobe-par-2}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: terroir-keyprobe}
subjects: [{kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe-par-2}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: keyprobe-par-2, namespace: terroir-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: terroir-keyprobe-leases}
subjects: [{kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe-par-2}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: keyprobe-bao, namespace: terroir-system}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [bao-token, bao-ca], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: keyprobe-bao, namespace: terroir-system}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: keyprobe-bao}
subjects:
- {kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe-par-1}
- {kind: ServiceAccount, namespace: terroir-system, name: terroir-keyprobe-par-2}
`

func TestTwoZonesLookAndOneOfThemDies(t *testing.T) {
	w := shared
	w.make(t, "zoned")
	w.create(t, agents)
	store := strings.Replace(w.vault("zoned"), "probe: {", "probe: {from: Agent, ", 1)
	w.create(t, store+key("zoned", "zoned", inTransit("zoned"), now)+governed("zoned", "keys: [zoned], protection: Software"))
	one, two := terroir.Agent{Observer: "par-1", Modules: []string{softhsm.Module}}, terroir.Agent{Observer: "par-2", Modules: []string{softhsm.Module}}
	for _, a := range []terroir.Agent{one, two} {
		if err := terroir.StartAgent(t.Context(), w.cluster, a); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.cluster.StopComponent(a.Component()) })
	}
	eventually(t, "both zones find the key usable", func() error { return w.zones(t, "zoned", "par-1,par-2") })
	w.settled(t, "zoned")
	w.create(t, database("zoned", "zoned"))
	first := w.runs(t, "zoned", "")
	w.shown(t, "zoned")
	if err := w.cluster.StopComponent(two.Component()); err != nil {
		t.Fatal(err)
	}
	// What it saw last holds for as long as a lease: the pod comes up again.
	w.kill(t, first)
	w.runs(t, "zoned", first.UID)
	if err := w.zones(t, "zoned", "par-1,par-2"); err != nil {
		t.Error(err)
	}
	w.make(t, "zoned-later")
	w.create(t, strings.Replace(key("zoned-later", "zoned", inTransit("zoned-later"), now), "metadata.name: zoned-later", "metadata.name: zoned", 1))
	eventually(t, "what comes later is found by the zone that looks", func() error { return w.zones(t, "zoned-later", "par-1") })
}

// zones returns nil if a key is Verified, and these zones find it usable.
func (w *world) zones(t *testing.T, name, want string) error {
	t.Helper()
	k := &v1alpha1.EncryptionKey{}
	if err := w.Get(t.Context(), client.ObjectKey{Name: name}, k); err != nil {
		return err
	}
	if k.Status.Phase != v1alpha1.PhaseVerified || k.Status.Zones != want {
		return fmt.Errorf("it is %s, and usable from %q: %+v", k.Status.Phase, k.Status.Zones, k.Status.Conditions)
	}
	return nil
}
