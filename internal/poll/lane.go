package poll

import (
	"container/heap"
	"context"
	"time"
)

const (
	// firstShare of a lane's calls may be first looks ahead of their turn, in
	// bursts of up to maxCredit. Every new task takes a credit, into debt too, so
	// that a lane to which more come than that lets all of them wait in line: a
	// first look learns next to nothing, and near saturation each one that goes
	// ahead delays the look that would have found an end. Strict priority even
	// collapses there.
	firstShare = 0.2
	maxCredit  = 36
	maxDebt    = 12
	// laneIdle is how long an unused lane keeps its place in the quota.
	laneIdle = time.Minute
	// laneDead is how long a lane may be without a good answer until its
	// failing tasks are asked about less often.
	laneDead = time.Minute
)

// lane is the work on one quota. Its fields are guarded by the engine's lock.
type lane[O Observation[O]] struct {
	key     Lane
	quota   *quota
	queue   entries[O]
	credit  float64 // first looks that may go ahead of their turn
	spentAt time.Time
	goodAt  time.Time
	usedAt  time.Time
	flying  int // calls under way, but for sweeps
	wake    chan struct{}
}

func newLane[O Observation[O]](key Lane, ceiling float64, now time.Time) *lane[O] {
	return &lane[O]{
		key: key, quota: newQuota(ceiling), credit: maxCredit,
		spentAt: now, goodAt: now, usedAt: now, wake: make(chan struct{}, 1),
	}
}

// put places an entry in the lane's order.
func (l *lane[O]) put(e *entry[O], r rank, due time.Time) {
	l.queue.put(e, r, due)
	l.poke()
}

// poke makes the lane look at its order again.
func (l *lane[O]) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// spend takes the credit for a new task, and reports whether its first look may
// go ahead of its turn.
func (l *lane[O]) spend(now time.Time) bool {
	earned := firstShare * l.quota.rate() * now.Sub(l.spentAt).Seconds()
	l.spentAt = now
	l.credit = max(min(l.credit+earned, maxCredit)-1, -maxDebt)
	return l.credit >= 0
}

// serve makes the lane's calls until the context ends or the lane is idle.
func (e *Engine[O]) serve(ctx context.Context, l *lane[O]) {
	for e.awaitDue(ctx, l) {
		if l.quota.wait(ctx) != nil {
			return
		}
		if en := e.next(l); en != nil {
			e.work.Go(func() { e.look(ctx, l, en) })
		}
	}
}

// awaitDue waits until the lane has something to ask; it reports false when the
// lane's work is over.
func (e *Engine[O]) awaitDue(ctx context.Context, l *lane[O]) bool {
	for {
		delay, over := e.delay(l)
		if over {
			return false
		}
		if delay <= 0 {
			return true
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false
		case <-l.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// delay returns the time until the lane's next call; it retires an idle lane.
func (e *Engine[O]) delay(l *lane[O]) (delay time.Duration, over bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if len(l.queue) == 0 {
		idle := l.usedAt.Add(laneIdle).Sub(now)
		if l.flying > 0 {
			idle = laneIdle
		}
		if idle <= 0 {
			e.retire(l)
			return 0, true
		}
		return idle, false
	}
	due := l.queue[0].due
	if g := e.gates[l.key.Credential]; g != nil && g.next.After(due) {
		due = g.next
	}
	return due.Sub(now), false
}

// retire forgets a lane, and with a credential's last lane its gate.
func (e *Engine[O]) retire(l *lane[O]) {
	delete(e.lanes, l.key)
	for key := range e.lanes {
		if key.Credential == l.key.Credential {
			return
		}
	}
	delete(e.gates, l.key.Credential)
}

// next takes what is to be asked now out of the lane's order, nil if nothing is.
func (e *Engine[O]) next(l *lane[O]) *entry[O] {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	g := e.gates[l.key.Credential]
	for len(l.queue) > 0 && !l.queue[0].due.After(now) {
		head := l.queue[0]
		if until := head.heldUntil(g, now); until.After(now) {
			l.queue.put(head, regular, until)
			continue
		}
		if g != nil && !g.admit(now) {
			return nil
		}
		heap.Pop(&l.queue)
		head.flying = true
		l.flying++
		l.usedAt = now
		return head
	}
	return nil
}

// heldUntil is when a look at the listing may be made. While the credential is
// refused there is none, since what the listing says of it proves nothing, and
// while the listing is refused one a minute serves all.
func (en *entry[O]) heldUntil(g *gate, now time.Time) time.Time {
	switch {
	case !en.detail:
		return now
	case g != nil:
		return later(g.next, now).Add(time.Second)
	default:
		return en.task.group.brokenUntil
	}
}
