package poll

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burst plus rate stays one below the published limit: the cloud counts by
	// calendar second, and a call may be late into the next one. A second token
	// would save a twentieth of a second, once.
	burst = 1
	// cutFactor and raisePerSecond let a lane take what others leave of a quota
	// without taking it from them.
	cutFactor      = 0.8
	raisePerSecond = 0.5
	floorRate      = 1.0
)

// quota is a token bucket whose rate follows what the cloud accepts: additive
// increase, multiplicative decrease. Guarded by the engine's lock, but for wait.
type quota struct {
	limiter *rate.Limiter
	ceiling float64
	cutAt   time.Time
	okAt    time.Time
}

func newQuota(ceiling float64) *quota {
	ceiling = max(ceiling, floorRate/100)
	return &quota{limiter: rate.NewLimiter(rate.Limit(ceiling), burst), ceiling: ceiling}
}

// wait takes one token; it fails only when the context ends.
func (q *quota) wait(ctx context.Context) error { return q.limiter.Wait(ctx) }

// rate returns the calls a second that the lane makes at most.
func (q *quota) rate() float64 { return float64(q.limiter.Limit()) }

// cut slows the lane down after a throttled call, at most once a second: a
// window that is full rejects many calls at once.
func (q *quota) cut(now time.Time) {
	if now.Sub(q.cutAt) < time.Second {
		return
	}
	q.cutAt = now
	q.okAt = now
	q.limiter.SetLimit(rate.Limit(max(q.rate()*cutFactor, min(floorRate, q.ceiling))))
}

// accepted speeds the lane up again after a call that was let through.
func (q *quota) accepted(now time.Time) {
	if q.rate() < q.ceiling {
		raise := raisePerSecond * min(now.Sub(q.okAt), time.Second).Seconds()
		q.limiter.SetLimit(rate.Limit(min(q.rate()+raise, q.ceiling)))
	}
	q.okAt = now
}
