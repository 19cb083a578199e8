package controllers

import (
	"testing"
	"time"

	"golang.org/x/time/rate"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

func TestOnlyProgress(t *testing.T) {
	at := func(progress int32, change ...func(*v1alpha1.CloudTaskStatus)) v1alpha1.CloudTaskStatus {
		s := v1alpha1.CloudTaskStatus{Phase: v1alpha1.PhaseRunning, Progress: &progress}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	none := func(s *v1alpha1.CloudTaskStatus) { s.Progress = nil }
	ended := func(s *v1alpha1.CloudTaskStatus) { s.Phase = v1alpha1.PhaseSucceeded }
	for name, tc := range map[string]struct {
		reason        string
		before, after v1alpha1.CloudTaskStatus
		want          bool
	}{
		"a step":         {"it can wait", at(5), at(10), true},
		"nothing":        {"there is nothing to write", at(5), at(5), false},
		"the first":      {"that there is progress is news", at(0, none), at(5), false},
		"a step and end": {"an end cannot wait", at(95), at(100, ended), false},
		"an end":         {"an end cannot wait", at(100), at(100, ended), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := onlyProgress(tc.before, tc.after); got != tc.want {
				t.Errorf("got %v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// TestPatience follows an object whose first answer comes late, of a task that
// has not started yet: one write less, and not for long. So does progress alone.
func TestPatience(t *testing.T) {
	accepted := withStatus(unasked(after(seconds(0.25))))
	untyped := func(f *finding) { f.TaskType = "" }
	legacy := func(task *v1alpha1.CloudTask) { task.Spec.Redis.API = "2.0" }
	noKey := faulty(unasked(after(0)), after(0), after(seconds(0.1)), 1, poll.Refused, errAbsent)
	noKey.sighting.Asked = time.Time{}
	listed := told(after(seconds(0.1)), found(tencent.Succeeded))
	listed.sighting.Asked = time.Time{}
	idle := unasked(after(0))
	idle.idle = true
	runs := func(at float64, progress int32) view {
		return told(after(seconds(at)), found(tencent.Running, func(f *finding) { f.Progress = progress }))
	}
	waits := func(at float64) view { return told(after(seconds(at)), found(tencent.Waiting, untyped)) }
	for name, tc := range map[string]struct {
		reason string
		task   *v1alpha1.CloudTask
		view   view
		want   time.Duration
		budget int // of writes of progress alone
	}{
		"tracked just now":        {"the first answer is near", redisObject(), unasked(after(0)), firstAnswerWait, 0},
		"no answer":               {"the object is to say that it is looked after", redisObject(), unasked(after(seconds(0.25))), 0, 0},
		"still no answer":         {"there is nothing to wait for", redisObject(accepted), unasked(after(seconds(1))), 0, 0},
		"found":                   {"it may run soon", redisObject(accepted), waits(1), 4 * time.Second, 0},
		"found at once":           {"nothing was written yet", redisObject(), waits(0.1), 0, 0},
		"found 5 s ago":           {"it takes its time", redisObject(accepted), waits(5), 0, 0},
		"found before a fault":    {"the fault is to go", redisObject(accepted, withStatus(faulty(unasked(after(0)), after(0), after(seconds(5)), 3, poll.Absent, errAbsent))), waits(1), 0, 0},
		"found, of a new spec":    {"its generation is to be observed", redisObject(accepted, func(task *v1alpha1.CloudTask) { task.Generation++ }), waits(1), 0, 0},
		"found by latest":         {"the ID is to be pinned", latestObject(accepted), waits(1), 0, 0},
		"runs, says a list":       {"its type is told soon", redisObject(accepted), told(after(seconds(1)), found(tencent.Running, untyped)), 4 * time.Second, 0},
		"runs, says API 2.0":      {"that tells no types", redisObject(legacy, accepted), told(after(seconds(1)), found(tencent.Running, untyped)), 0, 0},
		"runs":                    {"that is news", redisObject(accepted), told(after(seconds(1)), found(tencent.Running)), 0, 0},
		"no key":                  {"a person waits for that", redisObject(), noKey, 0, 0},
		"suspended":               {"nobody asks", redisObject(), idle, 0, 0},
		"ended, says a list":      {"an end cannot wait", redisObject(), listed, 0, 0},
		"runs, found before":      {"that it runs is news", redisObject(accepted, withStatus(waits(0.5))), told(after(seconds(1)), found(tencent.Running, untyped)), 0, 0},
		"progress":                {"enough is written of that", redisObject(accepted, withStatus(runs(1, 5))), runs(2, 10), progressDelay, 0},
		"progress, once":          {"there is time for some", redisObject(accepted, withStatus(runs(1, 5))), runs(2, 10), 0, 1},
		"is found to be finished": {"that is news", redisObject(accepted), told(after(seconds(1)), found(tencent.Succeeded)), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := &CloudTaskReconciler{Progress: rate.NewLimiter(0, tc.budget)}
			if got := r.patience(tc.task, computeStatus(tc.task, tc.view), tc.view); got != tc.want {
				t.Errorf("got %v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestSoonest(t *testing.T) {
	for name, tc := range map[string]struct{ a, b, want time.Duration }{
		"both":   {2, 1, 1},
		"first":  {1, 2, 1},
		"only a": {1, 0, 1},
		"only b": {0, 1, 1},
		"past":   {0, -1, 0},
		"none":   {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := soonest(tc.a, tc.b); got != tc.want {
				t.Errorf("soonest(%d, %d) = %d, want %d", tc.a, tc.b, got, tc.want)
			}
		})
	}
}
