package poll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	infoAPI  = "info"
	otherAPI = "other"
	listAPI  = "list"
	perPage  = 100
)

type state int

const (
	unknown state = iota
	running
	succeeded
	failed
)

// saying is the observation of the tests.
type saying struct {
	State    state
	Progress int
	End      time.Time
}

// cursed is a state that nobody can look at.
const cursed state = 99

func (s saying) Equal(o saying) bool {
	if s.State == cursed {
		panic("odd answer")
	}
	return s == o
}

// job is a task in the simulated cloud.
type job struct {
	key        string
	start, end time.Time
	fails      bool
	listedAt   time.Time // when it appears in the listing
	stuck      bool      // listed as running for ever
	calls      int       // of its own question
}

// cloud is a simulated cloud that counts calls by API and calendar second.
type cloud struct {
	rtt, listRTT time.Duration
	limit        map[string]int // calls a calendar second; none: unlimited

	mu      sync.Mutex
	jobs    map[string]*job
	order   []*job // running, by start once sorted
	sorted  bool
	nextEnd time.Time // the earliest of them
	window  map[string]counted

	// The lies and faults of a test; they replace the honest answer.
	answer func(key string) (Answer[saying], bool)
	page   func(n int) (Page[saying], bool)
	detail func(key string) (Answer[saying], bool)
	// hang holds calls until it is closed.
	hang map[string]chan struct{}
	log  []call
}

type counted struct {
	second int64
	n      int
}

// call is one question that reached the cloud.
type call struct {
	API, Key string
	At       time.Time
	OK       bool // within the quota
}

func newCloud() *cloud {
	return &cloud{
		rtt: 80 * time.Millisecond, listRTT: 200 * time.Millisecond,
		limit: map[string]int{infoAPI: 20, listAPI: 100},
		jobs:  map[string]*job{}, window: map[string]counted{}, hang: map[string]chan struct{}{},
	}
}

func (c *cloud) add(j *job) *job {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[j.key] = j
	c.order, c.sorted, c.nextEnd = append(c.order, j), false, time.Time{}
	return j
}

// addJob adds a task that begins now.
func (c *cloud) addJob(key string, d time.Duration) *job {
	now := time.Now()
	return c.add(&job{key: key, start: now, end: now.Add(d)})
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// arrive counts a call against the quota after half a round trip; false if the
// quota is used up.
func (c *cloud) arrive(ctx context.Context, api, key string, rtt time.Duration) bool {
	sleep(ctx, rtt/2)
	c.mu.Lock()
	held := c.hang[key]
	c.mu.Unlock()
	if held != nil {
		select {
		case <-ctx.Done():
		case <-held:
		}
	}
	return c.count(api, key)
}

func (c *cloud) count(api, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.window[api]
	if s := time.Now().Unix(); s != w.second {
		w = counted{second: s}
	}
	w.n++
	c.window[api] = w
	limit, limited := c.limit[api]
	ok := !limited || w.n <= limit
	c.log = append(c.log, call{api, key, time.Now(), ok})
	return ok
}

// tally counts the calls of an API from a time on that match.
func (c *cloud) tally(api string, from time.Time, matches func(call) bool) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.log {
		if l.API == api && !l.At.Before(from) && matches(l) {
			n++
		}
	}
	return n
}

func anyCall(call) bool { return true }

func rejected(l call) bool { return !l.OK }

func of(key string) func(call) bool { return func(l call) bool { return l.Key == key } }

// gaps returns the times between the calls about a key.
func (c *cloud) gaps(api, key string) (gaps []time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var last time.Time
	for _, l := range c.log {
		if l.API != api || l.Key != key {
			continue
		}
		if !last.IsZero() {
			gaps = append(gaps, l.At.Sub(last))
		}
		last = l.At
	}
	return gaps
}

// set changes what the cloud does while calls go on.
func (c *cloud) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

var errCloud = errors.New("the cloud says no")

// ask is the own question of a task.
func (c *cloud) ask(api, key string) func(context.Context) Answer[saying] {
	return func(ctx context.Context) Answer[saying] {
		ok := c.arrive(ctx, api, key, c.rtt)
		a := c.tell(key, ok)
		sleep(ctx, c.rtt/2)
		return a
	}
}

