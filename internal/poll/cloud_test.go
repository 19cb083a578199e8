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
	infoAPI = "info"
	listAPI = "list"
	perPage = 100
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

func (s saying) Equal(o saying) bool { return s == o }

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

	mu       sync.Mutex
	jobs     map[string]*job
	order    []*job // by start
	calls    map[string]int
	rejected map[string]int
	window   map[string]counted

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
}

func newCloud() *cloud {
	return &cloud{
		rtt: 80 * time.Millisecond, listRTT: 200 * time.Millisecond,
		limit: map[string]int{infoAPI: 20, listAPI: 100},
		jobs:  map[string]*job{}, calls: map[string]int{}, rejected: map[string]int{},
		window: map[string]counted{}, hang: map[string]chan struct{}{},
	}
}

func (c *cloud) add(j *job) *job {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[j.key] = j
	c.order = append(c.order, j)
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
	c.calls[api]++
	c.log = append(c.log, call{api, key, time.Now()})
	limit, limited := c.limit[api]
	if !limited {
		return true
	}
	w := c.window[api]
	if s := time.Now().Unix(); s != w.second {
		w = counted{second: s}
	}
	w.n++
	c.window[api] = w
	if w.n > limit {
		c.rejected[api]++
		return false
	}
	return true
}

// askedAt returns when a question reached the cloud, since the start.
func (c *cloud) askedAt(api, key string) (at []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.log {
		if l.API == api && (key == "" || l.Key == key) {
			at = append(at, l.At)
		}
	}
	return at
}

var errCloud = errors.New("the cloud says no")

// ask is the own question of a task.
func (c *cloud) ask(key string) func(context.Context) Answer[saying] {
	return func(ctx context.Context) Answer[saying] {
		ok := c.arrive(ctx, infoAPI, key, c.rtt)
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
	now := time.Now()
	c.order = slices.DeleteFunc(c.order, func(j *job) bool { return !j.runs(now) })
	if !slices.IsSortedFunc(c.order, byStart) {
		slices.SortStableFunc(c.order, byStart)
	}
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

// tracker tracks jobs with an engine and notes what it learns of them.
type tracker struct {
	*Engine[saying]
	cloud *cloud

	mu      sync.Mutex
	changed map[string]int
	learned map[string]learned
}

// learned is how a task's life was seen.
type learned struct {
	First  time.Time // of the first answer
	At     time.Time // of the end
	Final  saying
	Looked int
}

func newTracker(c *cloud) *tracker {
	return &tracker{
		Engine: NewEngine[saying](Options{
			MinInterval: time.Second, MaxInterval: 10 * time.Second,
			Rate: func(api string) float64 { return map[string]float64{infoAPI: 18, listAPI: 90}[api] },
		}),
		cloud: c, changed: map[string]int{}, learned: map[string]learned{},
	}
}

var (
	infoLane = Lane{Credential: "alice", Host: "redis", API: infoAPI}
	listLane = Lane{Credential: "alice", Host: "redis", API: listAPI}
)

// task is how a job is tracked, by its key, in the usual lane without a listing.
func (tr *tracker) task(j *job) Task[saying] {
	return Task[saying]{
		ID: j.key, Lane: infoLane, Since: j.start, Ask: tr.cloud.ask(j.key),
		Changed: func() { go tr.reconcile(j.key) },
	}
}

// listed is how a job is tracked that is in the listing as well.
func (tr *tracker) listed(j *job) Task[saying] {
	t := tr.task(j)
	t.Row = j.key
	t.Listing = &Listing[saying]{Lane: listLane, Lister: lister{tr.cloud, j.key}}
	return t
}

// reconcile notes what is known of a task, and forgets one that has ended.
func (tr *tracker) reconcile(id string) {
	s, ok := tr.Sighting(id)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.changed[id]++
	l := tr.learned[id]
	if !ok || !l.At.IsZero() {
		return
	}
	if l.First.IsZero() {
		l.First = time.Now()
	}
	if s.Ended {
		l.At, l.Final = time.Now(), s.Observation
		tr.Forget(id)
	}
	tr.learned[id] = l
}

func (tr *tracker) end(id string) learned {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.learned[id]
}

func (tr *tracker) changes(id string) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.changed[id]
}
