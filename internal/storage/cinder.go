package storage

// Driver cinder.csi.openstack.org: OpenStack Cinder encrypts, as the volume type says.
//
// Reads: type, the name of a volume type. Names are spelt exactly so.
//
// Means: nothing. Whether volumes of a type are encrypted, and under which key, is known to the provider alone.
//
// Traps: names as …-luks are names, and prove nothing: they are not read. Without type the provider's default is taken, which can change. What
// a clone or a restored snapshot is, its source has a word in.
//
// Source: https://github.com/kubernetes/cloud-provider-openstack, docs/cinder-csi-plugin/using-cinder-csi-plugin.md and
// pkg/csi/cinder/controllerserver.go at 02c8d62, read 2026-11-27.
func cinder() driver {
	return driver{resolve: resolveCinder}
}

func resolveCinder(r request) Protection {
	name := r.parameters["type"]
	if name == "" {
		return unknown("type is missing: volumes are of the provider's default type, and nobody can tell which that is")
	}
	return unknown("whether volumes of type %s are encrypted is known to the provider alone", name)
}
