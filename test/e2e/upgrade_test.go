//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// liveTasks is how many tasks run through the upgrade and the rollback.
const liveTasks = 1000

// testUpgrade upgrades from an older chart, whose CRD lacks a field and whose
// operator does without it, and goes back, while many tasks run.
func testUpgrade(t *testing.T, n *node, g *granted) {
	const namespace = "upgrade"
	r := n.newRelease(t, "HELM4", system, "image: {repository: e2e.local/cloudtask, tag: older, pullPolicy: Never}\n")
	current := r.chart
	r.chart = n.olderChart(t)
	defer n.leave(t, r, namespace)
	r.install(t)
	n.awaitReady(t, system, 1)
	n.makeNamespace(t, namespace)
	n.feed(t, tenantSecret, "kubectl", "-n", namespace, "apply", "-f", "-")
	n.watchHistory(t, namespace)

	begin := time.Now()
	var tasks []task
	for i := range liveTasks {
		// They end while this upgrades and rolls back, and some time after.
		duration := 10*time.Second + time.Duration(i)*60*time.Second/liveTasks
		tasks = append(tasks, redisTask(tenantAccount, namespace, duration, i%10 == 0))
	}
	n.begin(t, tasks...)
	figure(t, "upgrade: live tasks", liveTasks)
	figure(t, "upgrade: made within", time.Since(begin))

	r.chart, r.values = current, "image: {repository: e2e.local/cloudtask, tag: e2e, pullPolicy: Never}\n"
	begin = time.Now()
	r.upgrade(t, "--wait", "--timeout=3m")
	n.awaitReady(t, system, 1)
	g.note(t, n, system)
	figure(t, "upgrade: upgraded, with the new pod Ready, after", time.Since(begin))
	later := redisTask(tenantAccount, namespace, endless, false)
	n.begin(t, later)
	n.suspend(t, later, true) // the field that the older CRD lacks
	n.suspend(t, later, false)

	begin = time.Now()
	r.run(t, r.helm, "rollback", "cloudtask", "1", "-n", system, "--wait", "--timeout=3m")
	n.awaitReady(t, system, 1)
	figure(t, "upgrade: rolled back after", time.Since(begin))
	n.cloud.finish(t, later.cloud, true)
	n.awaitOutcomes(t, append(tasks, later))
	figure(t, "upgrade: every outcome right, after the rollback", time.Since(begin))
}

// olderChart is the chart with a CRD that lacks spec.suspend.
func (n *node) olderChart(t *testing.T) string {
	t.Helper()
	chart := filepath.Join(t.TempDir(), "cloudtask")
	if err := os.CopyFS(chart, os.DirFS(filepath.Join(n.root, "charts", "cloudtask"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(chart, "files", "crd.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	older := without(string(text), "suspend")
	if older == string(text) {
		t.Fatal("the CRD has no such field")
	}
	if err := os.WriteFile(path, []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	return chart
}

// without drops a property from a CRD, with all that is indented below it.
func without(crd, property string) string {
	var kept strings.Builder
	dropped := -1
	for line := range strings.Lines(crd) {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if dropped >= 0 && indent > dropped {
			continue
		}
		dropped = -1
		if strings.TrimSpace(text) == property+":" {
			dropped = indent
			continue
		}
		kept.WriteString(line)
	}
	return kept.String()
}
