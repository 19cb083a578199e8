package v1alpha1_test

import (
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

func TestDurationParse(t *testing.T) {
	cases := map[string]struct {
		reason string
		text   v1alpha1.Duration
		want   time.Duration // 0: an error
	}{
		"minutes":     {"the usual form", "30m", 30 * time.Minute},
		"compound":    {"units add up", "1h30m", 90 * time.Minute},
		"fraction":    {"as in time.ParseDuration", "1.5s", 1500 * time.Millisecond},
		"shortest":    {"1 s is within the bounds", "1s", time.Second},
		"longest":     {"720 h is within the bounds", "720h", 720 * time.Hour},
		"empty":       {"not a duration", "", 0},
		"words":       {"not a duration", "1 day", 0},
		"no unit":     {"30 of what?", "30", 0},
		"negative":    {"time does not run backwards", "-5m", 0},
		"zero":        {"below 1 s", "0s", 0},
		"too short":   {"below 1 s", "999ms", 0},
		"too long":    {"above 720 h", "720h1s", 0},
		"overflow":    {"more than an int64 of nanoseconds holds", "99999999999h", 0},
		"end of line": {"a stored object may hold anything", "30m\n", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tc.text.Parse()
			if got != tc.want || (err != nil) != (tc.want == 0) {
				t.Errorf("Duration(%q).Parse() = %v, %v; want %v: %s", tc.text, got, err, tc.want, tc.reason)
			}
		})
	}
}

func TestTimeParse(t *testing.T) {
	ten := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	cases := map[string]struct {
		reason string
		text   v1alpha1.Time
		want   time.Time // zero: an error
	}{
		"UTC":         {"the usual form", "2026-11-21T10:00:00Z", ten},
		"lower case":  {"RFC 3339 allows it", "2026-11-21t10:00:00z", ten},
		"offset":      {"China Standard Time", "2026-11-21T18:00:00+08:00", ten},
		"fraction":    {"parts of a second", "2026-11-21T10:00:00.5Z", ten.Add(500 * time.Millisecond)},
		"no zone":     {"which of 24 hours is it?", "2026-11-21T10:00:00", time.Time{}},
		"date":        {"not a moment", "2026-11-21", time.Time{}},
		"no such day": {"not a moment", "2026-02-30T10:00:00Z", time.Time{}},
		"empty":       {"not a moment", "", time.Time{}},
		"words":       {"not a moment", "yesterday", time.Time{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tc.text.Parse()
			if !got.Equal(tc.want) || (err != nil) != tc.want.IsZero() {
				t.Errorf("Time(%q).Parse() = %v, %v; want %v: %s", tc.text, got, err, tc.want, tc.reason)
			}
		})
	}
}
