package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	atWork    = "Succeeded=Unknown Finished=False Ready=Unknown Reconciling=True"
	resting   = "Succeeded=Unknown Finished=False Ready=Unknown"
	isStalled = "Succeeded=Unknown Finished=False Ready=Unknown Stalled=True"
	hasFailed = "Succeeded=False Finished=True Ready=False Stalled=True Failed=True"
	isDone    = "Succeeded=True Finished=True Ready=True"
)

var (
	errThrottled = cloudError(tencent.Throttled, "RequestLimitExceeded", "Your current request times equals to `21` in a second")
	errGateway   = cloudError(tencent.Unavailable, "HTTP502", "HTTP status 502 Bad Gateway")
	errKey       = cloudError(tencent.CredentialRefused, "AuthFailure.SecretIdNotFound", "The SecretId is not found")
	errAccess    = cloudError(tencent.AccessDenied, "UnauthorizedOperation", "not allowed")
	errRegion    = cloudError(tencent.InvalidRequest, "UnsupportedRegion", "no such region")
	errAbsent    = cloudError(tencent.NotFound, "ResourceNotFound.TaskNotExists", "no such task")
	errWord      = errors.New(`the cloud gave the status "paused", which this version does not know`)
	errNoKey     = noCredentials("there is no Secret")
)

func TestStatusTable(t *testing.T) {
	running := told(after(seconds(1)), found(tencent.Running))
	for name, test := range map[string]struct {
		reason     string
		task       *v1alpha1.CloudTask
		view       view
		phase      v1alpha1.Phase
		conditions string
		says       string
	}{
		"not yet answered":  {"the first row of the operator's own", redisObject(), unasked(after(seconds(1))), "Pending", atWork, "Pending"},
		"preparing":         {"not yet started in the cloud", redisObject(), told(after(seconds(1)), found(tencent.Waiting)), "Pending", atWork, "Pending"},
		"running":           {"", redisObject(), running, "Running", atWork, "Running"},
		"latest finds none": {"it waits", latestObject(), told(after(seconds(1)), found(tencent.Waiting, func(f *finding) { f.TaskID = "" })), "Pending", atWork, "WaitingForTask"},
		"suspended at once": {"before it was ever asked about", redisObject(suspended), unasked(after(0)).resting(nil), "Pending", resting, "Suspended"},
		"suspended":         {"the phase stays as before", redisObject(withStatus(running), suspended), unasked(after(seconds(2))).resting(nil), "Running", resting, "Suspended"},
		"throttled":         {"a passing fault that has lasted", redisObject(withStatus(running)), faulty(running, after(seconds(2)), after(seconds(7)), 4, poll.Throttled, errThrottled), "Running", atWork, "Throttled"},
		"unreachable":       {"", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(5)), 3, poll.Unavailable, errGateway), "Pending", atWork, "CloudUnavailable"},
		"unknown word":      {"neither success nor failure", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(5)), 3, poll.Unclear, errWord), "Pending", atWork, "UnrecognizedStatus"},
		"not known yet":     {"within the grace period", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(30)), 9, poll.Absent, errAbsent), "Pending", atWork, "Pending"},
		"wrong key":         {"the reason at once", redisObject(), faulty(unasked(after(0)), after(0), after(0), 1, poll.Refused, errKey), "Pending", atWork, "AccessDenied"},
		"wrong key for 10s": {"then Stalled", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(10)), 2, poll.Refused, errKey), "Pending", isStalled, "AccessDenied"},
		"no permission":     {"", redisObject(withStatus(running)), faulty(running, after(seconds(2)), after(seconds(12)), 1, poll.Rejected, errAccess), "Running", isStalled, "AccessDenied"},
		"wrong region":      {"", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(45)), 2, poll.Rejected, errRegion), "Pending", isStalled, "InvalidRequest"},
		"key is gone":       {"the operator's own, lost while polling", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(45)), 2, poll.Rejected, errNoKey), "Pending", isStalled, "CredentialsNotFound"},
		"no Secret":         {"nothing was asked", redisObject(), unasked(after(seconds(10))).resting(&trouble{reason: "CredentialsNotFound", code: "CredentialsNotFound", message: "there is no Secret", since: after(0)}), "Pending", isStalled, "CredentialsNotFound"},
		"succeeded":         {"", redisObject(withStatus(running)), told(after(seconds(9)), found(tencent.Succeeded)), "Succeeded", isDone, "TaskSucceeded"},
		"failed":            {"", redisObject(withStatus(running)), told(after(seconds(9)), found(tencent.Failed)), "Failed", hasFailed, "TaskFailed"},
		"timed out":         {"", redisObject(withStatus(running), withTimeout("30m")), told(after(30*time.Minute), found(tencent.Running, late)), "Failed", hasFailed, "DeadlineExceeded"},
		"no such task":      {"", redisObject(), faulty(unasked(after(0)), after(0), after(seconds(60)), 3, poll.Absent, errAbsent), "Failed", hasFailed, "TaskNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			s := computeStatus(test.task, test.view)
			checkRules(t, test.task, s)
			if s.Phase != test.phase || states(s) != test.conditions || s.Conditions[0].Reason != test.says {
				t.Errorf("phase %s, %s, reason %s; %s", s.Phase, states(s), s.Conditions[0].Reason, test.reason)
			}
			task := test.task.DeepCopy()
			task.Generation, task.Status = 7, s
			if finished(s) {
				s = acknowledge(task)
			} else {
				s = computeStatus(task, test.view)
			}
			checkRules(t, task, s)
		})
	}
}

