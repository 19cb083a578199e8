package poll

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCadence(t *testing.T) {
	cases := map[string]struct {
		reason string
		age    time.Duration // of the task when it is tracked
		start  time.Duration // what the cloud says of its age; 0: nothing
		want   []time.Duration
	}{
		"New": {
			"the second look at two seconds, then every second",
			0, 0,
			[]time.Duration{2 * time.Second, time.Second, time.Second},
		},
		"HalfAMinute": {
			"a tenth of the age",
			30 * time.Second, 0,
			[]time.Duration{3 * time.Second, 3300 * time.Millisecond, 3630 * time.Millisecond},
		},
		"Ten":   {"ten seconds at most", 10 * time.Minute, 0, []time.Duration{10 * time.Second, 10 * time.Second}},
		"Hours": {"old tasks less often", 10 * time.Hour, 0, []time.Duration{100 * time.Second, 100*time.Second + 100*time.Second/360}},
		"Start": {
			"age counts from the cloud's start",
			0, 50 * time.Second,
			[]time.Duration{5 * time.Second, 5500 * time.Millisecond},
		},
		"Future": {
			"a start in the future is none",
			30 * time.Second, -time.Hour,
			[]time.Duration{3 * time.Second, 3300 * time.Millisecond},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				c.rtt = 0
				j := c.addJob("a", 100*time.Hour)
				var start time.Time
				if tc.start != 0 {
					start = time.Now().Add(-tc.start)
				}
				c.answer = func(string) (Answer[saying], bool) {
					return Answer[saying]{Start: start, Observation: saying{State: running}}, true
				}
				task := tr.task(j)
				task.Since = time.Now().Add(-tc.age)
				tr.Track(task)
				time.Sleep(10 * time.Minute)
				got := c.gaps(infoAPI, "a")[:len(tc.want)]
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("%s:%s", tc.reason, diff)
				}
			})
		})
	}
}

func TestEndedIsNeverAskedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		tr.keep = true
		j := c.addJob("a", 30*time.Second)
		tr.Track(tr.task(j))
		time.Sleep(40 * time.Second)
		s, ok := tr.Sighting("a")
		if !ok || !s.Ended || s.Observation.State != succeeded {
			t.Fatalf("Sighting = %+v, %v; want the end", s, ok)
		}
		if n := tr.changes("a"); n != 2 {
			t.Errorf("Changed called %d times, want for the first answer and the end", n)
		}
		end := time.Now()
		tr.Track(tr.task(j))
		tr.Track(tr.other(j))
		tr.Hasten("a")
		time.Sleep(time.Hour)
		if n := c.tally(infoAPI, end, anyCall) + c.tally(otherAPI, end, anyCall); n != 0 {
			t.Errorf("asked %d times after the end", n)
		}
	})
}

func TestHangingCallDelaysNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.hang["hanging"] = make(chan struct{})
		tr.Track(tr.task(c.addJob("hanging", time.Hour)))
		for i := range 5 {
			tr.Track(tr.task(c.addJob(fmt.Sprint("same ", i), time.Hour)))
			tr.Track(tr.other(c.addJob(fmt.Sprint("other ", i), time.Hour)))
		}
		time.Sleep(10 * time.Second)
		for i := range 5 {
			for api, key := range map[string]string{infoAPI: "same ", otherAPI: "other "} {
				key = fmt.Sprint(key, i)
				if n := c.tally(api, time.Time{}, of(key)); n < 8 {
					t.Errorf("%s: asked %d times in 10 s", key, n)
				}
			}
		}
		if n := c.tally(infoAPI, time.Time{}, of("hanging")); n != 0 {
			t.Errorf("the hanging task was asked about %d times at once", n+1)
		}
		time.Sleep(10 * time.Minute) // far longer than an idle lane lives
		for i := range 5 {
			tr.Forget(fmt.Sprint("same ", i))
		}
		time.Sleep(10 * time.Minute)
		close(c.hang["hanging"])
		c.set(func() { delete(c.hang, "hanging") })
		from := time.Now()
		time.Sleep(time.Minute)
		if n := c.tally(infoAPI, from, of("hanging")); n < 4 {
			t.Errorf("asked %d times in the minute after the hanging call came back", n)
		}
	})
}

func TestThrottledLaneDelaysNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.limit[otherAPI] = 0
		for i := range 50 {
			tr.Track(tr.other(c.addJob(fmt.Sprint("throttled ", i), time.Hour)))
		}
		tr.Track(tr.task(c.addJob("a", time.Hour)))
		time.Sleep(10 * time.Second)
		if n := c.tally(infoAPI, time.Time{}, anyCall); n < 8 {
			t.Errorf("asked %d times in 10 s", n)
		}
		if f := tr.fault("throttled 0"); f.Class != Throttled {
			t.Errorf("fault %+v, want throttled", f)
		}
		if n := c.tally(otherAPI, time.Now().Add(-5*time.Second), anyCall); n > 50 {
			t.Errorf("%d calls in 5 s on a quota that rejects all", n)
		}
	})
}

func TestPanicIsThatTasksFault(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		var told any
		tr.options.Panicked = func(v any, _ []byte) { told = v }
		task := tr.task(c.addJob("bad", time.Hour))
		task.Ask = func(context.Context) Answer[saying] { panic("odd answer") }
		tr.Track(task)
		tr.Track(tr.task(c.addJob("good", 5*time.Second)))
		time.Sleep(20 * time.Second)
		if f := tr.fault("bad"); f.Class != Unavailable || f.Count < 3 {
			t.Errorf("fault %+v, want unavailable several times", f)
		}
		if told != "odd answer" {
			t.Errorf("Panicked was told %v", told)
		}
		if l := tr.end("good"); l.Final.State != succeeded {
			t.Errorf("the other task: %+v", l)
		}
	})
}

// The answer came, and cannot be taken in.
func TestPanicOverAnAnswerIsThatTasksFault(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		panics := 0
		tr.options.Panicked = func(any, []byte) { panics++ }
		odd := saying{State: cursed}
		c.answer = func(key string) (Answer[saying], bool) { return Answer[saying]{Observation: odd}, key == "asked" }
		c.page = func(int) (Page[saying], bool) {
			return Page[saying]{Pages: 1, Rows: []Row[saying]{{Key: "listed", Observation: odd}, {Key: "good", Observation: saying{State: running}}}}, true
		}
		for _, key := range []string{"asked", "listed", "good"} {
			tr.Track(tr.listed(c.addJob(key, 15*time.Second)))
		}
		time.Sleep(10 * time.Second)
		if n := c.tally(infoAPI, time.Time{}, func(l call) bool { return l.Key == "asked" }); n < 4 {
			t.Errorf("asked %d times, want on and on", n)
		}
		if s, _ := tr.Sighting("good"); s.Fault != nil || s.Observation.State != running {
			t.Errorf("the other task: %+v", s)
		}
		if panics < 4 {
			t.Errorf("Panicked was told of %d, want those of the question and of the rows", panics)
		}
		c.sayTruth()
		c.set(func() { c.page = nil })
		time.Sleep(30 * time.Second)
		for _, key := range []string{"asked", "listed", "good"} {
			if l := tr.end(key); l.Final.State != succeeded {
				t.Errorf("%s: %+v after its end", key, l)
			}
		}
	})
}

func TestForgetDropsTheAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		j := c.addJob("a", time.Hour)
		tr.Track(tr.task(j))
		tr.Forget("a")
		tr.Forget("a")
		time.Sleep(time.Second)
		if _, ok := tr.Sighting("a"); ok || tr.changes("a") != 0 {
			t.Error("a forgotten task changed")
		}
		tr.Track(tr.task(j))
		time.Sleep(c.rtt / 4)
		tr.Forget("a") // its call is under way
		time.Sleep(time.Minute)
		if n := c.tally(infoAPI, time.Time{}, anyCall); n != 1 || tr.changes("a") != 0 {
			t.Errorf("asked %d times, changed %d times; want 1, 0", n, tr.changes("a"))
		}
	})
}

func TestTrackInAnotherLane(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.hang["old"] = make(chan struct{})
		old := c.addJob("old", 0)
		old.fails = true
		task := tr.task(old)
		task.ID = "a"
		tr.Track(task)
		time.Sleep(time.Second)

		from := time.Now()
		task = tr.other(c.addJob("new", time.Hour))
		task.ID = "a"
		tr.Track(task)
		time.Sleep(c.rtt)
		synctest.Wait()
		if n := c.tally(otherAPI, from, of("new")); n != 1 {
			t.Fatalf("asked %d times in the new lane, want at once", n)
		}
		close(c.hang["old"])
		time.Sleep(5 * time.Second)
		s, _ := tr.Sighting("a")
		if diff := cmp.Diff(saying{State: running}, s.Observation); diff != "" || s.Ended {
			t.Error("the old question's answer was taken in:", diff)
		}
	})
}

