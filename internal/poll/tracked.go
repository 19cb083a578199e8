package poll

import "time"

// want is what the next look at the listing is for.
type want int

const (
	// progress: how far a running task is.
	progress want = iota
	// outcome: whether a task that is no longer listed has ended, when the
	// lane of its own question has no quota left for that.
	outcome
	// ending: when a task ended that is known to have ended.
	ending
)

// tracked is a task and what is known of it. Its fields are guarded by the
// engine's lock.
type tracked[O Observation[O]] struct {
	Task[O]
	at   time.Time // tracked since
	lane *lane[O]
	ask  *entry[O]

	observation O
	known       bool
	ended       bool
	start       time.Time // as the cloud told
	seen, asked time.Time
	fault       *Fault
	failures    int       // in a row
	askedAt     time.Time // when its own question was last answered
	pressedAt   time.Time // by Hasten; zero once answered

	membership[O]
}

// membership is a task's place in the group that is listed together.
type membership[O Observation[O]] struct {
	group    *group[O] // nil while there is none
	detail   *entry[O]
	detailAt time.Time // when a look at the listing for it was last answered
	wants    want
	wantedAt time.Time

	row     *O        // the latest row that told of the task
	rowAt   time.Time // when it came
	listed  bool      // was in the latest sweep that could tell
	toldEnd bool      // the row tells when the task ended
}

func (t *tracked[O]) sighting() Sighting[O] {
	return Sighting[O]{
		Observation: t.observation, Known: t.known, Ended: t.ended,
		Tracked: t.at, Seen: t.seen, Asked: t.asked, Fault: t.fault,
	}
}

func (t *tracked[O]) pressed() bool { return !t.pressedAt.IsZero() }

// age is how long the task has been running, as far as is known.
func (t *tracked[O]) age(now time.Time) time.Duration {
	if !t.start.IsZero() {
		return now.Sub(t.start)
	}
	return now.Sub(t.Since)
}

// fail notes an answer that was not good. The fault is replaced, never changed:
// others may hold the old one.
func (t *tracked[O]) fail(class Class, err error, began, now time.Time) {
	// What was seen during a long call, in the listing, was good.
	f := Fault{Class: class, Failing: later(began, t.seen), Since: now}
	if t.fault != nil {
		f.Failing = t.fault.Failing
		if t.fault.Class == class {
			f.Since, f.Count = t.fault.Since, t.fault.Count
		}
	}
	f.Err, f.Last, f.Count = err, now, f.Count+1
	t.fault = &f
}

// observe takes in what the cloud says of the task, and wakes the tracker if
// that is news.
func (t *tracked[O]) observe(o O, now time.Time) {
	news := t.seen.IsZero() || t.fault != nil || !o.Equal(t.observation)
	t.observation, t.known, t.fault = o, true, nil
	t.seen, t.asked = now, now
	t.failures = 0
	if news {
		t.Changed()
	}
}

// settle takes in the answer to a task's own question and plans the next one.
func (e *Engine[O]) settle(t *tracked[O], a Answer[O], began, now time.Time) {
	if t.ended || t.wants == ending {
		return
	}
	if !began.Before(t.pressedAt) {
		t.pressedAt = time.Time{}
	}
	t.askedAt = now
	if !a.Start.IsZero() && a.Start.Before(now) {
		t.start = a.Start
	}
	if a.Class == Good {
		e.settleGood(t, a, now)
		return
	}
	t.asked = now
	t.fail(a.Class, a.Err, began, now)
	if a.Class == Unclear {
		t.observation, t.known = a.Observation, true
	}
	e.askAgain(t, e.retry(t, a.Class, now), now)
	t.Changed()
}

// askAgain puts a task's own question in order after an answer. One that the
// quota or the gate threw back has not been asked at all, and keeps its rank.
func (e *Engine[O]) askAgain(t *tracked[O], delay time.Duration, now time.Time) {
	switch {
	case t.pressed():
		t.lane.put(t.ask, urgent, now)
	case delay == 0:
		t.lane.put(t.ask, t.ask.rank, now)
	default:
		t.lane.put(t.ask, regular, now.Add(delay))
	}
}

// retry returns the delay after an answer that was not good.
func (e *Engine[O]) retry(t *tracked[O], class Class, now time.Time) time.Duration {
	if class != Unavailable {
		t.failures = 0
	}
	switch class {
	case Unclear:
		return e.interval(t, now)
	case Absent: // also of an old task: it may be gone, and that shall be known
		return interval(min(now.Sub(t.Since), oldAge), e.options.MinInterval, e.options.MaxInterval)
	case Rejected:
		return personInterval
	case Throttled, Refused: // what waits is the lane, or the gate
		return 0
	default:
		t.failures++
		return backoff(t.failures, now.Sub(t.lane.goodAt) > laneDead)
	}
}

func (e *Engine[O]) interval(t *tracked[O], now time.Time) time.Duration {
	return max(interval(t.age(now), e.options.MinInterval, e.options.MaxInterval), e.youth(t, now))
}

// youth is for how long a task is too young to have ended, in all likelihood: a
// second look at it now would cost the others theirs.
func (e *Engine[O]) youth(t *tracked[O], now time.Time) time.Duration {
	return max(min(2*e.options.MinInterval, e.options.MaxInterval)-t.age(now), 0)
}

func (e *Engine[O]) settleGood(t *tracked[O], a Answer[O], now time.Time) {
	o := a.Observation
	if t.row != nil && (a.Ended || !t.toldEnd) {
		o = t.Listing.Lister.Merge(o, *t.row)
	}
	if a.Ended {
		e.end(t, o, now)
		return
	}
	t.observe(o, now)
	e.askAgain(t, e.interval(t, now), now)
	e.planProgress(t, now)
}

// end takes in that a task has ended. Where the listing can tell when, it is
// asked once, and given a moment to answer.
func (e *Engine[O]) end(t *tracked[O], o O, now time.Time) {
	if t.group == nil || t.toldEnd || t.group.broken(now) {
		e.finish(t, o, now)
		return
	}
	t.observation = o
	e.askListing(t, ending, urgent, now)
	time.AfterFunc(endingPatience, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if t.wants == ending && e.ctx.Err() == nil {
			e.finish(t, t.observation, time.Now())
		}
	})
}

// finish makes the observation final.
func (e *Engine[O]) finish(t *tracked[O], o O, now time.Time) {
	t.lane.queue.remove(t.ask)
	e.unlist(t)
	t.ended = true
	t.observation, t.known, t.fault = o, true, nil
	t.seen, t.asked = now, now
	t.Changed()
}
