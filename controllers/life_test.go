package controllers_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

func redisSpec(id int64, api string) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", Redis: &v1alpha1.RedisTask{TaskID: &id, API: api}}
}

func latestSpec(instance string) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", Redis: &v1alpha1.RedisTask{Latest: &v1alpha1.LatestTask{InstanceID: instance}}}
}

func clbSpec(clb v1alpha1.CLBTask) v1alpha1.CloudTaskSpec {
	return v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", CLB: &clb}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spec  v1alpha1.CloudTaskSpec
		task  fakecloud.Task
		phase v1alpha1.Phase
		word  string
	}{
		"redis-succeed":     {redisSpec(1, ""), fakecloud.Task{ID: "1"}, "Succeeded", "succeed"},
		"redis-prepared":    {redisSpec(2, "3.0"), fakecloud.Task{ID: "2", Prepare: time.Second}, "Succeeded", "succeed"},
		"redis-failed":      {redisSpec(3, ""), fakecloud.Task{ID: "3", Fails: true}, "Failed", "failed"},
		"redis-error":       {redisSpec(4, ""), fakecloud.Task{ID: "4", Error: true}, "Failed", "error"},
		"redis-hidden":      {redisSpec(5, ""), fakecloud.Task{ID: "5", HiddenFor: time.Second}, "Succeeded", "succeed"},
		"redis-latest":      {latestSpec("crs-6"), fakecloud.Task{ID: "6"}, "Succeeded", "succeed"},
		"redis-latest-fail": {latestSpec("crs-7"), fakecloud.Task{ID: "7", Fails: true}, "Failed", "failed"},
		"redis2-2":          {redisSpec(8, "2.0"), fakecloud.Task{ID: "8"}, "Succeeded", "2"},
		"redis2-3":          {redisSpec(9, "2.0"), fakecloud.Task{ID: "9", Fails: true}, "Failed", "3"},
		"redis2-minus-1":    {redisSpec(10, "2.0"), fakecloud.Task{ID: "10", Error: true}, "Failed", "-1"},
		"clb-0":             {clbSpec(v1alpha1.CLBTask{RequestID: new("55c85074-11")}), fakecloud.Task{Service: "clb", ID: "55c85074-11", InstanceID: "lb-11"}, "Succeeded", "0"},
		"clb-1":             {clbSpec(v1alpha1.CLBTask{RequestID: new("55c85074-12")}), fakecloud.Task{Service: "clb", ID: "55c85074-12", InstanceID: "lb-12", Fails: true}, "Failed", "1"},
		"clb-order":         {clbSpec(v1alpha1.CLBTask{DealName: new("2026010113")}), fakecloud.Task{Service: "clb", ID: "55c85074-13", DealName: "2026010113"}, "Succeeded", "0"},
	}
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	for name, test := range tests {
		test.task.Duration, test.task.Message = 2*time.Second, "out of memory"
		w.cloud.Add(test.task)
		w.task(name, test.spec)
	}
	for name, test := range tests {
		task := w.untilFinished(name)
		s := task.Status
		if s.Phase != test.phase || s.CloudStatus != test.word || s.Credentials != "secret/tencent-credentials" {
			t.Errorf("%s: phase %s, status %q, by %s", name, s.Phase, s.CloudStatus, s.Credentials)
		}
		if test.phase == "Failed" && (s.Error == nil || s.Error.Code != "TaskFailed") {
			t.Errorf("%s: error %+v", name, s.Error)
		}
		if legacy := task.Spec.Redis != nil && task.Spec.Redis.API == "2.0"; !legacy && s.Error != nil && (s.Error.Message != "out of memory" || s.Error.RequestID == "") {
			t.Errorf("%s: error %+v", name, s.Error) // API 2.0 tells neither
		}
		end, _ := w.cloud.End(s.Service, test.task.ID)
		if s.Service == "redis" && task.Spec.Redis.API == "3.0" && !s.CompletionTime.Time.Equal(end.Truncate(time.Second)) {
			t.Errorf("%s: ended at %s, and not %s", name, s.CompletionTime, end)
		}
		if n := w.writes(name); n > 3 {
			t.Errorf("%s: %d status writes: %v", name, n, w.story(name))
		}
	}
	if n := w.cloud.Stats().APIs[fakecloud.RedisTaskInfo].Throttled; n > 0 {
		t.Errorf("%d calls throttled", n)
	}
	w.checkFinishedAreLeftAlone()
	w.checkEvents("redis-failed", "Normal Running", "Warning TaskFailed")
}

