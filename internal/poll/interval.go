package poll

import (
	"math/rand/v2"
	"time"
)

const (
	// personInterval lies between two questions that wait for a person: short
	// enough that a mended permission is noticed within a minute.
	personInterval = 45 * time.Second
	// oldAge is where the interval begins to grow again, so that forgotten
	// tasks do not fill a lane.
	oldAge = time.Hour
	// farthest bounds the interval, since the cloud's word for when a task
	// began can be decades off.
	farthest = time.Hour
)

// interval returns the time until the next look at a task of an age. It is a
// tenth of the age: equal lateness relative to what the task has taken so far.
// Between one hour and the bounds it is the longest; from then on it grows so
// that a day-old task is asked about every 4 minutes.
func interval(age, shortest, longest time.Duration) time.Duration {
	if age > oldAge {
		return max(min(age/360, farthest), longest)
	}
	return min(max(age/10, shortest), longest)
}

// backoff returns the delay after a number of failures in a row: 1 s doubling to
// 8 s, and on to 60 s only while the whole lane is dead, each ±25 %.
func backoff(failures int, laneDead bool) time.Duration {
	ceiling := 8 * time.Second
	if laneDead {
		ceiling = time.Minute
	}
	delay := min(time.Second<<min(failures-1, 6), ceiling)
	return time.Duration(float64(delay) * (0.75 + rand.Float64()/2)) //nolint:gosec // only to spread calls
}
