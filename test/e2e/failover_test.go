//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// testFailover takes the leader of two away in three ways.
func testFailover(t *testing.T, n *node, g *granted) {
	const namespace = "failover"
	r := n.newRelease(t, "HELM4", system, "replicaCount: 2\n")
	defer n.leave(t, r, namespace)
	r.install(t)
	n.awaitReady(t, system, 2)
	g.note(t, n, system)
	n.makeNamespace(t, namespace)
	n.feed(t, tenantSecret, "kubectl", "-n", namespace, "apply", "-f", "-")
	n.watchHistory(t, namespace)
	leader := func() corev1.Pod { return n.leader(t, system) }

	t.Run("deleted", func(t *testing.T) {
		tasks := n.load(t, namespace, time.Minute)
		longest := time.Duration(0)
		for range 5 {
			old := n.settledLeader(t, system)
			n.cloud.forgetCallers(t)
			begin := time.Now()
			if err := n.Delete(t.Context(), &old); err != nil {
				t.Fatal(err)
			}
			longest = max(longest, n.takeover(t, old).Sub(begin))
			n.awaitReady(t, system, 2)
		}
		figure(t, "failover: leader's pod deleted five times, another polls after", longest)
		n.awaitOutcomes(t, tasks)
	})
	t.Run("killed", func(t *testing.T) {
		tasks := n.load(t, namespace, 40*time.Second)
		old := leader()
		process := operatorOf(t, old)
		begin := time.Now()
		send(t, process, syscall.SIGKILL)
		n.await(t, "the container is started again", func() error {
			now, err := findOperator(old)
			if err == nil && now == process {
				err = errors.New("the old process is still there")
			}
			return err
		})
		n.cloud.forgetCallers(t) // the old process' last calls, too
		figure(t, "failover: leader killed, one polls again after (lease 15 s)", n.firstCall(t).Sub(begin))
		if now := leader(); now.UID != old.UID {
			t.Errorf("%s was started again, and yet its lease had to run out: %s leads", old.Name, now.Name)
		}
		n.awaitReady(t, system, 2)
		n.awaitOutcomes(t, tasks)
	})
	t.Run("stopped", func(t *testing.T) {
		tasks := n.load(t, namespace, 60*time.Second)
		old := leader()
		process := operatorOf(t, old)
		n.cloud.forgetCallers(t)
		begin := time.Now()
		send(t, process, syscall.SIGSTOP)
		took := n.takeover(t, old)
		figure(t, "failover: leader stopped, the other polls after (lease 15 s)", took.Sub(begin))
		send(t, process, syscall.SIGCONT)
		continued := time.Now()
		n.await(t, "the old leader exits", func() error {
			if now, err := findOperator(old); err == nil && now == process {
				return errors.New("it runs on")
			}
			return nil
		})
		figure(t, "failover: old leader continued, it has exited after", time.Since(continued))
		n.awaitReady(t, system, 2)
		n.awaitOutcomes(t, tasks)
		n.overwroteNothing(t, old, took)
	})
}

// load begins tasks that end one after another until the last one has lasted so
// long.
func (n *node) load(t *testing.T, namespace string, last time.Duration) []task {
	t.Helper()
	var tasks []task
	const count = 40
	for i := range count {
		duration := last * time.Duration(i+1) / count
		if i%4 == 3 {
			tasks = append(tasks, clbTask(tenantAccount, namespace, duration, i%3 == 0))
		} else {
			tasks = append(tasks, redisTask(tenantAccount, namespace, duration, i%5 == 0))
		}
	}
	n.begin(t, tasks...)
	return tasks
}

