package controllers

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// Recorder writes events to the API server.
type Recorder interface {
	Eventf(regarding, related runtime.Object, kind, reason, action, note string, args ...any)
}

// announce tells of a transition that was written, once: of a change of reason,
// but not of the first word on a new object, nor of a fault that has passed.
func (r *CloudTaskReconciler) announce(task *v1alpha1.CloudTask, before v1alpha1.CloudTaskStatus) {
	condition := succeededCondition(task.Status)
	if condition == nil || reasonIs(before, condition.Reason) {
		return
	}
	kind := corev1.EventTypeWarning
	switch condition.Reason {
	case v1alpha1.ReasonPending, v1alpha1.ReasonWaitingForTask:
		return
	case v1alpha1.ReasonRunning:
		if before.Phase == task.Status.Phase {
			return
		}
		kind = corev1.EventTypeNormal
	case v1alpha1.ReasonTaskSucceeded, v1alpha1.ReasonSuspended:
		kind = corev1.EventTypeNormal
	}
	r.Recorder.Eventf(task, nil, kind, condition.Reason, "Poll", "%s", cutBytes(task.Status.Message, maxNote))
}
