//go:build e2e

package e2e

import (
	"sync"
	"testing"
	"time"
)

// testDeletion deletes a namespace with CloudTasks and an empty one at the same
// time, with the operator there and without.
func testDeletion(t *testing.T, n *node, _ *granted) {
	r := n.newRelease(t, "HELM4", system, "")
	defer n.leave(t, r)
	r.install(t)
	n.awaitReady(t, system, 1)
	for _, operator := range []string{"up", "down"} {
		full, empty := "full-"+operator, "empty-"+operator
		n.makeNamespace(t, full)
		n.makeNamespace(t, empty)
		n.feed(t, tenantSecret, "kubectl", "-n", full, "apply", "-f", "-")
		n.load(t, full, time.Hour)
		if operator == "down" {
			r.uninstall(t)
		}
		var took [2]time.Duration
		var both sync.WaitGroup
		for i, name := range []string{full, empty} {
			both.Go(func() { took[i] = n.deleteNamespace(t, name) })
		}
		both.Wait()
		figure(t, "deletion, operator "+operator+": a namespace with 40 CloudTasks", took[0])
		figure(t, "deletion, operator "+operator+": an empty namespace", took[1])
	}
}
