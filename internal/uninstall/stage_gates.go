package uninstall

// Law: a pod that waits for Terroir waits no longer.
//
// Reads scheduling gates. Removes those under terroir.dev/, and no others.
func liftGates(w World, _ Options, t *Todo) {
	for _, p := range w.gated {
		var gates []map[string]string
		for _, name := range except(p.gates, isOurs) {
			gates = append(gates, map[string]string{"name": name})
		}
		t.change(p.Object, map[string]any{
			"metadata": map[string]any{"resourceVersion": p.version},
			"spec":     map[string]any{"schedulingGates": gates},
		}, "lift Terroir's scheduling gates of "+p.String())
	}
}
