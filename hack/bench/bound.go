package main

import (
	"math"
	"slices"
	"time"
)

// gridStep is the relative width of the ages that the bound distinguishes; a
// finer grid changes it by less than 1 %.
const gridStep = 1.006

// manyCalls a task are so many that the least lag is inverse to them (Keller
// 1974).
const manyCalls = 16.0

// leastLag returns the mean lag in seconds below which no policy gets that makes
// so many calls a task on average, even one that knows of what kind each task is
// and how long its kind takes: an inspection problem (Barlow, Hunter and Proschan
// 1963). For a price per call, the best ages to ask at follow by dynamic
// programming; the price is then such that the calls are as many as allowed.
func leastLag(l law, callsPerTask float64) float64 {
	if callsPerTask <= 1 {
		return math.Inf(1)
	}
	if callsPerTask > manyCalls {
		return leastLag(l, manyCalls) * manyCalls / callsPerTask
	}
	var grids []grid
	for _, kind := range l.kinds {
		grids = append(grids, newGrid(kind.law))
	}
	atPrice := func(price float64) (calls, lag float64) {
		for i, kind := range l.kinds {
			c, late := grids[i].inspect(price)
			calls, lag = calls+kind.share*c, lag+kind.share*late
		}
		return calls, lag
	}
	cheap, dear := 1e-4, 1e5
	for range 30 {
		price := math.Sqrt(cheap * dear)
		if calls, _ := atPrice(price); calls > callsPerTask {
			cheap = price
		} else {
			dear = price
		}
	}
	most, low := atPrice(cheap)
	least, high := atPrice(dear)
	if most-least < 1e-9 {
		return high
	}
	part := (callsPerTask - least) / (most - least) // of the tasks that get the finer schedule
	return high + part*(low-high)
}

// grid is a distribution of durations, by age.
type grid struct {
	age, alive []float64
	// died is the integral of age over the deaths up to an age.
	died []float64
}

func newGrid(l law) grid {
	g := grid{age: []float64{0}, alive: []float64{1}}
	for a := 0.05; a < l.longest*gridStep; a *= gridStep {
		g.age, g.alive = append(g.age, a), append(g.alive, l.survival(a))
	}
	g.died = make([]float64, len(g.age))
	for i := 1; i < len(g.age); i++ {
		middle := (g.age[i] + g.age[i-1]) / 2
		g.died[i] = g.died[i-1] + middle*(g.alive[i-1]-g.alive[i])
	}
	return g
}

// inspect returns the calls and the lag a task of the best schedule at a price
// in seconds of lag per call.
func (g grid) inspect(price float64) (calls, lag float64) {
	n := len(g.age)
	cost, next := make([]float64, n), make([]int, n)
	for i := n - 2; i >= 0; i-- {
		cost[i] = math.Inf(1)
		for j := i + 1; j < n; j++ {
			late := g.late(i, j)
			if late+price*g.alive[i] > cost[i] {
				break // later is only worse
			}
			if c := price*g.alive[i] + late + cost[j]; c < cost[i] {
				cost[i], next[i] = c, j
			}
		}
	}
	for i := 0; i < n-1; i = next[i] {
		calls += g.alive[i]
		lag += g.late(i, next[i])
	}
	return calls, lag
}

// late is the mean lag of those that end between two looks, times their part.
func (g grid) late(i, j int) float64 {
	return g.age[j]*(g.alive[i]-g.alive[j]) - (g.died[j] - g.died[i])
}

// leastListLag returns the mean lag in seconds below which listing does not get:
// a page shows 100 tasks, each end needs a call for its outcome, and what an
// answer says is on average half a period and half a round trip old.
func leastListLag(running, endsPerSecond float64) float64 {
	period := running / (pageSize * (listRate + infoRate - endsPerSecond))
	return period/2 + listLatency.Seconds()/2
}

// leastBurstLag returns the mean lag of one who knows when each task ends, and
// has so many calls a second to prove it.
func leastBurstLag(ends []time.Time, rate float64) float64 {
	ends = slices.SortedFunc(slices.Values(ends), time.Time.Compare)
	var free time.Time
	total := 0.0
	for _, end := range ends {
		if free.Before(end) {
			free = end
		}
		total += free.Sub(end).Seconds()
		free = free.Add(seconds(1 / rate))
	}
	return total / max(float64(len(ends)), 1)
}
