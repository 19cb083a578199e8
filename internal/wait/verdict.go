package wait

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

type outcome int

const (
	undecided outcome = iota
	succeeded
	failed
)

// verdict is what one state of an object means to someone who waits for it.
type verdict struct {
	outcome  outcome
	phase    v1alpha1.Phase
	reason   string
	message  string
	progress int32         // percent; -1 where the cloud does not tell
	took     time.Duration // the task's own time, once it has ended; 0 or less where unknown

	stalled   bool // a person must act
	suspended bool // by the spec
	unseen    bool // the operator has never looked at it
	outdated  bool // the status answers an older spec
	answered  bool // the status answers this spec, whatever it says
}

func judge(task *v1alpha1.CloudTask) verdict {
	status := task.Status
	v := verdict{
		phase:     cmp.Or(status.Phase, v1alpha1.PhasePending),
		message:   status.Message,
		progress:  -1,
		suspended: task.Spec.Suspend,
		unseen:    status.ObservedGeneration < 0 || len(status.Conditions) == 0,
	}
	v.outdated = !v.unseen && !answers(task, status.ObservedGeneration)
	v.answered = !v.unseen && status.ObservedGeneration >= task.Generation
	if status.Progress != nil {
		v.progress = *status.Progress
	}
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		v.reason = c.Reason
		v.message = cmp.Or(v.message, c.Message)
	}
	switch {
	case holds(task, v1alpha1.ConditionSucceeded, metav1.ConditionTrue):
		v.outcome, v.took = succeeded, duration(status)
	case holds(task, v1alpha1.ConditionSucceeded, metav1.ConditionFalse):
		v.outcome, v.took = failed, duration(status)
	default:
		v.stalled = holds(task, v1alpha1.ConditionStalled, metav1.ConditionTrue)
	}
	return v
}

// holds reports whether a condition has a status for the present spec, by
// kubectl's rule: the condition's observedGeneration, or else the status's,
// must not be older than the object's generation; where both are absent, the
// condition counts.
func holds(task *v1alpha1.CloudTask, condition string, want metav1.ConditionStatus) bool {
	c := meta.FindStatusCondition(task.Status.Conditions, condition)
	if c == nil || c.Status != want {
		return false
	}
	return answers(task, cmp.Or(c.ObservedGeneration, task.Status.ObservedGeneration))
}

func answers(task *v1alpha1.CloudTask, observed int64) bool {
	return observed == 0 || observed >= task.Generation
}

func duration(s v1alpha1.CloudTaskStatus) time.Duration {
	if s.StartTime == nil || s.CompletionTime == nil {
		return 0
	}
	return s.CompletionTime.Sub(s.StartTime.Time).Round(time.Second)
}

// news reports whether v is worth a line after old. Words alone are not: the
// cloud may change them with every answer.
func (v verdict) news(old verdict) bool {
	v.message, old.message = "", ""
	v.took, old.took = 0, 0
	return v != old
}

// state is the state without the message, for example "Running (Throttled), 45 %".
func (v verdict) state() string {
	text := string(v.phase)
	if v.outcome != undecided && v.took > 0 {
		text += " after " + v.took.String()
	}
	if v.reason != "" && v.reason != text && v.outcome != succeeded {
		text += " (" + v.reason + ")"
	}
	if v.outcome != undecided {
		return text
	}
	if v.progress >= 0 {
		text += fmt.Sprintf(", %d %%", v.progress)
	}
	if v.stalled {
		text += ", stalled"
	}
	if v.suspended && v.reason != v1alpha1.ReasonSuspended {
		text += ", suspended"
	}
	if v.outdated {
		text += ", not yet for the latest spec"
	}
	return text
}

func (v verdict) line() string {
	if v.outcome != undecided || v.message == "" {
		return v.state()
	}
	return v.state() + ": " + strings.TrimSpace(v.message)
}
