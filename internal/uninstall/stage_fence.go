package uninstall

// Law: webhook configurations go first, since with the operator they have lost who answers; then bindings, which put policies in force;
// then the policies.
//
// Reads what carries the label of the fence. API servers go on with what they have cached for about a second: the stage ends
// when a probe shows that the fence is out of force. Ignores the admission objects of others.
func removeFence(w World, _ Options, t *Todo) {
	for _, g := range w.guards {
		t.remove(g)
	}
	if w.fenced {
		t.wait("the API server to forget the admission policies")
	}
}
