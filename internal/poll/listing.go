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
	t.wants = w
	t.group.lane = e.lane(t.Listing.Lane, time.Now())
	t.group.lane.put(t.detail, r, due)
}

// planProgress puts the next look for a running task's progress in order, if no
// sweep tells it.
func (e *Engine[O]) planProgress(t *tracked[O], now time.Time) {
	if t.group == nil || t.wants != progress || t.detail.index >= 0 || t.group.sweeping(now) {
		return
	}
	due := now
	if t.row != nil {
		due = t.rowAt.Add(detailInterval)
	}
	if t.group.broken(now) {
		due = t.group.brokenUntil
	}
	e.askListing(t, progress, regular, due)
}

// settleDetail takes in what the listing says of one task.
func (e *Engine[O]) settleDetail(t *tracked[O], a Answer[O], now time.Time) {
	if t.ended || t.group == nil {
		return
	}
	if a.Class == Rejected || a.Class == Refused {
		t.group.brokenUntil = now.Add(listingPause)
	}
	wanted, o := t.wants, t.observation
	t.wants = progress
	t.rowAt = now
	if a.Class == Good || a.Class == Unclear {
		t.row = &a.Observation
		t.toldEnd = a.Ended || a.Class == Unclear
		o = t.Listing.Lister.Merge(o, a.Observation)
	}
	switch {
	case wanted == ending, wanted == outcome && a.Class == Good && a.Ended:
		e.finish(t, o, now)
		return
	case wanted == outcome && a.Class == Good:
		t.observeRow(o, now)
		t.lane.put(t.ask, regular, now.Add(e.interval(t, now)))
	case wanted == outcome, t.toldEnd:
		t.lane.put(t.ask, urgent, now)
	case a.Class == Good:
		t.observeRow(o, now)
	}
	e.planProgress(t, now)
}

// observeRow takes in what a row tells. It clears a passing fault, but not one
// that a person must mend: the task's own question may still be refused.
func (t *tracked[O]) observeRow(o O, now time.Time) {
	if t.blocked() {
		t.observation = o
		return
	}
	t.observe(o, now)
}

// blocked reports whether a person must act before the task can be asked about.
func (t *tracked[O]) blocked() bool {
	return t.fault != nil && (t.fault.Class == Rejected || t.fault.Class == Refused)
}
