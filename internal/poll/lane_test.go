package poll

import (
	"fmt"
	"testing"
	"time"
)

// trackOld tracks tasks that have been running for ten minutes, which are due
// every ten seconds.
func (tr *tracker) trackOld(n int) {
	now := time.Now()
	for i := range n {
		tr.Track(restored(tr.task(tr.cloud.add(&job{key: fmt.Sprint("old ", i), start: now.Add(-10 * time.Minute), end: now.Add(10 * time.Hour)}))))
	}
}

func TestAloneNoCallIsRejected(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		tr.trackOld(100)
		for burst := range 3 {
			time.Sleep(61234 * time.Millisecond)
			for i := range 1000 {
				tr.Track(tr.task(c.addJob(fmt.Sprint(burst, " ", i), 20*time.Second)))
			}
		}
		time.Sleep(5 * time.Minute)
		if n := c.tally(infoAPI, time.Time{}, rejected); n != 0 {
			t.Errorf("%d calls rejected", n)
		}
		for burst := range 3 {
			for i := range 1000 {
				if l := tr.end(fmt.Sprint(burst, " ", i)); l.Final.State != succeeded {
					t.Fatalf("task %d of burst %d: %+v", i, burst, l)
				}
			}
		}
	})
}

func TestStolenQuota(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		tr.trackOld(400)
		const others = 10
		isOurs := func(l call) bool { return l.Key != "others" }
		began := time.Now()
		for time.Since(began) < 10*time.Minute {
			time.Sleep(time.Second / others)
			c.count(infoAPI, "others")
		}
		from := began.Add(time.Minute)
		seconds := time.Since(from).Seconds()
		ours := float64(c.tally(infoAPI, from, func(l call) bool { return isOurs(l) && l.OK })) / seconds
		theirs := float64(c.tally(infoAPI, from, func(l call) bool { return !isOurs(l) && !l.OK })) / seconds
		if left := 20.0 - others; ours < 0.85*left {
			t.Errorf("%.2f calls a second of the %.0f that others leave", ours, left)
		}
		if theirs > 0.05*others {
			t.Errorf("%.1f %% of the others' calls rejected", 100*theirs/others)
		}

		time.Sleep(25 * time.Second)
		from = time.Now()
		time.Sleep(10 * time.Second)
		if n := c.tally(infoAPI, from, anyCall); n < 170 {
			t.Errorf("%d calls in 10 s half a minute after the others left", n)
		}
	})
}

func TestFirstLooks(t *testing.T) {
	// wait tracks new tasks at a rate, and returns the longest time until a
	// first answer.
	wait := func(c *cloud, tr *tracker, n int, every time.Duration) (longest time.Duration) {
		began := time.Now()
		for i := range n {
			tr.Track(tr.task(c.addJob(fmt.Sprint(began.Unix(), " new ", i), 30*time.Second)))
			time.Sleep(every)
		}
		time.Sleep(4 * time.Minute)
		for i := range n {
			id := fmt.Sprint(began.Unix(), " new ", i)
			longest = max(longest, tr.end(id).First.Sub(c.jobs[id].start))
		}
		return longest
	}
	t.Run("saturated", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
			tr.trackOld(1000)
			time.Sleep(5 * time.Minute)
			if got := wait(c, tr, 200, time.Second/3); got > 500*time.Millisecond {
				t.Errorf("3 new tasks a second wait %v for their first answer in a full lane", got)
			}
			if got := wait(c, tr, 36, 0); got > 3*time.Second {
				t.Errorf("a burst of 36 waits %v for its first answers in a full lane", got)
			}
		})
	})
	t.Run("no collapse", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
			tr.trackOld(100)
			time.Sleep(time.Minute)
			from := time.Now()
			wait(c, tr, 1500, time.Second/15)
			n := c.tally(infoAPI, from, func(l call) bool { return l.At.Before(from.Add(100*time.Second)) && len(l.Key) < 7 })
			if n < 200 {
				t.Errorf("old tasks were asked about %d times in the 100 s that 15 new ones a second came", n)
			}
		})
	})
	t.Run("credit comes back", func(t *testing.T) {
		inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
			tr.trackOld(1000)
			time.Sleep(time.Minute)
			wait(c, tr, 1500, 0)
			if got := wait(c, tr, 30, time.Second); got > 500*time.Millisecond {
				t.Errorf("new tasks wait %v minutes after a burst", got)
			}
		})
	})
}

func TestIdleLanesRetire(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cloud, tr *tracker) {
		tr.Track(tr.listed(c.addJob("a", 10*time.Second)))
		tr.Track(tr.other(c.addJob("b", 10*time.Second)))
		c.sayAlways(Good)
		time.Sleep(5 * time.Second)
		c.sayTruth()
		time.Sleep(10 * time.Minute)
		tr.Engine.mu.Lock()
		defer tr.Engine.mu.Unlock()
		if n := len(tr.lanes) + len(tr.gates) + len(tr.groups) + len(tr.tasks); n != 0 {
			t.Errorf("%d lanes, gates, groups and tasks left", n)
		}
	})
}
