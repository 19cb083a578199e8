package controllers

import (
	"errors"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	// stallAfter is how long a fault that a person must mend lasts before it is
	// called Stalled: Helm 4 and Flux give up the moment they see that, and a
	// Secret may be applied just after the object.
	stallAfter = 10 * time.Second
	// passingAfter is how long a passing fault lasts before it is shown.
	passingAfter = 5 * time.Second
	// lastLook is how long the cloud has for its answer at the deadline.
	lastLook = 10 * time.Second
	// minAbsent is how many times in a row the cloud must not know the task.
	minAbsent = 3
)

// view is all that is known of an object's task at a moment: what the status is
// computed from, besides the object.
type view struct {
	now      time.Time
	sighting poll.Sighting[finding]
	// idle: the cloud is not asked; trouble is why, nil if it is not to be.
	idle    bool
	trouble *trouble
}

// resting is the view of an object whose task is not asked about. What the cloud
// said before stands, but not what kept it from saying more.
func (v view) resting(t *trouble) view {
	v.idle, v.trouble = true, t
	v.sighting.Fault = nil
	return v
}

// trouble is a fault that keeps the operator from its work.
type trouble struct {
	reason  string // of the conditions
	code    string
	message string // of the cloud, or the operator's own words
	since   time.Time
	person  bool // must act; else it passes by itself
	lasted  time.Duration
	alone   time.Duration // how long it was the only fault
}

// fault returns what keeps the task from being known: the operator's own
// trouble, else what the cloud's answers say; nil while all is well.
func (v view) fault() *trouble {
	if v.trouble != nil {
		t := *v.trouble
		t.person, t.lasted = true, v.now.Sub(t.since)
		return &t
	}
	f := v.sighting.Fault
	if f == nil {
		return nil
	}
	t := &trouble{reason: reasonOf(f), since: f.Since, lasted: f.Last.Sub(f.Failing), alone: f.Last.Sub(f.Since)}
	t.code, t.message = explain(f.Err, t.reason)
	switch t.reason {
	case v1alpha1.ReasonAccessDenied, v1alpha1.ReasonCredentialsNotFound, v1alpha1.ReasonInvalidRequest:
		t.person, t.lasted = true, v.now.Sub(f.Since)
	}
	return t
}

// reasonOf names a fault of the cloud's answers in a condition.
func reasonOf(f *poll.Fault) string {
	var missing *credentialsError
	var e *tencent.Error
	switch f.Class {
	case poll.Unclear:
		return v1alpha1.ReasonUnrecognizedStatus
	case poll.Throttled:
		return v1alpha1.ReasonThrottled
	case poll.Absent:
		return v1alpha1.ReasonPending
	case poll.Refused:
		return v1alpha1.ReasonAccessDenied
	case poll.Rejected:
		switch {
		case errors.As(f.Err, &missing):
			return v1alpha1.ReasonCredentialsNotFound
		case errors.As(f.Err, &e) && e.Kind == tencent.InvalidRequest:
			return v1alpha1.ReasonInvalidRequest
		}
		return v1alpha1.ReasonAccessDenied
	}
	return v1alpha1.ReasonCloudUnavailable
}

// explain splits an error into the cloud's code, else the reason, and its words.
func explain(err error, reason string) (code, message string) {
	var e *tencent.Error
	switch {
	case errors.As(err, &e):
		return e.Code, e.Message
	case err != nil:
		return reason, err.Error()
	}
	return reason, ""
}

// notFound reports whether the cloud has not known the task for so long that
// there is none.
func (v view) notFound(grace time.Duration) bool {
	f := v.sighting.Fault
	return f != nil && f.Class == poll.Absent && f.Count >= minAbsent && f.Last.Sub(f.Since) >= grace
}

// askedSince reports whether the cloud has told of the task as it was after a
// moment, or had its time to do so.
func (v view) askedSince(moment time.Time) bool {
	start := moment
	if v.sighting.Tracked.After(start) {
		start = v.sighting.Tracked
	}
	if v.trouble != nil || v.now.Sub(start) >= lastLook {
		return true
	}
	f := v.sighting.Fault
	switch {
	case f == nil, f.Class == poll.Unclear:
		return v.sighting.Observation.Late
	case f.Class == poll.Throttled, f.Class == poll.Unavailable:
		return false
	default:
		return f.Last.After(moment)
	}
}

// failingSince reports whether the cloud was asked after a moment in vain; the
// engine asks again by itself.
func (v view) failingSince(moment time.Time) bool {
	f := v.sighting.Fault
	return f != nil && f.Last.After(moment)
}
