#!/usr/bin/env bash
# Removes the operator and what it installed in the API server. The kinds and their objects stay, and so do the labels on
# nodes and the nodeSelectors of pods: pods that run go on running, pods that are created are no longer shaped or judged.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
kubectl=${KUBECTL:-kubectl}

# The operator first: it would put back what is removed below.
$kubectl delete --ignore-not-found --cascade=foreground --timeout=120s -n terroir-system deployment/terroir-manager

kinds=mutatingwebhookconfigurations,validatingwebhookconfigurations,validatingadmissionpolicybindings,validatingadmissionpolicies
# API servers before 1.36 may not serve the mutating kinds.
if $kubectl api-resources --api-group=admissionregistration.k8s.io --output=name | grep -q '^mutatingadmissionpolicies'; then
	kinds+=,mutatingadmissionpolicybindings,mutatingadmissionpolicies
fi
$kubectl delete "$kinds" -l terroir.dev/fence=true

go tool -modfile=hack/tools/kustomize/go.mod kustomize build config/default | $kubectl delete --ignore-not-found -f -
