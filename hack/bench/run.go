package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/internal/fakecloud"
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
	cloud    *fakecloud.Cloud
	url      string
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
	if t.cloud, t.url, err = newCloud(t.scenario, t.jobs); err != nil {
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

func (b *bench) add(r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.results = append(b.results, r)
	b.say("%-14s %-10s %d ends, lag mean %.2f, p99 %.2f s; first answer p99 %.2f s", r.Scenario, r.Policy, r.Lag.N, r.Lag.Mean, r.Lag.P99, r.First.P99)
}
