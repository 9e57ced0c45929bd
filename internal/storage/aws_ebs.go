package storage

import (
	"strings"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// Driver ebs.csi.aws.com: Amazon EBS encrypts, under a key of AWS KMS.
//
// Reads: kmsKeyId and encrypted. The driver does not mind how their names are spelt; of encrypted, only "true" is true.
//
// Means: with kmsKeyId, EBS encrypts under that key, even where encrypted is missing or says otherwise: the driver then asks for encryption by itself.
// The key's id is kmsKeyId as it is written. With encrypted alone it is the account's default key for EBS, AWS's own unless the account says
// otherwise: nobody names it. With neither, the driver asks for no encryption, and whether an account encrypts anyway the cluster cannot see.
//
// Traps: an alias (alias/… or an ARN with :alias/) is a name that can be pointed at another key at any time, so it names none. A clone
// has the key of its source: the driver refuses one whose class names another key, and takes one whose class names none. What becomes of a restored
// snapshot is EC2's to decide, of the snapshot's key and the class's. Volumes do not tell: the driver writes nothing of their keys into volumeAttributes.
//
// Source: https://github.com/kubernetes-sigs/aws-ebs-csi-driver, docs/parameters.md, pkg/driver/controller.go and pkg/cloud/cloud.go at 429e202,
// 2026-08-19, read 2026-11-27.
func awsEBS() driver {
	return driver{resolve: resolveEBS, foldsCase: true}
}

func resolveEBS(r request) Protection {
	key, encrypted := r.parameters["kmskeyid"], r.parameters["encrypted"]
	switch {
	case key == "" && encrypted == "true":
		return is(v1alpha1.BindingProviderManaged, "").but("kmsKeyId is missing: volumes are encrypted under the default key of the AWS account, which nobody names")
	case key == "":
		return is(v1alpha1.BindingNone, "").but(`encrypted is not "true" and kmsKeyId is missing: nothing asks for encryption`)
	case strings.HasPrefix(key, "alias/") || strings.Contains(key, ":alias/"):
		return is(v1alpha1.BindingProviderEnvelope, "").but("kmsKeyId is %s, an alias, which can be pointed at another key at any time: write the key's ARN", key)
	case encrypted != "true":
		return is(v1alpha1.BindingProviderEnvelope, key).but(`encrypted is not "true" beside kmsKeyId: the driver encrypts under the key all the same; write encrypted: "true", so that people see it`)
	default:
		return is(v1alpha1.BindingProviderEnvelope, key)
	}
}