func TestTrackAgainKeepsThePlace(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		j := c.addJob("a", time.Hour)
		task := tr.task(j)
		task.Since = time.Now().Add(-10 * time.Minute)
		tr.Track(task)
		for range 99 {
			time.Sleep(time.Second)
			tr.Track(task)
		}
		// The cloud's start says that the task is new.
		if n := c.tally(infoAPI, time.Time{}, anyCall); n < 20 || n > 35 {
			t.Errorf("asked %d times in 99 s, want as if tracked once", n)
		}
	})
}

func TestHasten(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		old := func(key string) *job {
			now := time.Now()
			return c.add(&job{key: key, start: now.Add(-10 * time.Minute), end: now.Add(time.Hour)})
		}
		for i := range 400 { // more than the lane can ask about every 10 s
			tr.Track(tr.task(old(fmt.Sprint("busy ", i))))
		}
		tr.Track(tr.task(old("a")))
		time.Sleep(time.Minute)

		from := time.Now()
		tr.Hasten("a")
		tr.Hasten("a")
		time.Sleep(time.Second)
		if n := c.tally(infoAPI, from, of("a")); n != 1 {
			t.Errorf("asked %d times within a second of Hasten, want once", n)
		}

		c.set(func() { c.hang["a"] = make(chan struct{}) })
		tr.Hasten("a")
		time.Sleep(time.Second)
		tr.Hasten("a") // the call under way may have missed the end
		from = time.Now()
		close(c.hang["a"])
		c.set(func() { delete(c.hang, "a") })
		time.Sleep(time.Second)
		if n := c.tally(infoAPI, from, of("a")); n != 2 {
			t.Errorf("asked %d times, want the answer under way and one more", n)
		}
		tr.Hasten("nobody")
	})
}

func TestHastenOutlastsThrottling(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		now := time.Now()
		for i := range 400 {
			tr.Track(tr.task(c.add(&job{key: fmt.Sprint("busy ", i), start: now.Add(-10 * time.Minute), end: now.Add(time.Hour)})))
		}
		tr.Track(tr.task(c.add(&job{key: "a", start: now.Add(-10 * time.Minute), end: now.Add(time.Hour)})))
		time.Sleep(time.Minute)
		c.set(func() { c.limit[infoAPI] = 0 })
		tr.Hasten("a")
		time.Sleep(3 * time.Second)
		c.set(func() { c.limit[infoAPI] = 20 })
		from := time.Now()
		time.Sleep(time.Second)
		if n := c.tally(infoAPI, from, of("a")); n != 1 {
			t.Errorf("asked %d times in the first second that the quota is back, want once", n)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud()
		tr := newTracker(c)
		c.hang["hanging"] = make(chan struct{})
		c.hang["page 0"] = make(chan struct{})
		c.hang["ending"] = make(chan struct{}) // the listing, not its own question
		tr.Track(tr.task(c.addJob("hanging", time.Hour)))
		tr.Track(tr.task(c.addJob("running", time.Hour)))
		tr.Track(tr.listed(c.addJob("listed", time.Hour)))
		time.Sleep(4900 * time.Millisecond)
		ending := tr.listed(c.addJob("ending", 0))
		c.jobs["ending's own"] = c.jobs["ending"]
		ending.Ask = c.ask(infoAPI, "ending's own")
		tr.Track(ending)
		time.Sleep(200 * time.Millisecond)
		began := time.Now()
		tr.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v with calls under way", took)
		}
		if s, ok := tr.Sighting("ending"); !ok || s.Ended || s.Observation.State != succeeded {
			t.Errorf("Sighting %+v, want an end that is about to be told", s)
		}
		changes := tr.changes("ending")
		tr.Track(tr.task(c.addJob("late", time.Hour)))
		time.Sleep(time.Minute)
		if _, ok := tr.Sighting("late"); ok {
			t.Error("a task was tracked after Close")
		}
		if n := tr.changes("ending"); n != changes {
			t.Error("Changed was called after Close")
		}
		tr.Close()
	})
}

func TestLoads(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		for i := range 100 {
			tr.Track(tr.task(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		tr.Track(tr.other(c.addJob("a", time.Hour)))
		ended := tr.other(c.addJob("b", 0))
		ended.Changed = func() {} // and is not forgotten yet
		tr.Track(ended)
		time.Sleep(time.Second)
		for _, l := range tr.Loads() {
			busy := l.Due >= 10 && l.Tasks == 100 && l.Answered >= 10 && l.Answered <= 30
			other := l.Due == 0 && l.Tasks == 1 && l.Answered == 1
			if l.Rate != 18 || l.Lane == infoLane && !busy || l.Lane == otherLane && !other {
				t.Errorf("%+v", l)
			}
		}
		if n := len(tr.Loads()); n != 2 {
			t.Errorf("%d lanes, want 2", n)
		}
	})
}
