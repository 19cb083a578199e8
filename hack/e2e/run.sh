#!/usr/bin/env bash
# Runs the e2e tests on a real node of Kubernetes, and leaves nothing of it. What
# is built is kept in the cache; figures and logs are written to bin/e2e.
#   hack/e2e/run.sh [TEST-FLAG...]          for example -test.run=TestFailover
#   hack/e2e/run.sh -- COMMAND [ARGUMENT]   a command of your own beside the node
set -euo pipefail
cd "$(dirname "$0")/../.."

die() {
	echo "error: $*" >&2
	exit 1
}

[[ $(uname) == Linux && $EUID == 0 ]] || die "the node needs Linux and root: it makes namespaces, mounts and containers"
command -v go >/dev/null || die "go is not on the PATH: install Go 1.26 or newer"

install_packages() {
	local tool missing=()
	for tool in containerd ctr runc iptables conntrack openssl ip unshare flock; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[[ -x /usr/lib/cni/bridge ]] || missing+=(/usr/lib/cni/bridge)
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null || die "missing: ${missing[*]}: install containerd, runc, the CNI plugins (in /usr/lib/cni), iptables, conntrack, openssl and iproute2"
	hack/progress.sh "Installing the container runtime (missing: ${missing[*]})" env DEBIAN_FRONTEND=noninteractive bash -c '
		apt-get update -qq && apt-get install -qq --no-install-recommends \
			containerd runc containernetworking-plugins iptables conntrack openssl iproute2 util-linux'
}

# helm VERSION builds the helm of that major version, once, and prints its path.
helm() {
	local version=$1 key path
	key=$( (go env GOVERSION && cat hack/helm/go.sum) | git hash-object --stdin)
	path=$cache/helm-${key:0:12}/helm$version
	if [[ ! -x $path ]]; then
		hack/progress.sh "Building Helm $version" go build -C hack/helm -v -ldflags "-s -w" -o "$path.new" "helm.sh/helm/v$version/cmd/helm"
		mv "$path.new" "$path"
	fi
	echo "$path"
}

# image NAME SOURCE BINARY ARCHIVE
image() {
	hack/progress.sh "Building the image $1" go run -C hack/image . -name "$1" -source "$PWD/$2" -binary "$3" \
		-platforms "linux/$(go env GOARCH)" -version e2e -o "$4"
}

# The cgroups outlive their processes for a moment.
remove_cgroups() {
	local deadline=$((SECONDS + 20)) roots
	while roots=$(find /sys/fs/cgroup -maxdepth 2 -type d -name "$cgroup") && [[ -n $roots ]]; do
		# shellcheck disable=SC2086 # several paths without spaces
		find $roots -depth -type d -exec rmdir {} + 2>/dev/null || true
		if ((SECONDS > deadline)); then
			echo "warning: not removed: $roots" >&2
			return
		fi
		sleep 0.2
	done
}

# With unshare its child is killed, the first process of the namespace, and with
# that everything in it.
clean_up() {
	if [[ -n ${pid:-} ]]; then
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	remove_cgroups
	rm -rf "$work"
}

install_packages
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cloudtask
cgroup=cloudtask-e2e-$$
mkdir -p "$cache" bin/e2e
rm -f bin/e2e/*
work=$(mktemp -d "$cache/.e2e-XXXXXX")
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

programs=$(hack/e2e/assets.sh)
HELM3=$(helm 3)
HELM4=$(helm 4)
mkdir "$work/images"
image e2e.local/cloudtask:e2e . cloudtask "$work/images/cloudtask.tar"
image e2e.local/cloud:e2e hack/e2e/cloud cloud "$work/images/cloud.tar"
image e2e.local/pause:1 hack/e2e/pause pause "$work/images/pause.tar"
if [[ ${1:-} == -- ]]; then
	shift
else
	hack/progress.sh "Building the tests" go test -c -tags e2e -o "$work/e2e.test" ./test/e2e
	set -- "$work/e2e.test" -test.v -test.timeout=30m "$@"
fi

for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if [[ -e $controller/cgroup.procs ]]; then mkdir "$controller/$cgroup"; fi
done
export HELM3 HELM4 E2E_ROOT=$PWD E2E_REPORT=$PWD/bin/e2e
unshare --net --mount --pid --fork --uts --ipc --mount-proc --kill-child \
	hack/e2e/node.sh "$programs" "$work/images" "$cgroup" "$@" &
pid=$!
status=0
wait "$pid" || status=$?
pid=
exit "$status"
