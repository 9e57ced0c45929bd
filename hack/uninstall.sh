#!/usr/bin/env bash
# Removes every object of terroir.dev, and then the kinds. Run it while the operator is still there: it has to release the
# TrustLevels that policies required, and to take back the floors and the marks on namespaces.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kubectl=${KUBECTL:-kubectl}

# What demands, before what is demanded.
$kubectl delete --ignore-not-found --all-namespaces --all placementpolicies.terroir.dev
$kubectl delete --ignore-not-found --all clusterplacementpolicies.terroir.dev
$kubectl delete --ignore-not-found --all --timeout=120s trustlevels.terroir.dev
$kubectl delete --ignore-not-found --all qualifications.terroir.dev,zones.terroir.dev,cloudproviders.terroir.dev,frameworks.terroir.dev

go tool -modfile=hack/tools/kustomize/go.mod kustomize build config/crd | $kubectl delete --ignore-not-found -f -
