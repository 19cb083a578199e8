package poll

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tracker tracks jobs with an engine and notes what it learns of them.
type tracker struct {
	*Engine[saying]
	cloud *cloud
	keep  bool // track tasks on that have ended

	mu      sync.Mutex
	changed map[string]int
	learned map[string]learned
}

// learned is how a task's life was seen.
type learned struct {
	First time.Time // of the first answer
	At    time.Time // of the end
	Final saying
}

// inBubble runs a test in simulated time.
func inBubble(t *testing.T, test func(t *testing.T, c *cloud, tr *tracker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		tr := newTracker(c)
		defer tr.Close()
		test(t, c, tr)
	})
}

func newTracker(c *cloud) *tracker {
	return &tracker{
		Engine: NewEngine[saying](Options{
			MinInterval: time.Second, MaxInterval: 10 * time.Second,
			Rate: func(api string) float64 { return map[string]float64{infoAPI: 18, otherAPI: 18, listAPI: 90}[api] },
		}),
		cloud: c, changed: map[string]int{}, learned: map[string]learned{},
	}
}

var (
	infoLane  = Lane{Credential: "alice", Host: "redis", API: infoAPI}
	otherLane = Lane{Credential: "alice", Host: "clb", API: otherAPI}
	listLane  = Lane{Credential: "alice", Host: "redis", API: listAPI}
)

// task is how a job is tracked, by its key, in the usual lane without a listing.
func (tr *tracker) task(j *job) Task[saying] {
	return Task[saying]{
		ID: j.key, Lane: infoLane, Since: j.start, Ask: tr.cloud.ask(infoAPI, j.key),
		Changed: func() { go tr.reconcile(j.key) },
	}
}

// other is how a job is tracked in another lane of the same credential.
func (tr *tracker) other(j *job) Task[saying] {
	t := tr.task(j)
	t.Lane, t.Ask = otherLane, tr.cloud.ask(otherAPI, j.key)
	return t
}

// restored is how a task is tracked that was known before a restart.
func restored(t Task[saying]) Task[saying] {
	t.Last = &saying{State: running}
	return t
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
		if !tr.keep {
			tr.Forget(id)
		}
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

// fault returns a task's fault without its error.
func (tr *tracker) fault(id string) Fault {
	s, _ := tr.Sighting(id)
	if s.Fault == nil {
		return Fault{}
	}
	f := *s.Fault
	f.Err = nil
	return f
}
