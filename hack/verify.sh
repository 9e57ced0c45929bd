#!/usr/bin/env bash
# Proves, without writing into this checkout, that what is generated is up to date and what is written by hand is well
# formed. Every check runs, also after one has failed; the last lines name those that did.
#
#   hack/verify.sh                 all checks
#   hack/verify.sh lint modules    some of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tool() {
	local name=$1
	shift
	go tool -modfile="$root/hack/tools/$name/go.mod" "$name" "$@"
}

# go_modules prints the folder of each Go module whose source is here.
go_modules() {
	find . -name go.mod -not -path './.*' -printf '%h\n' | sort
}

# Generating in a copy and comparing it with another copy finds changed, missing and superfluous files alike.
check_generated() {
	mkdir "$scratch/committed"
	git ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' file; do if [[ -e $file || -L $file ]]; then printf '%s\0' "$file"; fi; done |
		tar --create --null --files-from=- | tar --extract --directory "$scratch/committed"
	cp -R "$scratch/committed" "$scratch/generated"
	make -C "$scratch/generated" generate >"$scratch/generate.log" 2>&1 || { cat "$scratch/generate.log"; return 1; }
	(cd "$scratch" && diff --recursive --unified --new-file committed generated) || {
		echo 'Generated files are not up to date: run `make generate` and commit what it changes.'
		return 1
	}
}

check_modules() {
	local failed=0 module
	for module in $(go_modules); do
		(cd "$module" && go mod tidy -diff) || { echo "$module: run \`go mod tidy\` there."; failed=1; }
	done
	return $failed
}

# What is written with cgo, and so is not looked at otherwise.
with_cgo=(./internal/keystore/pkcs11/... ./cmd/keyprobe/...)

check_vet() {
	go vet ./...
	CGO_ENABLED=1 go vet "${with_cgo[@]}"
}

# test/localcluster is a few lines over the whole of Kubernetes. Linters that need types would spend minutes on the latter.
check_lint() {
	tool golangci-lint run ./...
	CGO_ENABLED=1 tool golangci-lint run "${with_cgo[@]}"
	(cd test/localcluster && tool golangci-lint run --fast-only --config "$root/.golangci.yml" ./...)
}

check_architecture() {
	# Not from the cache, which does not notice what the test learns from `go list`.
	go test -count=1 ./test/architecture/...
}

check_manifests() {
	local failed=0 file
	while IFS= read -r file; do
		tool kustomize build "$(dirname "$file")" >"$scratch/manifests.yaml" || { echo "$file does not build."; failed=1; }
	done < <(find config -name kustomization.yaml | sort)
	return $failed
}

checks=("$@")
if [[ ${#checks[@]} -eq 0 ]]; then
	checks=(generated modules manifests architecture vet lint)
fi
failed=()
for check in "${checks[@]}"; do
	echo "verify: $check"
	SECONDS=0
	# In a subshell of its own, and not as part of a condition: there a failing command would not end the check.
	set +e
	(set -e; "check_$check")
	status=$?
	set -e
	if [[ $status -ne 0 ]]; then failed+=("$check"); fi
	echo "verify: $check took ${SECONDS} s"
done
if [[ ${#failed[@]} -gt 0 ]]; then
	echo "verify: failed: ${failed[*]}"
	exit 1
fi
echo "verify: all checks passed"
