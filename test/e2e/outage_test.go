//go:build e2e

package e2e

import (
	"syscall"
	"testing"
	"time"
)

// testOutage stops the API server for a minute while tasks end, for an operator of
// one replica and for one of two, side by side.
func testOutage(t *testing.T, n *node, _ *granted) {
	const away = time.Minute
	cases := []struct {
		name, home, namespace string
		replicas              int
		release               *release
		tasks                 []task
	}{
		{name: "one replica", home: system, namespace: "outage-one", replicas: 1},
		{name: "two replicas", home: "outage-system", namespace: "outage-two", replicas: 2},
	}
	for i := range cases {
		c := &cases[i]
		values := "replicaCount: 1\n"
		if c.replicas == 2 {
			values = "replicaCount: 2\ncrds: {enabled: false}\n"
		}
		n.makeNamespace(t, c.namespace)
		n.feed(t, tenantSecret, "kubectl", "-n", c.namespace, "apply", "-f", "-")
		c.release = n.newRelease(t, "HELM4", c.home, values+"watchNamespaces: ["+c.namespace+"]\n")
		defer n.leave(t, c.release, c.namespace, c.home)
		c.release.install(t)
		n.awaitReady(t, c.home, c.replicas)
		n.watchHistory(t, c.namespace)
		c.tasks = n.load(t, c.namespace, away+10*time.Second)
	}

	n.signalServer(t, "kube-apiserver", syscall.SIGSTOP)
	<-time.After(away)
	n.signalServer(t, "kube-apiserver", syscall.SIGCONT)
	back := time.Now()
	for _, c := range cases {
		n.awaitOutcomes(t, c.tasks)
		figure(t, "outage, "+c.name+": every outcome right, after the end of it", time.Since(back))
		for pod, restarts := range restarts(n.awaitReady(t, c.home, c.replicas)) {
			figure(t, "outage, "+c.name+": restarts of a pod", restarts)
			if restarts > 1 {
				t.Errorf("%s was restarted %d times, want at most once", pod, restarts)
			}
		}
		n.unrefused(t, c.home+"/"+n.pods(t, c.home)[0].Spec.ServiceAccountName)
	}
}
