package poll

import (
	"fmt"
	"testing"
	"time"
)

// TestListingThatLies: whatever the listing says, every task's outcome is right
// and comes in time, and its own question is not asked too often.
func TestListingThatLies(t *testing.T) {
	const ownTimes = 12 * time.Second // the longest interval, and what the lane takes
	sweep := 0
	cases := map[string]struct {
		reason string
		lie    func(c *cloud)
		lag    time.Duration // at most
		calls  int           // of a task's own question, at most
	}{
		"Honest": {"nothing to defend against", func(*cloud) {}, 3500 * time.Millisecond, 4},
		"SkippedRows": {
			"rows move between pages while they are read",
			func(c *cloud) {
				c.page = func(n int) (Page[saying], bool) {
					sweep++
					p := c.honestPage(n)
					if len(p.Rows) > 0 {
						k := sweep % len(p.Rows)
						p.Rows = append(p.Rows[:k:k], p.Rows[k+1:]...)
					}
					return p, true
				}
			}, ownTimes, 20,
		},
		"Duplicates": {
			"rows come twice",
			func(c *cloud) {
				c.page = func(n int) (Page[saying], bool) {
					p := c.honestPage(n)
					p.Rows = append(p.Rows, p.Rows...)
					return p, true
				}
			}, 3500 * time.Millisecond, 4,
		},
		"ListedLate": {
			"a new task is not in the listing at first",
			func(c *cloud) {
				for _, j := range c.jobs {
					j.listedAt = j.start.Add(20 * time.Second)
				}
			}, 3600 * time.Millisecond, 22, // 60 tasks in turn, at 18 a second, and a few that are new
		},
		"Empty": {
			"the listing says that nothing is running",
			func(c *cloud) { c.page = func(int) (Page[saying], bool) { return Page[saying]{}, true } },
			ownTimes, 40,
		},
		"Huge": {
			"the listing says that it never ends",
			func(c *cloud) {
				c.page = func(n int) (Page[saying], bool) {
					p := c.honestPage(n)
					p.Pages = 1 << 60
					return p, true
				}
			}, ownTimes, 40,
		},
		"Negative": {
			"a size that cannot be",
			func(c *cloud) {
				c.page = func(n int) (Page[saying], bool) {
					p := c.honestPage(n)
					p.Pages = -1 << 60
					return p, true
				}
			}, ownTimes, 40,
		},
		"Growing": {
			"each page says that there is one more",
			func(c *cloud) {
				c.page = func(n int) (Page[saying], bool) {
					p := c.honestPage(n)
					p.Pages = n + 2
					return p, true
				}
			}, ownTimes, 40,
		},
		"Panic": {
			"a page that cannot be handled",
			func(c *cloud) { c.page = func(int) (Page[saying], bool) { panic("odd page") } },
			ownTimes, 40,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				for i := range 60 {
					j := c.addJob(fmt.Sprint(i), time.Duration(5+3*i)*time.Second)
					j.fails = i%3 == 0
				}
				for i := range 5 { // to the last there is something to sweep
					c.addJob(fmt.Sprint("long ", i), time.Hour)
				}
				tc.lie(c)
				for _, j := range c.order {
					tr.Track(tr.listed(j))
				}
				time.Sleep(5 * time.Minute)
				for i := range 60 {
					j := c.jobs[fmt.Sprint(i)]
					l := tr.end(j.key)
					if l.Final.State != j.outcome() {
						t.Errorf("%s: task %s is %+v, want %v", tc.reason, j.key, l.Final, j.outcome())
						continue
					}
					if lag := l.At.Sub(j.end); lag < 0 || lag > tc.lag {
						t.Errorf("%s: task %s learnt %v after its end", tc.reason, j.key, lag)
					}
					if j.calls > tc.calls {
						t.Errorf("%s: task %s asked about %d times", tc.reason, j.key, j.calls)
					}
				}
				if n := c.tally(listAPI, time.Time{}, anyCall); n > 5*60*30 {
					t.Errorf("%s: %d calls of the listing in 5 minutes", tc.reason, n)
				}
			})
		})
	}
}

func TestListedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		for i := range 200 {
			j := c.addJob(fmt.Sprint(i), 100*time.Hour)
			if i < 3 {
				j.end, j.stuck, j.fails = j.start.Add(time.Duration(i+1)*7*time.Minute), true, i == 2
			}
			tr.Track(tr.listed(j))
		}
		time.Sleep(45 * time.Minute)
		for i := range 3 {
			j := c.jobs[fmt.Sprint(i)]
			l := tr.end(j.key)
			if l.Final.State != j.outcome() {
				t.Errorf("task %d: %+v", i, l)
			}
			if lag := l.At.Sub(j.end); lag > spareInterval+15*time.Second {
				t.Errorf("task %d learnt %v after its end", i, lag)
			}
		}
		if n := c.jobs["100"].calls; n < 4 || n > 6 {
			t.Errorf("a running task was asked about %d times in 45 minutes, want each %v", n, spareInterval)
		}
	})
}
