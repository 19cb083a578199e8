package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestPlan(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	tests := map[string]struct {
		reason      string
		scenario    scenario
		running     float64 // at any moment
		endsAMinute float64
	}{
		"Redis": {"steady from the start", scenario{law: redisLaw(), running: 3000, accounts: 1}, 3000, 60 * 3000 / 937.0},
		"CLB":   {"accounts add up", scenario{law: clbLaw(), running: 100, accounts: 20}, 2000, 60 * 2000 / 11.1},
		"lone":  {"one task an account ends in the window", scenario{law: redisLaw(), accounts: 500, lone: true, warm: time.Minute, window: 5 * time.Minute}, math.NaN(), 100},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			jobs := tc.scenario.plan(begin, 1)
			count := func(is func(job) bool) (n float64) {
				for _, j := range jobs {
					if is(j) {
						n++
					}
				}
				return n
			}
			for _, at := range []time.Time{begin, begin.Add(3 * time.Minute)} {
				running := count(func(j job) bool { return !j.start.After(at) && j.end.After(at) })
				if math.Abs(running/tc.running-1) > 0.1 {
					t.Errorf("%s: %.0f run at %s, want %.0f ± 10 %%", tc.reason, running, at.Sub(begin), tc.running)
				}
			}
			from := begin.Add(2 * time.Minute)
			ends := count(func(j job) bool { return !j.end.Before(from) && j.end.Before(from.Add(time.Minute)) })
			if math.Abs(ends/tc.endsAMinute-1) > 0.2 {
				t.Errorf("%s: %.0f end in a minute, want %.0f ± 20 %%", tc.reason, ends, tc.endsAMinute)
			}
		})
	}
}

func TestRoundTime(t *testing.T) {
	begin := time.Unix(1_800_000_000, 0)
	tests := map[string]struct {
		reason  string
		running int
		want    time.Duration
	}{
		"free":      {"there is quota left", 50, 5 * time.Second},
		"full":      {"1,000 calls at 18 a second, and those of tasks that have ended", 1000, 58 * time.Second},
		"saturated": {"10,000 calls, and a backlog of ended tasks of two thirds as many", 10000, 900 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			all := scenario{law: redisLaw(), running: tc.running, accounts: 1}.plan(begin, 1)
			var jobs []*job
			for i := range all {
				jobs = append(jobs, &all[i])
			}
			if got := roundTime(jobs, begin, 5*time.Second); math.Abs(got.Seconds()/tc.want.Seconds()-1) > 0.1 {
				t.Errorf("%s: a round takes %s, want %s ± 10 %%", tc.reason, got, tc.want)
			}
			looks := firstLooks(jobs, begin, 5*time.Second)
			late := func(a, b look) int { return a.at.Compare(b.at) }
			if !slices.IsSortedFunc(looks, late) {
				t.Errorf("%s: the first looks are not in order", tc.reason)
			}
		})
	}
}
