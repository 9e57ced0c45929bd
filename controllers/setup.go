package controllers

import (
	"context"
	"fmt"
	"io"
	"maps"

	"github.com/prometheus/client_golang/prometheus"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"
	"github.com/terroir-dev/terroir/internal/keystore"
	"github.com/terroir-dev/terroir/internal/snapshot"
	"github.com/terroir-dev/terroir/internal/storage"
)

// What the loops may do. The webhook reads pods and nodes as well.
//
// +kubebuilder:rbac:groups=terroir.dev,resources=frameworks;cloudproviders;zones;qualifications;clusterplacementpolicies;placementpolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=terroir.dev,resources=frameworks/status;cloudproviders/status;zones/status;qualifications/status;trustlevels/status;clusterplacementpolicies/status;placementpolicies/status;terroirconfigs/status,verbs=patch
// +kubebuilder:rbac:groups=terroir.dev,resources=trustlevels,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=terroir.dev,resources=placementfloors,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=terroir.dev,resources=terroirconfigs,verbs=get;list;watch;create
// +kubebuilder:rbac:groups="",resources=nodes;namespaces,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups="",resources=pods,verbs=get;list;watch
// +kubebuilder:rbac:groups=certificates.k8s.io,resources=certificatesigningrequests,verbs=get;list;watch
// +kubebuilder:rbac:urls=/metrics,verbs=get
// +kubebuilder:rbac:groups=storage.k8s.io,resources=csinodes,verbs=get;list;watch
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingadmissionpolicies;validatingadmissionpolicybindings;mutatingadmissionpolicies;mutatingadmissionpolicybindings,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=mutatingwebhookconfigurations;validatingwebhookconfigurations,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;update,namespace=terroir-system
// +kubebuilder:rbac:groups="",resources=secrets,verbs=list;watch;create,namespace=terroir-system
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=terroir-webhook-cert,verbs=get;update,namespace=terroir-system

// Options are what the loops need beside a manager.
type Options struct {
	Store *snapshot.Store
	Now   Clock
	// Serves asks whether the API server serves MutatingAdmissionPolicy at this moment.
	Serves func() (bool, error)
	// Webhooks gives the webhook configurations for the given exempt namespaces, and for an API server that shapes pods itself or not,
	// and the address to which they point.
	Webhooks func(exempt []string, shapes bool) []runtime.Object
	// Recorder hears of what was put back, and of policies that cease, or begin again, to be honoured.
	Recorder events.EventRecorder
	// Registerer takes the metrics of keys. Nil: nobody does.
	Registerer prometheus.Registerer
	// Metrics opens the API server's metrics.
	Metrics func(context.Context) (io.ReadCloser, error)
}

// Setup adds every loop to a manager.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if err := fillCaches(ctx, mgr.GetCache()); err != nil {
		return err
	}
	news := &announcements{}
	w, reader := writer{mgr.GetClient()}, mgr.GetCache()
	pods, err := podsIn(ctx, mgr.GetCache())
	if err != nil {
		return err
	}
	bound := &boundPolicies{}
	restriction := &restriction{metrics: o.Metrics}
	volumes := &surveyor{reader: reader, classes: reader, live: mgr.GetAPIReader()}
	keyMetrics, err := newKeyMetrics(o.Registerer)
	if err != nil {
		return err
	}
	loops := []loop{
		(&Compiler{reader: reader, store: o.Store, news: news}).loop(),
		(&Catalogue{writer: w, reader: reader, pods: pods, store: o.Store, now: o.Now}).loop(news),
		(&Standing{writer: w, reader: reader, pods: pods, store: o.Store, now: o.Now}).loop(news),
		(&Obligation{writer: w, reader: reader, pods: pods, store: o.Store, now: o.Now, surveyor: volumes, bound: bound, spreads: &lostSpreads{}, news: complianceNews{recorder: o.Recorder}}).loop(news),
		(&Keys{writer: w, reader: reader, pods: pods, store: o.Store, surveyor: volumes, now: o.Now, news: keyNews{recorder: o.Recorder}, metrics: keyMetrics}).loop(),
		(&Gates{
			writer: w, reader: reader, live: mgr.GetAPIReader(), pods: pods, store: o.Store, surveyor: volumes, now: o.Now, recorder: o.Recorder,
			evictor: evictor{evictions: mgr.GetClient().SubResource("eviction"), live: mgr.GetAPIReader(), recorder: o.Recorder},
		}).loop(news),
		(&Marks{writer: w, reader: reader, store: o.Store}).loop(news),
		newFence(w, mgr.GetAPIReader(), mgr.GetCache(), o, bound, restriction).loop(),
	}
	if err := mgr.Add(restriction); err != nil {
		return fmt.Errorf("adding the question about NodeRestriction: %w", err)
	}
	for _, l := range loops {
		if err := l.start(mgr); err != nil {
			return err
		}
	}
	return nil
}

