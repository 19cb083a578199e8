package main

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/client-go/util/workqueue"

	"cloudtask.dev/cloudtask/internal/tencent"
)

// baseline is what most controllers do: each object is asked about again after a
// fixed time, through a queue, a few workers, and one limiter. It only notes when
// it learns of an end: it has no objects, and no statuses to write.
type baseline struct {
	stop     context.CancelFunc
	interval time.Duration
	cloud    *tencent.Client
	cred     tencent.Credential
	queue    workqueue.TypedDelayingInterface[*job]
	limiter  *rate.Limiter
	workers  sync.WaitGroup

	mu      sync.Mutex
	learned map[*job]heard
}

// heard is what a baseline has heard of a task.
type heard struct {
	first, end time.Time
	state      tencent.State
}

const baselineWorkers = 6 // 18 calls a second of 80 ms keep fewer than 2 busy

// startBaseline asks about the tasks of one account.
func startBaseline(ctx context.Context, interval time.Duration, cloud *tencent.Client, cred tencent.Credential, jobs []*job, begin time.Time) *baseline {
	ctx, stop := context.WithCancel(ctx)
	b := &baseline{
		stop:     stop,
		interval: interval, cloud: cloud, cred: cred,
		queue:   workqueue.NewTypedDelayingQueue[*job](),
		limiter: rate.NewLimiter(infoRate, 2),
		learned: map[*job]heard{},
	}
	for _, first := range firstLooks(jobs, begin, interval) {
		b.queue.AddAfter(first.job, time.Until(first.at))
	}
	for range baselineWorkers {
		b.workers.Go(func() { b.work(ctx) })
	}
	return b
}

// close ends it; a queue alone would be worked off first.
func (b *baseline) close() {
	b.stop()
	b.queue.ShutDown()
	b.workers.Wait()
}

func (b *baseline) work(ctx context.Context) {
	for {
		j, over := b.queue.Get()
		if over || b.limiter.Wait(ctx) != nil {
			return
		}
		if !b.look(ctx, j) {
			b.queue.AddAfter(j, b.interval)
		}
		b.queue.Done(j)
	}
}

// look asks once, and reports whether the task has ended.
func (b *baseline) look(ctx context.Context, j *job) bool {
	var o tencent.Observation
	var err error
	if j.service == "clb" {
		o, err = b.cloud.CLBTask(ctx, b.cred, region, tencent.CLBQuery{RequestID: j.id})
	} else {
		o, err = b.cloud.RedisTask(ctx, b.cred, region, j.redisID())
	}
	if err != nil {
		return false
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.learned[j]
	if h.first.IsZero() {
		h.first = now
	}
	if o.State.Ended() {
		h.end, h.state = now, o.State
	}
	b.learned[j] = h
	return o.State.Ended()
}

func (b *baseline) of(j *job) heard {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.learned[j]
}

// look at a task when its time has come.
type look struct {
	job *job
	at  time.Time
}

// firstLooks returns when each task joins the queue, so that it is from the start
// as it would be after hours: with those that have ended but are not known to.
// Then every task is asked about once in a round, which lasts as long as the
// limiter needs for all of them, and joins the queue an interval after it was
// last asked about.
func firstLooks(jobs []*job, begin time.Time, interval time.Duration) []look {
	round := roundTime(jobs, begin, interval)
	var looks []look
	for _, j := range jobs {
		switch {
		case !j.start.Before(begin):
			looks = append(looks, look{j, j.start})
		case learnedAt(j, round).After(begin):
			looks = append(looks, look{j, nextLook(j, begin, round).Add(interval - round)})
		}
	}
	slices.SortStableFunc(looks, func(a, b look) int { return cmp.Compare(a.at.UnixNano(), b.at.UnixNano()) })
	return looks
}

// roundTime is how long it takes to ask about all tasks once, in the long run.
func roundTime(jobs []*job, begin time.Time, interval time.Duration) time.Duration {
	round := interval
	for range 30 {
		queued := 0
		for _, j := range jobs {
			if j.start.Before(begin) && learnedAt(j, round).After(begin) {
				queued++
			}
		}
		round = max(interval, seconds(float64(queued)/infoRate))
	}
	return round
}

// nextLook is the first look at a task after a time, and learnedAt the first
// after its end, if it is asked about once in every round after its start.
func nextLook(j *job, after time.Time, round time.Duration) time.Time {
	rounds := math.Ceil(after.Sub(j.start).Seconds() / round.Seconds())
	return j.start.Add(time.Duration(max(rounds, 1)) * round)
}

func learnedAt(j *job, round time.Duration) time.Time { return nextLook(j, j.end, round) }
