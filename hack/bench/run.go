package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/tencent"
	"cloudtask.dev/cloudtask/internal/testenv"
)

const (
	// drain is how long after the window what ended in it may become known.
	drain = time.Minute
	// baselineDrain is the same for baselines, which go on beside what follows.
	baselineDrain = 17 * time.Minute
	// loadRate is how many objects a second can be loaded on a busy machine.
	loadRate = 500
)

// bench is a run of some scenarios on one control plane.
type bench struct {
	env    *testenv.Env
	client client.WithWatch
	binary string
	seed   uint64
	say    func(format string, args ...any)

	background errgroup.Group // baselines that are not done yet

	mu      sync.Mutex
	results []Result
}

// trial is one scenario under way.
type trial struct {
	*bench
	scenario
	begin    time.Time
	jobs     []job
	labels   map[string]string
	selector string // of the operator's objects
	objects  int    // of tasks that are not among the jobs
	cloud    *fakecloud.Cloud
	url      string
	sweep    *sweepLog
	observer *observer
	operator *operator

	creating   sync.WaitGroup
	failed     atomic.Pointer[error] // of a creation
	createdMu  sync.Mutex
	createdAt  map[string]time.Time
	stopArrive context.CancelFunc
}

// run measures a scenario and the baselines beside it; the baselines may go on
// in the background.
func (b *bench) run(ctx context.Context, s scenario) error {
	t := b.newTrial(s)
	defer t.close()
	if err := t.setUp(ctx); err != nil {
		return err
	}
	if err := t.startBaselines(ctx); err != nil {
		return err
	}
	t.arrive(ctx)
	if s.restart > 0 {
		return t.measureRestart(ctx)
	}
	return t.measure(ctx)
}

// newTrial draws the tasks of a scenario, and says when it begins.
func (b *bench) newTrial(s scenario) *trial {
	t := &trial{bench: b, scenario: s, labels: map[string]string{label: s.name}, createdAt: map[string]time.Time{}}
	t.selector = label + "=" + s.name
	t.begin = time.Now().Add(5*time.Second + time.Duration(s.running*s.accounts)*time.Second/loadRate)
	t.jobs = s.plan(t.begin, b.seed)
	return t
}

// setUp starts the cloud, loads what runs already, and starts the operator.
func (t *trial) setUp(ctx context.Context) (err error) {
	t.sweep = &sweepLog{}
	if t.cloud, t.url, err = newCloud(t.scenario, t.jobs, t.sweep.note); err != nil {
		return err
	}
	if err := prepare(ctx, t.client, t.scenario); err != nil {
		return err
	}
	if t.observer, err = observe(ctx, t.client, client.MatchingLabels(t.labels)); err != nil {
		return err
	}
	var running []*job
	for i := range t.jobs {
		if j := &t.jobs[i]; j.start.Before(t.begin) && j.end.After(t.begin) {
			running = append(running, j)
		}
	}
	var done atomic.Int64
	stop := t.tell(ctx, func() string { return fmt.Sprintf("loading %d of %d running tasks", done.Load(), len(running)) })
	err = t.load(ctx, t.labels, running, (*job).status, &done)
	stop()
	if err != nil {
		return err
	}
	return t.startOperator()
}

func (t *trial) startOperator() (err error) {
	t.operator, err = startOperator(t.binary, t.env.Kubeconfig, t.selector, t.url)
	return err
}

// close ends what is left of a trial, but for the baselines.
func (t *trial) close() {
	if t.stopArrive != nil {
		t.stopArrive()
		t.creating.Wait()
	}
	if t.operator != nil {
		_ = t.operator.stop() // a trial that went well has stopped it
	}
	if t.observer != nil {
		_ = t.observer.close()
	}
	if t.cloud != nil {
		t.cloud.Close()
	}
}

// arrive creates the objects of the tasks to come when they start.
func (t *trial) arrive(ctx context.Context) {
	ctx, t.stopArrive = context.WithCancel(ctx)
	t.creating.Go(func() {
		var calls errgroup.Group
		calls.SetLimit(creators)
		for i := range t.jobs {
			j := &t.jobs[i]
			if j.start.Before(t.begin) {
				continue
			}
			if pause(ctx, j.start) != nil {
				break
			}
			calls.Go(func() error {
				if err := t.create(ctx, j); err != nil && ctx.Err() == nil {
					t.failed.Store(&err)
				}
				return nil
			})
		}
		_ = calls.Wait() // always nil
	})
}

func (t *trial) create(ctx context.Context, j *job) error {
	t.createdMu.Lock()
	t.createdAt[j.name] = time.Now()
	t.createdMu.Unlock()
	if err := t.client.Create(ctx, j.object(t.labels)); err != nil {
		return fmt.Errorf("create object: %w", err)
	}
	return nil
}

