package controllers

import (
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// deadline returns when the object's timeout runs out, false if it has none.
func deadline(task *v1alpha1.CloudTask) (time.Time, bool) {
	if task.Spec.Timeout == nil {
		return time.Time{}, false
	}
	timeout, err := task.Spec.Timeout.Parse()
	if err != nil {
		return time.Time{}, false // an object with such a timeout is InvalidRequest
	}
	return task.CreationTimestamp.Add(timeout), true
}

// lateness returns what tells whether a moment is past the object's deadline,
// without holding on to the object.
func lateness(task *v1alpha1.CloudTask) func(time.Time) bool {
	end, limited := deadline(task)
	return func(at time.Time) bool { return limited && !at.Before(end) }
}

// overdue reports whether the object's timeout has run out.
func overdue(task *v1alpha1.CloudTask, now time.Time) bool {
	return lateness(task)(now)
}
