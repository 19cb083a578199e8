//go:build e2e

package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// image is the operator's image on the node.
	image = "e2e.local/cloudtask:e2e"
	// chart and manifest are what is tested, in the work tree.
	chart    = "./charts/cloudtask"
	manifest = "dist/install.yaml"
)

// operatorKey is the operator's own key, and what its pod is restricted to.
const operatorKey = `
apiVersion: v1
kind: Secret
metadata: {name: operator-key}
stringData: {secretId: operator-id, secretKey: operator-key}
`

// release is an installation of the chart.
type release struct {
	*node
	helm      string // path of the command
	namespace string
	values    string // YAML, on top of what every test needs
	chart     string
}

// newRelease makes the namespace, in which nothing may run that the Pod Security
// Standard restricted forbids.
func (n *node) newRelease(t *testing.T, helm, namespace, values string) *release {
	t.Helper()
	n.makeNamespace(t, namespace)
	n.feed(t, operatorKey, "kubectl", "-n", namespace, "apply", "-f", "-")
	return &release{node: n, helm: os.Getenv(helm), namespace: namespace, values: values, chart: chart}
}

func (n *node) makeNamespace(t *testing.T, name string) {
	t.Helper()
	n.apply(t, fmt.Sprintf(`
apiVersion: v1
kind: Namespace
metadata: {name: %s, labels: {pod-security.kubernetes.io/enforce: restricted}}
`, name))
	n.await(t, "the default service account of "+name, func() error {
		return n.Get(t.Context(), client.ObjectKey{Namespace: name, Name: "default"}, &corev1.ServiceAccount{})
	})
}

const commonValues = `
cloud: {endpoint: "` + cloudURL + `"}
credentials: {existingSecret: operator-key, operatorNamespaces: ["*"]}
`

// install runs the README's command.
func (r *release) install(t *testing.T) {
	t.Helper()
	r.feed(t, r.values, r.helm, "install", "cloudtask", r.chart, "-n", r.namespace, "--create-namespace",
		"-f", r.file(t, commonValues), "-f", "-")
}

func (r *release) upgrade(t *testing.T, args ...string) {
	t.Helper()
	all := append([]string{"upgrade", "cloudtask", r.chart, "-n", r.namespace, "-f", r.file(t, commonValues), "-f", "-"}, args...)
	r.feed(t, r.values, r.helm, all...)
}

func (r *release) uninstall(t *testing.T) {
	t.Helper()
	r.uninstalling(r.namespace, func() {
		r.run(t, r.helm, "uninstall", "cloudtask", "-n", r.namespace, "--wait", "--ignore-not-found")
		r.awaitNoPods(t, r.namespace)
	})
}

func (n *node) awaitNoPods(t *testing.T, namespace string) {
	t.Helper()
	n.await(t, "no pods in "+namespace, func() error {
		if pods := n.pods(t, namespace); len(pods) > 0 {
			return fmt.Errorf("there are %d", len(pods))
		}
		return nil
	})
}

func (r *release) file(t *testing.T, text string) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// pods are the operator's pods, without those of helm test, the oldest first.
func (n *node) pods(t *testing.T, namespace string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := n.List(t.Context(), &list, client.InNamespace(namespace), client.MatchingLabels{"app.kubernetes.io/component": "manager"}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return list.Items
}

// awaitReady waits for so many pods, all of them ready.
func (n *node) awaitReady(t *testing.T, namespace string, count int) []corev1.Pod {
	t.Helper()
	var pods []corev1.Pod
	n.await(t, fmt.Sprintf("%d ready pods in %s", count, namespace), func() error {
		pods = n.pods(t, namespace)
		for _, pod := range pods {
			if pod.DeletionTimestamp != nil || !ready(pod) {
				return fmt.Errorf("pod %s is not: %+v", pod.Name, pod.Status.ContainerStatuses)
			}
		}
		if len(pods) != count {
			return fmt.Errorf("there are %d", len(pods))
		}
		return nil
	})
	return pods
}

func ready(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func restarts(pods []corev1.Pod) map[string]int32 {
	counts := map[string]int32{}
	for _, pod := range pods {
		for _, container := range pod.Status.ContainerStatuses {
			counts[pod.Name] += container.RestartCount
		}
	}
	return counts
}

// tagImages gives the operator's image the names that the chart and the manifest
// have for it.
func (n *node) tagImages(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(n.root, manifest))
	if err != nil {
		t.Fatal(err)
	}
	for _, manifests := range []string{string(text), n.run(t, os.Getenv("HELM4"), "template", chart)} {
		name, err := imageOf(manifests)
		if err != nil {
			t.Fatal(err)
		}
		n.run(t, "ctr", "-a", n.dir+"/containerd.sock", "-n", "k8s.io", "images", "tag", "--force", image, name)
	}
}

// imageOf finds the operator's image in rendered manifests.
func imageOf(manifests string) (string, error) {
	for line := range strings.Lines(manifests) {
		if name, ok := strings.CutPrefix(strings.TrimLeft(line, " -"), "image: "); ok {
			return strings.Trim(strings.TrimSpace(name), `"'`), nil
		}
	}
	return "", errors.New("no image in the manifests")
}

type uninstaller interface{ uninstall(t *testing.T) }

// leave ends a test, a failed one too, as it found the node: without the operator,
// the namespaces, and the CRD with every CloudTask.
func (n *node) leave(t *testing.T, operator uninstaller, namespaces ...string) {
	t.Helper()
	if t.Failed() {
		n.describe(t)
	}
	operator.uninstall(t)
	n.run(t, "kubectl", append([]string{"delete", "namespace", "--ignore-not-found", "--timeout=3m", system}, namespaces...)...)
	n.run(t, "kubectl", "delete", "crd", crdName, "--ignore-not-found", "--timeout=3m")
}

// describe says what the cluster looks like after a failure.
func (n *node) describe(t *testing.T) {
	t.Helper()
	commands := []string{"get pods -A -o wide", "get ct -A", "get events -A --sort-by=.lastTimestamp"}
	for _, pod := range n.pods(t, "") {
		logs := fmt.Sprintf("-n %s logs %s --tail=20", pod.Namespace, pod.Name)
		commands = append(commands, logs, logs+" --previous") // an error where it was not restarted
	}
	for _, command := range commands {
		out, err := n.try(t, "", "kubectl", strings.Fields(command)...)
		t.Logf("kubectl %s: %v\n%s", command, err, out[max(0, len(out)-8000):])
	}
}

const crdName = "cloudtasks.tencent.cloudtask.dev"

func (n *node) deleteNamespace(t *testing.T, name string) time.Duration {
	t.Helper()
	begin := time.Now()
	if err := client.IgnoreNotFound(n.Delete(t.Context(), &corev1.Namespace{ObjectMeta: named(name)})); err != nil {
		t.Fatal(err)
	}
	n.await(t, "namespace "+name+" is gone", func() error {
		err := n.Get(t.Context(), client.ObjectKey{Name: name}, &corev1.Namespace{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return errors.Join(errors.New("it is there"), err)
	})
	return time.Since(begin)
}
