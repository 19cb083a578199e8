//go:build e2e

package e2e

import "testing"

// TestNode runs all tests on one node, one after another: each leaves it as it
// found it. The last one judges what the others have left in the audit log.
func TestNode(t *testing.T) {
	n := newNode(t)
	n.cloud.start(t, n)
	n.tagImages(t)
	grants := &granted{}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *node, *granted)
	}{
		{"helm4", func(t *testing.T, n *node, g *granted) {
			testInstall(t, n, g, byHelm{n.newRelease(t, "HELM4", system, "")})
		}},
		{"helm3", func(t *testing.T, n *node, g *granted) {
			testInstall(t, n, g, byHelm{n.newRelease(t, "HELM3", system, "")})
		}},
		{"manifest", func(t *testing.T, n *node, g *granted) { testInstall(t, n, g, byManifest{n}) }},
		{"namespaces", testNamespaces},
		{"own-roles", testOwnRoles},
		{"permissions", testPermissions},
		{"metrics", testMetrics},
		{"wait", testWait},
		{"failover", testFailover},
		{"outage", testOutage},
		{"upgrade", testUpgrade},
		{"deletion", testDeletion},
		{"granted-is-used", func(t *testing.T, n *node, g *granted) { g.judge(t, n) }},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, n, grants) })
	}
}
