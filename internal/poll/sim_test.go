package poll

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// law draws how long a task takes, in seconds.
type law func(*rand.Rand) float64

func logNormal(r *rand.Rand, median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}

func pareto(r *rand.Rand, least, alpha, most float64) float64 {
	return min(least*math.Pow(1-r.Float64(), -1/alpha), most)
}

// clbLaw has a median of 6.6 s and a tail of up to an hour.
func clbLaw(r *rand.Rand) float64 {
	if r.Float64() < 0.02 {
		return pareto(r, 30, 1.1, 3600)
	}
	return 0.5 + logNormal(r, 6, 0.8)
}

// redisLaw is three tenths purges of seconds and the rest backups and moves of a
// quarter of an hour, with a tail of up to twelve.
func redisLaw(r *rand.Rand) float64 {
	switch p := r.Float64(); {
	case p < 0.3:
		return 0.5 + logNormal(r, 6, 0.8)
	case p < 0.3+0.7*0.03:
		return pareto(r, 3600, 1.5, 12*3600)
	default:
		return 60 + logNormal(r, 840, 0.7)
	}
}

// scenario is a steady load on one credential.
type scenario struct {
	law     law
	mean    float64 // seconds a task takes
	running int     // at once, on average
	listed  bool
	seed    uint64
	warm    time.Duration // before lags count
	run     time.Duration // how long they count
}

// verdict is what a scenario came to.
type verdict struct {
	ends                 int
	wrong, unseen        int
	mean, p50, p90, p99  float64 // lag in seconds
	first50, first99     float64 // until the first answer, in seconds
	infoCalls, listCalls float64 // a task that ended
	rejected             int
}

// simulate runs a scenario in simulated time.
func (s scenario) simulate() verdict {
	c := newCloud()
	tr := newTracker(c)
	defer tr.Close()
	r := rand.New(rand.NewPCG(s.seed, 1))
	began := time.Now()
	rate := float64(s.running) / s.mean
	const past = 12 * 3600.0
	n := 0
	add := func(at time.Time) *job {
		n++
		d := time.Duration(s.law(r) * float64(time.Second))
		return &job{key: fmt.Sprint("task-", n), start: at, end: at.Add(d), fails: r.Float64() < 0.1}
	}
	for at := r.ExpFloat64() / rate; at < past; at += r.ExpFloat64() / rate {
		j := add(began.Add(-time.Duration((past - at) * float64(time.Second))))
		if j.end.After(began) {
			tr.Track(restored(s.track(tr, c.add(j))))
		}
	}
	var jobs []*job
	warm := began.Add(s.warm)
	for until := warm.Add(s.run); ; {
		time.Sleep(time.Duration(r.ExpFloat64() / rate * float64(time.Second)))
		if time.Now().After(until) {
			break
		}
		j := add(time.Now())
		jobs = append(jobs, j)
		tr.Track(s.track(tr, c.add(j)))
	}
	synctest.Wait()
	return s.judge(tr, jobs, warm)
}

func (s scenario) track(tr *tracker, j *job) Task[saying] {
	if s.listed {
		return tr.listed(j)
	}
	return tr.task(j)
}

// judge reads the lags of all tasks that ended in time.
func (s scenario) judge(tr *tracker, created []*job, warm time.Time) (v verdict) {
	now := time.Now()
	var lags, firsts []float64
	for _, j := range tr.cloud.jobs {
		if j.end.Before(warm) || j.end.After(now.Add(-time.Minute)) {
			continue
		}
		l := tr.learned[j.key]
		if l.At.IsZero() {
			v.unseen++
			continue
		}
		if l.Final.State != j.outcome() {
			v.wrong++
		}
		lags = append(lags, l.At.Sub(j.end).Seconds())
	}
	for _, j := range created {
		if j.start.Before(warm) || j.start.After(now.Add(-time.Minute)) {
			continue
		}
		if l := tr.learned[j.key]; !l.First.IsZero() {
			firsts = append(firsts, l.First.Sub(j.start).Seconds())
		}
	}
	slices.Sort(lags)
	slices.Sort(firsts)
	v.ends = len(lags)
	for _, lag := range lags {
		v.mean += lag / float64(len(lags))
	}
	v.p50, v.p90, v.p99 = quantile(lags, .5), quantile(lags, .9), quantile(lags, .99)
	v.first50, v.first99 = quantile(firsts, .5), quantile(firsts, .99)
	for _, call := range tr.cloud.log {
		if call.At.Before(warm) || call.At.After(now.Add(-time.Minute)) {
			continue
		}
		if call.API == infoAPI {
			v.infoCalls += 1 / float64(v.ends)
		} else {
			v.listCalls += 1 / float64(v.ends)
		}
	}
	v.rejected = tr.cloud.tally(infoAPI, time.Time{}, rejected) + tr.cloud.tally(listAPI, time.Time{}, rejected)
	return v
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	return sorted[int(q*float64(len(sorted)-1))]
}

