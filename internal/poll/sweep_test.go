package poll

import (
	"fmt"
	"testing"
	"time"
)

func (c *cloud) addForeign(n int) {
	for i := range n {
		c.addJob(fmt.Sprint("foreign ", i), 100*time.Hour)
	}
}

func TestSweepWhereItIsWorthIt(t *testing.T) {
	cases := map[string]struct {
		reason        string
		watched, size int           // tasks, and tasks listed in all
		cadence       time.Duration // 0: not swept
	}{
		"One":     {"a lone task is looked at by itself", 1, 1, 0},
		"Two":     {"a page tells of both", 2, 2, 2 * time.Second},
		"Even":    {"four pages for eight tasks", 8, 400, 2 * time.Second},
		"Foreign": {"four pages for seven tasks", 7, 400, 0},
		"Many":    {"fifty pages a second", 300, 15000, 3 * time.Second},
		"TooMany": {"a hundred pages more than the tasks are worth", 300, 15100, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				c.addForeign(tc.size - tc.watched)
				for i := range tc.watched {
					tr.Track(tr.listed(c.addJob(fmt.Sprint(i), 100*time.Hour)))
				}
				time.Sleep(20 * time.Second)
				from := time.Now()
				time.Sleep(2 * time.Minute)
				n := c.tally(listAPI, from, of("page 0"))
				if tc.cadence == 0 {
					if n > 2 {
						t.Errorf("%s: its size was asked for %d times in two minutes", tc.reason, n)
					}
					return
				}
				if want := int(2 * time.Minute / tc.cadence); n < want-1 || n > want+1 {
					t.Errorf("%s: swept %d times in two minutes, want %d", tc.reason, n, want)
				}
				if n := c.tally(listAPI, from, anyCall); n > 120*pagesPerSecond+160 {
					t.Errorf("%s: %d pages in two minutes", tc.reason, n)
				}
				for i := range tc.watched {
					if s, _ := tr.Sighting(fmt.Sprint(i)); time.Since(s.Seen) > tc.cadence+time.Second {
						t.Fatalf("task %d seen %v ago", i, time.Since(s.Seen))
					}
				}
				if n := c.tally(infoAPI, from, anyCall); n > 2 {
					t.Errorf("%s: %d own questions while sweeps tell", tc.reason, n)
				}
			})
		})
	}
}

func TestSweepReadsPagesThatHaveCome(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		for i := range 100 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		time.Sleep(time.Minute)
		from := time.Now()
		c.addForeign(100) // newer ones come first
		time.Sleep(3 * time.Second)
		if n := c.tally(infoAPI, from, anyCall); n > 0 {
			t.Errorf("%d questions about tasks on a page that was not read", n)
		}
	})
}

func TestSweepTakesOverFromSingleLooks(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.page = func(int) (Page[saying], bool) { return Page[saying]{Class: Unavailable}, true }
		for i := range 100 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		single := func(l call) bool { return l.Key != "page 0" }
		time.Sleep(time.Minute)
		if n := c.tally(listAPI, time.Time{}, single); n < 500 {
			t.Errorf("%d looks in a minute without sweeps", n)
		}
		c.set(func() { c.page = nil })
		time.Sleep(2200 * time.Millisecond)
		from := time.Now()
		time.Sleep(time.Minute)
		if n := c.tally(listAPI, from, single); n > 5 {
			t.Errorf("%d looks in a minute of sweeps", n)
		}
	})
}

// A question that was under way when the task went missing may have come too
// early to tell of its end.
func TestMissingDuringItsOwnQuestion(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.hang["0"] = make(chan struct{})
		c.answer = func(key string) (Answer[saying], bool) {
			return Answer[saying]{Observation: saying{State: running}}, key == "0"
		}
		for i := range 10 {
			now := time.Now() // due every 100 s
			tr.Track(restored(tr.listed(c.add(&job{key: fmt.Sprint(i), start: now.Add(-10 * time.Hour), end: now.Add(time.Hour)}))))
		}
		time.Sleep(time.Minute)
		c.set(func() { c.jobs["0"].end = time.Now(); c.nextEnd = time.Now() })
		time.Sleep(7 * time.Second)
		close(c.hang["0"])
		c.set(func() { delete(c.hang, "0") })
		time.Sleep(time.Second / 10)
		c.sayTruth()
		time.Sleep(4 * time.Second)
		if l := tr.end("0"); l.Final.State != succeeded {
			t.Errorf("%+v 12 s after the end", l)
		}
	})
}

// A task that latest has found is asked about by itself, though a row of it comes
// first: rows do not tell everything.
func TestMovedTaskIsAskedDespiteItsRow(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		for i := range 10 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		moved := c.addJob("moved", time.Hour)
		tr.Track(tr.other(moved))
		time.Sleep(10 * time.Second)
		page := func(l call) bool { return l.Key == "page 0" }
		n := c.tally(listAPI, time.Time{}, page)
		for c.tally(listAPI, time.Time{}, page) == n {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(c.listRTT/2 - 10*time.Millisecond) // the rows come in 10 ms
		for i := range 3 {
			tr.Track(tr.task(c.addJob(fmt.Sprint("new ", i), time.Hour)))
		}
		time.Sleep(time.Millisecond) // the lane is busy
		tr.Track(tr.listed(moved))
		time.Sleep(2 * time.Second)
		if n := c.tally(infoAPI, time.Time{}, of("moved")); n == 0 {
			t.Error("it was not asked about by itself")
		}
	})
}

