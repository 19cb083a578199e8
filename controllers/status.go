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
		s.TaskID = cut(id, maxCode)
	}
	applyObservation(&s, v)
	switch {
	case v.sighting.Ended:
		applyEnd(&s, task, v)
	case v.notFound(gracePeriod(task)):
		applyNotFound(&s, task, v)
	case overdue(task, v.now) && v.askedSince(deadlineOf(task)):
		applyDeadline(&s, task, v)
	case task.Spec.Suspend:
		s.LastPollError = nil
		say(&s, task, v, v1alpha1.ReasonSuspended, waiting(), "%s is not asked about while spec.suspend is true", subject(task, s))
	default:
		applyWaiting(&s, task, v)
	}
	return s
}

// say sets the message and the conditions, which repeat it.
func say(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view, reason string, to []verdict, format string, args ...any) {
	s.Message = line(fmt.Sprintf(format, args...))
	setConditions(s, task.Generation, v.now, reason, to)
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
		cause := o.Message
		if cause == "" {
			cause = "the cloud gave no cause"
		}
		fail(s, v1alpha1.TaskError{Code: v1alpha1.ReasonTaskFailed, Message: cause, RequestID: o.RequestID}, end)
		say(s, task, v, v1alpha1.ReasonTaskFailed, failed(), "%s failed: %s", subject(task, *s), cause)
		return
	}
	s.Phase, s.CompletionTime = v1alpha1.PhaseSucceeded, &end
	s.Error, s.LastPollError = nil, nil
	if s.Progress != nil {
		done := int32(100)
		s.Progress = &done
	}
	say(s, task, v, v1alpha1.ReasonTaskSucceeded, succeeded(), "%s succeeded after %s", subject(task, *s), end.Sub(s.StartTime.Time).Round(time.Second))
}

// applyNotFound makes an object fail whose task the cloud does not know.
func applyNotFound(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	f := v.fault()
	fail(s, v1alpha1.TaskError{Code: f.code, Message: f.message, RequestID: requestID(v.sighting.Fault.Err)}, metav1.NewTime(v.now.Truncate(time.Second)))
	say(s, task, v, v1alpha1.ReasonTaskNotFound, failed(), "%s is not known in %s: the cloud has said so for %s; check the ID, the region and the account",
		subject(task, *s), task.Spec.Region, gracePeriod(task))
}

// applyDeadline makes an object fail whose time is up.
func applyDeadline(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	text := fmt.Sprintf("%s had not ended after %s (spec.timeout); it may still end in the cloud", subject(task, *s), *task.Spec.Timeout)
	if f := v.fault(); f != nil {
		text = fmt.Sprintf("%s was not seen to end within %s (spec.timeout): %s", subject(task, *s), *task.Spec.Timeout, f.said())
	}
	fail(s, v1alpha1.TaskError{Code: v1alpha1.ReasonDeadlineExceeded, Message: text}, metav1.NewTime(v.now.Truncate(time.Second)))
	say(s, task, v, v1alpha1.ReasonDeadlineExceeded, failed(), "%s", text)
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
func fail(s *v1alpha1.CloudTaskStatus, e v1alpha1.TaskError, end metav1.Time) {
	e.Code, e.Message, e.RequestID = cut(line(e.Code), maxCode), line(e.Message), cut(line(e.RequestID), maxCode)
	s.Phase, s.CompletionTime = v1alpha1.PhaseFailed, &end
	s.Error, s.LastPollError = &e, nil
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
	s.LastPollError = nil
	switch o := v.sighting.Observation; {
	case o.TaskID == "":
		s.Phase = v1alpha1.PhasePending
		say(s, task, v, v1alpha1.ReasonWaitingForTask, reconciling(), "no matching task of %s has been found yet", task.Spec.Redis.Latest.InstanceID)
	case o.State == tencent.Waiting:
		s.Phase = v1alpha1.PhasePending
		say(s, task, v, v1alpha1.ReasonPending, reconciling(), "%s has not started yet", subject(task, *s))
	default:
		s.Phase = v1alpha1.PhaseRunning
		say(s, task, v, v1alpha1.ReasonRunning, reconciling(), "%s is running", subject(task, *s))
	}
}

// applyPersonFault says what a person must mend. It is Stalled once it has
// lasted; a Stalled found at start stays. Of a run of the same fault the first
// one's words stay: a number in them must not write the status again and again.
func applyPersonFault(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view, fault *trouble) {
	to := reconciling()
	if fault.lasted >= stallAfter || stalled(task.Status) {
		to = stuck()
	}
	if reasonIs(task.Status, fault.reason) && sameFault(s.LastPollError, fault) {
		setConditions(s, task.Generation, v.now, fault.reason, to)
		return
	}
	s.LastPollError = pollError(fault)
	say(s, task, v, fault.reason, to, "%s", advice(fault))
}

// applyPassingFault says why there is no answer at present. It does not take
// back a Stalled: only a good answer does. The first of a run of faults stands
// for all, until another has lasted as long.
func applyPassingFault(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view, fault *trouble) {
	reason := fault.reason
	if reason == v1alpha1.ReasonPending { // that is, not known to the cloud
		reason = unknownYet(s)
	}
	told := s.LastPollError != nil && (reasonIs(task.Status, reason) || fault.alone < passingAfter)
	if told || stalled(task.Status) {
		keepWaiting(s, task, v)
		return
	}
	s.LastPollError = pollError(fault)
	say(s, task, v, reason, reconciling(), "%s", advice(fault))
}

// keepWaiting leaves the state as it was: there is no news of it.
func keepWaiting(s *v1alpha1.CloudTaskStatus, task *v1alpha1.CloudTask, v view) {
	old := succeededCondition(task.Status)
	switch {
	case task.Status.ObservedGeneration < 0, old == nil, old.Reason == v1alpha1.ReasonSuspended:
		say(s, task, v, unknownYet(s), reconciling(), "asking the cloud about %s", subject(task, *s))
	case stalled(task.Status):
		setConditions(s, task.Generation, v.now, old.Reason, stuck())
	default:
		setConditions(s, task.Generation, v.now, old.Reason, reconciling())
	}
}

// unknownYet is the reason while the cloud has not told the state; a task that
// was seen to run is taken to run.
func unknownYet(s *v1alpha1.CloudTaskStatus) string {
	if s.Phase == v1alpha1.PhaseRunning {
		return v1alpha1.ReasonRunning
	}
	return v1alpha1.ReasonPending
}

func deadlineOf(task *v1alpha1.CloudTask) time.Time {
	end, _ := deadline(task)
	return end
}
