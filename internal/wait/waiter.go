package wait

import (
	"context"
	"fmt"
	"strings"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// display shows how the wait goes.
type display interface {
	task(name string, v verdict) // what is known of a task now
	note(line string)            // said once
	close()
}

// waiter judges what the followers tell. All its state belongs to wait's
// goroutine.
type waiter struct {
	cluster *cluster
	options options
	names   []string
	display display

	verdicts     map[string]verdict
	stalledSince map[string]time.Time
	lost         map[string]error // tasks whose follower gets no answer
}

// wait returns nil once all tasks have succeeded, else a *waitError. It does
// not wait for its followers, which may sit in a credential plugin.
func (w *waiter) wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.verdicts = map[string]verdict{}
	w.stalledSince = map[string]time.Time{}
	w.lost = map[string]error{}
	w.display.note(w.opening())

	updates := make(chan update)
	once := w.options.timeout == 0
	for _, name := range w.names {
		f := &follower{cluster: w.cluster, name: name, once: once, updates: updates}
		go f.follow(ctx)
	}
	var deadline <-chan time.Time
	if !once {
		deadline = time.After(w.options.timeout)
	}
	for len(w.unfinished()) > 0 {
		if once && len(w.verdicts) == len(w.names) {
			return w.timedOut()
		}
		select {
		case u := <-updates:
			if err := w.take(u); err != nil {
				return err
			}
		case <-w.nextStall():
			if err := w.checkStalled(); err != nil {
				return err
			}
		case <-deadline:
			return w.timedOut()
		case <-ctx.Done():
			return newError(codeOther, "interrupted")
		}
	}
	return nil
}

func (w *waiter) opening() string {
	what := "CloudTask " + w.names[0]
	if n := len(w.names); n > 1 {
		what = fmt.Sprintf("%d CloudTasks", n)
	}
	if w.options.timeout == 0 {
		return fmt.Sprintf("Looking once at %s in %s", what, w.cluster)
	}
	return fmt.Sprintf("Waiting up to %s for %s in %s", w.options.timeout, what, w.cluster)
}

func (w *waiter) awaited() string {
	if w.options.until == forAnswered {
		return "answered"
	}
	return "finished"
}

func (w *waiter) unfinished() []string {
	var names []string
	for _, name := range w.names {
		if !w.over(w.verdicts[name]) {
			names = append(names, name)
		}
	}
	return names
}

// over reports whether what is waited for has come.
func (w *waiter) over(v verdict) bool {
	if w.options.until == forAnswered {
		return v.answered
	}
	return v.outcome == succeeded
}

func (w *waiter) take(u update) error {
	old, seen := w.verdicts[u.name]
	switch {
	case w.over(old):
		return nil // whatever becomes of the object
	case u.final != nil:
		return u.final
	case u.lost != nil:
		w.lose(u.name, u.lost)
		return nil //nolint:nilerr // it may come back
	}
	w.regain(u.name)
	v := judge(u.task)
	w.verdicts[u.name] = v
	if !seen || v.news(old) {
		w.display.task(u.name, v)
	}
	switch {
	case w.over(v):
		delete(w.stalledSince, u.name)
		return nil
	case v.outcome == failed:
		return w.failure(u.task, v)
	}
	w.noteStall(u.name, v)
	return w.checkStalled()
}

func (w *waiter) lose(name string, err error) {
	if len(w.lost) == 0 {
		w.display.note(fmt.Sprintf("No answer from the API server, asking again: %v", plain(err)))
	}
	w.lost[name] = err
}

func (w *waiter) regain(name string) {
	if _, ok := w.lost[name]; !ok {
		return
	}
	delete(w.lost, name)
	if len(w.lost) == 0 {
		w.display.note("The API server answers again")
	}
}

// noteStall counts from when we saw the stall: someone may just have mended a
// task that was stalled for long.
func (w *waiter) noteStall(name string, v verdict) {
	_, known := w.stalledSince[name]
	switch {
	case !v.stalled:
		delete(w.stalledSince, name)
	case !known:
		w.stalledSince[name] = time.Now()
		if w.options.stalledAfter > 0 {
			w.display.note(fmt.Sprintf("%s: a person must act; giving up in %s", name, w.options.stalledAfter))
		}
	}
}

// nextStall fires when the first stalled task has been so for too long.
func (w *waiter) nextStall() <-chan time.Time {
	if len(w.stalledSince) == 0 {
		return nil
	}
	next := w.options.stalledAfter
	for _, since := range w.stalledSince {
		next = min(next, time.Until(since.Add(w.options.stalledAfter)))
	}
	return time.After(next)
}

func (w *waiter) checkStalled() error {
	for _, name := range w.names {
		since, ok := w.stalledSince[name]
		if !ok || time.Since(since) < w.options.stalledAfter {
			continue
		}
		v := w.verdicts[name]
		return newError(codeOther, fmt.Sprintf("CloudTask %s is stalled: %s: %s", name, v.reason, v.message),
			"A person must act; the task goes on by itself once that is put right. To see more: "+w.cluster.describe(name))
	}
	return nil
}

func (w *waiter) failure(task *v1alpha1.CloudTask, v verdict) error {
	lines := []string{fmt.Sprintf("CloudTask %s failed: %s", task.Name, v.reason)}
	if e := task.Status.Error; e != nil {
		lines = append(lines, "  code: "+e.Code)
		if e.Message != "" {
			lines = append(lines, "  message: "+e.Message)
		}
		if e.RequestID != "" {
			lines = append(lines, "  request ID: "+e.RequestID)
		}
	} else if v.message != "" {
		lines = append(lines, "  message: "+v.message)
	}
	return newError(codeFailed, append(lines, "To see more: "+w.cluster.describe(task.Name))...)
}

func (w *waiter) timedOut() error {
	for _, name := range w.names {
		if _, seen := w.verdicts[name]; !seen {
			return newError(codeOther, fmt.Sprintf("timed out before the API server %s told anything of CloudTask %s%s",
				w.cluster.server, name, because(w.lost[name])))
		}
	}
	names := w.unfinished()
	lines := []string{"timed out after " + w.options.timeout.String()}
	if w.options.timeout == 0 {
		lines[0] = fmt.Sprintf("not %s: %s", w.awaited(), strings.Join(names, ", "))
	}
	unseen := false
	for _, name := range names {
		lines = append(lines, fmt.Sprintf("  %s: %s%s", name, w.verdicts[name].line(), because(w.lost[name])))
		unseen = unseen || w.verdicts[name].unseen
	}
	if unseen {
		lines = append(lines, fmt.Sprintf("The operator has not looked yet: does it run, and does it watch namespace %s?", w.cluster.namespace))
	}
	return newError(codeTimedOut, append(lines, "To see more: "+w.cluster.describe(names...))...)
}

func because(lost error) string {
	if lost == nil {
		return ""
	}
	return fmt.Sprintf(" (no answer from the API server: %v)", plain(lost))
}