func (c *cloud) tell(key string, ok bool) Answer[saying] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		return Answer[saying]{Class: Throttled, Err: errCloud}
	}
	if c.answer != nil {
		if a, lie := c.answer(key); lie {
			return a
		}
	}
	j := c.jobs[key]
	if j == nil {
		return Answer[saying]{Class: Absent, Err: errCloud}
	}
	j.calls++
	a := Answer[saying]{Start: j.start, Observation: saying{State: running}}
	if !time.Now().Before(j.end) {
		a.Ended = true
		a.Observation.State = j.outcome()
	}
	return a
}

func (j *job) outcome() state {
	if j.fails {
		return failed
	}
	return succeeded
}

func (j *job) runs(now time.Time) bool { return now.Before(j.end) || j.stuck }

// done is how many percent of a task are done, in steps of 5.
func (j *job) done(now time.Time) int {
	return int(20*now.Sub(j.start)/j.end.Sub(j.start)) * 5
}

// Page is for Lister.
func (c *cloud) Page(ctx context.Context, n int) Page[saying] {
	ok := c.arrive(ctx, listAPI, fmt.Sprint("page ", n), c.listRTT)
	p := c.listPage(n, ok)
	sleep(ctx, c.listRTT/2)
	return p
}

func (c *cloud) listPage(n int, ok bool) Page[saying] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		return Page[saying]{Class: Throttled}
	}
	if c.page != nil {
		if p, lie := c.page(n); lie {
			return p
		}
	}
	return c.honestPage(n)
}

func (c *cloud) honestPage(n int) Page[saying] {
	now := time.Now()
	c.refresh(now)
	i := len(c.order)
	for i > 0 && c.order[i-1].listedAt.After(now) {
		i-- // listed late: only the newest are
	}
	listed := c.order[:i]
	p := Page[saying]{Pages: (len(listed) + perPage - 1) / perPage}
	for k := range perPage { // newest first
		if i := len(listed) - 1 - n*perPage - k; i >= 0 {
			p.Rows = append(p.Rows, Row[saying]{listed[i].key, listed[i].row(now)})
		}
	}
	return p
}

// refresh takes ended jobs out of the order, if there can be any.
func (c *cloud) refresh(now time.Time) {
	if !c.sorted {
		slices.SortStableFunc(c.order, byStart)
		c.sorted = true
	}
	if now.Before(c.nextEnd) {
		return
	}
	c.nextEnd = now.Add(time.Hour)
	c.order = slices.DeleteFunc(c.order, func(j *job) bool {
		if j.runs(now) && !j.stuck && j.end.Before(c.nextEnd) {
			c.nextEnd = j.end
		}
		return !j.runs(now)
	})
}

func byStart(a, b *job) int { return cmp.Compare(a.start.UnixNano(), b.start.UnixNano()) }

func (j *job) row(now time.Time) saying {
	if j.runs(now) {
		return saying{State: running, Progress: min(j.done(now), 95)}
	}
	return saying{State: j.outcome(), Progress: 100, End: j.end}
}

// lister is the listing of a cloud as one task sees it: saying has no instance
// to look for, so the task's key stands for it.
type lister struct {
	*cloud
	key string
}

// Detail is for Lister.
func (l lister) Detail(ctx context.Context, _ saying) Answer[saying] {
	ok := l.arrive(ctx, listAPI, l.key, l.listRTT)
	a := l.tellRow(l.key, ok)
	sleep(ctx, l.listRTT/2)
	return a
}

func (c *cloud) tellRow(key string, ok bool) Answer[saying] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		return Answer[saying]{Class: Throttled, Err: errCloud}
	}
	if c.detail != nil {
		if a, lie := c.detail(key); lie {
			return a
		}
	}
	j := c.jobs[key]
	now := time.Now()
	if j == nil || j.listedAt.After(now) {
		return Answer[saying]{Class: Absent, Err: errCloud}
	}
	a := Answer[saying]{Observation: j.row(now), Ended: !j.runs(now)}
	if a.Ended && j.fails {
		a.Class, a.Ended = Unclear, false
	}
	return a
}

// Merge is for Lister.
func (l lister) Merge(seen, row saying) saying {
	if seen.State == succeeded || seen.State == failed {
		row.State = seen.State
	}
	return row
}
