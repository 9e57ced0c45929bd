package storage

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// driver is what is known of a CSI driver. There is one file for each.
type driver struct {
	// resolve says what a class means to the driver.
	resolve func(request) Protection
	// foldsCase tells that the driver does not mind how the names of its parameters are spelt. Then resolve sees them in lower case.
	foldsCase bool
	// echoes are parameters that the driver writes into the volumeAttributes of every volume it makes: in lower case where it folds case.
	echoes []string
	// overridden tells that parameters of a VolumeAttributesClass go before those of the StorageClass when the driver makes a volume.
	overridden bool
}

// driverOf finds a driver by its name. Nothing is guessed from a name but what Rook does: it puts its namespace before those of Ceph.
func driverOf(name string) (driver, bool) {
	switch name {
	case "ebs.csi.aws.com":
		return awsEBS(), true
	case "pd.csi.storage.gke.io":
		return gcePD(), true
	case "disk.csi.azure.com":
		return azureDisk(), true
	case "block-storage.csi.stackit.cloud":
		return stackit(), true
	case "bsu.csi.outscale.com":
		return outscale(), true
	case "csi.scaleway.com":
		return scaleway(), true
	case "driver.longhorn.io":
		return longhorn(), true
	case "csi.hetzner.cloud":
		return hetzner(), true
	case "cinder.csi.openstack.org":
		return cinder(), true
	}
	if isDriver(name, "rbd.csi.ceph.com") {
		return cephRBD(), true
	}
	if isDriver(name, "cephfs.csi.ceph.com") {
		return cephFS(), true
	}
	return driver{}, false
}

// isDriver reports whether a name is this, or this after a prefix and a dot.
func isDriver(name, of string) bool {
	return name == of || strings.HasSuffix(name, "."+of)
}

// OfClass says how volumes of a StorageClass are encrypted. It is told what the class says, and what its driver makes of it; nobody looks at a
// volume. A driver that is not known here, what the driver would refuse, and what cannot be looked up are Unknown, which satisfies nothing.
func OfClass(class *storagev1.StorageClass, k Lookup) Protection {
	p := ofClass(class, k)
	p.Driver = class.Provisioner
	return p
}

// OfClaim says it for one claim. It is [OfClass], but where the claim has no volume yet, names a VolumeAttributesClass, and the driver lets that
// override the StorageClass. Of a volume that is there, [Verify] sees whether it did.
func OfClaim(claim *corev1.PersistentVolumeClaim, class *storagev1.StorageClass, k Lookup) Protection {
	d, _ := driverOf(class.Provisioner)
	if d.overridden && claim.Spec.VolumeName == "" && deref(claim.Spec.VolumeAttributesClassName) != "" {
		p := unknown("the claim names VolumeAttributesClass %s, whose parameters go before the StorageClass's with %s, also those that say how volumes are encrypted: leave out volumeAttributesClassName",
			*claim.Spec.VolumeAttributesClassName, class.Provisioner)
		p.Driver = class.Provisioner
		return p
	}
	return OfClass(class, k)
}

// deref is the text that is pointed to, if there is any.
func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func ofClass(class *storagev1.StorageClass, k Lookup) Protection {
	d, known := driverOf(class.Provisioner)
	if !known {
		return unknown("Terroir does not know how %s encrypts volumes", class.Provisioner)
	}
	given := class.Parameters
	if d.foldsCase {
		folded, twice := foldCase(given)
		if twice != "" {
			return unknown("the StorageClass gives parameter %s more than once, in different spellings, and %s takes any of them", twice, class.Provisioner)
		}
		given = folded
	}
	return d.resolve(request{driver: class.Provisioner, parameters: given, lookup: k})
}

// secretsPrefix is that of parameters that are for the provisioner, and of which drivers see nothing. They are always spelt so.
const secretsPrefix = "csi.storage.k8s.io/"

// foldCase writes the names of parameters in lower case, but those that are not for the driver. twice is the first that becomes the same as another.
func foldCase(given map[string]string) (folded map[string]string, twice string) {
	folded = make(map[string]string, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		lower := name
		if !strings.HasPrefix(name, secretsPrefix) {
			lower = strings.ToLower(name)
		}
		if _, has := folded[lower]; has {
			return nil, lower
		}
		folded[lower] = given[name]
	}
	return folded, ""
}

// request is what a resolver reads.
type request struct {
	driver     string
	parameters map[string]string
	lookup     Lookup
}

// fold gives a parameter of a driver that folds case, by its name as people write it.
func (r request) fold(name string) string { return r.parameters[strings.ToLower(name)] }

// readBool reads a parameter as drivers in Go do; what is missing is false.
func readBool(from map[string]string, name string) (bool, error) {
	value, has := from[name]
	if !has {
		return false, nil
	}
	truth, err := strconv.ParseBool(value)
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", name, err)
	}
	return truth, nil
}

// configMap gives the data of a ConfigMap in the namespace of the driver; nil if there is none, or if nobody can tell.
func (r request) configMap(name string) map[string]string {
	if r.lookup == nil {
		return nil
	}
	return r.lookup(r.driver, name)
}

// is gives a protection of a binding under a key.
func is(binding v1alpha1.VolumeBinding, keyID string) Protection {
	return Protection{Binding: binding, KeyID: keyID}
}

// but adds what there is to say.
func (p Protection) but(message string, values ...any) Protection {
	p.Message = clip(fmt.Sprintf(message, values...))
	return p
}

// unknown gives the protection of which nobody can tell, and says why.
func unknown(message string, values ...any) Protection {
	return is(v1alpha1.BindingUnknown, "").but(message, values...)
}
