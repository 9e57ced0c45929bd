package placement

import v1alpha1 "github.com/terroir-dev/terroir/api/v1alpha1"

// OperatorUser is Terroir itself, as the API server knows it.
const OperatorUser = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":terroir-manager"
