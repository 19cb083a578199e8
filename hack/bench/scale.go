package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	// scaleSettle is how long the first operator has, to write what differs from
	// the statuses that were loaded, and the second until it is measured.
	scaleSettle = 45 * time.Second
	scaleWindow = time.Minute
	finishedIn  = "finished" // namespace
)

// Scale is what a large number of objects costs.
type Scale struct {
	Objects int `json:"objects"`
	Running int `json:"running"`
	// KnownAgain is from the operator's start until all running tasks are known
	// again, StartCPU the processor time until then; in seconds. -1: not in time.
	KnownAgain float64 `json:"knownAgain"`
	StartCPU   float64 `json:"startCPU"`
	// StartWrites are the requests that changed something at the API server from
	// the start until the window.
	StartWrites map[string]float64 `json:"startWrites"`
	// CPU is the share of one processor in the window, Writes the changing
	// requests a second.
	CPU    float64            `json:"cpu"`
	Writes map[string]float64 `json:"writes"`
	// Resident is the memory after the window, Peak the most there was; in bytes.
	Resident int64  `json:"resident"`
	Peak     int64  `json:"peak"`
	Result   Result `json:"result"`
}

// runScale measures an operator that is restarted with many objects. Results with
// an error say how far it came.
func (b *bench) runScale(ctx context.Context, objects int) (*Scale, error) {
	running := objects / 10
	s := &Scale{Objects: objects, Running: running}
	if err := b.loadFinished(ctx, objects-running); err != nil {
		return nil, err
	}
	t := b.newTrial(scenario{
		name: "scale", title: fmt.Sprintf("%d objects", objects), law: redisLaw(), running: running, accounts: 1,
		warm: 3 * scaleSettle, window: scaleWindow,
	})
	t.selector = "" // all objects
	defer t.close()
	if err := t.setUp(ctx); err != nil {
		return nil, err
	}
	t.arrive(ctx)
	return s, s.measure(ctx, t)
}

// measure restarts the operator and measures the new one.
func (s *Scale) measure(ctx context.Context, t *trial) error {
	t.say("%-14s settling for %s", t.name, scaleSettle)
	if err := pause(ctx, later(t.begin, time.Now()).Add(scaleSettle)); err != nil {
		return err
	}
	if err := t.operator.stop(); err != nil {
		return err
	}
	t.operator = nil
	t.say("%-14s restarting the operator", t.name)
	atStart, err := t.changes(ctx)
	if err != nil {
		return err
	}
	up := time.Now()
	if err := t.startOperator(); err != nil {
		return err
	}
	if s.KnownAgain, err = t.awaitKnown(ctx, up, up.Add(scaleSettle)); err != nil {
		return err
	}
	started, err := t.operator.usage()
	if err != nil {
		return err
	}
	s.StartCPU = started.cpu.Seconds()
	t.say("%-14s all known again after %.1f s", t.name, s.KnownAgain)
	if err := pause(ctx, up.Add(scaleSettle)); err != nil {
		return err
	}
	return s.measureWindow(ctx, t, atStart)
}

func (s *Scale) measureWindow(ctx context.Context, t *trial, atStart map[string]float64) error {
	t.say("%-14s measuring for %s", t.name, scaleWindow)
	from := time.Now()
	before, err := t.snapshot()
	if err != nil {
		return err
	}
	changesBefore, err := t.changes(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, from.Add(scaleWindow)); err != nil {
		return err
	}
	to := time.Now()
	after, err := t.snapshot()
	if err != nil {
		return err
	}
	changesAfter, err := t.changes(ctx)
	if err != nil {
		return err
	}
	counted := t.counted(from, to)
	if err := t.awaitEnds(ctx, counted, to.Add(drain)); err != nil {
		return err
	}
	s.Result = t.result("cloudtask", after.since(before))
	t.judge(&s.Result, counted, from, to, time.Time{})
	s.Result.PeakMemory = after.usage.peak
	s.CPU = s.Result.CPU / to.Sub(from).Seconds()
	s.Resident, s.Peak = after.usage.resident, after.usage.peak
	s.StartWrites = difference(changesBefore, atStart, 1)
	s.Writes = difference(changesAfter, changesBefore, 1/to.Sub(from).Seconds())
	err = errors.Join(t.operator.stop(), t.observer.close(), s.Result.right())
	t.operator, t.observer = nil, nil
	return err
}

