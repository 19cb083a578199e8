package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// verdict is one condition to be. One that is not named is to be absent, not
// False: kstatus and Crossplane's AllTrue need that.
type verdict struct {
	kind   string
	status metav1.ConditionStatus
}

// The conditions of each state, in their order.
func waiting() []verdict {
	return []verdict{
		{v1alpha1.ConditionSucceeded, metav1.ConditionUnknown},
		{v1alpha1.ConditionFinished, metav1.ConditionFalse},
		{v1alpha1.ConditionReady, metav1.ConditionUnknown},
	}
}

func reconciling() []verdict {
	return append(waiting(), verdict{v1alpha1.ConditionReconciling, metav1.ConditionTrue})
}

func stuck() []verdict {
	return append(waiting(), verdict{v1alpha1.ConditionStalled, metav1.ConditionTrue})
}

func succeeded() []verdict {
	return []verdict{
		{v1alpha1.ConditionSucceeded, metav1.ConditionTrue},
		{v1alpha1.ConditionFinished, metav1.ConditionTrue},
		{v1alpha1.ConditionReady, metav1.ConditionTrue},
	}
}

func failed() []verdict {
	return []verdict{
		{v1alpha1.ConditionSucceeded, metav1.ConditionFalse},
		{v1alpha1.ConditionFinished, metav1.ConditionTrue},
		{v1alpha1.ConditionReady, metav1.ConditionFalse},
		{v1alpha1.ConditionStalled, metav1.ConditionTrue},
		{v1alpha1.ConditionFailed, metav1.ConditionTrue},
	}
}

// setConditions makes the conditions exactly those, with one reason and the
// status's message. The time of one that keeps its status is kept; the CRD's
// default has no time of its own.
func setConditions(s *v1alpha1.CloudTaskStatus, generation int64, now time.Time, reason string, to []verdict) {
	conditions := make([]metav1.Condition, 0, len(to))
	for _, v := range to {
		since := metav1.NewTime(now.Truncate(time.Second))
		old := meta.FindStatusCondition(s.Conditions, v.kind)
		if old != nil && old.Status == v.status && old.LastTransitionTime.Unix() > 0 {
			since = old.LastTransitionTime
		}
		conditions = append(conditions, metav1.Condition{
			Type: v.kind, Status: v.status, Reason: reason, Message: s.Message,
			ObservedGeneration: generation, LastTransitionTime: since,
		})
	}
	s.Conditions = conditions
}

func succeededCondition(s v1alpha1.CloudTaskStatus) *metav1.Condition {
	return meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionSucceeded)
}

// reasonIs reports whether the object says so already.
func reasonIs(s v1alpha1.CloudTaskStatus, reason string) bool {
	c := succeededCondition(s)
	return c != nil && c.Reason == reason
}

// stalled reports whether the object says that a person must act.
func stalled(s v1alpha1.CloudTaskStatus) bool {
	return meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionStalled)
}

// finished reports whether the object has reached its end, which it never leaves.
func finished(s v1alpha1.CloudTaskStatus) bool {
	return s.Phase == v1alpha1.PhaseSucceeded || s.Phase == v1alpha1.PhaseFailed
}

// acknowledge returns the status of a finished object whose spec has changed:
// waiters that look at the generation would else hang.
func acknowledge(task *v1alpha1.CloudTask) v1alpha1.CloudTaskStatus {
	s := *task.Status.DeepCopy()
	s.ObservedGeneration = task.Generation
	for i := range s.Conditions {
		s.Conditions[i].ObservedGeneration = task.Generation
	}
	return s
}
