package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// law is how long the tasks of a service take.
type law struct {
	service string
	mean    time.Duration
	draw    func(*rand.Rand) float64 // seconds
	// survival is the part of the tasks that take longer than so many seconds.
	survival func(float64) float64
	longest  float64 // seconds
	kinds    []part  // of tasks, which an asker could tell apart
}

// clbLaw has a median of 6.6 s, a 99th percentile of a minute, and a tail of up
// to an hour.
func clbLaw() law {
	l := mix(part{0.98, shiftedLogNormal(0.5, 6, 0.8)}, part{0.02, cutPareto(30, 1.1, 3600)})
	l.service, l.mean = "clb", 11100*time.Millisecond
	l.kinds = []part{{1, l}}
	return l
}

// redisLaw is three tenths purges of seconds, the rest backups and moves of a
// quarter of an hour with a tail of up to twelve.
func redisLaw() law {
	fast := shiftedLogNormal(0.5, 6, 0.8)
	slow := mix(part{0.97, shiftedLogNormal(60, 840, 0.7)}, part{0.03, cutPareto(3600, 1.5, 12*3600)})
	kinds := []part{{0.3, fast}, {0.7, slow}}
	l := mix(kinds...)
	l.service, l.mean, l.kinds = "redis", 937*time.Second, kinds
	return l
}

func shiftedLogNormal(shift, median, sigma float64) law {
	return law{
		draw: func(r *rand.Rand) float64 { return shift + median*math.Exp(sigma*r.NormFloat64()) },
		survival: func(x float64) float64 {
			if x <= shift {
				return 1
			}
			return math.Erfc(math.Log((x-shift)/median)/sigma/math.Sqrt2) / 2
		},
		longest: shift + median*math.Exp(5*sigma),
	}
}

func cutPareto(least, alpha, most float64) law {
	return law{
		draw: func(r *rand.Rand) float64 { return min(least*math.Pow(1-r.Float64(), -1/alpha), most) },
		survival: func(x float64) float64 {
			switch {
			case x <= least:
				return 1
			case x >= most:
				return 0
			}
			return math.Pow(x/least, -alpha)
		},
		longest: most,
	}
}

type part struct {
	share float64
	law   law
}

func mix(parts ...part) law {
	l := law{}
	for _, p := range parts {
		l.longest = max(l.longest, p.law.longest)
	}
	l.draw = func(r *rand.Rand) float64 {
		which, last := r.Float64(), len(parts)-1
		for _, p := range parts[:last] {
			if which < p.share {
				return p.law.draw(r)
			}
			which -= p.share
		}
		return parts[last].law.draw(r)
	}
	l.survival = func(x float64) float64 {
		total := 0.0
		for _, p := range parts {
			total += p.share * p.law.survival(x)
		}
		return total
	}
	return l
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// quantile returns the nearest rank of sorted values, 0 for none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// Lag sums up how late ends were learnt of, in seconds.
type Lag struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

func lagOf(values []float64) Lag {
	slices.Sort(values)
	return Lag{
		N: len(values), Mean: sum(values) / max(float64(len(values)), 1),
		P50: quantile(values, .5), P90: quantile(values, .9), P99: quantile(values, .99), Max: quantile(values, 1),
	}
}
