package main

import (
	"encoding/json"
	"sync"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// sweepLog notes which pages of the running tasks were listed since a restart.
type sweepLog struct {
	mu    sync.Mutex
	pages map[int64]time.Time // by offset, when first asked for; nil before begin
}

// begin forgets what was listed before.
func (l *sweepLog) begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pages = map[int64]time.Time{}
}

// note takes in a call; the cloud calls it.
func (l *sweepLog) note(r fakecloud.Request) {
	if r.API != fakecloud.RedisTaskList || r.Code != "" {
		return
	}
	var q struct {
		Offset int64
		Result []int64
	}
	if json.Unmarshal([]byte(r.Query), &q) != nil || len(q.Result) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.pages[q.Offset]; !ok && l.pages != nil {
		l.pages[q.Offset] = r.Time
	}
}

// complete returns the seconds from a restart until so many consecutive pages
// from the first on had been answered, -1 if they have not been.
func (l *sweepLog) complete(up time.Time, pages int) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := 0.0
	for page := range pages {
		at, ok := l.pages[int64(page)*pageSize]
		if !ok {
			return -1
		}
		last = max(last, (at.Sub(up) + listLatency/2).Seconds())
	}
	return last
}
