#!/usr/bin/env bash
# Makes the certificates of the node and a kubeconfig for each client.
#   pki.sh DIRECTORY SERVER NODE IP...
set -euo pipefail

dir=$1 server=$2 node=$3
shift 3
cd "$dir"

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# certificate NAME SUBJECT USAGE [NAMES]
certificate() {
	key "$1"
	openssl req -new -key "$1.key" -subj "$2" |
		openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" -extfile <(
			echo "keyUsage=critical,digitalSignature"
			echo "extendedKeyUsage=$3"
			if [[ -n ${4:-} ]]; then echo "subjectAltName=$4"; fi
		) 2>/dev/null
}

kubeconfig() {
	cat >"$1.kubeconfig" <<-EOF
		apiVersion: v1
		kind: Config
		current-context: e2e
		clusters: [{name: e2e, cluster: {server: "$server", certificate-authority: $PWD/ca.crt}}]
		users: [{name: $1, user: {client-certificate: $PWD/$1.crt, client-key: $PWD/$1.key}}]
		contexts: [{name: e2e, context: {cluster: e2e, user: $1}}]
	EOF
}

key sa
key ca
openssl req -x509 -new -key ca.key -days 2 -subj "/CN=e2e" -out ca.crt \
	-addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
ips=$(printf ',IP:%s' "$@")
certificate apiserver /CN=kube-apiserver serverAuth \
	"DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc$ips"
certificate kubelet-server "/O=system:nodes/CN=system:node:$node" serverAuth "DNS:$node$ips"
certificate kubelet "/O=system:nodes/CN=system:node:$node" clientAuth
certificate admin /O=system:masters/CN=admin clientAuth
kubeconfig kubelet
kubeconfig admin