func (t *trial) created(name string) time.Time {
	t.createdMu.Lock()
	defer t.createdMu.Unlock()
	return t.createdAt[name]
}

// pause waits until a moment; it fails if the context ends first.
func pause(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tell says every 10 seconds how far things are, until stop is called.
func (t *trial) tell(ctx context.Context, progress func() string) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	go func() {
		for pause(ctx, time.Now().Add(10*time.Second)) == nil {
			t.say("%-14s %s", t.name, progress())
		}
	}()
	return stop
}

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
	if err := pause(ctx, to); err != nil {
		return err
	}
	after, err := t.snapshot()
	if err != nil {
		return err
	}
	counted := t.counted(from, to)
	if err := t.awaitEnds(ctx, counted, to.Add(drain)); err != nil {
		return err
	}
	r := t.result("cloudtask", after.since(before))
	t.judge(&r, counted, from, to, time.Time{})
	return t.conclude(ctx, r)
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

// runningAt is how many tasks run at a moment.
func (t *trial) runningAt(at time.Time) int {
	n := 0
	for _, j := range t.jobs {
		if !j.start.After(at) && j.end.After(at) {
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
	if err := pause(ctx, to); err != nil {
		return err
	}
	after, err := t.snapshot()
	if err != nil {
		return err
	}
	counted := t.counted(down, to)
	if err := t.awaitEnds(ctx, counted, to.Add(drain)); err != nil {
		return err
	}
	r := t.result("cloudtask", after.since(before))
	t.judge(&r, counted, up, to, up)
	r.KnownAgain = known
	return t.conclude(ctx, r)
}

// awaitKnown returns the seconds from a restart until all running tasks are known
// again: until the operator has looked at every object there was, and after that
// the cloud has answered every page of its list. -1: not by the deadline.
func (t *trial) awaitKnown(ctx context.Context, up, deadline time.Time) (float64, error) {
	objects := t.objects + t.runningAt(up)
	for !t.operator.caughtUp(ctx, objects) {
		if time.Now().After(deadline) {
			return -1, nil
		}
		if err := pause(ctx, time.Now().Add(200*time.Millisecond)); err != nil {
			return 0, err
		}
	}
	t.sweep.begin()
	for {
		known := t.sweep.complete(up, t.runningAt(up)/pageSize)
		if known >= 0 || time.Now().After(deadline) {
			return known, nil
		}
		if err := pause(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			return 0, err
		}
	}
}

// startBaselines starts the baselines, each with a cloud and quotas of its own
// and the same tasks.
func (t *trial) startBaselines(ctx context.Context) error {
	if !t.baselines {
		return nil
	}
	for _, interval := range []time.Duration{5 * time.Second, 10 * time.Second} {
		cloud, url, err := newCloud(t.scenario, t.jobs, nil)
		if err != nil {
			return err
		}
		asker, err := tencent.NewClient(tencent.Config{Endpoint: url, UserAgent: "bench"})
		if err != nil {
			cloud.Close()
			return fmt.Errorf("start a baseline: %w", err)
		}
		byAccount := make([][]*job, t.accounts)
		for i := range t.jobs {
			j := &t.jobs[i]
			byAccount[j.account] = append(byAccount[j.account], j)
		}
		var all []*baseline
		for i, account := range accountsOf(t.scenario) {
			all = append(all, startBaseline(ctx, interval, asker, credential(account), byAccount[i], t.begin))
		}
		t.background.Go(func() error {
			defer cloud.Close()
			defer func() {
				for _, b := range all {
					b.close()
				}
			}()
			return t.measureBaseline(ctx, interval, cloud, all)
		})
	}
	return nil
}

func (t *trial) measureBaseline(ctx context.Context, interval time.Duration, cloud *fakecloud.Cloud, all []*baseline) error {
	from := t.begin.Add(t.warm)
	to := from.Add(t.window)
	if err := pause(ctx, from); err != nil {
		return err
	}
	before := snapshot{at: time.Now(), cloud: cloud.Stats()}
	if err := pause(ctx, to); err != nil {
		return err
	}
	after := snapshot{at: time.Now(), cloud: cloud.Stats()}
	counted := t.counted(from, to)
	deadline := to.Add(baselineDrain)
	for _, j := range counted {
		for all[j.account].of(j).end.IsZero() && time.Now().Before(deadline) {
			if err := pause(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	r := t.result(fmt.Sprintf("every %s", interval), after.since(before))
	t.judgeBaseline(&r, counted, all, from, to)
	t.add(r)
	return nil
}

func (b *bench) add(r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results = append(b.results, r)
	b.say("%-14s %-10s %d ends, lag mean %.2f, p99 %.2f s; first answer p99 %.2f s", r.Scenario, r.Policy, r.Lag.N, r.Lag.Mean, r.Lag.P99, r.First.P99)
}
