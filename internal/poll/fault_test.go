package poll

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (c *cloud) sayAlways(class Class) {
	c.set(func() {
		c.answer = func(string) (Answer[saying], bool) {
			return Answer[saying]{Class: class, Err: errCloud}, true
		}
	})
}

func (c *cloud) sayTruth() { c.set(func() { c.answer = nil }) }

func TestRejected(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.sayAlways(Rejected)
		for i := range 10 {
			tr.Track(tr.task(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		time.Sleep(3 * time.Minute)
		for i := range 10 {
			for _, gap := range c.gaps(infoAPI, fmt.Sprint(i)) {
				if gap < personInterval || gap > personInterval+time.Second {
					t.Errorf("task %d asked again after %v, want each after %v", i, gap, personInterval)
				}
			}
			if f := tr.fault(fmt.Sprint(i)); f.Class != Rejected || f.Count != 4 {
				t.Errorf("fault %+v, want rejected 4 times", f)
			}
		}
	})
}

func TestFaultStreaks(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.rtt = 0
		began := time.Now()
		at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
		c.sayAlways(Absent)
		tr.Track(tr.task(c.addJob("a", time.Hour)))
		time.Sleep(4500 * time.Millisecond) // asked at 0, 1, 2, 3, 4
		want := Fault{Class: Absent, Failing: began, Since: began, Last: at(4), Count: 5}
		if diff := cmp.Diff(want, tr.fault("a")); diff != "" {
			t.Error("a streak of the same answer counts:", diff)
		}
		c.sayAlways(Unclear)
		time.Sleep(time.Second) // 5
		want = Fault{Class: Unclear, Failing: began, Since: at(5), Last: at(5), Count: 1}
		if diff := cmp.Diff(want, tr.fault("a")); diff != "" {
			t.Error("another answer starts a streak of its own:", diff)
		}
		c.sayAlways(Absent)
		time.Sleep(2 * time.Second) // 6, 7
		want = Fault{Class: Absent, Failing: began, Since: at(6), Last: at(7), Count: 2}
		if diff := cmp.Diff(want, tr.fault("a")); diff != "" {
			t.Error("the streak starts over:", diff)
		}
		c.sayTruth()
		time.Sleep(time.Second)
		s, _ := tr.Sighting("a")
		if s.Fault != nil || !s.Seen.Equal(at(8)) || s.Observation.State != running {
			t.Errorf("Sighting %+v, want a good answer at 8 s", s)
		}
		c.sayAlways(Absent)
		time.Sleep(time.Second)
		want = Fault{Class: Absent, Failing: at(9), Since: at(9), Last: at(9), Count: 1}
		if diff := cmp.Diff(want, tr.fault("a")); diff != "" {
			t.Error("after a good answer all starts over:", diff)
		}
	})
}

func TestUnclear(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.answer = func(string) (Answer[saying], bool) {
			return Answer[saying]{Class: Unclear, Observation: saying{Progress: 7}}, true
		}
		tr.Track(tr.task(c.addJob("a", time.Hour)))
		time.Sleep(10 * time.Second)
		s, _ := tr.Sighting("a")
		if !s.Known || s.Observation.Progress != 7 || !s.Seen.IsZero() || s.Fault == nil || s.Fault.Count < 8 {
			t.Errorf("Sighting %+v, want what was said, as a fault", s)
		}
	})
}

func TestUnavailable(t *testing.T) {
	within := func(t *testing.T, gap, want time.Duration) {
		t.Helper()
		if gap < want*3/4 || gap > want*5/4+time.Second {
			t.Errorf("asked again after %v, want about %v", gap, want)
		}
	}
	t.Run("one task", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
			c.answer = func(key string) (Answer[saying], bool) {
				return Answer[saying]{Class: Unavailable, Err: errCloud}, key == "bad"
			}
			tr.Track(tr.task(c.addJob("bad", time.Hour)))
			tr.Track(tr.task(c.addJob("good", time.Hour)))
			time.Sleep(5 * time.Minute)
			for i, gap := range c.gaps(infoAPI, "bad") {
				within(t, gap, min(time.Second<<min(i, 3), 8*time.Second))
			}
		})
	})
	t.Run("starts over", func(t *testing.T) {
		for _, class := range []Class{Good, Absent} {
			inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
				n := 0
				c.answer = func(string) (Answer[saying], bool) {
					if n++; n%5 == 0 {
						return Answer[saying]{Class: class, Err: errCloud}, true
					}
					return Answer[saying]{Class: Unavailable, Err: errCloud}, true
				}
				tr.Track(tr.task(c.addJob("bad", time.Hour)))
				time.Sleep(3 * time.Minute)
				gaps := c.gaps(infoAPI, "bad")
				within(t, gaps[5], time.Second)
				within(t, gaps[6], 2*time.Second)
			})
		}
	})
	t.Run("dead lane", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
			c.sayAlways(Unavailable)
			tr.Track(tr.task(c.addJob("bad", 100*time.Hour)))
			time.Sleep(20 * time.Minute)
			gaps := c.gaps(infoAPI, "bad")
			within(t, gaps[4], 8*time.Second)
			within(t, gaps[len(gaps)-1], time.Minute)
			c.sayTruth()
			time.Sleep(2 * time.Minute)
			if s, _ := tr.Sighting("bad"); s.Fault != nil {
				t.Errorf("fault %v after the cloud came back", s.Fault)
			}
		})
	})
}

