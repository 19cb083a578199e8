#!/usr/bin/env bash
# Writes what comes from the chart: its README, config/rbac, config/manager and
# dist/install.yaml, which are the chart's default rendering without the labels
# that are Helm's alone. The CRD must be up to date.
#   HELM=… HELM_DOCS=… hack/manifests.sh
set -euo pipefail
cd "$(dirname "$0")/.."

chart=charts/cloudtask
crd=config/crd/bases/tencent.cloudtask.dev_cloudtasks.yaml
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp "$crd" "$chart/files/crd.yaml"
"$HELM_DOCS" --log-level warning --chart-search-root charts --sort-values-order file

"$HELM" template cloudtask "$chart" --namespace cloudtask-system --set crds.enabled=false,test.enabled=false \
	--output-dir "$work" >/dev/null

# kustomization FOLDER FILE...: the files as a folder for kustomize.
kustomization() {
	local folder=$1 file name
	shift
	rm -f "$folder"/*.yaml
	for file in "$@"; do
		name=$(basename "$file")
		sed '/^# Source: /d; /^ *helm\.sh\/chart: /d; /^ *app\.kubernetes\.io\/managed-by: /d' "$file" >"$folder/$name"
		printf -- '- %s\n' "$name" >>"$work/resources"
	done
	{
		echo "# Generated from charts/cloudtask by make manifests."
		echo "apiVersion: kustomize.config.k8s.io/v1beta1"
		echo "kind: Kustomization"
		echo "resources:"
		cat "$work/resources"
	} >"$folder/kustomization.yaml"
	rm "$work/resources"
}

rendered=$work/cloudtask/templates
kustomization config/rbac "$rendered"/rbac/*.yaml
kustomization config/manager "$rendered"/deployment.yaml "$rendered"/metrics/*.yaml

mkdir -p dist
{
	echo "# CloudTask in the namespace cloudtask-system, for kubectl apply --server-side -f."
	echo "# Generated from charts/cloudtask by make manifests."
	for file in config/default/namespace.yaml "$crd" config/rbac/*.yaml config/manager/*.yaml; do
		[[ $file == */kustomization.yaml ]] && continue
		[[ $(head -n 1 "$file") == --- ]] || echo ---
		cat "$file"
	done
} >dist/install.yaml