func clb(n int, seed uint64, run time.Duration) scenario {
	return scenario{law: clbLaw, mean: 11.1, running: n, seed: seed, warm: 2 * time.Minute, run: run}
}

func redis(n int, seed uint64, run time.Duration) scenario {
	return scenario{law: redisLaw, mean: 937, running: n, listed: true, seed: seed, warm: time.Minute, run: run}
}

func TestPolicy(t *testing.T) {
	cases := map[string]struct {
		reason string
		scenario
		mean, p99, first99, info, list float64 // at most; 0: no bound
	}{
		"CLB30": {
			reason:   "2.7 ends a second leave quota enough for first looks",
			scenario: clb(30, 1, 15*time.Minute),
			mean:     1.25, p99: 4.5, first99: 0.5,
		},
		"CLB60":  {reason: "the quota is used up", scenario: clb(60, 1, 10*time.Minute), mean: 2.2},
		"CLB100": {reason: "two calls a task", scenario: clb(100, 1, 10*time.Minute), mean: 3.7},
		"CLB160": {reason: "near the end of what the quota allows at all", scenario: clb(160, 1, 10*time.Minute), mean: 14},
		"Redis100": {
			reason:   "a single page tells of all",
			scenario: redis(100, 1, 30*time.Minute),
			mean:     1.6, p99: 3, first99: 0.5,
		},
		"Redis1000": {
			reason:   "sweeps tell of the ends",
			scenario: redis(1000, 1, 10*time.Minute),
			mean:     1.65, p99: 3, first99: 0.5, info: 3.3, list: 6.5,
		},
		"Redis4000": {
			reason:   "sweeps of forty pages",
			scenario: redis(4000, 1, 80*time.Second),
			mean:     2.2, p99: 3.5,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var v verdict
			synctest.Test(t, func(*testing.T) { v = tc.simulate() })
			if v.ends == 0 || v.wrong+v.unseen+v.rejected > 0 {
				t.Errorf("%s: %d ends, %d of them wrong, %d unseen, %d calls rejected", tc.reason, v.ends, v.wrong, v.unseen, v.rejected)
			}
			for _, b := range []struct {
				name      string
				got, most float64
			}{
				{"mean lag", v.mean, tc.mean},
				{"p99 lag", v.p99, tc.p99},
				{"p99 first answer", v.first99, tc.first99},
				{"own questions a task", v.infoCalls, tc.info},
				{"list calls a task", v.listCalls, tc.list},
			} {
				if b.most > 0 && b.got > b.most {
					t.Errorf("%s: %s %.2f, want at most %.2f", tc.reason, b.name, b.got, b.most)
				}
			}
		})
	}
}

// BenchmarkPolicy reports the lag of the policy in simulated seconds.
func BenchmarkPolicy(b *testing.B) {
	for _, c := range []struct {
		name string
		scenario
	}{
		{"CLB30", clb(30, 1, 40*time.Minute)},
		{"CLB60", clb(60, 1, 20*time.Minute)},
		{"CLB100", clb(100, 1, 15*time.Minute)},
		{"Redis1000", redis(1000, 1, 30*time.Minute)},
		{"Redis10000", redis(10000, 1, 5*time.Minute)},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				v := c.benchmark(b)
				b.ReportMetric(v.mean, "mean-s")
				b.ReportMetric(v.p50, "p50-s")
				b.ReportMetric(v.p90, "p90-s")
				b.ReportMetric(v.p99, "p99-s")
				b.ReportMetric(v.first50, "first50-s")
				b.ReportMetric(v.first99, "first99-s")
				b.ReportMetric(v.infoCalls, "info/task")
				b.ReportMetric(v.listCalls, "list/task")
				b.ReportMetric(float64(v.ends), "ends")
				b.ReportMetric(float64(v.rejected), "rejected")
				b.ReportMetric(float64(v.wrong+v.unseen), "wrong")
			}
		})
	}
}

// benchmark simulates in a bubble of its own; synctest has none for benchmarks.
func (s scenario) benchmark(b *testing.B) (v verdict) {
	all := func(string, string) (bool, error) { return true, nil }
	ok := testing.RunTests(all, []testing.InternalTest{{Name: b.Name(), F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) { v = s.simulate() })
	}}})
	if !ok {
		b.Fatal("the simulation failed")
	}
	return v
}
