package controllers

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// computeStatus returns the status of an object that has not finished, from what
// is known of its task. It is a pure function.
func computeStatus(task *v1alpha1.CloudTask, v view) v1alpha1.CloudTaskStatus {
	s := *task.Status.DeepCopy()
	s.ObservedGeneration = task.Generation
	s.Service = serviceOf(task)
	if id := knownID(task); id != "" {
		s.TaskID = id
	}
	applyObservation(&s, v)
	switch {
	case v.sighting.Ended:
		applyEnd(&s, task, v)
	case v.notFound(gracePeriod(task)):
		f := v.fault()
		fail(&s, task, v, v1alpha1.ReasonTaskNotFound, v1alpha1.TaskError{Code: f.code, Message: f.message, RequestID: requestID(v.sighting.Fault.Err)},
			fmt.Sprintf("%s is not known in %s: the cloud has said so for %s; check the ID, the region and the account", subject(task, s), task.Spec.Region, gracePeriod(task)))
	case overdue(task, v.now) && v.askedSince(deadlineOf(task)):
		fail(&s, task, v, v1alpha1.ReasonDeadlineExceeded, v1alpha1.TaskError{Code: v1alpha1.ReasonDeadlineExceeded, Message: "the task had not ended when spec.timeout ran out"},
			fmt.Sprintf("%s had not ended after %s (spec.timeout); it may still end in the cloud", subject(task, s), *task.Spec.Timeout))
	case task.Spec.Suspend:
		s.LastPollError = nil
		s.Message = fmt.Sprintf("%s is not asked about while spec.suspend is true", subject(task, s))
		setConditions(&s, task, v.now, waitingConditions(v1alpha1.ReasonSuspended, s.Message))
	default:
		applyWaiting(&s, task, v)
	}
	return s
}

// applyObservation takes over what the cloud told of the task's nature and
// progress; its state is for others to apply.
func applyObservation(s *v1alpha1.CloudTaskStatus, v view) {
	o := v.sighting.Observation
	if f := v.fault(); f != nil && f.reason == v1alpha1.ReasonUnrecognizedStatus {
		if f.lasted >= passingAfter {
			s.CloudStatus = o.Status
		}
		return
	}
	if v.sighting.Seen.IsZero() {
		return
	}
	if o.TaskID != "" {
		s.TaskID = o.TaskID
	}
	if s.Credentials == "" {
		s.Credentials = o.Source
	}
	if o.Status != "" {
		s.CloudStatus = o.Status
	}
	if o.TaskType != "" {
		s.TaskType = o.TaskType
	}
	if len(o.ResourceIDs) > 0 {
		s.ResourceIDs = o.ResourceIDs
	}
	if o.Progress != tencent.NoProgress {
		s.Progress = &o.Progress
	}
	applyStart(s, o, v.sighting.Seen)
}

// applyStart takes over when the task started: the cloud's time if that can be,
// else that of the first good answer.
func applyStart(s *v1alpha1.CloudTaskStatus, o finding, seen time.Time) {
	switch {
	case o.TaskID == "": // latest has found none
	case !o.Start.IsZero() && !o.Start.After(seen):
		start := metav1.NewTime(o.Start)
		s.StartTime = &start
	case s.StartTime == nil:
		start := metav1.NewTime(seen.Truncate(time.Second))
		s.StartTime = &start
	}
}

// applyEnd makes the cloud's verdict the object's.
func applyEnd(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	o := v.sighting.Observation
	end := endOf(s, o, v.sighting.Seen)
	if o.State == tencent.Failed {
		message := o.Message
		if message == "" {
			message = "the cloud gave no cause"
		}
		fail(s, task, v, v1alpha1.ReasonTaskFailed, v1alpha1.TaskError{Code: v1alpha1.ReasonTaskFailed, Message: message, RequestID: o.RequestID},
			fmt.Sprintf("%s failed: %s", subject(task, *s), message))
		s.CompletionTime = &end
		return
	}
	s.Phase, s.Error, s.LastPollError = v1alpha1.PhaseSucceeded, nil, nil
	s.CompletionTime = &end
	if s.Progress != nil {
		done := int32(100)
		s.Progress = &done
	}
	s.Message = fmt.Sprintf("%s succeeded after %s", subject(task, *s), end.Sub(s.StartTime.Time).Round(time.Second))
	setConditions(s, task, v.now, succeededConditions(s.Message))
}

