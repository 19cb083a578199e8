package poll

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"
)

// errPanic is what a task's tracker learns of a panic; the stack is for the log.
var errPanic = errors.New("the answer could not be handled: a fault of the operator, see its log")

// Options say how often to ask at most.
type Options struct {
	// MinInterval and MaxInterval bound the time between two looks at a task
	// that is younger than an hour.
	MinInterval, MaxInterval time.Duration
	// Rate returns the calls a second that a lane makes of an API.
	Rate func(api string) float64
	// Panicked is told of a panic in a question, with its stack.
	Panicked func(value any, stack []byte)
}

// Engine asks the cloud about tracked tasks when they are due. All methods may
// be called by several goroutines at once.
type Engine[O Observation[O]] struct {
	options Options
	ctx     context.Context // of all calls; ended by Close
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu     sync.Mutex
	tasks  map[string]*tracked[O]
	lanes  map[Lane]*lane[O]
	gates  map[string]*gate // by credential, while it is refused
	groups map[groupKey]*group[O]
}

// NewEngine returns an engine that works until Close.
func NewEngine[O Observation[O]](options Options) *Engine[O] {
	ctx, cancel := context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	return &Engine[O]{
		options: options, ctx: ctx, cancel: cancel,
		tasks:  map[string]*tracked[O]{},
		lanes:  map[Lane]*lane[O]{},
		gates:  map[string]*gate{},
		groups: map[groupKey]*group[O]{},
	}
}

// Close abandons all calls and waits until none is left. Changed is not called
// after it.
func (e *Engine[O]) Close() {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	e.work.Wait()
}

// Track asks about a task from now on. A task that is tracked already keeps its
// place, with the new questions; in another lane, or listed otherwise, it is
// asked about at once. One that has ended is never asked about again.
func (e *Engine[O]) Track(task Task[O]) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return
	}
	now := time.Now()
	t := e.tasks[task.ID]
	switch {
	case t == nil:
		t = e.begin(task, now)
	case t.ended:
		return
	case t.Lane != task.Lane:
		e.leave(t)
		t.Task = task
		r := urgent
		if e.lane(task.Lane, now).spend(now) { // as with a new task, no row takes its first look
			r = first
		}
		e.enter(t, r, now)
	case !t.sameListing(task):
		e.unlist(t)
		t.Task = task
		t.lane.put(t.ask, urgent, now)
	default:
		t.Task = task
	}
	e.join(t)
}

// Forget asks no more about a task; an answer under way is dropped.
func (e *Engine[O]) Forget(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if t := e.tasks[id]; t != nil {
		e.leave(t)
		delete(e.tasks, id)
	}
}

// Hasten asks about a tracked task now, ahead of everything; if a call is under
// way, once more after it. Nothing but an answer takes that back.
func (e *Engine[O]) Hasten(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[id]
	if t == nil || t.ended || t.pressed() && !t.ask.flying {
		return
	}
	t.pressedAt = time.Now()
	t.lane.put(t.ask, urgent, t.pressedAt)
}

// Sighting returns what is known of a task, and whether it is tracked.
func (e *Engine[O]) Sighting(id string) (Sighting[O], bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.tasks[id]
	if t == nil {
		return Sighting[O]{}, false
	}
	return t.sighting(), true
}

// begin takes a task in that was not tracked before.
func (e *Engine[O]) begin(task Task[O], now time.Time) *tracked[O] {
	t := &tracked[O]{Task: task, at: now}
	e.tasks[task.ID] = t
	switch {
	case task.Last != nil:
		t.observation, t.known = *task.Last, true
		e.enter(t, regular, now)
	case e.lane(task.Lane, now).spend(now):
		e.enter(t, first, now)
	default:
		e.enter(t, regular, now.Add(e.youth(t, now)))
	}
	return t
}

// enter gives a task its place in its lane.
func (e *Engine[O]) enter(t *tracked[O], r rank, due time.Time) {
	now := time.Now()
	t.lane = e.lane(t.Lane, now)
	t.ask = &entry[O]{task: t, index: -1}
	t.lane.put(t.ask, r, due)
	if g := e.gates[t.Lane.Credential]; g != nil {
		t.fail(Refused, g.err, now, now)
		t.Changed()
	}
}

// leave takes a task out of its lanes and its group. Calls under way find that
// their entry is no longer the task's, and drop the answer.
func (e *Engine[O]) leave(t *tracked[O]) {
	t.lane.queue.remove(t.ask)
	t.ask = nil
	e.unlist(t)
}

// lane returns the lane of a quota, with a goroutine that serves it.
func (e *Engine[O]) lane(key Lane, now time.Time) *lane[O] {
	l := e.lanes[key]
	if l == nil {
		l = newLane[O](key, e.options.Rate(key.API), now)
		e.lanes[key] = l
		e.work.Go(func() { e.serve(e.ctx, l) })
	}
	l.usedAt = now
	return l
}

// look makes one call and takes its answer in.
func (e *Engine[O]) look(ctx context.Context, l *lane[O], en *entry[O]) {
	began := time.Now()
	a := e.safely(ctx, e.question(en))
	if ctx.Err() != nil {
		return
	}

	e.mu.Lock()
	defer e.mu.Unlock()
	en.flying = false
	l.flying--
	now := time.Now()
	l.learn(a.Class, now)
	t := en.task
	switch en {
	case t.ask:
		e.judge(l.key.Credential, a, now)
		e.contain(t, now, func() { e.settle(t, a, began, now) })
	case t.detail:
		e.contain(t, now, func() { e.settleDetail(t, a, began, now) })
	}
}

// question returns what an entry asks.
func (e *Engine[O]) question(en *entry[O]) func(context.Context) Answer[O] {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !en.detail || en != en.task.detail {
		return en.task.Ask
	}
	lister, seen := en.task.Listing.Lister, en.task.observation
	return func(ctx context.Context) Answer[O] { return lister.Detail(ctx, seen) }
}

// learn adapts the lane to how a call was received.
func (l *lane[O]) learn(class Class, now time.Time) {
	l.usedAt = now
	switch class {
	case Throttled:
		l.quota.cut(now)
	case Unavailable:
	default:
		l.quota.accepted(now)
		l.goodAt = now
	}
}

// safely asks, and turns a panic into that task's own fault.
func (e *Engine[O]) safely(ctx context.Context, question func(context.Context) Answer[O]) (a Answer[O]) {
	defer func() {
		if e.panicked(recover()) {
			a = Answer[O]{Class: Unavailable, Err: errPanic}
		}
	}()
	return question(ctx)
}

// contain takes an answer in, and turns a panic into that task's own fault.
func (e *Engine[O]) contain(t *tracked[O], now time.Time, settle func()) {
	defer func() {
		if e.panicked(recover()) {
			t.fail(Unavailable, errPanic, now, now)
			t.lane.put(t.ask, regular, now.Add(e.retry(t, Unavailable, now)))
			t.Changed()
		}
	}()
	settle()
}

// panicked reports a panic, if there was one.
func (e *Engine[O]) panicked(value any) bool {
	if value == nil {
		return false
	}
	if e.options.Panicked != nil {
		e.options.Panicked(value, debug.Stack())
	}
	return true
}
