package controllers

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// created is when the objects of the unit tests were created.
var created = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func after(d time.Duration) time.Time { return created.Add(d) }

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// redisObject is an object as the API server makes it, with Redis task 18215.
func redisObject(change ...func(*v1alpha1.CloudTask)) *v1alpha1.CloudTask {
	unseen := func(kind string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: "Pending", Message: "Waiting for the operator", LastTransitionTime: metav1.NewTime(time.Unix(0, 0))}
	}
	task := &v1alpha1.CloudTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "flush-18215", UID: "uid-1", Generation: 1, CreationTimestamp: metav1.NewTime(created)},
		Spec:       v1alpha1.CloudTaskSpec{Region: "ap-guangzhou", Redis: &v1alpha1.RedisTask{TaskID: new(int64(18215)), API: "3.0"}},
		Status: v1alpha1.CloudTaskStatus{
			ObservedGeneration: -1, Phase: v1alpha1.PhasePending,
			Conditions: []metav1.Condition{unseen("Succeeded"), unseen("Ready")},
		},
	}
	for _, c := range change {
		c(task)
	}
	return task
}

func latestObject(change ...func(*v1alpha1.CloudTask)) *v1alpha1.CloudTask {
	return redisObject(append([]func(*v1alpha1.CloudTask){func(task *v1alpha1.CloudTask) {
		task.Spec.Redis = &v1alpha1.RedisTask{API: "3.0", Latest: &v1alpha1.LatestTask{InstanceID: "crs-09u2u96z"}}
	}}, change...)...)
}

func withTimeout(d v1alpha1.Duration) func(*v1alpha1.CloudTask) {
	return func(task *v1alpha1.CloudTask) { task.Spec.Timeout = &d }
}

func suspended(task *v1alpha1.CloudTask) { task.Spec.Suspend = true }

// withStatus gives an object the status that a view of it makes.
func withStatus(v view) func(*v1alpha1.CloudTask) {
	return func(task *v1alpha1.CloudTask) { task.Status = computeStatus(task, v) }
}

// found is what an answer tells of task 18215.
func found(state tencent.State, change ...func(*finding)) finding {
	f := finding{TaskID: "18215", Source: "secret/tencent-credentials"}
	f.State, f.Status, f.Progress = state, strings.ToLower(state.String()), tencent.NoProgress
	f.TaskType, f.ResourceIDs = "Redis cache purge process", []string{"crs-09u2u96z"}
	f.Start, f.RequestID = created.Add(-time.Second), "2b7a7c2e-0000-4000-8000-000000000001"
	for _, c := range change {
		c(&f)
	}
	return f
}

func late(f *finding) { f.Late = true }

// unasked is the view of a task that is tracked, but not yet answered of.
func unasked(at time.Time) view {
	return view{now: at, sighting: poll.Sighting[finding]{Tracked: created}}
}

// told is the view of a task right after a good answer.
func told(at time.Time, f finding) view {
	v := unasked(at)
	v.sighting.Observation, v.sighting.Known, v.sighting.Seen, v.sighting.Asked = f, true, at, at
	v.sighting.Ended = f.State.Ended()
	return v
}

// faulty is the view after a number of faults since a moment.
func faulty(v view, since, last time.Time, count int, class poll.Class, err error) view {
	v.now, v.sighting.Asked = last, last
	v.sighting.Fault = &poll.Fault{Class: class, Err: err, Failing: since, Since: since, Last: last, Count: count}
	return v
}

func cloudError(kind tencent.Kind, code, message string) error {
	return &tencent.Error{Kind: kind, Code: code, Message: message, RequestID: "2b7a7c2e-0000-4000-8000-000000000002"}
}

// play has an object go through views, and returns the statuses that were
// written.
func play(t *testing.T, task *v1alpha1.CloudTask, views ...view) []v1alpha1.CloudTaskStatus {
	t.Helper()
	var written []v1alpha1.CloudTaskStatus
	for _, v := range views {
		if finished(task.Status) {
			t.Fatal("a finished object is looked at")
		}
		s := computeStatus(task, v)
		checkRules(t, task, s)
		if !equality.Semantic.DeepEqual(s, task.Status) {
			written = append(written, s)
		}
		task.Status = s
	}
	return written
}

// states sums conditions up as TYPE=STATUS, in their order.
func states(s v1alpha1.CloudTaskStatus) string {
	var out []string
	for _, c := range s.Conditions {
		out = append(out, c.Type+"="+string(c.Status))
	}
	return strings.Join(out, " ")
}

// checkRules checks what holds for every status that is ever written.
func checkRules(t *testing.T, task *v1alpha1.CloudTask, s v1alpha1.CloudTaskStatus) {
	t.Helper()
	ended := s.Phase == v1alpha1.PhaseSucceeded || s.Phase == v1alpha1.PhaseFailed
	if (s.CompletionTime != nil) != ended {
		t.Errorf("phase %s with completionTime %v", s.Phase, s.CompletionTime)
	}
	if (s.Error != nil) != (s.Phase == v1alpha1.PhaseFailed) {
		t.Errorf("phase %s with error %v", s.Phase, s.Error)
	}
	if ended && s.LastPollError != nil {
		t.Errorf("phase %s with lastPollError %v", s.Phase, s.LastPollError)
	}
	if s.ObservedGeneration != task.Generation {
		t.Errorf("observedGeneration %d of generation %d", s.ObservedGeneration, task.Generation)
	}
	if len(s.Conditions) == 0 || s.Conditions[0].Type != v1alpha1.ConditionSucceeded {
		t.Fatalf("Succeeded is not the first condition: %s", states(s))
	}
	for _, c := range s.Conditions {
		if c.ObservedGeneration != task.Generation || c.Reason != s.Conditions[0].Reason || c.Message != s.Message || c.LastTransitionTime.Unix() <= 0 {
			t.Errorf("condition %+v does not fit the status", c)
		}
	}
	checkText(t, "message", s.Message, 1024)
	if s.Error != nil {
		checkText(t, "error.code", s.Error.Code, 128)
		checkText(t, "error.message", s.Error.Message, 1024)
		checkText(t, "error.requestID", s.Error.RequestID, 128)
	}
	if s.LastPollError != nil {
		checkText(t, "lastPollError.code", s.LastPollError.Code, 128)
		checkText(t, "lastPollError.message", s.LastPollError.Message, 1024)
	}
}

func checkText(t *testing.T, name, text string, limit int) {
	t.Helper()
	if utf8.RuneCountInString(text) > limit || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("%s is not fit: %q", name, text)
	}
	if name == "message" && text == "" {
		t.Error("there is no message")
	}
}
