//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// system is the operator's namespace in the README.
const system = "cloudtask-system"

// installer is a way to install the operator with its defaults.
type installer interface {
	name() string
	install(t *testing.T)
	// configure gives it the simulated cloud and a key of its own.
	configure(t *testing.T)
	// check is what the way itself has to test an installation.
	check(t *testing.T)
	uninstall(t *testing.T)
}

type byHelm struct{ *release }

func (h byHelm) name() string { return strings.Fields(filepath.Base(h.helm))[0] }

// install runs the README's command, without any values.
func (h byHelm) install(t *testing.T) {
	t.Helper()
	h.run(t, h.helm, "install", "cloudtask", h.chart, "-n", system, "--create-namespace")
}

func (h byHelm) configure(t *testing.T) { h.upgrade(t) }

func (h byHelm) check(t *testing.T) {
	t.Helper()
	begin := time.Now()
	h.run(t, h.helm, "test", "cloudtask", "-n", system)
	figure(t, h.name()+": helm test", time.Since(begin))
}

// byManifest installs dist/install.yaml, which brings its namespace.
type byManifest struct{ *node }

func (byManifest) name() string     { return "install.yaml" }
func (byManifest) check(*testing.T) {}

func (m byManifest) install(t *testing.T) {
	t.Helper()
	m.run(t, "kubectl", "apply", "--server-side", "-f", manifest)
}

const manifestPatch = `[
{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--cloud-endpoint=` + cloudURL + `"},
{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--operator-credentials-namespaces=*"},
{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "TENCENTCLOUD_SECRET_ID", "value": "operator-id"}},
{"op": "add", "path": "/spec/template/spec/containers/0/env/-", "value": {"name": "TENCENTCLOUD_SECRET_KEY", "value": "operator-key"}}
]`

func (m byManifest) configure(t *testing.T) {
	t.Helper()
	m.run(t, "kubectl", "-n", system, "patch", "deployment", "cloudtask", "--type=json", "-p", manifestPatch)
	m.run(t, "kubectl", "-n", system, "rollout", "status", "deployment", "cloudtask", "--timeout=3m")
}

// uninstall removes all but the CRD and the namespace.
func (m byManifest) uninstall(t *testing.T) {
	t.Helper()
	m.uninstalling(system, func() {
		const ours = "app.kubernetes.io/name=cloudtask"
		m.run(t, "kubectl", "-n", system, "delete", "deployment,service,serviceaccount,role,rolebinding", "-l", ours)
		m.run(t, "kubectl", "delete", "clusterrole,clusterrolebinding", "-l", ours)
		m.awaitNoPods(t, system)
	})
}

// testInstall installs, uses, uninstalls and installs again.
func testInstall(t *testing.T, n *node, g *granted, by installer) {
	own, tenant := "own-"+slug(by), "tenant-"+slug(by)
	defer n.leave(t, by, own, tenant)
	installReady(t, n, by)
	g.note(t, n, system)
	by.configure(t)
	n.awaitReady(t, system, 1)
	noShell(t, n)
	by.check(t)

	n.makeNamespace(t, own)
	n.makeNamespace(t, tenant)
	n.feed(t, tenantSecret, "kubectl", "-n", tenant, "apply", "-f", "-")
	n.watchHistory(t, tenant)
	ends := func(namespace string, of string) []task {
		account := tenantAccount
		if of == operatorAccount.Name {
			account = operatorAccount
		}
		return []task{
			redisTask(account, namespace, 3*time.Second, false), redisTask(account, namespace, 3*time.Second, true),
			clbTask(account, namespace, 3*time.Second, false), clbTask(account, namespace, 3*time.Second, true),
		}
	}
	byOperator, bySecret := ends(own, operatorAccount.Name), ends(tenant, tenantAccount.Name)
	n.begin(t, append(byOperator, bySecret...)...)
	n.awaitOutcomes(t, byOperator)
	n.awaitOutcomes(t, bySecret)
	for _, k := range bySecret {
		if source := n.get(t, k).Status.Credentials; !strings.Contains(source, "tencent-credentials") {
			t.Errorf("%s: credentials are %q, want those of the Secret", k.name, source)
		}
	}

	live := redisTask(tenantAccount, tenant, endless, false)
	n.begin(t, live)
	n.awaitPhase(t, live, v1alpha1.PhaseRunning)
	before := n.get(t, bySecret[0])
	by.uninstall(t)
	n.run(t, "kubectl", "get", "crd", crdName)
	if after := n.get(t, bySecret[0]); !apiequality.Semantic.DeepEqual(before, after) {
		t.Errorf("uninstalling changed a CloudTask: %+v, was %+v", after, before)
	}
	n.cloud.finish(t, live.cloud, true)
	installReady(t, n, by)
	by.configure(t)
	n.awaitPhase(t, live, v1alpha1.PhaseSucceeded)
	if after := n.get(t, bySecret[0]); !apiequality.Semantic.DeepEqual(before, after) {
		t.Errorf("installing again changed a finished CloudTask: %+v, was %+v", after, before)
	}
}

// installReady installs and logs how long it takes until the pod is Ready.
func installReady(t *testing.T, n *node, by installer) {
	t.Helper()
	begin := time.Now()
	by.install(t)
	commanded := time.Since(begin)
	n.awaitReady(t, system, 1)
	figure(t, by.name()+": from the install command to a Ready pod", time.Since(begin))
	figure(t, by.name()+": of that, the command itself", commanded)
}

const tenantSecret = `
apiVersion: v1
kind: Secret
metadata: {name: tencent-credentials}
stringData: {secretId: tenant-id, secretKey: tenant-key}
`

func slug(by installer) string { return strings.ReplaceAll(by.name(), ".", "-") }

// noShell tries what an intruder would.
func noShell(t *testing.T, n *node) {
	t.Helper()
	pod := n.pods(t, system)[0].Name
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/busybox/sh"} {
		out, err := n.try(t, "", "kubectl", "-n", system, "exec", pod, "--", shell, "-c", "true")
		if err == nil || !strings.Contains(out, "no such file") {
			t.Errorf("exec %s: %v: %s; want that there is none", shell, err, out)
		}
	}
	if out, err := n.try(t, "", "kubectl", "-n", system, "run", "root", "--image="+image, "--image-pull-policy=Never"); err == nil {
		t.Errorf("a pod that may be root was admitted: %s", out)
	}
}
