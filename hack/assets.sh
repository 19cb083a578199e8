#!/usr/bin/env bash
# Prints the directory that holds etcd, kube-apiserver and kubectl for tests and
# the demo: KUBEBUILDER_ASSETS where it is set, else a cache outside the work
# tree, which is filled by envtest's download where that can be reached within
# 10 seconds, and else built from the Go modules of hack/cluster (about 8 minutes
# on 2 cores). Progress goes to stderr.
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }
die() {
	say "error: $*"
	exit 1
}
sha512() { if command -v sha512sum >/dev/null; then sha512sum "$1"; else shasum -a 512 "$1"; fi; }
complete() { [[ -x $1/etcd && -x $1/kube-apiserver && -x $1/kubectl ]]; }

if [[ -n ${KUBEBUILDER_ASSETS:-} ]]; then
	complete "$KUBEBUILDER_ASSETS" ||
		die "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS does not hold etcd, kube-apiserver and kubectl:" \
			"put them there, or unset it to have them downloaded or built"
	(cd "$KUBEBUILDER_ASSETS" && pwd)
	exit
fi

hack=$(cd "$(dirname "$0")" && pwd)
cd "$hack/cluster"
command -v go >/dev/null || die "go is not on the PATH: install Go 1.26 or newer"
version=$(sed -n 's|^.*k8s\.io/kubernetes \(v[0-9.]*\).*$|\1|p' go.mod)
IFS=. read -r major minor _ <<<"${version#v}"
stamp=k8s.io/component-base/version
# Other flags, -trimpath or CGO_ENABLED for instance, would compile all of it anew.
ldflags="-s -w -X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
ldflags+=" -X $stamp.gitTreeState=clean -X $stamp.gitCommit=unknown"

GOOS=$(go env GOHOSTOS)
GOARCH=$(go env GOHOSTARCH)
export GOOS GOARCH
key=$( (cat go.sum && echo "$ldflags") | git hash-object --stdin)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cloudtask
assets=$cache/kubernetes-${version#v}-${key:0:12}-$GOOS-$GOARCH
if complete "$assets"; then
	echo "$assets"
	exit
fi

# The archive and its checksum are listed in the index that envtest itself uses.
download() {
	local index=${ENVTEST_INDEX_URL:-https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml}
	local archive=envtest-$version-$GOOS-$GOARCH.tar.gz hash url
	command -v curl >/dev/null || return 1
	curl -fsSL --max-time 10 -o "$work/index" "$index" || return 1
	read -r hash url < <(awk -v name="$archive:" '
		$1 == name { found = 1 }
		found && $1 == "hash:" { hash = $2 }
		found && $1 == "selfLink:" { url = $2 }
		hash && url { print hash, url; exit }' "$work/index") || return 1
	"$hack/progress.sh" "Downloading $archive" \
		curl -fSL --connect-timeout 10 --speed-time 10 --speed-limit 1024 -o "$work/archive" "$url" || return 1
	[[ $(sha512 "$work/archive") == "$hash "* ]] || {
		say "$url: the checksum differs from the index"
		return 1
	}
	tar -xzf "$work/archive" -C "$work/bin" --strip-components=2 && complete "$work/bin"
}

build() {
	"$hack/progress.sh" "Building kube-apiserver and kubectl $version" \
		go build -v -ldflags "$ldflags" -o "$work/bin/" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl &&
		"$hack/progress.sh" "Building etcd" \
			go build -v -ldflags "-s -w" -o "$work/bin/etcd" go.etcd.io/etcd/server/v3
}

mkdir -p "$cache"
if command -v flock >/dev/null; then
	exec 9>"$assets.lock"
	until flock -w 10 9; do say "Waiting for another run that builds $assets …"; done
	if complete "$assets"; then
		echo "$assets"
		exit
	fi
fi

work=$(mktemp -d "$cache/.kubernetes-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
if ! download 9>&-; then
	say "No download of Kubernetes $version for $GOOS/$GOARCH: building it, once."
	rm -rf "$work/bin" && mkdir "$work/bin"
	build 9>&- || die "Kubernetes $version could not be built. The lines above say why: modules that cannot be" \
		"fetched want a GOPROXY that has them, a full disk wants 5 GB. Or set KUBEBUILDER_ASSETS" \
		"to a directory that holds etcd, kube-apiserver and kubectl $version."
fi
rm -rf "$assets"
mv "$work/bin" "$assets"
echo "$assets"
