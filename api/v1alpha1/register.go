package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the API group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "terroir.dev", Version: "v1alpha1"}

// AddToScheme registers every kind of this package.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&Framework{}, &FrameworkList{},
		&CloudProvider{}, &CloudProviderList{},
		&Zone{}, &ZoneList{},
		&Qualification{}, &QualificationList{},
		&TrustLevel{}, &TrustLevelList{},
		&ClusterPlacementPolicy{}, &ClusterPlacementPolicyList{},
		&PlacementPolicy{}, &PlacementPolicyList{},
		&PlacementFloor{}, &PlacementFloorList{},
		&KeyStore{}, &KeyStoreList{},
		&EncryptionKey{}, &EncryptionKeyList{},
		&KeyObservation{}, &KeyObservationList{},
		&TerroirConfig{}, &TerroirConfigList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