// endOf returns when the task ended: the cloud's time if that can be, else when
// the operator learnt of it.
func endOf(s *v1alpha1.CloudTaskStatus, o finding, seen time.Time) metav1.Time {
	if o.End.IsZero() || o.End.After(seen) || o.End.Before(s.StartTime.Time) {
		return metav1.NewTime(seen.Truncate(time.Second))
	}
	return metav1.NewTime(o.End)
}

// fail makes the object failed, for good.
func fail(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view, reason string, e v1alpha1.TaskError, message string) {
	now := metav1.NewTime(v.now.Truncate(time.Second))
	s.Phase, s.CompletionTime, s.LastPollError = v1alpha1.PhaseFailed, &now, nil
	s.Message = line(message)
	e.Code, e.Message = cut(e.Code, maxCode), line(e.Message)
	s.Error = &e
	setConditions(s, task, v.now, failedConditions(reason, s.Message))
}

// applyWaiting says what the object waits for, and what is in the way.
func applyWaiting(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	fault := v.fault()
	switch {
	case fault != nil && fault.person:
		applyPersonFault(s, task, v, fault)
	case fault != nil && fault.lasted >= passingAfter:
		applyPassingFault(s, task, v, fault)
	case fault == nil && !v.sighting.Seen.IsZero():
		applyState(s, task, v)
	default:
		keepWaiting(s, task, v)
	}
}

// applyState says what the latest good answer said.
func applyState(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	reason := v1alpha1.ReasonRunning
	s.LastPollError = nil
	switch o := v.sighting.Observation; {
	case o.TaskID == "":
		reason, s.Phase = v1alpha1.ReasonWaitingForTask, v1alpha1.PhasePending
		s.Message = fmt.Sprintf("no matching task of %s has been found yet", task.Spec.Redis.Latest.InstanceID)
	case o.State == tencent.Waiting:
		reason, s.Phase = v1alpha1.ReasonPending, v1alpha1.PhasePending
		s.Message = fmt.Sprintf("%s has not started yet", subject(task, *s))
	default:
		s.Phase = v1alpha1.PhaseRunning
		s.Message = fmt.Sprintf("%s is running", subject(task, *s))
	}
	setConditions(s, task, v.now, reconcilingConditions(reason, s.Message))
}

// applyPersonFault says what a person must mend. It is Stalled once it has
// lasted; a Stalled found at start stays.
func applyPersonFault(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view, fault *trouble) {
	if e := pollError(s.LastPollError, fault); e != s.LastPollError || !reasonIs(task.Status, fault.reason) {
		s.Message, s.LastPollError = line(advice(fault)), e
	}
	if fault.lasted >= stallAfter || stalled(task.Status) {
		setConditions(s, task, v.now, stalledConditions(fault.reason, s.Message))
		return
	}
	setConditions(s, task, v.now, reconcilingConditions(fault.reason, s.Message))
}

// applyPassingFault says why there is no answer at present. It does not take
// back a Stalled: only a good answer does.
func applyPassingFault(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view, fault *trouble) {
	if stalled(task.Status) {
		keepWaiting(s, task, v)
		return
	}
	if reasonIs(task.Status, fault.reason) && s.LastPollError != nil {
		keepWaiting(s, task, v) // the first of a run of faults stands for all
		return
	}
	s.Message, s.LastPollError = line(advice(fault)), pollError(nil, fault)
	reason := fault.reason
	if reason == v1alpha1.ReasonPending && s.Phase == v1alpha1.PhaseRunning {
		reason = v1alpha1.ReasonRunning // it was there before
	}
	setConditions(s, task, v.now, reconcilingConditions(reason, s.Message))
}

// keepWaiting leaves the state as it was: there is no news of it.
func keepWaiting(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	old := succeededCondition(task.Status)
	fresh := task.Status.ObservedGeneration < 0
	if fresh || old == nil || old.Reason == v1alpha1.ReasonSuspended {
		reason := v1alpha1.ReasonPending
		if s.Phase == v1alpha1.PhaseRunning {
			reason = v1alpha1.ReasonRunning
		}
		s.Message = fmt.Sprintf("asking the cloud about %s", subject(task, *s))
		setConditions(s, task, v.now, reconcilingConditions(reason, s.Message))
		return
	}
	if stalled(task.Status) {
		setConditions(s, task, v.now, stalledConditions(old.Reason, s.Message))
		return
	}
	setConditions(s, task, v.now, reconcilingConditions(old.Reason, s.Message))
}

func deadlineOf(task *v1alpha1.CloudTask) time.Time {
	end, _ := deadline(task)
	return end
}
