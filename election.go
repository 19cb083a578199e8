package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/uuid"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	ctrl "sigs.k8s.io/controller-runtime"
)

// ownNamespace is where a pod finds the name of its namespace.
const ownNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// election are the flags by which several replicas agree on the one that works.
type election struct {
	enabled                                   bool
	namespace, identity                       string
	leaseDuration, renewDeadline, retryPeriod time.Duration
}

func (e *election) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&e.enabled, "leader-elect", false, "of several replicas, let only one work")
	f.StringVar(&e.namespace, "leader-elect-namespace", "", "namespace of the lease (default: the pod's own)")
	f.StringVar(&e.identity, "leader-elect-identity", "", "what the lease calls this replica, for example the pod's name and UID; a leader that is started again by the same name leads on at once (default: the host's name and a random part)")
	f.DurationVar(&e.leaseDuration, "leader-elect-lease-duration", 15*time.Second, "how long the others wait for a leader that is not heard of")
	f.DurationVar(&e.renewDeadline, "leader-elect-renew-deadline", 10*time.Second, "how long a leader tries to renew its lease before it gives up")
	f.DurationVar(&e.retryPeriod, "leader-elect-retry-period", 500*time.Millisecond, "shortest time between two tries at the lease, the longest is 2.2 times as long")
}

// join has the manager work only while it holds the lease of that name. The manager
// would make a lock of its own, whose identity is another after each start: the
// lease of a leader that was killed had to run out before its next container leads.
func (e *election) join(options *ctrl.Options, cfg *rest.Config, name string, leaders *leaderEvents) error {
	if !e.enabled {
		return nil
	}
	if err := e.complete(); err != nil {
		return err
	}
	cfg = rest.AddUserAgent(rest.CopyConfig(cfg), "leader-election")
	cfg.Timeout = max(e.renewDeadline/2, time.Second) // what hangs leaves time for another try
	leases, err := coordinationv1.NewForConfig(cfg)
	if err != nil {
		return err
	}
	options.LeaderElection, options.LeaderElectionID = true, name // by which the metrics call it
	options.LeaderElectionResourceLockInterface = &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: e.namespace, Name: name},
		Client:     leases,
		LockConfig: resourcelock.ResourceLockConfig{Identity: e.identity, EventRecorder: leaders},
	}
	options.LeaseDuration, options.RenewDeadline, options.RetryPeriod = &e.leaseDuration, &e.renewDeadline, &e.retryPeriod
	options.LeaderElectionReleaseOnCancel = true
	return nil
}

// complete finds out where and who this replica is, unless the flags say so.
func (e *election) complete() error {
	if e.namespace == "" {
		own, err := os.ReadFile(ownNamespace)
		if err != nil {
			return errors.New("--leader-elect wants --leader-elect-namespace outside of a pod")
		}
		e.namespace = string(own)
	}
	if e.identity == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("name this replica: %w; give --leader-elect-identity", err)
		}
		e.identity = host + "_" + string(uuid.NewUUID())
	}
	return nil
}

// leaseName is one for installations that share their work: those with the same
// namespaces and labels elect one leader among them.
func leaseName(namespaces []string, selector string) string {
	namespaces = slices.Sorted(slices.Values(namespaces))
	sum := sha256.Sum256([]byte(strings.Join(namespaces, ",") + "/" + selector))
	return fmt.Sprintf("cloudtask-%x", sum[:4])
}

// leaderEvents writes the events of an election by the recorder of the manager,
// which is made after the lease.
type leaderEvents struct{ events.EventRecorder }

// Eventf records that the leader has changed.
func (l *leaderEvents) Eventf(lease runtime.Object, kind, reason, note string, args ...any) {
	l.EventRecorder.Eventf(lease, nil, kind, reason, "Elect", note, args...)
}
