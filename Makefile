# `make help` lists what can be done. Everything needs Go, make and a Go module proxy; what talks to a cluster of yours also
# needs kubectl. `generate` writes, `verify` proves, `test` only tests.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# One setting for everything that is compiled here, so that it is compiled once. Only the agent beside an HSM needs a C compiler: vendors' libraries are C.
export CGO_ENABLED ?= 0

KUBECTL ?= kubectl
# What is used and written while working on this checkout. Git ignores it.
LOCAL := .local

# Each tool has a go.mod of its own under hack/tools, with its version and its dependencies, away from the product's.
tool = go tool -modfile=hack/tools/$(1)/go.mod $(1)

# Where `make deploy` and the like read the operator's image from.
IMG ?=

# What `make undeploy` and `make uninstall` are told besides, such as --context=test.
FLAGS ?=

# What controller-gen reads RBAC markers from: what exists of it.
RBAC_PATHS := $(foreach dir,$(wildcard cmd controllers internal),paths=./$(dir)/...)

##@ Try it

.PHONY: demo
demo: ## Start a cluster with simulated nodes, play the story, check every step, leave it running
	@go run ./test/cmd/demo demo

.PHONY: up
up: ## Start the same cluster with the operator and the sample catalogue; kubeconfig in .local/kubeconfig
	@go run ./test/cmd/demo up

.PHONY: real-node
real-node: ## Join a real node (kubelet, containerd) to that cluster, which is started if need be; needs Linux and root
	@go run ./test/cmd/demo real-node

.PHONY: down
down: ## Stop all of it
	@go run ./test/cmd/demo down

.PHONY: stop-operator
stop-operator: ## Stop only the operator of that cluster, to see what holds without it
	@go run ./test/cmd/demo stop-operator

.PHONY: start-operator
start-operator: ## Start the operator of that cluster again
	@go run ./test/cmd/demo start-operator

##@ Work on it

.PHONY: build
build: ## Build the operator into bin/manager, the agent beside an HSM into bin/keyprobe (needs gcc), and the kubectl plugin into bin/kubectl-terroir
	go build -trimpath -o bin/manager ./cmd/manager
	CGO_ENABLED=1 go build -trimpath -o bin/keyprobe ./cmd/keyprobe
	go build -trimpath -o bin/kubectl-terroir ./cmd/kubectl-terroir

# The package that takes longest is begun first: else everything has ended but that one.
.PHONY: test
test: ## Run every test, from units to the real control plane
	go run ./test/cmd/localcluster build --kubelet
	go run ./test/cmd/localcluster exec -- go test ./test/e2e ./... -p 2 -timeout 20m
	CGO_ENABLED=1 go test ./internal/keystore/pkcs11/...

# The package's tests run in `make test` like all others; here they print what came of every door.
.PHONY: test-doors
test-doors: ## Try every door of the threat model, without and with Terroir, and print the table
	@go run ./test/cmd/localcluster build
	@go test ./test/doors -count=1 -timeout 20m -v -run '^TestDoors$$' | sed -e '/^=== /d' -e '/^    run_test.go:[0-9]*: \(without\|with\) .*took/d'

.PHONY: bench
bench: ## Run the benchmarks and print them as a table
	@go run ./test/cmd/bench

.PHONY: generate
generate: generate-api generate-rbac generate-fence generate-docs ## Write everything that is generated: deepcopy, CRDs, RBAC, fence, static manifests, API reference

.PHONY: generate-api
generate-api:
	rm -f config/crd/bases/*.yaml
	$(call tool,controller-gen) object paths=./api/...
	$(call tool,controller-gen) crd paths=./api/... output:crd:dir=config/crd/bases

.PHONY: generate-rbac
generate-rbac:
	$(if $(RBAC_PATHS),$(call tool,controller-gen) rbac:roleName=terroir-manager $(RBAC_PATHS) output:rbac:dir=config/rbac)

# The admission policies as Terroir installs them, for review, and those that API servers load from files.
.PHONY: generate-fence
generate-fence:
	$(if $(wildcard hack/render),go run ./hack/render)

.PHONY: generate-docs
generate-docs:
	$(call tool,crd-ref-docs) --config=hack/crd-ref-docs/config.yaml --templates-dir=hack/crd-ref-docs/templates \
		--source-path=api/v1alpha1 --renderer=markdown --output-path=docs/reference/api.md --log-level=ERROR

.PHONY: fmt
fmt: ## Format the code
	$(call tool,golangci-lint) fmt

.PHONY: lint
lint: ## Run the linters
	$(call tool,golangci-lint) run

.PHONY: verify
verify: ## Prove that generated files are up to date and that code, modules and manifests are well formed; writes nothing
	@hack/verify.sh

##@ Use it on a cluster of yours (the current context of kubectl)

.PHONY: install
install: ## Install the kinds of terroir.dev
	$(call tool,kustomize) build config/crd | $(KUBECTL) apply --server-side -f -
	$(KUBECTL) wait --for=condition=Established --timeout=60s crd -l app.kubernetes.io/part-of=terroir

.PHONY: deploy
deploy: overlay install ## Install the kinds, then the operator: make deploy IMG=registry.example/terroir-manager:v0.1.0
	$(call tool,kustomize) build $(LOCAL)/deploy | $(KUBECTL) apply --server-side -f -
	$(KUBECTL) rollout status --timeout=180s -n terroir-system deployment/terroir-manager

.PHONY: undeploy
undeploy: ## Take Terroir out, and leave the kinds and their objects for an installation later; FLAGS=... as for uninstall
	go run ./cmd/kubectl-terroir uninstall --keep-kinds $(FLAGS)

.PHONY: uninstall
uninstall: ## Take Terroir out, with its kinds; make uninstall FLAGS=--dry-run says what would be done, FLAGS=--help what else there is
	go run ./cmd/kubectl-terroir uninstall $(FLAGS)

# The image's name goes into an overlay of this checkout's own, so that config/ is not edited.
.PHONY: overlay
overlay:
	@test -n "$(IMG)" || { echo "Which image? For example: make $(or $(firstword $(MAKECMDGOALS)),deploy) IMG=registry.example/terroir-manager:v0.1.0" >&2; exit 2; }
	@mkdir -p $(LOCAL)/deploy
	@printf '%s\n' 'apiVersion: kustomize.config.k8s.io/v1beta1' 'kind: Kustomization' 'resources: [../../config/default]' > $(LOCAL)/deploy/kustomization.yaml
	@modfile="$$PWD/hack/tools/kustomize/go.mod"; cd $(LOCAL)/deploy && go tool -modfile="$$modfile" kustomize edit set image "terroir-manager=$(IMG)"

##@ Help

.PHONY: help
help: ## Show this
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile
