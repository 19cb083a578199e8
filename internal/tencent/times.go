package tencent

import (
	"strings"
	"time"
)

// cloudTime is how the Redis APIs write a time, without its zone.
const cloudTime = "2006-01-02 15:04:05"

func cloudZone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// parseTime reads a time in UTC+8. It is zero where the cloud tells none: empty,
// 0000-00-00 00:00:00, unreadable, or before 2000, which no task is.
func parseTime(s *string) time.Time {
	if s == nil {
		return time.Time{}
	}
	t, err := time.ParseInLocation(cloudTime, strings.TrimSpace(*s), cloudZone())
	if err != nil || t.Year() < 2000 {
		return time.Time{}
	}
	return t.UTC()
}

// formatTime writes a time as the Redis APIs want it; nil for the zero time.
func formatTime(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.In(cloudZone()).Format(cloudTime)
	return &s
}
