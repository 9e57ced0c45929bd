package webhook

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
)

// CertificateName is the name of the Secret with the webhook's certificate.
const CertificateName = v1alpha1.CertificateSecret

// Endpoint gives the Service at which the API server reaches the webhook, and the Secret for its certificate. The Secret is empty on
// purpose: whoever makes the certificate fills it.
func Endpoint() []runtime.Object { return []runtime.Object{service(), certificate()} }

func service() *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: ServiceName},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app.kubernetes.io/name": "terroir", "app.kubernetes.io/component": "manager"},
			Ports:    []corev1.ServicePort{{Name: "webhook", Port: servicePort, TargetPort: intstr.FromString("webhook")}},
		},
	}
}

func certificate() *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: CertificateName},
		Type:       corev1.SecretTypeOpaque,
	}
}
