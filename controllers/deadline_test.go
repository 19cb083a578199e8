package controllers

import (
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

func TestDeadline(t *testing.T) {
	const timeout = 30 * time.Minute
	past := func(s float64) time.Time { return after(timeout + seconds(s)) }
	running := told(past(-60), found(tencent.Running))
	later := func(v view, now time.Time) view { v.now = now; return v }
	restarted := unasked(past(100))
	restarted.sighting.Tracked = past(100)
	for name, test := range map[string]struct {
		reason string
		view   view
		want   string
	}{
		"before":                     {"", later(running, past(-0.1)), "Running"},
		"not asked since":            {"the cloud has its chance", later(running, past(0.1)), "Running"},
		"asked before, told after":   {"the answer is of the time before", told(past(0.2), found(tencent.Running)), "Running"},
		"asked since, still running": {"", told(past(0.2), found(tencent.Running, late)), "DeadlineExceeded"},
		"asked since, has ended":     {"an outcome wins", told(past(0.2), found(tencent.Succeeded, late)), "TaskSucceeded"},
		"known to have ended":        {"even unasked", told(past(-0.2), found(tencent.Failed)), "TaskFailed"},
		"no answer for 9.9s":         {"", later(running, past(9.9)), "Running"},
		"no answer for 10s":          {"", later(running, past(10)), "DeadlineExceeded"},
		"unavailable":                {"a failed call is no answer", faulty(running, past(0.1), past(4), 3, poll.Unavailable, errGateway), "Running"},
		"throttled":                  {"", faulty(running, past(0.1), past(4), 3, poll.Throttled, errThrottled), "Running"},
		"unavailable for 10s":        {"", faulty(running, past(0.1), past(10), 5, poll.Unavailable, errGateway), "DeadlineExceeded"},
		"denied since":               {"the cloud has said its word", faulty(running, past(-60), past(0.2), 3, poll.Rejected, errAccess), "DeadlineExceeded"},
		"denied before":              {"", later(faulty(running, past(-60), past(-20), 1, poll.Rejected, errAccess), past(0.1)), "AccessDenied"},
		"unknown word":               {"", faulty(told(past(0.2), found(tencent.Unrecognized, late)), past(-1), past(0.2), 2, poll.Unclear, errWord), "DeadlineExceeded"},
		"no such task, long enough":  {"the better reason", faulty(unasked(past(0)), past(-70), past(0.2), 9, poll.Absent, errAbsent), "TaskNotFound"},
		"no key":                     {"nobody can be asked", later(running, past(0)).resting(&trouble{reason: "CredentialsNotFound", message: "there is no Secret"}), "DeadlineExceeded"},
		"no key, but has ended":      {"an outcome wins", told(past(-0.2), found(tencent.Succeeded)).resting(&trouble{reason: "CredentialsNotFound"}), "TaskSucceeded"},
		"restarted after it":         {"asked once more", later(restarted, past(109.9)), "Running"},
		"restarted, but no answer":   {"", later(restarted, past(110)), "DeadlineExceeded"},
	} {
		for kind, suspend := range map[string]bool{"": false, ", suspended": true} {
			t.Run(name+kind, func(t *testing.T) {
				task := redisObject(withTimeout("30m"), withStatus(told(after(time.Minute), found(tencent.Running))))
				task.Spec.Suspend = suspend
				want := test.want
				if suspend && (want == "Running" || want == "AccessDenied") {
					want = "Suspended"
				}
				play(t, task, test.view)
				if !reasonIs(task.Status, want) {
					t.Errorf("the reason is %s, not %s; %s", task.Status.Conditions[0].Reason, want, test.reason)
				}
			})
		}
	}
}

func TestDeadlineSaysWhatWasInTheWay(t *testing.T) {
	task := redisObject(withTimeout("1s"))
	play(t, task, faulty(unasked(after(0)), after(0), after(seconds(11)), 5, poll.Unavailable, errGateway))
	const want = "Redis task 18215 was not seen to end within 1s (spec.timeout): HTTP502: HTTP status 502 Bad Gateway"
	if task.Status.Message != want || task.Status.Error.Code != v1alpha1.ReasonDeadlineExceeded {
		t.Errorf("%q, %+v", task.Status.Message, task.Status.Error)
	}
}

func TestNextLook(t *testing.T) {
	at := func(s float64) time.Time { return after(seconds(s)) }
	for name, test := range map[string]struct {
		reason string
		task   *v1alpha1.CloudTask
		view   view
		want   time.Duration
	}{
		"running":               {"the engine wakes", redisObject(), told(at(1), found(tencent.Running)), 0},
		"with a deadline":       {"", redisObject(withTimeout("30m")), told(at(60), found(tencent.Running)), 29 * time.Minute},
		"past the deadline":     {"the cloud has 10 s", redisObject(withTimeout("1m")), told(at(63), found(tencent.Running)), 7 * time.Second},
		"denied":                {"until it is Stalled", redisObject(), faulty(unasked(at(0)), at(1), at(4), 1, poll.Rejected, errAccess), 7 * time.Second},
		"denied for long":       {"nobody may tell of the Secret", redisObject(), faulty(unasked(at(0)), at(1), at(40), 2, poll.Rejected, errAccess), secretMaxAge},
		"throttled":             {"the engine wakes", redisObject(), faulty(unasked(at(0)), at(1), at(40), 2, poll.Throttled, errThrottled), 0},
		"suspended, no timeout": {"", redisObject(suspended), unasked(at(1)).resting(nil), 0},
		"suspended":             {"the timeout runs on", redisObject(suspended, withTimeout("1m")), unasked(at(10)).resting(nil), 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if got := next(test.task, test.view); got != test.want {
				t.Errorf("in %s, not %s; %s", got, test.want, test.reason)
			}
		})
	}
}
