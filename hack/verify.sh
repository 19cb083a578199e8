#!/usr/bin/env bash
# Checks that the go.mod files are tidy and that the work tree is clean, after
# everything has been generated anew.
#   hack/verify.sh MODULE-DIRECTORY...
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
for module in "$@"; do
	if ! go -C "$module" mod tidy -diff; then
		echo "error: $module/go.mod is not tidy: run make tidy and commit the result" >&2
		failed=1
	fi
done

changes=$(git status --porcelain)
if [[ -n $changes ]]; then
	git --no-pager diff HEAD
	printf '%s\n' "$changes" >&2
	echo "error: the files above are generated but not up to date, or not committed: run make generate manifests and commit the result" >&2
	failed=1
fi
exit "$failed"