// lease is the operator's only one.
func (n *node) lease(t *testing.T, namespace string) coordinationv1.Lease {
	t.Helper()
	var leases coordinationv1.LeaseList
	if err := n.List(t.Context(), &leases, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if len(leases.Items) != 1 {
		t.Fatalf("there are %d leases, want 1", len(leases.Items))
	}
	return leases.Items[0]
}

// leader is the pod that holds the lease.
func (n *node) leader(t *testing.T, namespace string) corev1.Pod {
	t.Helper()
	var leader corev1.Pod
	n.await(t, "a leader", func() error {
		holder := n.lease(t, namespace).Spec.HolderIdentity
		for _, pod := range n.pods(t, namespace) {
			if holder != nil && strings.HasPrefix(*holder, pod.Name+"_") && pod.DeletionTimestamp == nil {
				leader = pod
				return nil
			}
		}
		return fmt.Errorf("the lease is held by %v", holder)
	})
	return leader
}

// settledLeader is the leader when both pods have run for some time: the kubelet
// takes up to two seconds to stop a pod that it has just started.
func (n *node) settledLeader(t *testing.T, namespace string) corev1.Pod {
	t.Helper()
	n.await(t, "pods that have settled", func() error {
		for _, pod := range n.pods(t, namespace) {
			running := pod.Status.ContainerStatuses[0].State.Running
			if running == nil || time.Since(running.StartedAt.Time) < 5*time.Second {
				return fmt.Errorf("%s has just started", pod.Name)
			}
		}
		return nil
	})
	return n.leader(t, namespace)
}

// takeover waits until another pod than the old leader asks the cloud, and says
// when that was.
func (n *node) takeover(t *testing.T, old corev1.Pod) time.Time {
	t.Helper()
	var when time.Time
	n.await(t, "another pod polls", func() error {
		for address, first := range n.cloud.firstCall(t) {
			if address != old.Status.PodIP {
				when = first
				return nil
			}
		}
		return errors.New("none does")
	})
	return when
}

// firstCall waits until anybody asks the cloud, and says when that was. Who takes the
// place of a killed leader may be the same pod, started again.
func (n *node) firstCall(t *testing.T) time.Time {
	t.Helper()
	var when time.Time
	n.await(t, "somebody polls", func() error {
		for _, first := range n.cloud.firstCall(t) {
			when = first
			return nil
		}
		return errors.New("nobody does")
	})
	return when
}

// findOperator is the process of the operator in a pod, as the node sees it.
func findOperator(pod corev1.Pod) (int, error) {
	processes, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, path := range processes {
		cgroup, _ := os.ReadFile(path) // it may have ended meanwhile
		name, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "comm"))
		if strings.Contains(string(cgroup), "pod"+string(pod.UID)) && strings.TrimSpace(string(name)) == "cloudtask" {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, fmt.Errorf("pod %s has no process cloudtask", pod.Name)
}

func operatorOf(t *testing.T, pod corev1.Pod) int {
	t.Helper()
	process, err := findOperator(pod)
	if err != nil {
		t.Fatal(err)
	}
	return process
}

// send sends a signal as the node's administrator.
func send(t *testing.T, process int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(process, signal); err != nil {
		t.Fatalf("send %v to %d: %v", signal, process, err)
	}
}

// overwroteNothing checks that a pod, until its container was started anew, wrote no
// status that another pod had written since that one led.
func (n *node) overwroteNothing(t *testing.T, old corev1.Pod, since time.Time) {
	t.Helper()
	var now corev1.Pod
	if err := n.Get(t.Context(), client.ObjectKeyFromObject(&old), &now); err != nil {
		t.Fatal(err)
	}
	until := now.Status.ContainerStatuses[0].State.Running.StartedAt.Time
	byOther, late := map[string]bool{}, 0
	var overwritten []string
	for _, e := range n.audit(t, "system:serviceaccount:"+old.Namespace+":"+old.Spec.ServiceAccountName) {
		at := e.StageTimestamp
		if e.ObjectRef.Subresource != "status" || e.ResponseStatus.Code >= 300 || at.Before(since) || at.After(until) {
			continue
		}
		if strings.Join(e.User.Extra["authentication.kubernetes.io/pod-name"], "") != old.Name {
			byOther[e.ObjectRef.Name] = true
			continue
		}
		late++
		if byOther[e.ObjectRef.Name] {
			overwritten = append(overwritten, e.ObjectRef.Name)
		}
	}
	figure(t, "failover: old leader continued, statuses it still wrote", late)
	if len(overwritten) > 0 {
		t.Errorf("the old leader overwrote %d statuses of the new one: %v", len(overwritten), overwritten)
	}
}
