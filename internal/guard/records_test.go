package guard_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/fence/fencetest"
	"github.com/terroir-dev/terroir/internal/placement"
)

func TestTerroirAloneRecordsHowAClaimIsEncrypted(t *testing.T) {
	refused := func(what string) string {
		return what + " of PersistentVolumeClaim data says how its volume is encrypted, and Terroir alone writes it; leave it out, also of claim templates and of what a backup restores"
	}
	claim := func(class, key string) *corev1.PersistentVolumeClaim {
		c := &corev1.PersistentVolumeClaim{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}, ObjectMeta: metav1.ObjectMeta{Namespace: "hr", Name: "data"}}
		if class != "" {
			c.Annotations = map[string]string{v1alpha1.ClassAnnotation: class}
		}
		if key != "" {
			c.Labels = map[string]string{v1alpha1.KeyLabel: key}
		}
		return c
	}
	change := func(was, is *corev1.PersistentVolumeClaim) fencetest.Request {
		if was == nil {
			return fencetest.Change("persistentvolumeclaims", nil, is)
		}
		return fencetest.Change("persistentvolumeclaims", was, is)
	}
	other := claim("a", "k")
	other.Labels["app"] = "web"
	const class, key = "annotation terroir.dev/storage-class", "label terroir.dev/encryption-key"
	judge(t, "terroir-claim-records", map[string]judged{
		"somebody makes a claim":                       {request: by("dev", change(nil, claim("", "")))},
		"somebody makes one with a class recorded":     {by("dev", change(nil, claim("a", ""))), refused(class)},
		"somebody makes one with a key recorded":       {by("dev", change(nil, claim("", "k"))), refused(key)},
		"somebody changes the class recorded":          {by("dev", change(claim("a", "k"), claim("b", "k"))), refused(class)},
		"somebody takes it off":                        {by("dev", change(claim("a", "k"), claim("", "k"))), refused(class)},
		"somebody takes it off through the status":     {by("dev", through("status", change(claim("a", "k"), claim("", "k")))), refused(class)},
		"somebody changes the key":                     {by("dev", change(claim("a", "k"), claim("a", "l"))), refused(key)},
		"somebody changes another label":               {request: by("dev", change(claim("a", "k"), other))},
		"Terroir records both":                         {request: by(placement.OperatorUser, change(claim("", ""), claim("a", "k")))},
		"whoever maintains Terroir takes them off":     {request: maintainer(change(claim("a", "k"), claim("", "")))},
		"a provisioner leaves what is there as it was": {request: by("csi", change(claim("a", "k"), claim("a", "k")))},
	})
}

func TestTerroirAloneRecordsThatAVolumeIsProven(t *testing.T) {
	const refused = "annotation terroir.dev/encryption-proof of PersistentVolume pv says under which key the volume was proven, and Terroir alone writes it; leave it out, also of what a backup restores"
	volume := func(proof string) *corev1.PersistentVolume {
		v := &corev1.PersistentVolume{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolume"}, ObjectMeta: metav1.ObjectMeta{Name: "pv"}}
		if proof != "" {
			v.Annotations = map[string]string{v1alpha1.ProofAnnotation: proof}
		}
		return v
	}
	judge(t, "terroir-volume-proofs", map[string]judged{
		"somebody makes a volume":                     {request: by("csi", fencetest.Change("persistentvolumes", nil, volume("")))},
		"somebody makes a proven one":                 {by("root", fencetest.Change("persistentvolumes", nil, volume("u:k:f"))), refused},
		"somebody proves one":                         {by("root", fencetest.Change("persistentvolumes", volume(""), volume("u:k:f"))), refused},
		"somebody proves one through its status":      {by("root", through("status", fencetest.Change("persistentvolumes", volume(""), volume("u:k:f")))), refused},
		"somebody takes a proof off":                  {by("root", fencetest.Change("persistentvolumes", volume("u:k:f"), volume(""))), refused},
		"the volume controller leaves it as it was":   {request: by("system:kube-controller-manager", fencetest.Change("persistentvolumes", volume("u:k:f"), volume("u:k:f")))},
		"Terroir proves one":                          {request: by(placement.OperatorUser, fencetest.Change("persistentvolumes", volume(""), volume("u:k:f")))},
		"whoever maintains Terroir takes a proof off": {request: maintainer(fencetest.Change("persistentvolumes", volume("u:k:f"), volume("")))},
	})
}

func TestAClaimThatWaitsForItsVolumeGoesOnAskingForIt(t *testing.T) {
	refused := func(field string) string {
		return field + " of PersistentVolumeClaim data stays as it is until there is a volume: pods may have been let go by what the claim asked for; delete the claim, and create it anew with what it should have"
	}
	claim := func(volume, attributes string) *corev1.PersistentVolumeClaim {
		c := &corev1.PersistentVolumeClaim{
			TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PersistentVolumeClaim"}, ObjectMeta: metav1.ObjectMeta{Namespace: "hr", Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: volume},
		}
		if attributes != "" {
			c.Spec.VolumeAttributesClassName = &attributes
		}
		return c
	}
	change := func(was, is *corev1.PersistentVolumeClaim) fencetest.Request {
		return fencetest.Change("persistentvolumeclaims", was, is)
	}
	bound, overridden := change(claim("", ""), claim("pv", "")), change(claim("", ""), claim("", "plain"))
	labelled := claim("", "")
	labelled.Labels = map[string]string{"app": "web"}
	judge(t, "terroir-claim-volumes", map[string]judged{
		"somebody names a volume in it":                  {by("dev", bound), refused("spec.volumeName")},
		"through its status":                             {by("dev", through("status", bound)), refused("spec.volumeName")},
		"an administrator does":                          {by("root", bound), refused("spec.volumeName")},
		"somebody has it override its class":             {by("dev", overridden), refused("spec.volumeAttributesClassName")},
		"somebody has one override it that has a volume": {request: by("dev", change(claim("pv", ""), claim("pv", "fast")))},
		"the volume controller binds it":                 {request: by("system:serviceaccount:kube-system:persistent-volume-binder", bound)},
		"the controller manager, with one account, does": {request: by("system:kube-controller-manager", bound)},
		"whoever maintains Terroir does":                 {request: maintainer(bound)},
		"somebody labels it":                             {request: by("dev", change(claim("", ""), labelled))},
	})
}