// fillCaches makes every replica follow what admission looks at, not only the leader, whose loops watch it anyway.
func fillCaches(ctx context.Context, c cache.Cache) error {
	for _, o := range []client.Object{
		&corev1.Namespace{}, &corev1.Node{}, &corev1.Pod{}, &storagev1.CSINode{},
		&v1alpha1.KeyStore{}, &v1alpha1.EncryptionKey{}, &v1alpha1.KeyObservation{}, &coordinationv1.Lease{},
	} {
		if _, err := c.GetInformer(ctx, o, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("following %T: %w", o, err)
		}
	}
	return nil
}

// CacheOptions keep of each object what Terroir reads. What is cached is shared and never copied: nobody may change it.
func CacheOptions() cache.Options {
	shared := true
	home := map[string]cache.Config{v1alpha1.SystemNamespace: {}}
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                   {Transform: newLooks().slim},
			&corev1.Node{}:                  {Transform: slimNode, UnsafeDisableDeepCopy: &shared},
			&corev1.Namespace{}:             {UnsafeDisableDeepCopy: &shared},
			&corev1.PersistentVolumeClaim{}: {Transform: slimClaim, UnsafeDisableDeepCopy: &shared},
			&corev1.PersistentVolume{}:      {Transform: slimVolume, UnsafeDisableDeepCopy: &shared},
			&storagev1.VolumeAttachment{}:   {Transform: slimAttachment, UnsafeDisableDeepCopy: &shared},
			// Most requests are for kubelets' serving certificates, with which nobody acts as a node.
			&certificatesv1.CertificateSigningRequest{}: {
				Transform: slimRequest, UnsafeDisableDeepCopy: &shared,
				Field: fields.OneTermNotEqualSelector("spec.signerName", certificatesv1.KubeletServingSignerName),
			},
			// Of all Leases only those by which observers of keys confirm what they told.
			&coordinationv1.Lease{}: {UnsafeDisableDeepCopy: &shared, Namespaces: map[string]cache.Config{v1alpha1.SystemNamespace: {LabelSelector: observersLeases()}}},
			&corev1.Service{}:       {Namespaces: home},
			&corev1.Secret{}:        {Namespaces: home, Transform: emptySecret},
		},
	}
}

// observersLeases selects the Leases of observers of keys.
func observersLeases() labels.Selector {
	selector, err := labels.Parse(keystore.StoreLabel)
	if err != nil {
		return labels.Nothing() // of a Lease that nobody sees, no key is confirmed
	}
	return selector
}

// emptySecret keeps of a Secret that it is there.
func emptySecret(o any) (any, error) {
	s, ok := o.(*corev1.Secret)
	if !ok {
		return o, nil // a tombstone
	}
	empty := &corev1.Secret{}
	empty.Name, empty.Namespace, empty.UID, empty.ResourceVersion = s.Name, s.Namespace, s.UID, s.ResourceVersion
	return empty, nil
}