func difference(after, before map[string]float64, factor float64) map[string]float64 {
	d := map[string]float64{}
	for what, n := range after {
		d[what] = (n - before[what]) * factor
	}
	return d
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// loadFinished makes the objects of tasks that ended long ago.
func (b *bench) loadFinished(ctx context.Context, n int) error {
	if err := b.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: finishedIn}}); err != nil {
		return fmt.Errorf("create namespace: %w", err)
	}
	jobs := make([]*job, n)
	for i := range jobs {
		j := &job{start: time.Now().Add(-2 * time.Hour), end: time.Now().Add(-time.Hour), namespace: finishedIn, service: "redis"}
		j.id = fmt.Sprint(100_000_000 + i)
		j.name = "task-" + j.id
		jobs[i] = j
	}
	var done atomic.Int64
	t := b.newTrial(scenario{name: "scale"})
	defer t.tell(ctx, func() string { return fmt.Sprintf("loading %d of %d finished tasks", done.Load(), n) })()
	return b.load(ctx, map[string]string{label: finishedIn}, jobs, (*job).finalStatus, &done)
}

// finalStatus is what an operator has written of a task that succeeded.
func (j *job) finalStatus(time.Time) v1alpha1.CloudTaskStatus {
	s := j.status(j.end)
	end, done := metav1.NewTime(j.end.Truncate(time.Second)), int32(100)
	s.Phase, s.CompletionTime, s.CloudStatus, s.Progress = v1alpha1.PhaseSucceeded, &end, "succeed", &done
	s.Message = fmt.Sprintf("Redis task %s succeeded after %s", j.id, j.end.Sub(j.start))
	s.Conditions = conditions(j.end, v1alpha1.ReasonTaskSucceeded, s.Message, map[string]metav1.ConditionStatus{
		v1alpha1.ConditionSucceeded: metav1.ConditionTrue, v1alpha1.ConditionFinished: metav1.ConditionTrue, v1alpha1.ConditionReady: metav1.ConditionTrue,
	})
	return s
}

func (s *Scale) table() string {
	verdict := func(ok bool) string {
		if ok {
			return "met"
		}
		return "missed"
	}
	r := s.Result
	rows := [][]string{
		{"with " + fmt.Sprint(s.Objects) + " objects, " + fmt.Sprint(s.Running) + " of them running", "measured", "target", ""},
		{"resident memory, MiB", fmt.Sprint(s.Resident >> 20), "500", verdict(s.Resident <= 500<<20)},
		{"peak memory, MiB", fmt.Sprint(s.Peak >> 20), "", ""},
		{"processor share over a minute", fmt.Sprintf("%.2f", s.CPU), "0.5", verdict(s.CPU <= 0.5)},
		{"restart until all running tasks are known again, s", secs(s.KnownAgain), "15", verdict(s.KnownAgain >= 0 && s.KnownAgain <= 15)},
		{"processor seconds until then", secs(s.StartCPU), "", ""},
		{"status writes from the restart on for 45 s", fmt.Sprintf("%.0f", s.StartWrites[statusWrites]), "", ""},
		{"status writes a second", fmt.Sprintf("%.1f", s.Writes[statusWrites]), "", ""},
		{"of them with more than progress", fmt.Sprintf("%.1f", r.StepWrites*float64(r.Lag.N)/r.Window), "", ""},
		{"event writes a second", fmt.Sprintf("%.1f", s.Writes[eventWrites]), "", ""},
		{"ends in the minute", fmt.Sprint(r.Lag.N), "", ""},
		{"mean lag, s", secs(r.Lag.Mean), "4.5", verdict(r.Lag.Mean <= 4.5)},
		{"p99 lag, s", secs(r.Lag.P99), "", ""},
		{"first answer p99, s", secs(r.First.P99), "", ""},
		{"Info and list calls a task", fmt.Sprintf("%.1f + %.1f", r.InfoCalls, r.ListCalls), "", ""},
		{"calls rejected", fmt.Sprint(r.Throttled), "0", verdict(r.Throttled == 0)},
	}
	return table(rows)
}
