package tencent

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     string
		want   time.Time
	}{
		"a time":     {"UTC+8", "2018-11-01 17:25:14", time.Date(2018, 11, 1, 9, 25, 14, 0, time.UTC)},
		"blanks":     {"trimmed", " 2018-11-01 07:25:14 ", time.Date(2018, 10, 31, 23, 25, 14, 0, time.UTC)},
		"zero date":  {"none", "0000-00-00 00:00:00", time.Time{}},
		"empty":      {"none", "", time.Time{}},
		"unreadable": {"none", "2018-11-01T17:25:14Z", time.Time{}},
		"long ago":   {"none: before year 1 in UTC, which no API server takes", "0000-01-01 00:00:00", time.Time{}},
		"1970":       {"none", "1970-01-01 08:00:00", time.Time{}},
		"no such":    {"none", "2018-13-41 17:25:14", time.Time{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := parseTime(&tc.in); !got.Equal(tc.want) || got.IsZero() != tc.want.IsZero() {
				t.Errorf("parseTime(%q) = %v, want %v: %s", tc.in, got, tc.want, tc.reason)
			}
		})
	}
	if got := parseTime(nil); !got.IsZero() {
		t.Errorf("parseTime(nil) = %v, want zero", got)
	}
}

func TestFormatTime(t *testing.T) {
	got := formatTime(time.Date(2018, 11, 1, 20, 25, 14, 999, time.UTC))
	if want := "2018-11-02 04:25:14"; got == nil || *got != want {
		t.Errorf("formatTime(...) = %v, want %q", got, want)
	}
	if got := formatTime(time.Time{}); got != nil {
		t.Errorf("formatTime(zero) = %q, want none", *got)
	}
}