// slimNode keeps of a node what it is recognised by, and what says whether a pod fits it.
func slimNode(o any) (any, error) {
	n, ok := o.(*corev1.Node)
	if !ok {
		return o, nil // a tombstone
	}
	slim := &corev1.Node{}
	slim.Name, slim.UID, slim.ResourceVersion, slim.CreationTimestamp, slim.Labels = n.Name, n.UID, n.ResourceVersion, n.CreationTimestamp, n.Labels
	slim.Spec.ProviderID = n.Spec.ProviderID
	slim.Status.NodeInfo.SystemUUID, slim.Status.NodeInfo.MachineID = n.Status.NodeInfo.SystemUUID, n.Status.NodeInfo.MachineID
	return slim, nil
}

// slimClaim keeps of a claim which volume it has, by which class, what it was made from, and what was recorded of its key.
func slimClaim(o any) (any, error) {
	c, ok := o.(*corev1.PersistentVolumeClaim)
	if !ok {
		return o, nil // a tombstone
	}
	slim := &corev1.PersistentVolumeClaim{}
	slim.Namespace, slim.Name, slim.UID, slim.ResourceVersion, slim.CreationTimestamp = c.Namespace, c.Name, c.UID, c.ResourceVersion, c.CreationTimestamp
	slim.Labels = only(c.Labels, func(key string) bool { return key == v1alpha1.KeyLabel || key == v1alpha1.BindingLabel })
	slim.Annotations = only(c.Annotations, func(key string) bool { return key == v1alpha1.ClassAnnotation })
	class := classOf(c)
	slim.Spec.StorageClassName, slim.Spec.VolumeName = &class, c.Spec.VolumeName
	slim.Spec.DataSource, slim.Spec.DataSourceRef, slim.Spec.VolumeAttributesClassName = c.Spec.DataSource, c.Spec.DataSourceRef, c.Spec.VolumeAttributesClassName
	slim.Status.Phase = c.Status.Phase
	return slim, nil
}

// slimVolume keeps of a volume whose it is, what says where it lies, and what says under which key it is.
func slimVolume(o any) (any, error) {
	v, ok := o.(*corev1.PersistentVolume)
	if !ok {
		return o, nil // a tombstone
	}
	slim := &corev1.PersistentVolume{}
	if v.Spec.CSI != nil {
		slim.Spec.CSI = &corev1.CSIPersistentVolumeSource{}
	}
	storage.Keep(slim, v)
	slim.Name, slim.UID, slim.ResourceVersion, slim.Labels = v.Name, v.UID, v.ResourceVersion, v.Labels
	if proof, proven := v.Annotations[v1alpha1.ProofAnnotation]; proven {
		slim.Annotations = maps.Clone(slim.Annotations)
		metav1.SetMetaDataAnnotation(&slim.ObjectMeta, v1alpha1.ProofAnnotation, proof)
	}
	slim.Spec.NodeAffinity, slim.Spec.Local, slim.Spec.HostPath = v.Spec.NodeAffinity, v.Spec.Local, v.Spec.HostPath
	if of := v.Spec.ClaimRef; of != nil {
		slim.Spec.ClaimRef = &corev1.ObjectReference{Namespace: of.Namespace, Name: of.Name, UID: of.UID}
	}
	if csi := v.Spec.CSI; csi != nil {
		slim.Spec.CSI.Driver, slim.Spec.CSI.VolumeHandle = csi.Driver, csi.VolumeHandle
	}
	return slim, nil
}

// slimAttachment keeps of an attachment which volume is where.
func slimAttachment(o any) (any, error) {
	a, ok := o.(*storagev1.VolumeAttachment)
	if !ok {
		return o, nil // a tombstone
	}
	slim := &storagev1.VolumeAttachment{}
	slim.Name, slim.UID, slim.ResourceVersion = a.Name, a.UID, a.ResourceVersion
	slim.Spec.NodeName, slim.Spec.Source.PersistentVolumeName = a.Spec.NodeName, a.Spec.Source.PersistentVolumeName
	return slim, nil
}

// Scheme registers every kind that Terroir reads or writes.
func Scheme(add ...func(*runtime.Scheme) error) (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, register := range append(add, v1alpha1.AddToScheme) {
		if err := register(scheme); err != nil {
			return nil, fmt.Errorf("registering kinds: %w", err)
		}
	}
	return scheme, nil
}
