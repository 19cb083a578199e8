package controllers

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// story sums written statuses up as REASON, with + while Stalled and ! while
// there is a lastPollError.
func story(written []v1alpha1.CloudTaskStatus) []string {
	var out []string
	for _, s := range written {
		word := s.Conditions[0].Reason
		if stalled(s) {
			word += "+"
		}
		if s.LastPollError != nil {
			word += "!"
		}
		out = append(out, word)
	}
	return out
}

func TestFaults(t *testing.T) {
	at := func(s float64) time.Time { return after(seconds(s)) }
	running := told(at(1), found(tencent.Running))
	missing := func(now float64) view {
		return unasked(at(now)).resting(&trouble{reason: "CredentialsNotFound", code: "CredentialsNotFound", message: "there is no Secret", since: after(0)})
	}
	for name, test := range map[string]struct {
		reason string
		views  []view
		want   []string
	}{
		"person": {"the reason at once, Stalled after 10 s, and each once", []view{
			faulty(unasked(at(0)), at(1), at(1), 1, poll.Refused, errKey),
			faulty(unasked(at(0)), at(1), at(10.9), 2, poll.Refused, errKey),
			faulty(unasked(at(0)), at(1), at(11), 3, poll.Refused, errKey),
			faulty(unasked(at(0)), at(1), at(99), 4, poll.Refused, errKey),
			told(at(100), found(tencent.Running)),
		}, []string{"AccessDenied!", "AccessDenied+!", "Running"}},
		"Secret comes a little later": {
			"never Stalled",
			[]view{missing(0), missing(9), unasked(at(9.1)), told(at(9.2), found(tencent.Running))},
			[]string{"CredentialsNotFound!", "Running"},
		},
		"Secret comes late": {
			"Stalled until a good answer",
			[]view{missing(0), missing(10), unasked(at(20)), faulty(unasked(at(0)), at(20), at(20), 1, poll.Unavailable, errGateway), told(at(25), found(tencent.Running))},
			[]string{"CredentialsNotFound!", "CredentialsNotFound+!", "Running"},
		},
		"Stalled found at start": {
			"another fault changes the reason, not that",
			[]view{
				missing(0), missing(10),
				faulty(unasked(at(0)), at(20), at(20), 1, poll.Rejected, errAccess), told(at(25), found(tencent.Running)),
			},
			[]string{"CredentialsNotFound!", "CredentialsNotFound+!", "AccessDenied+!", "Running"},
		},
		"a passing fault does not take Stalled back": {
			"",
			[]view{
				missing(0), missing(10),
				faulty(unasked(at(0)), at(20), at(30), 5, poll.Throttled, errThrottled), told(at(31), found(tencent.Running)),
			},
			[]string{"CredentialsNotFound!", "CredentialsNotFound+!", "Running"},
		},
		"passing": {
			"written once it has lasted 5 s, cleared by a good answer",
			[]view{
				running,
				faulty(running, at(2), at(3), 1, poll.Unavailable, errGateway),
				faulty(running, at(2), at(6.9), 2, poll.Unavailable, errGateway),
				faulty(running, at(2), at(7), 3, poll.Unavailable, errGateway),
				faulty(running, at(2), at(17), 4, poll.Unavailable, errGateway),
				told(at(18), found(tencent.Running)),
			},
			[]string{"Running", "CloudUnavailable!", "Running"},
		},
		"into failure": {
			"an end leaves no lastPollError",
			[]view{running, faulty(running, at(2), at(7), 3, poll.Unavailable, errGateway), told(at(8), found(tencent.Failed))},
			[]string{"Running", "CloudUnavailable!", "TaskFailed+"},
		},
		"into success": {
			"",
			[]view{running, faulty(running, at(2), at(7), 3, poll.Unavailable, errGateway), told(at(8), found(tencent.Succeeded))},
			[]string{"Running", "CloudUnavailable!", "TaskSucceeded"},
		},
		"short": {
			"never written",
			[]view{running, faulty(running, at(2), at(6.9), 5, poll.Throttled, errThrottled), told(at(7), found(tencent.Running))},
			[]string{"Running"},
		},
		"changing to and fro": {
			"the first stands for all",
			[]view{
				running,
				faulty(running, at(2), at(7), 3, poll.Unavailable, errGateway),
				changed(faulty(running, at(2), at(8), 1, poll.Throttled, errThrottled), at(8)),
				changed(faulty(running, at(2), at(9), 1, poll.Unavailable, errGateway), at(9)),
				changed(faulty(running, at(2), at(10), 1, poll.Unclear, errWord), at(10)),
				told(at(11), found(tencent.Running)),
			},
			[]string{"Running", "CloudUnavailable!", "Running"},
		},
		"changing for good": {
			"another is told of once it has lasted",
			[]view{
				running,
				faulty(running, at(2), at(7), 3, poll.Unavailable, errGateway),
				changed(faulty(running, at(2), at(8), 1, poll.Throttled, errThrottled), at(8)),
				changed(faulty(running, at(2), at(13), 5, poll.Throttled, errThrottled), at(8)),
				changed(faulty(running, at(2), at(14), 6, poll.Throttled, errThrottled), at(8)),
			},
			[]string{"Running", "CloudUnavailable!", "Throttled!"},
		},
		"lost after it ran": {
			"it is taken to run on",
			[]view{
				running,
				faulty(running, at(2), at(8), 3, poll.Absent, errAbsent),
				faulty(running, at(2), at(9), 4, poll.Absent, errAbsent),
				told(at(10), found(tencent.Running)),
			},
			[]string{"Running", "Running!", "Running"},
		},
		"resumed into a fault": {
			"it does not stay Suspended",
			[]view{unasked(at(0)).resting(nil), faulty(unasked(at(0)), at(1), at(1), 1, poll.Unavailable, errGateway)},
			[]string{"Suspended", "Pending"},
		},
		"restart": {
			"what was known stays until there is news",
			[]view{running, faulty(running, at(2), at(7), 3, poll.Unavailable, errGateway), unasked(at(20)), faulty(unasked(at(0)), at(20), at(26), 3, poll.Unavailable, errGateway)},
			[]string{"Running", "CloudUnavailable!"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			task := redisObject()
			if test.views[0].idle && test.views[0].trouble == nil {
				suspended(task)
				play(t, task, test.views[0])
				task = redisObject(func(o *v1alpha1.CloudTask) { o.Status = task.Status })
				test.views, test.want = test.views[1:], test.want[1:]
			}
			if diff := cmp.Diff(test.want, story(play(t, task, test.views...))); diff != "" {
				t.Errorf("%s; -want +got:\n%s", test.reason, diff)
			}
		})
	}
}

