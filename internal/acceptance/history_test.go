package acceptance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

func noContext() context.Context { return context.Background() }

// sight is an object as a watch showed it.
type sight struct {
	at   time.Time
	task v1alpha1.CloudTask
}

// history is all that a watch has shown of a namespace, from its beginning.
type history struct {
	*testing.T
	mu      sync.Mutex
	count   int
	sights  map[string][]sight // by name
	changed chan struct{}      // closed and replaced at each change
}

// watchFrom watches a namespace that is still empty, until the test ends. What
// it shows must be legal.
func watchFrom(t *testing.T, c client.WithWatch, namespace string) *history {
	t.Helper()
	h := &history{T: t, sights: map[string][]sight{}, changed: make(chan struct{})}
	watcher, err := c.Watch(t.Context(), &v1alpha1.CloudTaskList{}, client.InNamespace(namespace))
	check(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e := range watcher.ResultChan() {
			h.take(e)
		}
	}()
	t.Cleanup(func() {
		watcher.Stop()
		<-done
	})
	return h
}

func (h *history) take(e watch.Event) {
	task, ok := e.Object.(*v1alpha1.CloudTask)
	if !ok || e.Type == watch.Deleted {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.sights[task.Name]
	if len(before) > 0 {
		if last := before[len(before)-1].task; last.UID == task.UID {
			if wrong := illegalChange(last.Status, task.Status); wrong != "" {
				h.Errorf("%s: %s\nbefore: %s\nafter:  %s", task.Name, wrong, describe(last.Status), describe(task.Status))
			}
		}
	}
	if wrong := illegal(task); wrong != "" {
		h.Errorf("%s: %s: %s", task.Name, wrong, describe(task.Status))
	}
	h.sights[task.Name] = append(before, sight{at: time.Now(), task: *task})
	h.count++
	close(h.changed)
	h.changed = make(chan struct{})
}

// latest returns the last sight of every object.
func (h *history) latest() (map[string]sight, int, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := make(map[string]sight, len(h.sights))
	for name, all := range h.sights {
		last[name] = all[len(all)-1]
	}
	return last, h.count, h.changed
}

// of returns all sights of an object.
func (h *history) of(name string) []sight {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sights[name])
}

// until waits until the objects are as wanted; what is awaited is for the
// message if they never are.
func (h *history) until(awaited string, wanted func(map[string]sight) bool) map[string]sight {
	h.Helper()
	timer := time.NewTimer(guard)
	defer timer.Stop()
	for {
		last, _, more := h.latest()
		if wanted(last) {
			return last
		}
		select {
		case <-more:
		case <-timer.C:
			for _, name := range slices.Sorted(maps.Keys(last)) {
				h.Logf("%s: %s", name, describe(last[name].task.Status))
			}
			h.Fatalf("the objects do not become as awaited: %s", awaited)
		}
	}
}

// untilFinished waits until the named objects have finished.
func (h *history) untilFinished(names ...string) {
	h.Helper()
	h.until(fmt.Sprintf("%d have finished", len(names)), func(last map[string]sight) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !finished(last[name].task.Status) })
	})
}

// untilOne waits until an object is as wanted.
func (h *history) untilOne(name, awaited string, wanted func(v1alpha1.CloudTaskStatus) bool) sight {
	h.Helper()
	return h.until(name+" "+awaited, func(last map[string]sight) bool { return wanted(last[name].task.Status) })[name]
}

// untilReason waits until an object gives a reason.
func (h *history) untilReason(name, reason string) sight {
	h.Helper()
	return h.untilOne(name, "says "+reason, func(s v1alpha1.CloudTaskStatus) bool { return reasonOf(s) == reason })
}

// untilCount waits for some more sights of any object.
func (h *history) untilMore(n int) {
	h.Helper()
	_, from, _ := h.latest()
	h.until(fmt.Sprintf("%d more writes", n), func(map[string]sight) bool {
		_, count, _ := h.latest()
		return count >= from+n
	})
}

func finished(s v1alpha1.CloudTaskStatus) bool {
	return s.Phase == v1alpha1.PhaseSucceeded || s.Phase == v1alpha1.PhaseFailed
}

func reasonOf(s v1alpha1.CloudTaskStatus) string {
	if len(s.Conditions) == 0 {
		return ""
	}
	return s.Conditions[0].Reason
}

// shape is the conditions as TYPE=STATUS, in their order.
func shape(s v1alpha1.CloudTaskStatus) string {
	var out []string
	for _, c := range s.Conditions {
		out = append(out, c.Type+"="+string(c.Status))
	}
	return strings.Join(out, " ")
}

func describe(s v1alpha1.CloudTaskStatus) string {
	text := fmt.Sprintf("%s %s [%s] %q", s.Phase, reasonOf(s), shape(s), s.Message)
	if s.Error != nil {
		text += fmt.Sprintf(" error %+v", *s.Error)
	}
	if s.LastPollError != nil {
		text += fmt.Sprintf(" lastPollError %+v", *s.LastPollError)
	}
	return text
}

// illegal says what is wrong with an object by itself.
func illegal(task *v1alpha1.CloudTask) string {
	s := task.Status
	const waiting = "Succeeded=Unknown Finished=False Ready=Unknown"
	shapes := []string{waiting + " Reconciling=True", waiting + " Stalled=True"}
	switch {
	case s.ObservedGeneration < 0:
		shapes = []string{"Succeeded=Unknown Ready=Unknown"}
	case reasonOf(s) == v1alpha1.ReasonSuspended:
		shapes = []string{waiting}
	case s.Phase == v1alpha1.PhaseSucceeded:
		shapes = []string{"Succeeded=True Finished=True Ready=True"}
	case s.Phase == v1alpha1.PhaseFailed:
		shapes = []string{"Succeeded=False Finished=True Ready=False Stalled=True Failed=True"}
	}
	switch {
	case !slices.Contains(shapes, shape(s)):
		return "conditions that do not go with the state"
	case (s.Error != nil) != (s.Phase == v1alpha1.PhaseFailed):
		return "an error without a failure, or the reverse"
	case (s.CompletionTime != nil) != finished(s):
		return "a completion time without an end, or the reverse"
	case s.LastPollError != nil && finished(s):
		return "a poll error after the end"
	}
	return ""
}

// illegalChange says what is wrong with a change of a status.
func illegalChange(before, after v1alpha1.CloudTaskStatus) string {
	order := []v1alpha1.Phase{v1alpha1.PhasePending, v1alpha1.PhaseRunning}
	switch {
	case finished(before) && (after.Phase != before.Phase || reasonOf(after) != reasonOf(before) || after.Message != before.Message ||
		!after.CompletionTime.Equal(before.CompletionTime)):
		return "a final state was left or changed"
	case !finished(before) && !finished(after) && slices.Index(order, after.Phase) < slices.Index(order, before.Phase):
		return "the phase went back"
	case before.Credentials != "" && after.Credentials != before.Credentials:
		return "the source of the key changed"
	case before.TaskID != "" && after.TaskID != before.TaskID:
		return "the task changed"
	case before.ObservedGeneration > after.ObservedGeneration:
		return "the observed generation went back"
	case before.Progress != nil && (after.Progress == nil || *after.Progress < *before.Progress):
		return "the progress went back"
	}
	return ""
}
