package wait

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// state builds the objects that the operator would leave behind.
type state struct{ task *v1alpha1.CloudTask }

func newState(name string, phase v1alpha1.Phase) state {
	t := &v1alpha1.CloudTask{}
	t.Name, t.Namespace, t.UID, t.Generation = name, "shop", types.UID("uid-"+name), 1
	t.Status.Phase, t.Status.ObservedGeneration = phase, 1
	return state{t}
}

func (s state) condition(kind string, status metav1.ConditionStatus, reason string) state {
	s.task.Status.Conditions = append(s.task.Status.Conditions, metav1.Condition{
		Type: kind, Status: status, Reason: reason, ObservedGeneration: s.task.Generation,
	})
	return s
}

func (s state) message(m string) state { s.task.Status.Message = m; return s }

func (s state) progress(p int32) state { s.task.Status.Progress = &p; return s }

func (s state) took(d time.Duration) state {
	start := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	s.task.Status.StartTime = &metav1.Time{Time: start}
	s.task.Status.CompletionTime = &metav1.Time{Time: start.Add(d)}
	return s
}

func (s state) generation(g int64) state { s.task.Generation = g; return s }

func (s state) suspended() state { s.task.Spec.Suspend = true; return s }

func running(name string) state {
	return newState(name, v1alpha1.PhaseRunning).
		condition(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonRunning).
		condition(v1alpha1.ConditionFinished, metav1.ConditionFalse, v1alpha1.ReasonRunning).
		message("redis task 18215 is running")
}

func stalled(name string) state {
	return newState(name, v1alpha1.PhasePending).
		condition(v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonAccessDenied).
		condition(v1alpha1.ConditionFinished, metav1.ConditionFalse, v1alpha1.ReasonAccessDenied).
		condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonAccessDenied).
		message("the key may not ask")
}

func done(name string) state {
	return newState(name, v1alpha1.PhaseSucceeded).
		condition(v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonTaskSucceeded).
		condition(v1alpha1.ConditionFinished, metav1.ConditionTrue, v1alpha1.ReasonTaskSucceeded).
		took(192 * time.Second)
}

func broken(name string) state {
	s := newState(name, v1alpha1.PhaseFailed).
		condition(v1alpha1.ConditionSucceeded, metav1.ConditionFalse, v1alpha1.ReasonTaskFailed).
		condition(v1alpha1.ConditionFinished, metav1.ConditionTrue, v1alpha1.ReasonTaskFailed).
		condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonTaskFailed).
		condition(v1alpha1.ConditionFailed, metav1.ConditionTrue, v1alpha1.ReasonTaskFailed).
		took(192 * time.Second)
	s.task.Status.Error = &v1alpha1.TaskError{Code: "TaskFailed", Message: "disk \x1b[31mfull", RequestID: "req-1"}
	return s
}

// unseen is what the CRD's defaults make of a new object.
func unseen(name string) state {
	s := newState(name, v1alpha1.PhasePending)
	s.task.Status.ObservedGeneration = -1
	for _, kind := range []string{v1alpha1.ConditionSucceeded, v1alpha1.ConditionReady} {
		s.task.Status.Conditions = append(s.task.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionUnknown, Reason: v1alpha1.ReasonPending, Message: "Waiting for the operator",
		})
	}
	return s
}