// changed is the view where the present kind of fault began later than the
// first.
func changed(v view, since time.Time) view {
	v.sighting.Fault.Since = since
	return v
}

func TestHundredEqualFaultsWriteOnce(t *testing.T) {
	for name, test := range map[string]struct {
		kind  tencent.Kind
		code  string
		grace v1alpha1.Duration
	}{
		"throttled":   {tencent.Throttled, "RequestLimitExceeded", "60s"},
		"unavailable": {tencent.Unavailable, "InternalError", "60s"},
		"denied":      {tencent.AccessDenied, "UnauthorizedOperation", "60s"},
		"refused":     {tencent.CredentialRefused, "AuthFailure.SignatureFailure", "60s"},
		"invalid":     {tencent.InvalidRequest, "UnsupportedOperation", "60s"},
		"absent":      {tencent.NotFound, "ResourceNotFound", "720h"},
	} {
		for phase, before := range map[string]view{"new": unasked(after(seconds(1))), "running": told(after(seconds(1)), found(tencent.Running))} {
			t.Run(name+" "+phase, func(t *testing.T) {
				task := redisObject(func(task *v1alpha1.CloudTask) { task.Spec.NotFoundGracePeriod = &test.grace })
				play(t, task, before)
				var views []view
				for i := range 100 {
					err := &tencent.Error{Kind: test.kind, Code: test.code, Message: fmt.Sprintf("no. %d", i), RequestID: fmt.Sprint("request ", i)}
					views = append(views, faulty(before, after(seconds(2)), after(seconds(float64(14+i))), i+1, classOf(err), err))
				}
				if written := play(t, task, views...); len(written) != 1 {
					t.Errorf("%d writes: %v", len(written), story(written))
				}
			})
		}
	}
}

func TestTaskNotFound(t *testing.T) {
	for name, test := range map[string]struct {
		reason string
		last   float64
		count  int
		class  poll.Class
		want   bool
	}{
		"three that span the grace":  {"", 60, 3, poll.Absent, true},
		"two":                        {"a number of its own", 99, 2, poll.Absent, false},
		"not long enough":            {"", 59.9, 9, poll.Absent, false},
		"long and often, but others": {"the engine starts over with another class", 99, 9, poll.Unavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			task := redisObject()
			play(t, task, faulty(unasked(after(0)), after(0), after(seconds(test.last)), test.count, test.class, errAbsent))
			if got := reasonIs(task.Status, v1alpha1.ReasonTaskNotFound); got != test.want {
				t.Errorf("TaskNotFound: %t; %s", got, test.reason)
			}
			if test.want && task.Status.Error.Code != "ResourceNotFound.TaskNotExists" {
				t.Errorf("the error is %+v", task.Status.Error)
			}
		})
	}
}

func TestUnknownWordIsShown(t *testing.T) {
	task := redisObject()
	v := told(after(seconds(9)), found(tencent.Unrecognized, func(f *finding) { f.Status = "paused" }))
	play(t, task, told(after(seconds(1)), found(tencent.Running)), faulty(v, after(seconds(2)), after(seconds(3)), 1, poll.Unclear, errWord))
	if s := task.Status; s.CloudStatus != "running" {
		t.Errorf("the word shows at once: %s", s.CloudStatus)
	}
	play(t, task, faulty(v, after(seconds(2)), after(seconds(8)), 5, poll.Unclear, errWord))
	if s := task.Status; s.CloudStatus != "paused" || s.Phase != "Running" {
		t.Errorf("status %s, phase %s", s.CloudStatus, s.Phase)
	}
}
