package main

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestLeastLag(t *testing.T) {
	tests := map[string]struct {
		reason string
		law    law
		calls  float64
		want   float64
	}{
		"CLB tight":   {"near saturation", clbLaw(), 1.25, 8.64},
		"CLB 100":     {"100 running", clbLaw(), 2, 3.13},
		"CLB 60":      {"60 running", clbLaw(), 3.33, 1.55},
		"CLB 30":      {"30 running", clbLaw(), 6.67, 0.70},
		"CLB 10":      {"10 running", clbLaw(), 20, 0.22},
		"Redis 10000": {"10,000 running, one by one", redisLaw(), 1.69, 279},
		"Redis 1000":  {"1,000 running, one by one", redisLaw(), 16.9, 17.1},
		"Redis 100":   {"100 running, one by one", redisLaw(), 169, 1.7},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := leastLag(tc.law, tc.calls); math.Abs(got/tc.want-1) > 0.04 {
				t.Errorf("%s: leastLag(%g calls a task) = %.3f s, want %.3f s ± 4 %%", tc.reason, tc.calls, got, tc.want)
			}
		})
	}
}

func TestLaws(t *testing.T) {
	for _, l := range []law{clbLaw(), redisLaw()} {
		r := rand.New(rand.NewPCG(1, 1))
		const n = 400_000
		total, long, limit := 0.0, 0, l.mean.Seconds()
		for range n {
			d := l.draw(r)
			total += d
			if d > limit {
				long++
			}
		}
		if got := total / n; math.Abs(got/l.mean.Seconds()-1) > 0.05 {
			t.Errorf("%s: the mean of what is drawn is %.1f s, want %s", l.service, got, l.mean)
		}
		if got, want := float64(long)/n, l.survival(limit); math.Abs(got-want) > 0.005 {
			t.Errorf("%s: %.3f take longer than the mean, survival says %.3f", l.service, got, want)
		}
	}
}

func TestLeastBurstLag(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(0, 0).Add(seconds(s)) }
	// At one call a second, the second one waits for 0.5 s and the third for none.
	if got := leastBurstLag([]time.Time{at(5), at(0.5), at(0)}, 1); math.Abs(got-0.5/3) > 1e-9 {
		t.Errorf("leastBurstLag = %v, want %v", got, 0.5/3)
	}
}
