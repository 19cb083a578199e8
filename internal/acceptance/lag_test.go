package acceptance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// TestLagOfThirtyCLBTasks measures how long after its task's end an object says
// so, with 30 tasks running at a time, and tells it: the machine may be busy, so
// only outcomes are judged, and that alone on its quota no call is rejected. It
// has the machine to itself, as far as this package is concerned.
func TestLagOfThirtyCLBTasks(t *testing.T) {
	w := newWorld(t, fakecloud.Options{Latency: func(string) time.Duration { return 80 * time.Millisecond }})
	w.secret("tencent-credentials", mainKey)
	w.operate(options{binary: plain})
	random := rand.New(rand.NewPCG(4, 4))
	want := map[string]expectation{}
	const running, total = 30, 130
	for i := range total {
		w.follow("clb", fakecloud.Task{ID: fmt.Sprint(1000 + i), Duration: clbDuration(random), Fails: i%5 == 0}, want)
		w.history.until("fewer than 30 run", func(last map[string]sight) bool {
			alive := i + 1
			for _, s := range last {
				if finished(s.task.Status) {
					alive--
				}
			}
			return alive < running
		})
	}
	lags := w.finish(want)
	calls := w.cloud.Stats().APIs[fakecloud.CLBTaskStatus]
	if calls.Throttled > 0 {
		t.Errorf("alone on its quota, %d calls were rejected", calls.Throttled)
	}
	t.Logf("lag: %s; %.1f calls a task, at most %d in a second, %d of %d throttled",
		summary(lags), float64(calls.Calls)/total, calls.PeakPerSecond, calls.Throttled, calls.Calls)
}

// clbDuration is how long CLB tasks take: log-normal about 6 s, mean 8.8 s, cut
// at 30 s so that a run ends.
func clbDuration(random *rand.Rand) time.Duration {
	seconds := 0.5 + 6*math.Exp(0.8*random.NormFloat64())
	return time.Duration(min(seconds, 30) * float64(time.Second))
}
