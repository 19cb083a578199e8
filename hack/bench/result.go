package main

import (
	"fmt"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// Result is what one policy came to in one scenario.
type Result struct {
	Policy   string `json:"policy"`
	Scenario string `json:"scenario"`
	Title    string `json:"title"`
	Service  string `json:"service"`
	Running  int    `json:"running"`
	Accounts int    `json:"accounts"`
	// Window is how long was measured, in seconds.
	Window float64 `json:"window"`
	// Lag is from the end in the cloud to the final status at a watch, First
	// from the creation of an object to its first status; in seconds.
	Lag   Lag `json:"lag"`
	First Lag `json:"first"`
	// Bound is the least possible mean lag, 0 if not known.
	Bound     float64 `json:"bound"`
	BoundNote string  `json:"boundNote"`
	// Calls a task that ended.
	InfoCalls float64 `json:"infoCalls"`
	ListCalls float64 `json:"listCalls"`
	// Throttled calls of all, and of the calls that others made.
	Calls, Throttled             int
	OthersCalls, OthersThrottled int
	// Writes of the status a task that ended; without those of progress, and
	// the most of those that any task had.
	Writes     float64 `json:"writes"`
	StepWrites float64 `json:"stepWrites"`
	MostWrites int     `json:"mostWrites"`
	// CPU is processor seconds in the window, Peak the largest memory in bytes.
	CPU        float64 `json:"cpu"`
	PeakMemory int64   `json:"peakMemory"`
	// KnownAgain is the time from a restart until all running tasks are known
	// again, in seconds.
	KnownAgain float64 `json:"knownAgain,omitempty"`
	// Wrong outcomes, final statuses before the end, and ends that did not
	// become known in time: each fails the run.
	Wrong     int `json:"wrong"`
	Premature int `json:"premature"`
	Unseen    int `json:"unseen"`
}

// right says what is wrong about a result, nil if nothing is.
func (r Result) right() error {
	if r.Policy == "cloudtask" && r.Wrong+r.Premature+r.Unseen > 0 {
		return fmt.Errorf("%s: %d outcomes wrong, %d premature, %d unseen", r.Scenario, r.Wrong, r.Premature, r.Unseen)
	}
	return nil
}

// snapshot is what has been counted up to a moment.
type snapshot struct {
	at               time.Time
	cloud            fakecloud.Stats
	usage            usage
	writes, progress int
}

func (t *trial) snapshot() (s snapshot, err error) {
	s.at, s.cloud = time.Now(), t.cloud.Stats()
	s.writes, s.progress = t.observer.counts()
	if t.operator != nil {
		s.usage, err = t.operator.usage()
	}
	return s, err
}

func (s snapshot) since(before snapshot) snapshot {
	s.writes -= before.writes
	s.progress -= before.progress
	s.usage.cpu -= before.usage.cpu
	for api, c := range s.cloud.APIs {
		b := before.cloud.APIs[api]
		c.Calls -= b.Calls
		c.Throttled -= b.Throttled
		c.OthersCalls -= b.OthersCalls
		c.OthersThrottled -= b.OthersThrottled
		s.cloud.APIs[api] = c
	}
	return s
}

// result begins a result with what was counted in the window.
func (t *trial) result(policy string, in snapshot) Result {
	r := Result{
		Policy: policy, Scenario: t.name, Title: t.title, Service: t.law.service, Running: t.running, Accounts: t.accounts,
		Window: t.window.Seconds(), CPU: in.usage.cpu.Seconds(),
		Writes: float64(in.writes), StepWrites: float64(in.writes - in.progress),
	}
	for api, c := range in.cloud.APIs {
		if api == fakecloud.RedisTaskList {
			r.ListCalls += float64(c.Calls)
		} else {
			r.InfoCalls += float64(c.Calls)
		}
		r.Calls += c.Calls
		r.Throttled += c.Throttled
		r.OthersCalls += c.OthersCalls
		r.OthersThrottled += c.OthersThrottled
	}
	return r
}

// perTask turns what was counted in the window into what it is per end.
func (r *Result) perTask(ends int) {
	for _, count := range []*float64{&r.InfoCalls, &r.ListCalls, &r.Writes, &r.StepWrites} {
		*count /= max(float64(ends), 1)
	}
}

// judge compares what a watcher saw with what happened. What ended before notBefore
// is late only from then on.
func (t *trial) judge(r *Result, counted []*job, from, to, notBefore time.Time) {
	var lags, firsts []float64
	for _, j := range counted {
		s := t.observer.of(j.name)
		since := j.end
		if since.Before(notBefore) {
			since = notBefore
		}
		if s.ended.IsZero() {
			r.Unseen++
			continue
		}
		lags = append(lags, s.ended.Sub(since).Seconds())
	}
	for i := range t.jobs {
		j := &t.jobs[i]
		s := t.observer.of(j.name)
		if !s.ended.IsZero() {
			t.judgeEnd(r, j, s)
		}
		created := t.created(j.name)
		if created.Before(from) || created.After(to) {
			continue
		}
		switch {
		case !s.answered.IsZero():
			firsts = append(firsts, s.answered.Sub(created).Seconds())
		case created.Before(to.Add(-10 * time.Second)):
			r.Unseen++
		}
	}
	r.perTask(len(counted))
	r.Lag, r.First = lagOf(lags), lagOf(firsts)
	r.Bound, r.BoundNote = t.bound(counted)
}

func (t *trial) judgeEnd(r *Result, j *job, s seen) {
	phase, reason := v1alpha1.PhaseSucceeded, v1alpha1.ReasonTaskSucceeded
	if j.fails {
		phase, reason = v1alpha1.PhaseFailed, v1alpha1.ReasonTaskFailed
	}
	if s.phase != phase || s.reason != reason {
		r.Wrong++
	}
	if s.ended.Before(j.end) {
		r.Premature++
	}
	if !t.created(j.name).IsZero() {
		r.MostWrites = max(r.MostWrites, s.writes)
	}
}

func (t *trial) judgeBaseline(r *Result, counted []*job, all []*baseline, from, to time.Time) {
	var lags, firsts []float64
	for _, j := range counted {
		h := all[j.account].of(j)
		if h.end.IsZero() {
			r.Unseen++
			continue
		}
		if (h.state == tencent.Failed) != j.fails {
			r.Wrong++
		}
		lags = append(lags, h.end.Sub(j.end).Seconds())
	}
	for i := range t.jobs {
		j := &t.jobs[i]
		if h := all[j.account].of(j); !j.start.Before(from) && j.start.Before(to) && !h.first.IsZero() {
			firsts = append(firsts, h.first.Sub(j.start).Seconds())
		}
	}
	r.perTask(len(counted))
	r.Lag, r.First = lagOf(lags), lagOf(firsts)
	r.Bound, r.BoundNote = t.bound(counted)
}
