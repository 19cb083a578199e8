package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

const (
	// infoRate and listRate are the calls a second that are made of the quotas of
	// 20 and 100, pageSize what a list call shows.
	infoRate = 18.0
	listRate = 50.0
	pageSize = 100

	infoLatency = 80 * time.Millisecond
	listLatency = 200 * time.Millisecond

	// failing is the part of the tasks that fail.
	failing = 0.1
	// remembered is how long before the start a task may have ended that a
	// baseline may still not know of.
	remembered = time.Hour
	// afterwards is how long tasks go on to arrive after the window.
	afterwards = 20 * time.Minute
)

// scenario is a load, and how it is measured: what ends in the window counts.
type scenario struct {
	name     string
	title    string
	law      law
	running  int // at once in each account, on average
	accounts int // side by side, each with a quota of its own
	lone     bool
	burst    int // tasks created at once, nothing else
	stolen   int // calls a second that others make of the quota
	restart  time.Duration
	// baselines: whether they are measured too.
	baselines    bool
	warm, window time.Duration
}

// scenarios are all but scale, in batches that are run side by side: what is in
// one batch loads the machine little, but for a quick run, of which the figures
// mean little.
func scenarios(quick bool) [][]scenario {
	clb, redis := clbLaw(), redisLaw()
	warm, window, down := 30*time.Second, 150*time.Second, time.Minute
	if quick {
		warm, window, down = 10*time.Second, 30*time.Second, 15*time.Second
	}
	all := [][]scenario{
		{{name: "redis-10000", title: "Redis, 10,000 running", law: redis, running: 10000}},
		{{name: "restart-10000", title: "Redis, restart with 10,000 running", law: redis, running: 10000, restart: down}},
		{{name: "clb-100", title: "CLB, 100 running", law: clb, running: 100}},
		{{name: "redis-1000", title: "Redis, 1,000 running", law: redis, running: 1000}},
		{
			{name: "clb-30", title: "CLB, 30 running", law: clb, running: 30},
			{name: "redis-1", title: "Redis, 1 running", law: redis, running: 1, lone: true, accounts: 100},
			{name: "redis-100", title: "Redis, 100 running", law: redis, running: 100, accounts: 10},
		},
		{
			{name: "clb-60", title: "CLB, 60 running", law: clb, running: 60},
			{name: "stolen", title: "CLB, 30 running, others take 10 calls/s", law: clb, running: 30, stolen: 10},
		},
		{{name: "burst", title: "CLB, 1,000 created at once", law: clb, burst: 1000}},
	}
	if quick {
		all = [][]scenario{all[0], slices.Concat(all[1:]...)}
	}
	for _, batch := range all {
		for i := range batch {
			s := &batch[i]
			s.warm, s.window, s.accounts = warm, window, max(s.accounts, 1)
			s.baselines = s.restart == 0 && (!quick || s.running != 10000)
			if quick && s.lone {
				s.accounts = 30
			}
			if quick && s.burst > 0 {
				s.burst, s.title = 300, "CLB, 300 created at once"
			}
		}
	}
	return all
}

// arrivals are the tasks a second of one account.
func (s scenario) arrivals() float64 {
	if s.burst > 0 || s.lone {
		return 0
	}
	return float64(s.running) / s.law.mean.Seconds()
}

// bound is the mean lag in seconds that nobody can go below, given the quota and
// the tasks of which the lag is measured.
func (s scenario) bound(counted []*job) (lag float64, note string) {
	rate := infoRate
	if s.stolen > 0 {
		rate = 20 - float64(s.stolen)
	}
	switch {
	case s.burst > 0:
		var ends []time.Time
		for _, j := range counted {
			ends = append(ends, j.end)
		}
		return leastBurstLag(ends, rate), "if each end were known"
	case s.restart > 0:
		return 0, ""
	case s.law.service == "redis" && !s.lone:
		return leastListLag(float64(s.running), s.arrivals()), "by listing"
	default:
		return leastLag(s.law, rate/(float64(s.running)/s.law.mean.Seconds())), "one by one"
	}
}

// job is a task of the cloud with its object.
type job struct {
	name, namespace string
	account         int
	service, id     string
	start, end      time.Time
	fails           bool
}

// plan draws the tasks of a scenario that begins at a time: those that run then
// or ended not long before, and those to come, in the order of their start. No
// warming up is needed, since the past is drawn too.
func (s scenario) plan(begin time.Time, seed uint64) []job {
	r := rand.New(rand.NewPCG(seed, 1))
	var jobs []job
	add := func(account int, start, took time.Duration) {
		jobs = append(jobs, job{account: account, start: begin.Add(start), end: begin.Add(start + took), fails: r.Float64() < failing})
	}
	for account := range s.accounts {
		switch {
		case s.burst > 0:
			for range s.burst {
				add(account, s.warm, seconds(s.law.draw(r)))
			}
		case s.lone: // the tasks that end in a window are spread over it evenly
			took := seconds(s.law.draw(r))
			add(account, s.warm+seconds(r.Float64()*s.window.Seconds())-took, took)
		default:
			at := -seconds(s.law.longest)
			for until := s.warm + s.window + afterwards; ; {
				if at += seconds(r.ExpFloat64() / s.arrivals()); at > until {
					break
				}
				if took := seconds(s.law.draw(r)); at+took > -remembered {
					add(account, at, took)
				}
			}
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return a.start.Compare(b.start) })
	for i := range jobs {
		jobs[i].label(s, i)
	}
	return jobs
}

func (j *job) label(s scenario, n int) {
	j.service, j.namespace = s.law.service, s.namespace(j.account)
	j.id = fmt.Sprint(1_000_000 + n)
	if j.service == "clb" {
		j.id = fmt.Sprintf("%08x-7e3f-4c6d-864f-673660d4f8de", n)
	}
	j.name = "task-" + j.id
}

func (j *job) redisID() int64 {
	id, _ := strconv.ParseInt(j.id, 10, 64)
	return id
}

func (s scenario) namespace(account int) string { return fmt.Sprintf("%s-%d", s.name, account) }