func TestNewTaskIsNotMissing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		tr.trackOld(1000)
		for i := range 400 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint("listed ", i), time.Hour)))
		}
		time.Sleep(99 * time.Second)
		for i := range 100 { // these use up the credit
			tr.Track(tr.task(c.addJob(fmt.Sprint("burst ", i), time.Hour)))
		}
		time.Sleep(750 * time.Millisecond) // sweeps are on even seconds
		from := time.Now()
		for i := range 100 {
			j := c.addJob(fmt.Sprint("new ", i), time.Hour)
			j.listedAt = from.Add(time.Second)
			tr.Track(tr.listed(j))
		}
		time.Sleep(2 * time.Second)
		if n := c.tally(infoAPI, from, func(l call) bool { return l.Key[0] == 'n' }); n > 0 {
			t.Errorf("%d new tasks were taken for missing", n)
		}
	})
}

func TestMissingIsAskedAheadOfEverything(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		tr.trackOld(1000) // the lane is a minute behind
		for i := range 100 {
			d := time.Hour
			if i == 0 {
				d = 5 * time.Minute
			}
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), d)))
		}
		time.Sleep(6 * time.Minute)
		l := tr.end("0")
		if lag := l.At.Sub(c.jobs["0"].end); l.Final.State != succeeded || lag > 3*time.Second {
			t.Errorf("learnt %v after the end: %+v", lag, l.Final)
		}
	})
}

func TestIncompleteSweepProvesNothing(t *testing.T) {
	for name, second := range map[string]func() Page[saying]{
		"Unavailable": func() Page[saying] { return Page[saying]{Class: Unavailable} },
		"Throttled":   func() Page[saying] { return Page[saying]{Class: Throttled} },
		"Panic":       func() Page[saying] { panic("odd page") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				now := time.Now()
				for i := range 200 { // due every 100 s
					tr.Track(restored(tr.listed(c.add(&job{key: fmt.Sprint(i), start: now.Add(-10 * time.Hour), end: now.Add(time.Hour)}))))
				}
				time.Sleep(30 * time.Second)
				c.set(func() {
					c.page = func(n int) (Page[saying], bool) {
						if n == 0 {
							return Page[saying]{Pages: 2}, true
						}
						return second(), true
					}
				})
				from := time.Now()
				time.Sleep(30 * time.Second)
				if n := c.tally(infoAPI, from, anyCall); n > 0 {
					t.Errorf("%d questions about tasks missing from half a listing", n)
				}
			})
		})
	}
}

func TestManyEndsAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		for i := range 600 {
			j := c.addJob(fmt.Sprint(i), 2*time.Minute)
			if i >= 500 {
				j.end = j.start.Add(time.Hour)
			}
			j.fails = i%20 == 0
			tr.Track(tr.listed(j))
		}
		time.Sleep(110 * time.Second)
		from := time.Now()
		time.Sleep(time.Minute)
		failures, last := 0, time.Duration(0)
		for i := range 500 {
			j := c.jobs[fmt.Sprint(i)]
			l := tr.end(j.key)
			if l.Final.State != j.outcome() {
				t.Fatalf("task %d: %+v", i, l)
			}
			last = max(last, l.At.Sub(j.end))
			if j.fails {
				failures++
			}
		}
		if last > 12*time.Second { // one by one it would be half a minute
			t.Errorf("the last of 500 ends was learnt after %v", last)
		}
		if n := c.tally(infoAPI, from, anyCall); n > failures+60 {
			t.Errorf("%d own questions, want the failures (%d) and what the lane can do in a second", n, failures)
		}
		if n := c.tally(infoAPI, from, rejected) + c.tally(listAPI, from, rejected); n > 0 {
			t.Errorf("%d calls rejected", n)
		}
	})
}

func TestRestart(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		now := time.Now()
		for i := range 10_000 {
			tr.Track(restored(tr.listed(c.add(&job{
				key: fmt.Sprint(i), start: now.Add(-time.Duration(i) * time.Second / 2), end: now.Add(time.Hour),
			}))))
		}
		time.Sleep(8 * time.Second)
		for i := range 10_000 {
			if s, _ := tr.Sighting(fmt.Sprint(i)); s.Seen.IsZero() || s.Fault != nil {
				t.Fatalf("task %d is not known again: %+v", i, s)
			}
		}
		if n := c.tally(infoAPI, time.Time{}, rejected) + c.tally(listAPI, time.Time{}, rejected); n > 0 {
			t.Errorf("%d calls rejected", n)
		}
	})
}

// BenchmarkRow is one row of a sweep in a lane of 10,000 tasks.
func BenchmarkRow(b *testing.B) {
	c := newCloud()
	tr := newTracker(c)
	defer tr.Close()
	g := &group[saying]{rows: map[string][]*tracked[saying]{}, tasks: map[*tracked[saying]]struct{}{}, pages: 100}
	l := newLane[saying](infoLane, 18, time.Now())
	g.lane = newLane[saying](listLane, 90, time.Now())
	for i := range 10_000 {
		key := fmt.Sprint(i)
		task := tr.listed(c.addJob(key, 100*time.Hour))
		task.Changed = func() {}
		tt := &tracked[saying]{Task: task, lane: l, ask: newEntry(key)}
		tt.group, tt.detail = g, newEntry(key)
		l.put(tt.ask, regular, time.Now().Add(time.Minute))
		g.rows[key], g.tasks[tt] = []*tracked[saying]{tt}, struct{}{}
	}
	rows := make([]Row[saying], perPage)
	for i := range rows {
		rows[i] = Row[saying]{fmt.Sprint(i * 97), saying{State: running}}
	}
	for b.Loop() {
		tr.take(g, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rows)), "ns/row")
}
