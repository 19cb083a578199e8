package poll

import (
	"testing"
	"time"
)

func TestInterval(t *testing.T) {
	cases := map[string]struct {
		reason        string
		age, min, max time.Duration
		want          time.Duration
	}{
		"New":        {"the shortest", 0, time.Second, 10 * time.Second, time.Second},
		"Future":     {"a clock that is ahead", -time.Hour, time.Second, 10 * time.Second, time.Second},
		"Tenth":      {"a tenth of the age", 42 * time.Second, time.Second, 10 * time.Second, 4200 * time.Millisecond},
		"Longest":    {"the longest", 10 * time.Minute, time.Second, 10 * time.Second, 10 * time.Second},
		"Hour":       {"still the longest", time.Hour, time.Second, 10 * time.Second, 10 * time.Second},
		"Old":        {"grows again", 2 * time.Hour, time.Second, 10 * time.Second, 20 * time.Second},
		"Day":        {"forgotten tasks fill no lane", 24 * time.Hour, time.Second, 10 * time.Second, 4 * time.Minute},
		"Decades":    {"the cloud's word for the start is not to be trusted", 30 * 365 * 24 * time.Hour, time.Second, 10 * time.Second, time.Hour},
		"OldLong":    {"never below the longest", 2 * time.Hour, time.Second, time.Minute, time.Minute},
		"Configured": {"other bounds", 10 * time.Second, 3 * time.Second, 5 * time.Second, 3 * time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := interval(tc.age, tc.min, tc.max); got != tc.want {
				t.Errorf("%s: interval(%v) = %v, want %v", tc.reason, tc.age, got, tc.want)
			}
		})
	}
}

func TestBackoff(t *testing.T) {
	cases := map[string]struct {
		reason   string
		failures int
		dead     bool
		want     time.Duration // before jitter
	}{
		"First":     {"one second", 1, false, time.Second},
		"Second":    {"doubles", 2, false, 2 * time.Second},
		"Fourth":    {"eight at most", 4, false, 8 * time.Second},
		"Many":      {"eight at most", 1000, false, 8 * time.Second},
		"DeadFirst": {"grows from one second too", 1, true, time.Second},
		"DeadFifth": {"goes on while the lane is dead", 5, true, 16 * time.Second},
		"DeadMany":  {"a minute at most", 1000, true, time.Minute},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			least, most := time.Hour, time.Duration(0)
			for range 1000 {
				d := backoff(tc.failures, tc.dead)
				least, most = min(least, d), max(most, d)
			}
			if least < tc.want*3/4 || most > tc.want*5/4 || most-least < tc.want/4 {
				t.Errorf("%s: from %v to %v, want %v ±25 %%", tc.reason, least, most, tc.want)
			}
		})
	}
}
