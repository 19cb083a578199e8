package acceptance

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

func labelled(shard string) func(*v1alpha1.CloudTask) {
	return func(t *v1alpha1.CloudTask) { t.Labels = map[string]string{"shard": shard} }
}

// TestSelectorsShareTheWork runs two operators, each with a cloud of its own
// that knows all tasks, so that each cloud tells what its operator works on.
func TestSelectorsShareTheWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	w.secret("tencent-credentials", mainKey)
	second, secondURL := newCloud(t, fakecloud.Options{Accounts: []fakecloud.Account{{Name: "main", Keys: []fakecloud.Key{mainKey}}}})
	clouds := map[string]*fakecloud.Cloud{"a": w.cloud, "b": second}
	w.operate(options{flags: []string{"--watch-label-selector=shard=a"}})
	w.operate(options{flags: []string{"--watch-label-selector=shard in (b)", "--cloud-endpoint=" + secondURL}})
	add := func(id, duration int64, shard string) string {
		for _, cloud := range clouds {
			cloud.Add(fakecloud.Task{ID: fmt.Sprint(id), Duration: time.Duration(duration) * time.Second})
		}
		name := fmt.Sprintf("redis-%d", id)
		w.create(name, redis(id), labelled(shard))
		return name
	}
	var names []string
	for i := range int64(10) {
		names = append(names, add(100+i, 2, "a"), add(200+i, 2, "b"))
	}
	orphan := add(300, 0, "c")
	moved := add(400, 1000, "a")
	w.history.untilReason(moved, v1alpha1.ReasonRunning)
	task := w.history.untilReason(moved, v1alpha1.ReasonRunning).task
	patch := client.MergeFrom(task.DeepCopy())
	task.Labels["shard"] = "b"
	check(t, w.Patch(t.Context(), &task, patch))
	second.Finish("redis", "400", true, "") // only the new one's cloud knows of its end
	w.history.untilFinished(append(names, moved)...)
	for shard, cloud := range clouds {
		for id := range cloud.Stats().Tasks {
			if own := map[byte]string{'1': "a", '2': "b", '4': "b"}[id[0]]; own != shard && id != "400" {
				t.Errorf("the operator of shard %s asked about task %s", shard, id)
			}
		}
	}
	if s := w.history.of(orphan); len(s) != 1 {
		t.Errorf("%s is nobody's, and yet changed: %s", orphan, describe(s[len(s)-1].task.Status))
	}
}

// TestLeaderElection: of two operators one works; when it is killed the other
// carries on, and when it is told to end it hands over at once.
func TestLeaderElection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	w.secret("tencent-credentials", mainKey)
	o := options{flags: []string{
		"--leader-elect", "--leader-elect-namespace=" + w.namespace,
		"--leader-elect-lease-duration=15s", "--leader-elect-renew-deadline=12s", "--leader-elect-retry-period=1s",
	}}
	const waiting, leading = "Attempting to acquire leader lease", "Successfully acquired lease"
	first := w.operate(o)
	first.await(leading)
	second := w.operate(o)
	second.await(waiting)
	w.untilSucceeded(100)
	if text, _ := second.output.read(); strings.Contains(string(text), leading) {
		t.Error("both lead")
	}
	killed := time.Now()
	first.kill()
	second.await(leading)
	t.Logf("took over %s after the leader was killed", time.Since(killed).Round(time.Millisecond))
	w.untilSucceeded(101)

	third := w.operate(o)
	third.await(waiting)
	stopped := time.Now()
	second.stop(syscall.SIGTERM)
	third.await(leading)
	t.Logf("took over %s after the leader was told to end", time.Since(stopped).Round(time.Millisecond))
	w.untilSucceeded(102)

	third.stop(syscall.SIGTERM)
	var leases coordinationv1.LeaseList
	check(t, w.List(t.Context(), &leases, client.InNamespace(w.namespace)))
	held := func(l coordinationv1.Lease) bool { return l.Spec.HolderIdentity != nil && *l.Spec.HolderIdentity != "" }
	if len(leases.Items) != 1 || slices.ContainsFunc(leases.Items, held) {
		t.Errorf("want one lease, held by nobody, got %+v", leases.Items)
	}
}

// TestLeaderStartsAgain: a leader that was killed, as when it has no memory left, and
// that is started again by the same name need not wait until its lease has run out;
// the others do.
func TestLeaderStartsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	w.secret("tencent-credentials", mainKey)
	replica := func(name string) options {
		return options{flags: []string{
			"--leader-elect", "--leader-elect-namespace=" + w.namespace, "--leader-elect-identity=" + name,
			"--leader-elect-lease-duration=1h", "--leader-elect-renew-deadline=30s",
		}}
	}
	const waiting, leading = "Attempting to acquire leader lease", "Successfully acquired lease"
	first := w.operate(replica("a"))
	first.await(leading)
	second := w.operate(replica("b"))
	second.await(waiting)
	w.untilSucceeded(100)
	first.kill()
	w.operate(replica("a")).await(leading)
	w.untilSucceeded(101)
	if text, _ := second.output.read(); strings.Contains(string(text), leading) {
		t.Error("both lead")
	}
}

// untilSucceeded creates an object for a short task, and waits for its end.
func (w *world) untilSucceeded(id int64) {
	w.Helper()
	want := map[string]expectation{}
	w.follow("redis", fakecloud.Task{ID: fmt.Sprint(id), Duration: time.Second}, want)
	w.finish(want)
}
