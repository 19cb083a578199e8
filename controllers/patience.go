package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	// firstAnswerWait is how long the first status waits for the cloud's first
	// answer, so that both can be one write.
	firstAnswerWait = 250 * time.Millisecond
	// startWait is how long it can stay unsaid that the cloud knows a task of which
	// more is to be told soon, so that one write tells both.
	startWait = 5 * time.Second
	// progressWrites is how many statuses a second are written for nothing but
	// progress, and progressDelay when one that was left out is thought of again.
	// Thousands of running tasks would else keep the API server from their ends.
	progressWrites = 20
	progressDelay  = time.Minute
)

// patience returns how long a new status can wait, since more is soon to be
// written, or nobody waits for what it says; 0 if it is to be written now.
func (r *CloudTaskReconciler) patience(task *v1alpha1.CloudTask, after v1alpha1.CloudTaskStatus, v view) time.Duration {
	switch {
	case tooEarly(task, v):
		return firstAnswerWait
	case onlyProgress(task.Status, after) && !r.Progress.Allow():
		return progressDelay
	case onlyFound(task, after):
		// Its time is that of the first status, which said just that it waits.
		told := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionReconciling).LastTransitionTime
		return max(startWait-v.now.Sub(told.Time), 0)
	default:
		return 0
	}
}

// tooEarly reports whether the first status can wait a moment for the first
// answer, so that both are one write; and so for the task that latest found.
func tooEarly(task *v1alpha1.CloudTask, v view) bool {
	recent := func(t time.Time) bool { return v.now.Sub(t) < firstAnswerWait }
	switch s := v.sighting; {
	case v.idle, s.Ended, s.Fault != nil:
		return false
	case task.Status.TaskID == "" && s.Observation.Found:
		return recent(s.Seen)
	default:
		return task.Status.ObservedGeneration < 0 && s.Asked.IsZero() && recent(s.Tracked)
	}
}

// onlyProgress reports whether nothing but the progress has changed.
func onlyProgress(before, after v1alpha1.CloudTaskStatus) bool {
	if before.Progress == nil || after.Progress == nil || *before.Progress == *after.Progress {
		return false
	}
	before.Progress = after.Progress
	return equality.Semantic.DeepEqual(before, after)
}

// onlyFound reports whether the news is just that the cloud knows the task, whose
// ID was known: that it has not started yet, or, by a list, that it runs, but not
// of what type it is.
func onlyFound(task *v1alpha1.CloudTask, after v1alpha1.CloudTaskStatus) bool {
	before := task.Status
	is := func(s v1alpha1.CloudTaskStatus, reason string) bool {
		return s.LastPollError == nil && reasonIs(s, reason) && meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling)
	}
	if before.ObservedGeneration != after.ObservedGeneration || before.TaskID == "" || !is(before, v1alpha1.ReasonPending) ||
		before.StartTime != nil || after.StartTime == nil {
		return false
	}
	typed := task.Spec.Redis != nil && task.Spec.Redis.API != "2.0"
	return is(after, v1alpha1.ReasonPending) || is(after, v1alpha1.ReasonRunning) && typed && after.TaskType == ""
}
