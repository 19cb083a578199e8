//go:build e2e

package e2e

import (
	"syscall"
	"testing"
	"time"
)

// testOutage stops the API server for a minute, while tasks end.
func testOutage(t *testing.T, n *node, g *granted) {
	const namespace, away = "outage", time.Minute
	for _, c := range []struct{ name, values string }{
		{"one replica", ""},
		{"two replicas", "replicaCount: 2\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := n.newRelease(t, "HELM4", system, c.values)
			defer n.leave(t, r, namespace)
			r.install(t)
			count := 1
			if c.values != "" {
				count = 2
			}
			n.awaitReady(t, system, count)
			g.note(t, n, system)
			n.makeNamespace(t, namespace)
			n.feed(t, tenantSecret, "kubectl", "-n", namespace, "apply", "-f", "-")
			n.watchHistory(t, namespace)
			tasks := n.load(t, namespace, away+10*time.Second)

			n.signalServer(t, "kube-apiserver", syscall.SIGSTOP)
			<-time.After(away)
			n.signalServer(t, "kube-apiserver", syscall.SIGCONT)
			back := time.Now()
			n.awaitOutcomes(t, tasks)
			figure(t, "outage, "+c.name+": every outcome right, after the API server is back", time.Since(back))
			for pod, restarts := range restarts(n.awaitReady(t, system, count)) {
				figure(t, "outage, "+c.name+": restarts of a pod", restarts)
				if restarts > 1 {
					t.Errorf("%s was restarted %d times, want at most once", pod, restarts)
				}
			}
		})
	}
}
