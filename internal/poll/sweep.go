package poll

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

const (
	// sweepPeriod is the shortest time from one sweep to the next, and
	// pagesPerSecond what all sweeps of a group make at most on average.
	sweepPeriod    = 2 * time.Second
	pagesPerSecond = 50
	// sweepShare of the listing's rate is what one sweep's pages may use at
	// most, so that looks at single tasks get through meanwhile.
	sweepShare = 2.0 / 3
	// sweepParallel is how many pages are under way at once.
	sweepParallel = 16
	// sizeInterval is how often the size of a listing is asked for that is too
	// large to be swept.
	sizeInterval = time.Minute
	// listingDelay is how long a new task may be missing from the listing.
	listingDelay = 500 * time.Millisecond
	// spareInterval is how often at most a listed task is asked about itself:
	// a listing that lies for ever does not win.
	spareInterval = 10 * time.Minute
)

// errIncomplete ends a sweep of which a page is missing: it proves nothing.
var errIncomplete = errors.New("a page of the listing is missing")

// groupKey names the tasks that one listing tells of.
type groupKey struct {
	lane  Lane
	scope string
}

// group is the tasks that are listed together. Its fields are guarded by the
// engine's lock.
type group[O Observation[O]] struct {
	key   groupKey
	lane  *lane[O]
	tasks map[*tracked[O]]struct{}
	rows  map[string][]*tracked[O] // by key in the listing
	stop  context.CancelFunc

	lister      Lister[O] // with the newest credential
	pages       int       // of the listing; 0 while unknown
	sizedAt     time.Time // when pages was learnt
	sweptAt     time.Time // when the latest complete sweep began
	brokenUntil time.Time // the listing is left alone
}

// broken reports whether the listing is refused, and left alone for a while.
func (g *group[O]) broken(now time.Time) bool { return now.Before(g.brokenUntil) }

// period is the time from one sweep to the next.
func (g *group[O]) period() time.Duration {
	if !g.worthwhile() {
		return sweepPeriod
	}
	return max(sweepPeriod, time.Duration(g.pages)*time.Second/pagesPerSecond)
}

// worthwhile reports whether a sweep costs fewer calls than it saves.
func (g *group[O]) worthwhile() bool { return 2*max(g.pages, 1) <= len(g.tasks) }

// sweeping reports whether sweeps tell of the group's tasks at present.
func (g *group[O]) sweeping(now time.Time) bool {
	return !g.sweptAt.IsZero() && now.Sub(g.sweptAt) < 3*g.period()
}

// join adds a task to its group, or gives the group the newest way to ask.
func (e *Engine[O]) join(t *tracked[O]) {
	if t.Listing == nil || t.ended {
		return
	}
	key := t.Listing.key()
	g := e.groups[key]
	if g == nil {
		ctx, stop := context.WithCancel(e.ctx) //nolint:gosec // the group's end calls it
		g = &group[O]{key: key, stop: stop, tasks: map[*tracked[O]]struct{}{}, rows: map[string][]*tracked[O]{}}
		e.groups[key] = g
		e.work.Go(func() { e.sweepAll(ctx, g) })
	}
	g.lister = t.Listing.Lister
	g.lane = e.lane(key.lane, time.Now())
	if t.group == nil {
		t.group = g
		t.detail = &entry[O]{task: t, detail: true, index: -1}
		g.tasks[t] = struct{}{}
		g.rows[t.Row] = append(g.rows[t.Row], t)
	}
}

// sameListing reports whether a task stays in its place in its group.
func (t *tracked[O]) sameListing(task Task[O]) bool {
	if t.group == nil || task.Listing == nil {
		return t.group == nil
	}
	return t.group.key == task.Listing.key() && t.Row == task.Row
}

func (l *Listing[O]) key() groupKey { return groupKey{lane: l.Lane, scope: l.Scope} }

// unlist takes a task out of its group, if it is in one. Calls under way find
// that their entry is no longer the task's, and drop the answer.
func (e *Engine[O]) unlist(t *tracked[O]) {
	if t.group != nil {
		t.group.lane.queue.remove(t.detail)
		e.quit(t)
		t.membership = membership[O]{}
	}
}

// quit takes a task out of its group; the last one ends the group.
func (e *Engine[O]) quit(t *tracked[O]) {
	g := t.group
	delete(g.tasks, t)
	same := slices.DeleteFunc(g.rows[t.Row], func(x *tracked[O]) bool { return x == t })
	if g.rows[t.Row] = same; len(same) == 0 {
		delete(g.rows, t.Row)
	}
	if len(g.tasks) == 0 {
		g.stop()
		delete(e.groups, g.key)
	}
}

// sweepAll lists the group's tasks again and again while that is worth it.
func (e *Engine[O]) sweepAll(ctx context.Context, g *group[O]) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		began := time.Now()
		e.sweepOnce(ctx, g, began)
		e.mu.Lock()
		next := max(g.period()-time.Since(began), 0)
		e.mu.Unlock()
		timer.Reset(next)
	}
}

// sweepOnce lists the group's tasks once, if that is worth it: all the pages
// there were at once, then those that have come since.
func (e *Engine[O]) sweepOnce(ctx context.Context, g *group[O], began time.Time) {
	to, pace := e.planSweep(g, began)
	if to == 0 {
		return
	}
	for from := 0; from < to; {
		if e.readPages(ctx, g, pace, from, to) != nil {
			return
		}
		from, to = to, e.conclude(g, to, began)
	}
}

