package poll

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuota(t *testing.T) {
	const cut, ok = true, false
	type step struct {
		after time.Duration
		cut   bool
	}
	cases := map[string]struct {
		reason  string
		ceiling float64
		steps   []step
		want    float64
	}{
		"New":         {"the whole rate", 18, nil, 18},
		"Cut":         {"a fifth less", 18, []step{{time.Second, cut}}, 14.4},
		"CutOnce":     {"one full second rejects many calls", 18, []step{{time.Second, cut}, {999 * time.Millisecond, cut}}, 14.4},
		"CutTwice":    {"once a second", 18, []step{{time.Second, cut}, {time.Second, cut}}, 11.52},
		"Raise":       {"half a call a second each second", 18, []step{{time.Second, cut}, {time.Second, ok}, {500 * time.Millisecond, ok}}, 15.15},
		"RaiseIdle":   {"idle time earns no more than a second", 18, []step{{time.Second, cut}, {time.Hour, ok}}, 14.9},
		"Ceiling":     {"never above the configured rate", 18, []step{{time.Second, ok}, {time.Second, ok}}, 18},
		"CeilingBack": {"back to it exactly", 1, []step{{time.Second, cut}, {time.Second, ok}}, 1},
		"LowCeiling":  {"a rate below the floor is kept", 0.5, []step{{time.Second, cut}}, 0.5},
		"NoRate":      {"a lane always moves", 0, nil, 0.01},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			q := newQuota(tc.ceiling)
			for _, s := range tc.steps {
				now = now.Add(s.after)
				if s.cut {
					q.cut(now)
				} else {
					q.accepted(now)
				}
			}
			if got := q.rate(); math.Abs(got-tc.want) > 1e-9 {
				t.Errorf("%s: rate %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
	t.Run("Floor", func(t *testing.T) {
		now := time.Now()
		q := newQuota(18)
		for range 100 {
			now = now.Add(time.Second)
			q.cut(now)
		}
		if got := q.rate(); got != floorRate {
			t.Errorf("a lane always moves: rate %v, want %v", got, floorRate)
		}
	})
}

// TestQuotaLeavesRoom: however long a lane was idle, no second has more than 18 calls
// of the 20 that the cloud allows, so that some may come late into the next second.
func TestQuotaLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQuota(18)
		time.Sleep(time.Hour)
		var calls []time.Time
		for range 100 {
			if err := q.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			calls = append(calls, time.Now())
			if n := len(calls); n > 18 && calls[n-1].Sub(calls[n-19]) < time.Second {
				t.Fatalf("19 calls within %v", calls[n-1].Sub(calls[n-19]))
			}
		}
	})
}