// checkFinishedAreLeftAlone changes all that can be changed of a finished object,
// and makes sure that nothing but observedGeneration follows.
func (w *world) checkFinishedAreLeftAlone() {
	w.Helper()
	const name = "redis-succeed"
	asked := w.cloud.Stats().Tasks
	before := w.versions(name)[len(w.versions(name))-1]
	w.patch(name, `{"metadata":{"labels":{"a":"b"},"annotations":{"c":"d"}}}`)
	for _, patch := range []string{`{"suspend":true}`, `{"timeout":"1s"}`, `{"ttlSecondsAfterFinished":3600}`, `{"notFoundGracePeriod":"1s"}`, `{"credentials":{"secretName":"other-credentials"}}`} {
		w.patch(name, `{"spec":`+patch+`}`)
	}
	last := w.until(name, "acknowledged", func(task v1alpha1.CloudTask) bool {
		return task.Generation == before.Generation+5 && task.Status.ObservedGeneration == task.Generation
	})
	want := *before.Status.DeepCopy()
	want.ObservedGeneration = last.Generation
	for i := range want.Conditions {
		want.Conditions[i].ObservedGeneration = last.Generation
	}
	if diff := cmp.Diff(want, last.Status); diff != "" {
		w.Errorf("a change of the spec changed the status, -want +got:\n%s", diff)
	}
	if out, err := w.kubectlWait("--for=condition=Succeeded", name, "0"); err != nil {
		w.Errorf("kubectl wait: %v: %s", err, out)
	}
	w.cloud.Add(fakecloud.Task{ID: "99", Duration: time.Second}) // time enough for a mistake
	w.redis("barrier", 99)
	w.untilFinished("barrier")
	for id, n := range w.cloud.Stats().Tasks {
		if id != "99" && n != asked[id] {
			w.Errorf("task %s was asked about %d times more", id, n-asked[id])
		}
	}
}

func (w *world) checkEvents(name string, want ...string) {
	w.Helper()
	got := map[string]int{}
	w.eventually(fmt.Sprintf("%s has events %v", name, want), func() bool {
		var events eventsv1.EventList
		check(w.T, w.List(w.Context(), &events, client.InNamespace(w.namespace)))
		clear(got)
		for _, e := range events.Items {
			if e.Regarding.Name == name && e.Regarding.Kind == "CloudTask" {
				got[e.Type+" "+e.Reason]++
			}
		}
		return len(got) == len(want)
	})
	for _, e := range want {
		if got[e] != 1 {
			w.Errorf("events %v, not %v", maps.Collect(maps.All(got)), want)
		}
	}
}