func TestWhatTheCloudTellsIsTakenOver(t *testing.T) {
	task := redisObject()
	play(t, task,
		told(after(seconds(1)), found(tencent.Running, func(f *finding) { f.Progress = 45 })),
		told(after(seconds(9)), found(tencent.Failed, func(f *finding) {
			f.Status, f.Message, f.End = "error", "out of memory", after(seconds(8))
		})))
	s := task.Status
	s.Conditions, s.Message = nil, ""
	want := v1alpha1.CloudTaskStatus{
		ObservedGeneration: 1, Phase: "Failed", Service: "redis", TaskID: "18215", Credentials: "secret/tencent-credentials",
		CloudStatus: "error", TaskType: "Redis cache purge process", ResourceIDs: []string{"crs-09u2u96z"}, Progress: new(int32(45)),
		StartTime:      &metav1.Time{Time: after(seconds(-1))},
		CompletionTime: &metav1.Time{Time: after(seconds(8))},
		Error:          &v1alpha1.TaskError{Code: "TaskFailed", Message: "out of memory", RequestID: "2b7a7c2e-0000-4000-8000-000000000001"},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTimes(t *testing.T) {
	at := func(start, end time.Time) func(*finding) {
		return func(f *finding) { f.Start, f.End = start, end }
	}
	never := time.Time{}
	for name, test := range map[string]struct {
		reason     string
		first      finding
		last       finding
		start, end time.Time
	}{
		"the cloud's":           {"", found(tencent.Running), found(tencent.Succeeded, at(after(seconds(-1)), after(seconds(8)))), after(seconds(-1)), after(seconds(8))},
		"none":                  {"CLB tells no times", found(tencent.Running, at(never, never)), found(tencent.Succeeded, at(never, never)), after(seconds(2)), after(seconds(9))},
		"end before start":      {"cannot be", found(tencent.Running), found(tencent.Succeeded, at(after(seconds(-1)), after(seconds(-2)))), after(seconds(-1)), after(seconds(9))},
		"end in the future":     {"cannot be", found(tencent.Running), found(tencent.Succeeded, at(after(seconds(-1)), after(seconds(20)))), after(seconds(-1)), after(seconds(9))},
		"start in the future":   {"cannot be", found(tencent.Running, at(after(time.Hour), never)), found(tencent.Succeeded, at(after(time.Hour), after(time.Hour))), after(seconds(2)), after(seconds(9))},
		"start told late":       {"of a task that had to wait", found(tencent.Waiting, at(never, never)), found(tencent.Succeeded, at(after(seconds(5)), never)), after(seconds(5)), after(seconds(9))},
		"end at the very start": {"a task that takes no time", found(tencent.Running), found(tencent.Failed, at(after(seconds(-1)), after(seconds(-1)))), after(seconds(-1)), after(seconds(-1))},
	} {
		t.Run(name, func(t *testing.T) {
			task := redisObject()
			play(t, task, told(after(seconds(2.4)), test.first), told(after(seconds(9.9)), test.last))
			if s := task.Status; !s.StartTime.Time.Equal(test.start) || !s.CompletionTime.Time.Equal(test.end) {
				t.Errorf("from %s to %s, not from %s to %s; %s", s.StartTime, s.CompletionTime, test.start, test.end, test.reason)
			}
		})
	}
}

func TestTransitionTimesAreKept(t *testing.T) {
	task := redisObject()
	play(t, task, unasked(after(seconds(1))), told(after(seconds(2)), found(tencent.Running)), told(after(seconds(9)), found(tencent.Failed)))
	for _, c := range task.Status.Conditions {
		want := after(seconds(9))
		if c.LastTransitionTime.Time.Equal(want) != true {
			t.Errorf("%s changed at %s, not at %s", c.Type, c.LastTransitionTime, want)
		}
	}
	task = redisObject()
	play(t, task, unasked(after(seconds(1))), told(after(seconds(9)), found(tencent.Running)))
	for _, c := range task.Status.Conditions {
		if want := after(seconds(1)); !c.LastTransitionTime.Time.Equal(want) {
			t.Errorf("%s kept its status, but says that it changed at %s", c.Type, c.LastTransitionTime)
		}
	}
}

func TestProgress(t *testing.T) {
	part := func(p int32) func(*finding) { return func(f *finding) { f.Progress = p } }
	task := redisObject()
	written := play(t, task,
		told(after(seconds(1)), found(tencent.Running)),
		told(after(seconds(2)), found(tencent.Running, part(0))),
		told(after(seconds(3)), found(tencent.Running, part(45))),
		told(after(seconds(4)), found(tencent.Running)), // from an answer that tells none
		told(after(seconds(5)), found(tencent.Succeeded, part(95))))
	var got []int32
	for _, s := range written {
		if s.Progress == nil {
			got = append(got, -1)
		} else {
			got = append(got, *s.Progress)
		}
	}
	if diff := cmp.Diff([]int32{-1, 0, 45, 100}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHostileTextsFitTheSchema(t *testing.T) {
	for name, text := range map[string]string{
		"long":          strings.Repeat("x", 20_000),
		"wide":          strings.Repeat("龍", 20_000),
		"control":       "a\x00\x1b[31mb\r\nc\u2028d\u0085e",
		"bidirectional": "abc\u202egnp.exe\u202c\u2066\u200f\ufeff",
		"broken":        "\xff\xfe\xed\xa0\x80" + strings.Repeat("\xf0\x9f", 3000),
		"verbs":         "%s %d %!(NOVERB)",
		"empty":         "",
	} {
		t.Run(name, func(t *testing.T) {
			hostile := func(f *finding) { f.Message = text }
			play(t, redisObject(), told(after(0), found(tencent.Failed, hostile)))
			play(t, redisObject(), told(after(0), found(tencent.Succeeded, hostile)))
			for _, kind := range []tencent.Kind{tencent.Unavailable, tencent.Throttled, tencent.NotFound, tencent.AccessDenied, tencent.InvalidRequest} {
				err := &tencent.Error{Kind: kind, Code: text, Message: text, RequestID: text}
				play(t, redisObject(), faulty(unasked(after(0)), after(0), after(seconds(9)), 3, classOf(err), err))
				play(t, redisObject(), faulty(unasked(after(0)), after(0), after(seconds(99)), 3, classOf(err), err))
				play(t, redisObject(withTimeout("1s")), faulty(unasked(after(0)), after(0), after(seconds(99)), 2, classOf(err), err))
			}
			lax := redisObject(func(task *v1alpha1.CloudTask) {
				task.Spec.Redis, task.Spec.CLB = nil, &v1alpha1.CLBTask{RequestID: &text}
				task.Spec.Region = text
			})
			message := "none"
			if err := checkSpec(lax); err != nil {
				message = err.Error()
			} else {
				t.Error("the spec passes")
			}
			play(t, lax, unasked(after(seconds(1))).resting(&trouble{reason: "InvalidRequest", code: "InvalidRequest", message: message, since: after(0)}))
			if len([]rune(lax.Status.TaskID)) > 128 {
				t.Errorf("status.taskID has %d characters", len([]rune(lax.Status.TaskID)))
			}
		})
	}
}

func TestStatusWritesWithoutFaults(t *testing.T) {
	task := redisObject()
	var views []view
	for i := range 60 {
		views = append(views, told(after(seconds(float64(i+1))), found(tencent.Running, func(f *finding) { f.RequestID = fmt.Sprint("request ", i) })))
	}
	written := play(t, task, append(append([]view{unasked(after(seconds(0.25)))}, views...), told(after(seconds(70)), found(tencent.Succeeded)))...)
	if len(written) != 3 {
		t.Errorf("%d writes", len(written))
	}
}
