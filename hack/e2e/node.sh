#!/usr/bin/env bash
# A Kubernetes cluster of one real node, inside the namespaces that run.sh makes:
# etcd, kube-apiserver with an audit log, controller-manager, scheduler,
# containerd with runc, kubelet and kube-proxy. It runs a command beside them and
# ends with the command's status; with it end the namespaces, and all of this.
# There is no network but the pods' bridge, so nothing can leave.
#   node.sh PROGRAMS IMAGES CGROUP COMMAND [ARGUMENT...]
set -euo pipefail

programs=$1 images=$2 cgroup=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
node=e2e gateway=10.88.0.1 dir=/run/e2e
server=https://$gateway:6443

say() { printf '[%2d s] %s\n' "$SECONDS" "$*"; }

# start NAME COMMAND [ARGUMENT...] runs it in the background, with a log and a
# file with its process ID.
start() {
	local name=$1
	shift
	"$@" >"$dir/log/$name.log" 2>&1 &
	echo $! >"$dir/$name.pid"
}

# await WHAT NAME COMMAND [ARGUMENT...] waits until the command succeeds; NAME is
# the process that it takes.
await() {
	local what=$1 name=$2 deadline=$((SECONDS + 120))
	shift 2
	until "$@" >/dev/null 2>&1; do
		if ! kill -0 "$(<"$dir/$name.pid")" 2>/dev/null || ((SECONDS > deadline)); then
			echo "error: $what: not reached; the end of $name's log:" >&2
			tail -n 30 "$dir/log/$name.log" >&2
			exit 1
		fi
		sleep 0.2
	done
	say "$what"
}

# The node's own files lie in memory, and vanish with the mount namespace. What it
# is made of stays in sight, wherever it lies.
prepare() {
	mount --make-rprivate /
	local at fd kept=("$E2E_ROOT" "$E2E_CACHE") opened=()
	for at in "${kept[@]}"; do
		exec {fd}<"$at"
		opened+=("$fd")
	done
	for at in /run /tmp /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$at"; done
	chmod 1777 /tmp
	for at in "${!kept[@]}"; do
		fd=${opened[at]}
		if [[ ! -e ${kept[at]} ]]; then
			mkdir -p "${kept[at]}"
			mount --no-canonicalize --bind "/proc/$$/fd/$fd" "${kept[at]}"
		fi
		exec {fd}<&-
	done
	mkdir -p "$dir"/{log,pki,cni,home} /run/lock /run/netns
	hostname "$node"
	ip link set lo up
	ip link add cni0 type bridge
	ip addr add "$gateway/24" dev cni0
	ip link set cni0 up
	ip route add default via "$gateway"
	sysctl -qw net.ipv4.ip_forward=1
}

control_plane() {
	local pki=$dir/pki
	start etcd "$programs/etcd" --data-dir "$dir/etcd" --unsafe-no-fsync --log-level=warn
	start kube-apiserver "$programs/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
		--bind-address="$gateway" --advertise-address="$gateway" \
		--tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" --client-ca-file="$pki/ca.crt" \
		--kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
		--kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
		--service-account-issuer=https://kubernetes.default.svc \
		--service-account-signing-key-file="$pki/sa.key" --service-account-key-file="$pki/sa.key" \
		--service-cluster-ip-range=10.96.0.0/24 --authorization-mode=Node,RBAC \
		--enable-admission-plugins=NodeRestriction \
		--audit-policy-file="$here/audit-policy.yaml" --audit-log-path="$dir/audit.log" --audit-log-maxsize=10000
}

container_runtime() {
	sed "s|@DIR@|$dir|g" "$here/containerd.toml" >"$dir/containerd.toml"
	cp "$here/bridge.conflist" "$dir/cni/"
	start containerd containerd --config "$dir/containerd.toml"
	await "containerd is up" containerd ctr -a "$dir/containerd.sock" version
	local image
	for image in "$images"/*.tar; do
		ctr -a "$dir/containerd.sock" -n k8s.io images import "$image" >/dev/null
	done
	say "images are imported"
}

workers() {
	local pki=$dir/pki kubeconfig=$dir/pki/admin.kubeconfig
	# One account for all controllers: their own ones come seconds later.
	start kube-controller-manager "$programs/kube-controller-manager" --kubeconfig="$kubeconfig" --secure-port=0 \
		--leader-elect=false --use-service-account-credentials=false --flex-volume-plugin-dir="$dir/kubelet-plugins" \
		--service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
		--cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key"
	start kube-scheduler "$programs/kube-scheduler" --kubeconfig="$kubeconfig" --secure-port=0 --leader-elect=false
	sed "s|@DIR@|$dir|g; s|@GATEWAY@|$gateway|g; s|@CGROUP@|$cgroup|g" "$here/kubelet.yaml" >"$dir/kubelet.yaml"
	start kubelet "$programs/kubelet" --config="$dir/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" \
		--hostname-override="$node" --node-ip="$gateway" --root-dir="$dir/kubelet"
	sed "s|@DIR@|$dir|g" "$here/kube-proxy.yaml" >"$dir/kube-proxy.yaml"
	start kube-proxy "$programs/kube-proxy" --config="$dir/kube-proxy.yaml" --hostname-override="$node"
}

ready() {
	kubectl get node "$node" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' | grep -q True
}

prepare
"$here/pki.sh" "$dir/pki" "$server" "$node" "$gateway" 10.96.0.1
control_plane
container_runtime
export PATH=$programs:$PATH KUBECONFIG=$dir/pki/admin.kubeconfig HOME=$dir/home E2E_NODE=$dir
await "kube-apiserver is ready" kube-apiserver kubectl get --raw /readyz
workers
await "the node is Ready" kubelet ready
await "pods can be made" kube-controller-manager kubectl -n default get serviceaccount default

status=0
"$@" || status=$?
if [[ -n ${E2E_REPORT:-} ]]; then cp "$dir"/log/*.log "$E2E_REPORT/"; fi
exit "$status"
