package poll

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoneTaskIsListed(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		j := c.addJob("a", 100*time.Second)
		tr.Track(tr.listed(j))
		time.Sleep(52 * time.Second)
		s, _ := tr.Sighting("a")
		if s.Observation.Progress < 45 || s.Observation.Progress > 50 {
			t.Errorf("progress %d after 52 of 100 s", s.Observation.Progress)
		}
		for i, gap := range c.gaps(listAPI, "a") {
			if gap < detailInterval || gap > detailInterval+c.listRTT+time.Second {
				t.Errorf("look %d at the listing after %v, want %v", i+1, gap, detailInterval)
			}
		}
		time.Sleep(60 * time.Second)
		want := saying{State: succeeded, Progress: 100, End: j.end}
		if diff := cmp.Diff(want, tr.end("a").Final); diff != "" {
			t.Error("one last look tells when it ended:", diff)
		}
		if n := c.tally(listAPI, time.Time{}, of("page 0")); n != 0 {
			t.Errorf("a lone task was swept %d times", n)
		}
	})
}

func TestEndTimeIsWaitedForBriefly(t *testing.T) {
	type answer = Answer[saying]
	cases := map[string]struct {
		reason string
		detail func(*cloud)
		within time.Duration // of the end's being known, besides the interval
		told   bool          // when it ended
	}{
		"Honest":  {"one look more", func(*cloud) {}, 300 * time.Millisecond, true},
		"Hanging": {"finished anyway", func(c *cloud) { c.hang["a"] = make(chan struct{}) }, endingPatience, false},
		"Refused": {"a listing that is refused is not waited for", func(c *cloud) {
			c.detail = func(string) (answer, bool) { return answer{Class: Rejected, Err: errCloud}, true }
		}, 0, false},
		"Behind": {"a listing that still says running is asked once", func(c *cloud) {
			c.detail = func(string) (answer, bool) { return answer{Observation: saying{State: running, Progress: 95}}, true }
		}, 300 * time.Millisecond, false},
		"Throttled": {"asked until there is an answer", func(c *cloud) {
			n := 0
			c.detail = func(string) (answer, bool) { n++; return answer{Class: Throttled, Err: errCloud}, n <= 2 }
		}, endingPatience, true},
		"Panic": {"a fault of the listing is not the task's", func(c *cloud) {
			c.detail = func(string) (answer, bool) { panic("odd row") }
		}, 300 * time.Millisecond, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				j := c.addJob("a", 20*time.Second)
				task := tr.listed(j)
				task.Ask = c.ask(infoAPI, "a's own")
				c.jobs["a's own"] = j
				tr.Track(task)
				time.Sleep(17 * time.Second)
				c.set(func() { tc.detail(c) })
				time.Sleep(time.Minute)
				l := tr.end("a")
				if l.Final.State != succeeded || l.Final.End.IsZero() == tc.told {
					t.Errorf("%s: %+v", tc.reason, l.Final)
				}
				if lag := l.At.Sub(j.end); lag > tc.within+2100*time.Millisecond {
					t.Errorf("%s: learnt %v after the end", tc.reason, lag)
				}
			})
		})
	}
}

// A look that was under way when the end became known cannot tell of it.
func TestEndingLooksOnceMore(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		// The look of 6.5 to 7.7 s sees the task at 7.1 s, its own question at 7.35 s.
		c.rtt, c.listRTT = 300*time.Millisecond, 1200*time.Millisecond
		j := c.addJob("a", 7200*time.Millisecond)
		tr.Track(tr.listed(j))
		time.Sleep(20 * time.Second)
		if l := tr.end("a"); !l.Final.End.Equal(j.end) {
			t.Errorf("%+v, want the end %v", l.Final, j.end)
		}
	})
}

func TestBrokenListingIsLeftAlone(t *testing.T) {
	for _, class := range []Class{Rejected, Refused} {
		t.Run(fmt.Sprint(class), func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				c.page = func(int) (Page[saying], bool) { return Page[saying]{Class: class}, true }
				c.detail = func(string) (Answer[saying], bool) { return Answer[saying]{Class: class, Err: errCloud}, true }
				for i := range 100 {
					tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Duration(i)*time.Second)))
				}
				time.Sleep(10 * time.Minute)
				if n := c.tally(listAPI, time.Time{}, anyCall); n > 40 {
					t.Errorf("%d calls of a listing that is refused", n)
				}
				for i := range 100 {
					if l := tr.end(fmt.Sprint(i)); l.Final.State != succeeded {
						t.Errorf("task %d: %+v", i, l)
					}
				}
			})
		})
	}
}

func TestForbiddenSweepIsLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.page = func(int) (Page[saying], bool) { return Page[saying]{Class: Rejected}, true }
		for i := range 10 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		time.Sleep(10 * time.Minute)
		if n := c.tally(listAPI, time.Time{}, of("page 0")); n < 5 || n > 11 {
			t.Errorf("swept %d times in 10 minutes, want once a minute", n)
		}
	})
}

func TestUnansweredLooksAreNotRepeatedAtOnce(t *testing.T) {
	for _, class := range []Class{Absent, Unavailable, Unclear} {
		t.Run(fmt.Sprint(class), func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				c.detail = func(string) (Answer[saying], bool) { return Answer[saying]{Class: class, Err: errCloud}, true }
				tr.Track(tr.listed(c.addJob("a", time.Hour)))
				time.Sleep(100 * time.Second)
				if n := c.tally(listAPI, time.Time{}, anyCall); n < 15 || n > 21 {
					t.Errorf("%d looks in 100 s, want one every %v", n, detailInterval)
				}
				s, _ := tr.Sighting("a")
				if s.Ended || s.Fault != nil || s.Observation.State != running {
					t.Errorf("Sighting %+v, want running: only its own question ends a task", s)
				}
			})
		})
	}
}

func TestTrackWithAnotherListing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		j := c.addJob("a", time.Minute)
		task := tr.listed(j)
		task.Row = "not yet known"
		tr.Track(task)
		time.Sleep(10 * time.Second)
		tr.Track(tr.listed(j))
		time.Sleep(10 * time.Second)
		tr.Track(tr.task(j)) // and none at all
		time.Sleep(5 * time.Second)
		from := time.Now()
		tr.Track(tr.listed(j))
		time.Sleep(20 * time.Second)
		if n := c.tally(listAPI, from, of("a")); n < 3 {
			t.Errorf("listed %d times in 20 s", n)
		}
		time.Sleep(time.Minute)
		if l := tr.end("a"); l.Final.State != succeeded || l.Final.End.IsZero() {
			t.Errorf("%+v", l.Final)
		}
		tr.Engine.mu.Lock()
		defer tr.Engine.mu.Unlock()
		if len(tr.groups) != 0 {
			t.Error("a group outlived its tasks")
		}
	})
}

func TestRowsLeaveARejectionAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.sayAlways(Rejected)
		for i := range 10 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		time.Sleep(time.Minute)
		for i := range 10 {
			if f := tr.fault(fmt.Sprint(i)); f.Class != Rejected {
				t.Errorf("task %d: fault %+v, want rejected", i, f)
			}
		}
		c.sayAlways(Unavailable)
		time.Sleep(personInterval + 3*time.Second)
		for i := range 10 {
			if f := tr.fault(fmt.Sprint(i)); f.Class != Good {
				t.Errorf("task %d: fault %+v, though the listing tells of it", i, f)
			}
		}
	})
}
