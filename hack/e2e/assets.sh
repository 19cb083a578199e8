#!/usr/bin/env bash
# Prints the directory that holds the programs of a node: those of
# hack/assets.sh, and kube-controller-manager, kube-scheduler, kubelet and
# kube-proxy, built from the same modules into a cache outside the work tree
# (some 4 minutes on 2 cores). Progress goes to stderr.
set -euo pipefail

hack=$(cd "$(dirname "$0")/.." && pwd)
control=$("$hack/assets.sh")
programs=(kube-controller-manager kube-scheduler kubelet kube-proxy)
cd "$hack/cluster"

version=$(sed -n 's|^.*k8s\.io/kubernetes \(v[0-9.]*\).*$|\1|p' go.mod)
IFS=. read -r major minor _ <<<"${version#v}"
stamp=k8s.io/component-base/version
# The flags of hack/assets.sh: with others all would be compiled anew.
ldflags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
ldflags+=" -X $stamp.gitTreeState=clean -X $stamp.gitCommit=unknown"

key=$( (go env GOVERSION GOARCH && cat go.sum && echo "$ldflags $control") | git hash-object --stdin)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cloudtask
node=$cache/node-${version#v}-${key:0:12}
mkdir -p "$cache"
exec 9>"$node.lock"
until flock -w 10 9; do echo "Waiting for another run that builds $node …" >&2; done
if [[ -d $node ]]; then
	echo "$node"
	exit
fi

work=$(mktemp -d "$cache/.node-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
"$hack/progress.sh" "Building kubelet and its companions $version" \
	go build -v -ldflags "$ldflags" -o "$work/bin/" "${programs[@]/#/k8s.io/kubernetes/cmd/}" 9>&- || {
	echo "error: Kubernetes $version could not be built: the lines above say why" >&2
	exit 1
}
ln -s "$control"/* "$work/bin/"
mv "$work/bin" "$node"
echo "$node"