func TestLatestIsPinned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "20", InstanceID: "crs-a", Start: time.Now().Add(-20 * time.Minute), Duration: -1}) // too old
	w.task("latest", latestSpec("crs-a"))
	w.untilReason("latest", "WaitingForTask")
	w.cloud.Add(
		fakecloud.Task{ID: "21", InstanceID: "crs-a", Duration: -1},
		fakecloud.Task{ID: "22", InstanceID: "crs-b", Duration: -1})
	if task := w.untilReason("latest", "Running"); task.Status.TaskID != "21" {
		t.Errorf("task %s", task.Status.TaskID)
	}
	w.cloud.Add(fakecloud.Task{ID: "23", InstanceID: "crs-a", Duration: time.Second, Fails: true, Start: time.Now().Add(time.Second)})
	w.eventually("the newer one has ended", func() bool {
		end, _ := w.cloud.End("redis", "23")
		return time.Now().After(end)
	})
	w.cloud.Finish("redis", "21", true, "")
	if task := w.untilFinished("latest"); task.Status.TaskID != "21" || task.Status.Phase != v1alpha1.PhaseSucceeded {
		t.Errorf("task %s: %s", task.Status.TaskID, task.Status.Phase)
	}
	if diff := cmp.Diff([]string{"Pending", "WaitingForTask", "Running", "TaskSucceeded"}, w.story("latest")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	timeout := func(d v1alpha1.Duration) change { return func(s *v1alpha1.CloudTaskSpec) { s.Timeout = &d } }
	grace := func(d v1alpha1.Duration) change {
		return func(s *v1alpha1.CloudTaskSpec) { s.NotFoundGracePeriod = &d }
	}
	suspend := func(s *v1alpha1.CloudTaskSpec) { s.Suspend = true }
	w.cloud.Add(fakecloud.Task{ID: "30", Duration: -1}, fakecloud.Task{ID: "31", Duration: -1}, fakecloud.Task{ID: "32", Duration: time.Second}, fakecloud.Task{ID: "36", Duration: -1})
	w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Hang, TaskID: "31"})
	w.redis("runs", 30, timeout("2s"))
	w.redis("hangs", 31, timeout("2s"))
	w.redis("ended-unseen", 32, timeout("3s"), suspend)
	w.redis("suspended", 36, timeout("2s"), suspend)
	w.redis("absent", 33, grace("2s"))
	w.redis("absent-long", 34, timeout("3s"))
	w.task("no-latest", latestSpec("crs-35"), timeout("2s"))
	for name, want := range map[string]string{
		"runs": "DeadlineExceeded", "hangs": "DeadlineExceeded", "ended-unseen": "TaskSucceeded", "suspended": "DeadlineExceeded",
		"absent": "TaskNotFound", "absent-long": "DeadlineExceeded", "no-latest": "DeadlineExceeded",
	} {
		task := w.untilFinished(name)
		s := task.Status
		if s.Conditions[0].Reason != want {
			t.Errorf("%s: %v", name, w.story(name))
		}
		took := s.CompletionTime.Sub(task.CreationTimestamp.Time)
		if name != "hangs" && want == "DeadlineExceeded" && took > 9*time.Second {
			t.Errorf("%s: the cloud had answered, but it took %s", name, took)
		}
	}
	if n := w.cloud.Stats().Tasks["33"]; n < 3 {
		t.Errorf("given up as not found after %d answers", n)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if deadline := typed(w.seen["suspended"][0]).CreationTimestamp.Add(2 * time.Second); w.first["36"].Before(deadline) {
		t.Errorf("a suspended one was asked about at %s, before its deadline at %s", w.first["36"], deadline)
	}
}

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "40", Duration: -1}, fakecloud.Task{ID: "41", Duration: -1})
	w.redis("resumed", 40)
	w.untilReason("resumed", "Running")
	w.patch("resumed", `{"spec":{"suspend":true}}`)
	if task := w.untilReason("resumed", "Suspended"); task.Status.Phase != v1alpha1.PhaseRunning || condition(task.Status, "Reconciling") != "" {
		t.Errorf("%+v", task.Status)
	}
	asked := w.cloud.Stats().Tasks["40"]
	w.redis("meanwhile", 41)
	w.untilReason("meanwhile", "Running")
	w.cloud.Finish("redis", "41", true, "")
	w.untilFinished("meanwhile")
	if n := w.cloud.Stats().Tasks["40"]; n > asked+1 { // one may have been under way
		t.Errorf("asked %d times more while suspended", n-asked)
	}
	w.cloud.Finish("redis", "40", true, "")
	w.patch("resumed", `{"spec":{"suspend":false}}`)
	if task := w.untilFinished("resumed"); task.Status.Phase != v1alpha1.PhaseSucceeded {
		t.Errorf("%v", w.story("resumed"))
	}
}

func TestTTL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	ttl := func(n int64) change { return func(s *v1alpha1.CloudTaskSpec) { s.TTLSecondsAfterFinished = &n } }
	w.cloud.Add(fakecloud.Task{ID: "50"})
	w.redis("kept", 50)
	w.redis("at-once", 50, ttl(0))
	w.redis("soon", 50, ttl(2))
	w.redis("shortened", 50, ttl(3600))
	w.redis("lengthened", 50, ttl(2))
	w.untilFinished("lengthened")
	w.patch("lengthened", `{"spec":{"ttlSecondsAfterFinished":null}}`)
	w.untilFinished("shortened")
	w.patch("shortened", `{"spec":{"ttlSecondsAfterFinished":1}}`)
	for _, name := range []string{"at-once", "soon", "shortened"} {
		w.untilFinished(name)
		w.untilGone(name)
	}
	soon := w.versions("soon")
	if last := soon[len(soon)-1]; time.Since(last.Status.CompletionTime.Time) < 2*time.Second {
		t.Error("deleted too soon")
	}
	for _, name := range []string{"kept", "lengthened"} {
		w.untilFinished(name)
		check(t, w.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, &v1alpha1.CloudTask{}))
	}
}

func TestRecreatedObjectStartsAfresh(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	w.cloud.Add(fakecloud.Task{ID: "60", Duration: -1}, fakecloud.Task{ID: "61", Duration: time.Second, Fails: true}, fakecloud.Task{ID: "62"})
	w.redis("again", 60)
	w.untilReason("again", "Running")
	for _, id := range []int64{61, 62} { // once while it runs, once after its end
		task := &v1alpha1.CloudTask{}
		task.Name = "again"
		w.remove(task)
		w.redis("again", id)
		w.until("again", "new", func(task v1alpha1.CloudTask) bool { return *task.Spec.Redis.TaskID == id })
		if task := w.untilFinished("again"); task.Status.TaskID != fmt.Sprint(id) || (task.Status.Phase == "Failed") != (id == 61) {
			t.Errorf("%d: %+v", id, task.Status)
		}
	}
	task := &v1alpha1.CloudTask{}
	task.Name = "again"
	w.remove(task)
	w.untilGone("again")
	asked := w.cloud.Stats().Tasks
	w.redis("barrier", 62)
	w.untilFinished("barrier")
	if n := w.cloud.Stats().Tasks["60"]; n != asked["60"] {
		t.Errorf("the task of a deleted object was asked about %d times more", n-asked["60"])
	}
}

func TestConflictsLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	w.operate()
	for i := range 8 {
		id := fmt.Sprint(70 + i)
		w.cloud.Add(fakecloud.Task{ID: id, Duration: 2 * time.Second, Fails: i%2 == 1})
		w.redis("busy-"+id, int64(70+i))
	}
	for n := range 40 { // some of these cross every write
		for i := range 8 {
			w.patch(fmt.Sprint("busy-", 70+i), fmt.Sprintf(`{"metadata":{"labels":{"n":"%d"}}}`, n))
		}
	}
	for i := range 8 {
		name := fmt.Sprint("busy-", 70+i)
		if task := w.untilFinished(name); (task.Status.Phase == "Failed") != (i%2 == 1) {
			t.Errorf("%s: %v", name, w.story(name))
		}
		if n := w.writes(name); n > 3 {
			t.Errorf("%s: %d status writes", name, n)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.secret("tencent-credentials", mainKey)
	stop := w.operate()
	names := []string{"runs-on", "latest", "clb", "legacy", "ends-meanwhile", "late-meanwhile"}
	w.cloud.Add(
		fakecloud.Task{ID: "80", Duration: -1}, fakecloud.Task{ID: "81", Duration: -1}, fakecloud.Task{ID: "83", Duration: -1},
		fakecloud.Task{ID: "84", Duration: -1}, fakecloud.Task{ID: "85", Duration: -1}, fakecloud.Task{Service: "clb", ID: "82", Duration: -1})
	w.redis("runs-on", 80)
	w.task("latest", latestSpec("crs-81"))
	w.task("clb", clbSpec(v1alpha1.CLBTask{RequestID: new("82")}))
	w.task("legacy", redisSpec(83, "2.0"))
	w.redis("ends-meanwhile", 84)
	w.redis("late-meanwhile", 85)
	w.task("no-latest", latestSpec("crs-nothing"))
	for _, name := range names {
		w.untilReason(name, "Running")
	}
	w.untilReason("no-latest", "WaitingForTask")
	for _, name := range []string{"runs-on", "latest"} {
		w.until(name, "all that the cloud tells", func(task v1alpha1.CloudTask) bool {
			return task.Status.Progress != nil && task.Status.TaskType != ""
		})
	}
	stop()
	w.patch("late-meanwhile", `{"spec":{"timeout":"1s"}}`)
	late := w.versions("late-meanwhile")[0]
	w.eventually("the deadline has passed", func() bool { return time.Since(late.CreationTimestamp.Time) > 2*time.Second })
	w.cloud.Finish("redis", "84", false, "disk full")
	w.cloud.Finish("redis", "85", true, "")
	quiet := map[string]int{}
	for _, name := range []string{"runs-on", "latest", "clb", "legacy", "no-latest"} {
		quiet[name] = w.writes(name)
	}
	asked := w.cloud.Stats()
	w.operate()
	for name, want := range map[string]string{"ends-meanwhile": "TaskFailed", "late-meanwhile": "TaskSucceeded"} {
		if task := w.untilFinished(name); task.Status.Conditions[0].Reason != want {
			t.Errorf("%s: %v", name, w.story(name))
		}
	}
	w.eventually("all are asked about again", func() bool {
		now := w.cloud.Stats()
		lists := now.APIs[fakecloud.RedisTaskList].OK - asked.APIs[fakecloud.RedisTaskList].OK // they tell of 80 and 81
		return lists > 3 && now.Tasks["82"] > asked.Tasks["82"]+1 && now.Tasks["83"] > asked.Tasks["83"]+1
	})
	for name, n := range quiet {
		if got := w.writes(name); got != n {
			t.Errorf("%s: the restart wrote the status %d times without need: %v", name, got-n, w.story(name))
		}
	}
	for service, ids := range map[string][]string{"redis": {"80", "81", "83"}, "clb": {"82"}} {
		for _, id := range ids {
			w.cloud.Finish(service, id, true, "")
		}
	}
	for _, name := range []string{"runs-on", "latest", "clb", "legacy"} {
		if task := w.untilFinished(name); task.Status.Phase != v1alpha1.PhaseSucceeded || w.writes(name) > 4 {
			t.Errorf("%s: %v, %d writes", name, w.story(name), w.writes(name))
		}
	}
}
