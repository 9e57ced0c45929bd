package uninstall

// Law: the kinds of terroir.dev go with all their objects, unless they are to be kept.
//
// Reads the CustomResourceDefinitions of the group, whichever there are. An object that somebody else's finalizer keeps is named: the kind
// cannot go before it.
func removeKinds(w World, o Options, t *Todo) {
	if o.KeepKinds {
		return
	}
	for _, k := range w.kinds {
		t.remove(k.Object)
		for _, r := range k.remaining {
			t.wait("%s", r)
		}
	}
}
