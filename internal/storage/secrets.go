package storage

import (
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Several drivers encrypt on the node with a passphrase that they find in a Secret. The StorageClass names it by parameters that are the same for all
// drivers: csi.storage.k8s.io/node-stage-secret-name and -namespace, or …/node-publish-secret-…, or …/secret-name and -namespace for whatever has no
// Secret of its own.
//
// The key's id is namespace/name of the Secret. Names may be templates, as ${pvc.namespace}: then each claim has its own, many of them in
// namespaces whose admins write it, and no key is named. Terroir does not read these Secrets: what they hold, and whether it
// came out of an HSM, nobody can tell from here.
//
// Source: https://kubernetes-csi.github.io/docs/secrets-and-credentials-storage-class.html, and pkg/controller/controller.go of
// https://github.com/kubernetes-csi/external-provisioner, read 2026-11-27.

// secretOf gives namespace/name of the Secret that nodes are given at a stage: "node-stage" or "node-publish". named tells that there is one at all,
// and ref is empty where it depends on the claim which.
func (r request) secretOf(stage string) (ref string, named bool) {
	for _, which := range []string{stage + "-secret", "secret"} {
		name, namespace := r.parameters[secretsPrefix+which+"-name"], r.parameters[secretsPrefix+which+"-namespace"]
		switch {
		case name == "" && namespace == "":
			continue
		case name == "" || namespace == "":
			return "", false // the provisioner refuses a half
		case strings.Contains(name+namespace, "$"):
			return "", true
		default:
			return namespace + "/" + name, true
		}
	}
	return "", false
}

// bySecret is the protection by a passphrase in the Secret that nodes are given at a stage.
func (r request) bySecret(stage string) Protection {
	ref, named := r.secretOf(stage)
	switch {
	case !named:
		return unknown("the StorageClass wants volumes encrypted and names no Secret with the passphrase: nodes cannot use them; write %s%s-secret-name and %[1]s%[2]s-secret-namespace",
			secretsPrefix, stage)
	case ref == "":
		return is(v1alpha1.BindingKubernetesSecret, "").but("each claim has a Secret of its own for its passphrase, so the StorageClass names no key")
	default:
		return is(v1alpha1.BindingKubernetesSecret, ref)
	}
}

// encryptedBySecret is the protection of drivers that encrypt with a Secret where parameter encrypted is true, as Go reads a boolean.
func (r request) encryptedBySecret(stage string) Protection {
	encrypted, err := readBool(r.parameters, "encrypted")
	switch {
	case err != nil:
		return unknown("encrypted is neither true nor false: the driver refuses that")
	case !encrypted:
		return is(v1alpha1.BindingNone, "").but(`encrypted is not "true": nothing asks for encryption`)
	default:
		return r.bySecret(stage)
	}
}
