package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// measure measures what ends in the window.
func (t *trial) measure(ctx context.Context) error {
	from := t.begin.Add(t.warm)
	to := from.Add(t.window)
	defer t.tell(ctx, func() string { return t.progress(from, to) })()
	if err := pause(ctx, from); err != nil {
		return err
	}
	before, err := t.snapshot()
	if err != nil {
		return err
	}
	r, err := t.until(ctx, before, from, to, time.Time{})
	if err != nil {
		return err
	}
	return t.conclude(ctx, r)
}

// until measures from a snapshot to the end of the window what ends from a moment
// on. What ended before up is late only from then.
func (t *trial) until(ctx context.Context, before snapshot, from, to, up time.Time) (r Result, err error) {
	if err := pause(ctx, to); err != nil {
		return r, err
	}
	after, err := t.snapshot()
	if err != nil {
		return r, err
	}
	counted := t.counted(from, to)
	if err := t.awaitEnds(ctx, counted, to.Add(drain)); err != nil {
		return r, err
	}
	r = t.result("cloudtask", after.since(before))
	t.judge(&r, counted, later(from, up), to, up)
	return r, nil
}

// conclude stops the operator and keeps the result.
func (t *trial) conclude(ctx context.Context, r Result) error {
	if r.Unseen > 0 {
		t.explain(ctx)
	}
	u, err := t.operator.usage()
	if err != nil {
		return err
	}
	r.PeakMemory = u.peak
	err = errors.Join(t.operator.stop(), t.observer.close())
	t.operator, t.observer = nil, nil
	if failed := t.failed.Load(); failed != nil {
		err = errors.Join(err, *failed)
	}
	t.add(r)
	return errors.Join(err, ctx.Err())
}

// explain says what the API server knows of the first task whose end was missed.
func (t *trial) explain(ctx context.Context) {
	for _, j := range t.counted(t.begin, time.Now().Add(-drain)) {
		if !t.observer.of(j.name).ended.IsZero() {
			continue
		}
		var task v1alpha1.CloudTask
		err := t.client.Get(ctx, client.ObjectKey{Namespace: j.namespace, Name: j.name}, &task)
		t.say("%-14s %s began %s and ended %s: phase %s, %q, %v", t.name, j.name, j.start.Format(time.TimeOnly), j.end.Format(time.TimeOnly), task.Status.Phase, task.Status.Message, err)
		return
	}
}

// counted are the tasks that end in a window.
func (t *trial) counted(from, to time.Time) []*job {
	var counted []*job
	for i := range t.jobs {
		if j := &t.jobs[i]; !j.end.Before(from) && j.end.Before(to) {
			counted = append(counted, j)
		}
	}
	return counted
}

// runningAt is how many tasks run at a moment that had started by another.
func (t *trial) runningAt(started, at time.Time) int {
	n := 0
	for _, j := range t.jobs {
		if !j.start.After(started) && j.end.After(at) {
			n++
		}
	}
	return n
}

// awaitEnds waits until all ends are known, at most until a deadline.
func (t *trial) awaitEnds(ctx context.Context, jobs []*job, deadline time.Time) error {
	for _, j := range jobs {
		for t.observer.of(j.name).ended.IsZero() && time.Now().Before(deadline) {
			if err := t.observer.err(); err != nil {
				return err
			}
			if err := pause(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *trial) progress(from, to time.Time) string {
	now := time.Now()
	var lags []float64
	for _, j := range t.counted(from, to) {
		if ended := t.observer.of(j.name).ended; !ended.IsZero() {
			lags = append(lags, ended.Sub(j.end).Seconds())
		}
	}
	switch lag := lagOf(lags); {
	case now.Before(from):
		return fmt.Sprintf("settling, %d s more", int(time.Until(from).Seconds()))
	case t.failed.Load() != nil:
		return (*t.failed.Load()).Error()
	case now.Before(to):
		return fmt.Sprintf("measuring, %d s more: %d ends, mean lag %.2f s", int(time.Until(to).Seconds()), lag.N, lag.Mean)
	default:
		return fmt.Sprintf("waiting for the last: %d ends, mean lag %.2f s", lag.N, lag.Mean)
	}
}

// measureRestart measures how the operator catches up after it was away. Lag
// counts from its start for what ended before.
func (t *trial) measureRestart(ctx context.Context) error {
	down := t.begin.Add(t.warm)
	if err := pause(ctx, down); err != nil {
		return err
	}
	if err := t.operator.stop(); err != nil {
		return err
	}
	t.operator = nil
	t.say("%-14s the operator is away for %s", t.name, t.restart)
	up := down.Add(t.restart)
	if err := pause(ctx, up); err != nil {
		return err
	}
	before, err := t.snapshot()
	if err != nil {
		return err
	}
	up = time.Now()
	if err := t.startOperator(); err != nil {
		return err
	}
	to := up.Add(t.window)
	defer t.tell(ctx, func() string { return t.progress(down, to) })()
	known, err := t.awaitKnown(ctx, up, to)
	if err != nil {
		return err
	}
	r, err := t.until(ctx, before, down, to, up)
	if err != nil {
		return err
	}
	r.KnownAgain = known
	return t.conclude(ctx, r)
}

// awaitKnown returns the seconds from a restart until all running tasks are known
// again: until the cloud has told the operator of as many as run, but for those of
// the last second. -1: not by the deadline.
func (t *trial) awaitKnown(ctx context.Context, up, deadline time.Time) (float64, error) {
	for {
		now := time.Now()
		running := t.runningAt(now.Add(-time.Second), now)
		switch {
		case t.operator.knows(ctx) >= running:
			return time.Since(up).Seconds(), nil
		case now.After(deadline):
			return -1, nil
		}
		if err := pause(ctx, now.Add(100*time.Millisecond)); err != nil {
			return 0, err
		}
	}
}
