package uninstall

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// probe finds out, once the objects of the fence are gone, whether the API server still acts by them. It asks it what it would do with a
// Deployment that the fence would refuse, for an annotation that is unknown, or else change, by a mirror. Nothing is created.
//
// Which way does it fall? If somebody else refuses the Deployment, nothing can be learnt of the fence and it is taken to be out of
// force. Every change is looked at after it was made, and made again where the fence undid it.
func (g *gatherer) probe(ctx context.Context, w *World) error {
	if g.unfenced || len(w.guards) > 0 {
		return nil
	}
	d := probeDeployment()
	err := g.client.Create(ctx, d, client.DryRunAll)
	var refusal apierrors.APIStatus
	if err != nil && !errors.As(err, &refusal) {
		return fmt.Errorf("asking the API server whether the fence is still in force: %w", err)
	}
	_, mirrored := d.Spec.Template.Annotations[v1alpha1.InheritedTrustLevelAnnotation]
	w.fenced = mirrored || refusedByFence(err)
	g.unfenced = !w.fenced
	return nil
}

func probeDeployment() *appsv1.Deployment {
	labels := map[string]string{"app": "terroir-uninstall-probe"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceDefault, Name: "terroir-uninstall-probe",
			Annotations: map[string]string{v1alpha1.TrustLevelAnnotation: "probe", v1alpha1.AnnotationPrefix + "probe": ""},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe"}}},
			},
		},
	}
}

// refusedByFence tells whether it was a policy of the fence that refused.
func refusedByFence(err error) bool {
	return err != nil && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'terroir-")
}

// refusedByManifest tells whether it was a policy that the API server reads from files, and whose name says so.
func refusedByManifest(err error) bool {
	return err != nil && strings.Contains(err.Error(), ".static.k8s.io")
}