func TestRefusedCredential(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		for i := range 50 {
			tr.Track(tr.task(c.addJob(fmt.Sprint("info ", i), time.Hour)))
			tr.Track(tr.other(c.addJob(fmt.Sprint("other ", i), time.Hour)))
		}
		for i := range 400 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint("listed ", i), time.Hour)))
		}
		bob := tr.task(c.addJob("bob", time.Hour))
		bob.Lane.Credential = "bob"
		bob.Ask = c.ask("bob's", "bob")
		tr.Track(bob)
		time.Sleep(30 * time.Second)

		c.set(func() {
			c.answer = func(key string) (Answer[saying], bool) {
				return Answer[saying]{Class: Refused, Err: errCloud}, key != "bob"
			}
		})
		time.Sleep(5 * time.Second)
		from := time.Now()
		for _, key := range []string{"info 7", "other 7", "listed 7"} {
			if f := tr.fault(key); f.Class != Refused {
				t.Errorf("%s: fault %+v, want refused", key, f)
			}
		}
		tr.Track(tr.task(c.addJob("new", time.Hour)))
		if f := tr.fault("new"); f.Class != Refused {
			t.Errorf("a new task's fault is %+v, want refused at once", f)
		}
		for i := range 50 { // the lane retires, the gate stays
			tr.Forget(fmt.Sprint("other ", i))
		}
		time.Sleep(5 * personInterval)
		n := c.tally(infoAPI, from, anyCall) + c.tally(otherAPI, from, anyCall)
		if n < 4 || n > 6 {
			t.Errorf("%d questions in %v, want one probe every %v", n, 5*personInterval, personInterval)
		}
		if n := c.tally(listAPI, from, anyCall); n != 0 {
			t.Errorf("the listing was asked %d times with a refused credential", n)
		}
		if n := c.tally("bob's", from, anyCall); n < 20 {
			t.Errorf("another credential's task was asked about %d times", n)
		}

		c.sayTruth()
		for from = time.Now(); tr.closedGates() > 0 && time.Since(from) < time.Minute; {
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Second)
		for i := range 400 { // one by one they take longer
			if f := tr.fault(fmt.Sprint("listed ", i)); f.Class != Good {
				t.Fatalf("listed %d: fault %+v, though the listing tells of it", i, f)
			}
		}
		time.Sleep(30 * time.Second)
		for _, key := range []string{"info 7", "new"} {
			if f := tr.fault(key); f.Class != Good {
				t.Errorf("%s: fault %+v after a good answer", key, f)
			}
		}
	})
}

func (tr *tracker) closedGates() int {
	tr.Engine.mu.Lock()
	defer tr.Engine.mu.Unlock()
	return len(tr.gates)
}

func TestHeldUntil(t *testing.T) {
	now := time.Now()
	detail := &entry[saying]{detail: true}
	for name, next := range map[string]time.Time{"before the probe": now.Add(time.Minute), "probe overdue": now.Add(-time.Minute)} {
		if until := detail.heldUntil(&gate{next: next}, now); !until.After(now) || !until.After(next) {
			t.Errorf("%s: a look at the listing is held until %v from now", name, until.Sub(now))
		}
	}
	ask := &entry[saying]{}
	if until := ask.heldUntil(&gate{next: now.Add(time.Minute)}, now); until.After(now) {
		t.Errorf("a task's own question is held until %v from now, but may be the probe", until.Sub(now))
	}
}

func TestProbeThatTellsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.sayAlways(Refused)
		tr.Track(tr.task(c.addJob("a", time.Hour)))
		time.Sleep(time.Second)
		c.sayAlways(Unavailable)
		time.Sleep(personInterval)
		from := time.Now()
		c.sayTruth()
		time.Sleep(10 * time.Second)
		if f := tr.fault("a"); f.Class != Good {
			t.Errorf("fault %+v 10 s after a probe that was not answered", f)
		}
		if n := c.tally(infoAPI, from, anyCall); n < 2 {
			t.Errorf("asked %d times since the credential is accepted", n)
		}
		synctest.Wait()
	})
}

func TestOldTasksAreReadmittedAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		now := time.Now()
		for i := range 10 { // asked about every 100 s
			tr.Track(tr.task(c.add(&job{key: fmt.Sprint(i), start: now.Add(-10 * time.Hour), end: now.Add(time.Hour)})))
		}
		time.Sleep(3 * time.Second)
		c.sayAlways(Refused)
		tr.Hasten("0")
		time.Sleep(3 * time.Second)
		c.sayTruth()
		time.Sleep(personInterval)
		for i := range 10 {
			if f := tr.fault(fmt.Sprint(i)); f.Class != Good {
				t.Errorf("task %d: fault %+v though the credential is accepted", i, f)
			}
		}
	})
}

// A call that is given up after 10 s began long ago, but the listing has told of
// the task meanwhile: nothing was wrong for 10 s.
func TestFailingCountsFromTheLatestRow(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		c.hang["0"] = make(chan struct{})
		c.answer = func(key string) (Answer[saying], bool) {
			return Answer[saying]{Class: Unavailable, Err: errCloud}, key == "0"
		}
		for i := range 10 {
			tr.Track(tr.listed(c.addJob(fmt.Sprint(i), time.Hour)))
		}
		time.Sleep(10 * time.Second)
		close(c.hang["0"])
		c.set(func() { delete(c.hang, "0") })
		time.Sleep(100 * time.Millisecond)
		f := tr.fault("0")
		if lasted := f.Last.Sub(f.Failing); lasted > 3*time.Second {
			t.Errorf("failing for %v at the end of a call during which rows told of the task: %+v", lasted, f)
		}
	})
}
