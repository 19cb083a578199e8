package poll

import (
	"context"
	"time"
)

const (
	// detailInterval lies between two looks at the listing for the progress of
	// one running task, while no sweep tells it.
	detailInterval = 5 * time.Second
	// endingPatience is how long a known end waits for the listing to say when
	// it was.
	endingPatience = 2 * time.Second
	// listingPause is how long a listing that is refused is left alone.
	listingPause = time.Minute
)

// Listing is a call that tells of many tasks at once: cheaper for each of them,
// but less to be trusted than a task's own question.
type Listing[O any] struct {
	// Lane is the quota of the listing. With Scope, the listed part of the
	// cloud, it names the group of tasks that are listed together.
	Lane   Lane
	Scope  string
	Lister Lister[O]
}

// Lister asks the listing.
type Lister[O any] interface {
	// Page returns one page, from 0 on, of the tasks that have not ended.
	Page(ctx context.Context, page int) Page[O]
	// Detail returns the row of the one task of which an observation is given.
	// Ended: nothing more is to be asked. Unclear: it has ended, but only the
	// task's own question can tell how.
	Detail(ctx context.Context, seen O) Answer[O]
	// Merge adds what a row tells to an observation. How a task ended is never
	// taken back by a row.
	Merge(seen, row O) O
}

// Page is a part of a listing.
type Page[O any] struct {
	Class Class // Good, or why there is no page
	Pages int   // how many there are
	Rows  []Row[O]
}

// Row is what a listing says of one task.
type Row[O any] struct {
	Key         string
	Observation O
}

// askListing puts a look at the listing for one task in order.
func (e *Engine[O]) askListing(t *tracked[O], w want, r rank, due time.Time) {
	now := time.Now()
	t.wants, t.wantedAt = w, now
	t.group.lane = e.lane(t.group.key.lane, now)
	t.group.lane.put(t.detail, r, due)
}

// planProgress puts the next look for a running task's progress in order, if no
// sweep tells it.
func (e *Engine[O]) planProgress(t *tracked[O], now time.Time) {
	if t.group == nil || t.wants != progress || t.detail.index >= 0 || t.group.sweeping(now) {
		return
	}
	due := now
	if told := later(t.rowAt, t.detailAt); !told.IsZero() {
		due = told.Add(detailInterval)
	}
	e.askListing(t, progress, regular, later(due, t.group.brokenUntil))
}

// settleDetail takes in what the listing says of one task.
func (e *Engine[O]) settleDetail(t *tracked[O], a Answer[O], began, now time.Time) {
	t.detailAt = now
	wanted, o := t.wants, t.observation
	switch a.Class {
	case Throttled: // not asked at all
		e.askListing(t, wanted, t.detail.rank, now)
		return
	case Rejected, Refused:
		t.group.brokenUntil = now.Add(listingPause)
	case Good, Unclear:
		t.row, t.rowAt = &a.Observation, now
		t.toldEnd = a.Ended || a.Class == Unclear
		o = t.Listing.Lister.Merge(o, a.Observation)
	}
	t.wants = progress
	switch {
	case wanted == ending:
		e.settleEnding(t, o, began, now)
		return
	case wanted == outcome:
		if e.settleOutcome(t, a, o, now) {
			return
		}
	case t.toldEnd:
		t.lane.put(t.ask, urgent, now)
	case a.Class == Good:
		e.observeRow(t, o, now)
	}
	e.planProgress(t, now)
}

// settleEnding finishes a task, but for an answer to a look that was already
// under way when the end became known: that one is made once more.
func (e *Engine[O]) settleEnding(t *tracked[O], o O, began, now time.Time) {
	if began.Before(t.wantedAt) && !t.toldEnd && !t.group.broken(now) {
		e.askListing(t, ending, urgent, now)
		return
	}
	e.finish(t, o, now)
}

// settleOutcome takes in what the listing says of a task that a sweep missed,
// and reports whether that is the end of it. Only an end that the listing
// cannot tell in full is worth the task's own question ahead of everything.
func (e *Engine[O]) settleOutcome(t *tracked[O], a Answer[O], o O, now time.Time) bool {
	switch {
	case a.Class == Good && a.Ended:
		e.finish(t, o, now)
		return true
	case a.Class == Good:
		e.observeRow(t, o, now)
		t.lane.put(t.ask, regular, now.Add(e.interval(t, now)))
	case a.Class == Unclear:
		t.lane.put(t.ask, urgent, now)
	default:
		t.lane.put(t.ask, regular, now)
	}
	return false
}

// observeRow takes in what a row tells. It clears a passing fault, but not one
// that a person must mend: the task's own question may still be refused.
func (e *Engine[O]) observeRow(t *tracked[O], o O, now time.Time) {
	if e.blocked(t) {
		t.observation = o
		return
	}
	t.observe(o, now)
}

// blocked reports whether a person must act before the task can be asked about.
func (e *Engine[O]) blocked(t *tracked[O]) bool {
	if t.fault == nil {
		return false
	}
	return t.fault.Class == Rejected || t.refused() && e.gates[t.lane.key.Credential] != nil
}

func (t *tracked[O]) refused() bool { return t.fault != nil && t.fault.Class == Refused }
