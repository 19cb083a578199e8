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
[[ -x ${HELM3:-} && -x ${HELM4:-} ]] || die "HELM3 and HELM4 are not set to Helm's programs: run make e2e"
command -v go >/dev/null || die "go is not on the PATH: install Go 1.26 or newer"

install_packages() {
	local tool missing=()
	for tool in containerd ctr runc iptables conntrack openssl ip unshare flock promtool; do
		command -v "$tool" >/dev/null || missing+=("$tool")
	done
	[[ -x /usr/lib/cni/bridge ]] || missing+=(/usr/lib/cni/bridge)
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null || die "missing: ${missing[*]}: install containerd, runc, the CNI plugins (in /usr/lib/cni), iptables, conntrack, openssl, iproute2 and promtool"
	hack/progress.sh "Installing the container runtime (missing: ${missing[*]})" env DEBIAN_FRONTEND=noninteractive bash -c '
		apt-get update -qq && apt-get install -qq --no-install-recommends \
			containerd runc containernetworking-plugins iptables conntrack openssl iproute2 util-linux prometheus'
}

# image NAME SOURCE BINARY ARCHIVE
image() {
	hack/progress.sh "Building the image $1" go run -C hack/image . -name "$1" -source "$2" -binary "$3" \
		-platforms "linux/$(go env GOARCH)" -version e2e -o "$4"
}

# older_image is an operator that does without the newest fields, for the upgrade
# from an older chart: the check of the CRD is left out.
older_image() {
	local check=controllers/schema_check.go older=$work/older
	mkdir "$older"
	cp -r go.mod go.sum ./*.go api controllers internal "$older"
	sed -i 's/case len(missing) > 0:/case len(missing) > 1000:/' "$older/$check"
	if cmp -s "$check" "$older/$check"; then die "$check: the line that refuses an older CRD is not there"; fi
	image e2e.local/cloudtask:older "$older" cloudtask "$work/images/older.tar"
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
mkdir "$work/images"
image e2e.local/cloudtask:e2e "$PWD" cloudtask "$work/images/cloudtask.tar"
older_image
image e2e.local/cloud:e2e "$PWD/hack/e2e/cloud" cloud "$work/images/cloud.tar"
image e2e.local/pause:1 "$PWD/hack/e2e/pause" pause "$work/images/pause.tar"
if [[ ${1:-} == -- ]]; then
	shift
else
	hack/progress.sh "Building the tests" go test -c -tags e2e -o "$work/e2e.test" ./test/e2e
	set -- "$work/e2e.test" -test.v -test.timeout=30m "$@"
fi

for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if [[ -e $controller/cgroup.procs ]]; then mkdir "$controller/$cgroup"; fi
done
export E2E_ROOT=$PWD E2E_CACHE=$cache E2E_REPORT=$PWD/bin/e2e
unshare --net --mount --pid --fork --uts --ipc --mount-proc --kill-child \
	hack/e2e/node.sh "$programs" "$work/images" "$cgroup" "$@" &
pid=$!
status=0
wait "$pid" || status=$?
pid=
exit "$status"
