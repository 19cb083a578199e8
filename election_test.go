package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
)

// TestJoin: the lease is asked for with little patience, and nothing else is.
func TestJoin(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		election election
	}{
		"Off":   {reason: "nobody is asked for a lease"},
		"Named": {"a pod says who it is", election{enabled: true, namespace: "ops", identity: "pod_uid", renewDeadline: 10 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, options := &rest.Config{Host: "https://127.0.0.1:6443", UserAgent: "cloudtask"}, ctrl.Options{}
			if err := tc.election.join(&options, cfg, "cloudtask-0", &leaderEvents{}); err != nil {
				t.Fatal(err)
			}
			if cfg.Timeout != 0 || cfg.UserAgent != "cloudtask" {
				t.Errorf("%s: all other calls end after %v, and are those of %q", tc.reason, cfg.Timeout, cfg.UserAgent)
			}
			lock, _ := options.LeaderElectionResourceLockInterface.(*resourcelock.LeaseLock)
			if options.LeaderElection != tc.election.enabled || (lock != nil) != tc.election.enabled {
				t.Fatalf("%s: elects: %v, by %v", tc.reason, options.LeaderElection, lock)
			}
			if lock != nil {
				if diff := cmp.Diff([]string{"ops", "cloudtask-0", "cloudtask-0", "pod_uid"}, []string{lock.LeaseMeta.Namespace, lock.LeaseMeta.Name, options.LeaderElectionID, lock.Identity()}); diff != "" {
					t.Errorf("%s: -want +got\n%s", tc.reason, diff)
				}
			}
		})
	}
}

// TestUnnamed: replicas that are not told who they are do not take each other's
// lease.
func TestUnnamed(t *testing.T) {
	a, b := election{enabled: true, namespace: "ops"}, election{enabled: true, namespace: "ops"}
	for _, e := range []*election{&a, &b} {
		if err := e.join(&ctrl.Options{}, &rest.Config{}, "cloudtask-0", &leaderEvents{}); err != nil {
			t.Fatal(err)
		}
	}
	if a.identity == "" || a.identity == b.identity {
		t.Errorf("both are %q", a.identity)
	}
}