// planSweep returns how many pages to read at once, and at what pace: none if a
// sweep is not worth it, one a minute to see whether it has become so.
func (e *Engine[O]) planSweep(g *group[O], now time.Time) (pages int, pace *rate.Limiter) {
	e.mu.Lock()
	defer e.mu.Unlock()
	g.lane = e.lane(g.key.lane, now)
	pace = rate.NewLimiter(rate.Limit(g.lane.quota.rate()*sweepShare), sweepParallel)
	switch {
	case g.broken(now), e.gates[g.key.lane.Credential] != nil, len(g.tasks) < 2:
		return 0, pace
	case g.worthwhile():
		return max(g.pages, 1), pace
	case now.Sub(g.sizedAt) >= sizeInterval:
		return 1, pace
	}
	return 0, pace
}

// readPages reads some pages in parallel; it fails if one does not come.
func (e *Engine[O]) readPages(ctx context.Context, g *group[O], pace *rate.Limiter, from, to int) error {
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(sweepParallel)
	for n := from; n < to; n++ {
		calls.Go(func() error {
			p, ok := e.page(ctx, g, pace, n)
			if !ok {
				return errIncomplete
			}
			e.take(g, p.Rows)
			return nil
		})
	}
	return calls.Wait()
}

// page asks for one page of the listing; false if it did not come.
func (e *Engine[O]) page(ctx context.Context, g *group[O], pace *rate.Limiter, n int) (p Page[O], ok bool) {
	e.mu.Lock()
	lane, lister := g.lane, g.lister
	e.mu.Unlock()
	if pace.Wait(ctx) != nil || lane.quota.wait(ctx) != nil {
		return p, false
	}
	p = e.safePage(ctx, lister, n)
	if ctx.Err() != nil {
		return p, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	lane.learn(p.Class, now)
	switch p.Class {
	case Good:
		g.pages, g.sizedAt = p.Pages, now
	case Throttled, Unavailable:
	default:
		g.brokenUntil = now.Add(listingPause)
	}
	return p, p.Class == Good
}

// take takes in the rows of a page.
func (e *Engine[O]) take(g *group[O], rows []Row[O]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	for _, row := range rows {
		for _, t := range g.rows[row.Key] {
			e.contain(t, now, func() { e.settleRow(t, row.Observation, now) })
		}
	}
}

// safePage asks for a page, and turns a panic into a page that did not come.
func (e *Engine[O]) safePage(ctx context.Context, lister Lister[O], n int) (p Page[O]) {
	a := e.safely(ctx, func(ctx context.Context) Answer[O] {
		p = lister.Page(ctx, n)
		return Answer[O]{Class: p.Class}
	})
	p.Class = a.Class
	return p
}

// settleRow takes in that a task is listed as not ended, and puts its own
// question off: as long as sweeps go on, they tell. A first look that goes ahead
// is made all the same, since rows do not tell everything.
func (e *Engine[O]) settleRow(t *tracked[O], row O, now time.Time) {
	if t.ended || t.wants == ending {
		return
	}
	t.row, t.rowAt, t.listed, t.toldEnd = &row, now, true, false
	t.wants = progress
	e.observeRow(t, t.Listing.Lister.Merge(t.observation, row), now)
	t.group.lane.queue.remove(t.detail)
	lapse := now.Add(3 * t.group.period())
	if t.ask.rank != first && !t.pressed() && !e.blocked(t) {
		t.lane.queue.put(t.ask, regular, later(lapse, now.Add(e.interval(t, now))))
	}
}

// conclude draws what a sweep of so many pages proves, if it is complete: a task
// that was listed and is no longer has probably ended. Pages shift while they
// are read, so missing means "ask", never "ended". It returns how many pages are
// to be read: more, if the listing has grown and is still worth it.
func (e *Engine[O]) conclude(g *group[O], read int, began time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !g.worthwhile():
		return 0
	case g.pages > read:
		return g.pages
	}
	now := time.Now()
	g.sweptAt = began
	room := map[*lane[O]]float64{}
	for t := range g.tasks {
		if t.rowAt.Before(began) && t.at.Before(began.Add(-listingDelay)) {
			e.settleMissing(t, room, now)
		}
	}
	e.spendSpare(g, now)
	return 0
}

// settleMissing asks about a task that the listing no longer has. One that it
// never had, or that was found running since, keeps to its own times. What a
// lane cannot ask within a second, the listing is asked about, one by one.
func (e *Engine[O]) settleMissing(t *tracked[O], room map[*lane[O]]float64, now time.Time) {
	news := t.listed || t.askedAt.IsZero()
	if !news || t.ask.flying || t.pressed() || e.blocked(t) || t.wants != progress {
		return
	}
	t.listed = false
	if _, ok := room[t.lane]; !ok {
		room[t.lane] = t.lane.quota.rate() - float64(t.lane.queue.count(urgent, now))
	}
	if room[t.lane]--; room[t.lane] < 0 && t.known && !t.group.broken(now) {
		e.askListing(t, outcome, urgent, now)
		return
	}
	t.lane.put(t.ask, urgent, now)
}

// spendSpare asks about the listed tasks that were not asked about for longest,
// with what is left of the quota until the next sweep.
func (e *Engine[O]) spendSpare(g *group[O], now time.Time) {
	var idle []*tracked[O]
	for t := range g.tasks {
		if t.listed && t.ask.index >= 0 && now.Sub(later(t.askedAt, t.at)) >= spareInterval {
			idle = append(idle, t)
		}
	}
	if len(idle) == 0 {
		return
	}
	slices.SortFunc(idle, func(a, b *tracked[O]) int { return a.askedAt.Compare(b.askedAt) })
	l := idle[0].lane
	spare := int(l.quota.rate()*g.period().Seconds()) - l.queue.count(regular, now)
	for _, t := range idle[:max(min(spare, len(idle)), 0)] {
		t.lane.put(t.ask, regular, now)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