func TestJudge(t *testing.T) {
	onlyStatusOld := done("x").generation(2)
	for i := range onlyStatusOld.task.Status.Conditions {
		onlyStatusOld.task.Status.Conditions[i].ObservedGeneration = 0
	}
	trusted := done("x").generation(2)
	trusted.task.Status.ObservedGeneration = 0
	trusted.task.Status.Conditions[0].ObservedGeneration = 0
	ahead := done("x").generation(2)
	ahead.task.Status.Conditions[0].ObservedGeneration = 2
	noStatus := newState("x", "")
	noStatus.task.Status = v1alpha1.CloudTaskStatus{}
	backwards := done("x").took(-time.Hour)

	cases := map[string]struct {
		reason string
		state  state
		want   outcome
		stall  bool
		line   string
	}{
		"Unseen": {
			reason: "the CRD's defaults say nothing yet",
			state:  unseen("x"), want: undecided, line: "Pending: Waiting for the operator",
		},
		"NoStatus": {
			reason: "an object without status is pending, not done",
			state:  noStatus, want: undecided, line: "Pending",
		},
		"Running": {
			reason: "a reason equal to the phase is not repeated",
			state:  running("x"), want: undecided, line: "Running: redis task 18215 is running",
		},
		"Progress": {
			reason: "progress is shown where the cloud tells",
			state:  running("x").progress(45), want: undecided, line: "Running, 45 %: redis task 18215 is running",
		},
		"NoProgressYet": {
			reason: "0 percent is progress, too",
			state:  running("x").progress(0), want: undecided, line: "Running, 0 %: redis task 18215 is running",
		},
		"Suspended": {
			reason: "the spec says so before the operator does",
			state:  running("x").suspended(), want: undecided, line: "Running, suspended: redis task 18215 is running",
		},
		"Stalled": {
			reason: "a stall is shown with its reason",
			state:  stalled("x"), want: undecided, stall: true, line: "Pending (AccessDenied), stalled: the key may not ask",
		},
		"StalledBefore": {
			reason: "a stall of an older spec may be mended by the new one",
			state:  stalled("x").generation(2), want: undecided, line: "Pending (AccessDenied), not yet for the latest spec: the key may not ask",
		},
		"Succeeded": {
			reason: "success tells the task's own time",
			state:  done("x"), want: succeeded, line: "Succeeded after 3m12s",
		},
		"Backwards": {
			reason: "a time that runs backwards is not shown",
			state:  backwards, want: succeeded, line: "Succeeded",
		},
		"Failed": {
			reason: "a failed task is not stalled, though its condition is",
			state:  broken("x"), want: failed, line: "Failed after 3m12s (TaskFailed)",
		},
		"SucceededForOlderSpec": {
			reason: "kubectl waits until the condition's observedGeneration catches up",
			state:  done("x").generation(2), want: undecided, line: "Succeeded (TaskSucceeded), not yet for the latest spec",
		},
		"FailedForOlderSpec": {
			reason: "so it does on failure",
			state:  broken("x").generation(2), want: undecided, line: "Failed (TaskFailed), not yet for the latest spec",
		},
		"SucceededByStatusGeneration": {
			reason: "without the condition's generation the status's counts",
			state:  onlyStatusOld, want: undecided, line: "Succeeded (TaskSucceeded), not yet for the latest spec",
		},
		"SucceededWithoutGeneration": {
			reason: "without any generation a condition counts, as for kubectl",
			state:  trusted, want: succeeded, line: "Succeeded after 3m12s",
		},
		"ConditionAhead": {
			reason: "the condition's own generation goes before the status's",
			state:  ahead, want: succeeded, line: "Succeeded after 3m12s",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			v := judge(tc.state.task)
			if v.outcome != tc.want || v.stalled != tc.stall {
				t.Errorf("%s: outcome %d, stalled %t", tc.reason, v.outcome, v.stalled)
			}
			if diff := cmp.Diff(tc.line, v.line()); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestNews(t *testing.T) {
	old := judge(running("x").progress(45).task)
	cases := map[string]struct {
		reason string
		state  state
		want   bool
	}{
		"Same":      {reason: "nothing changed", state: running("x").progress(45), want: false},
		"Message":   {reason: "words alone are no news", state: running("x").progress(45).message("still"), want: false},
		"Progress":  {reason: "progress is", state: running("x").progress(50), want: true},
		"Suspended": {reason: "so is a suspension", state: running("x").progress(45).suspended(), want: true},
		"Outcome":   {reason: "so is the end", state: done("x"), want: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := judge(tc.state.task).news(old); got != tc.want {
				t.Errorf("%s: got %t", tc.reason, got)
			}
		})
	}
}

func TestPrintable(t *testing.T) {
	cases := map[string]struct{ reason, in, want string }{
		"Plain":   {"all scripts stay", "清空实例 45 %", "清空实例 45 %"},
		"Escape":  {"no terminal sequences", "a\x1b[2Jb", "a\ufffd[2Jb"},
		"Newline": {"no forged lines", "a\nfoo: Succeeded\r\tb", "a foo: Succeeded  b"},
		"Bidi":    {"no reordering", "a\u202eb\u2066c", "a\ufffdb\ufffdc"},
		"C1":      {"no 8-bit control codes", "a\u009bb", "a\ufffdb"},
		"Invalid": {"no broken UTF-8", "a\xffb", "a\ufffdb"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, printable(tc.in)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
	if got := len([]rune(printable(string(make([]byte, 1<<20))))); got != maxLine {
		t.Errorf("a long line is cut: got %d characters", got)
	}
}
