package main

import (
	"fmt"
	"strings"
)

// target is what a figure must not exceed.
type target struct {
	scenario string
	what     string
	most     float64
	of       func(Result) float64
}

func mean(r Result) float64      { return r.Lag.Mean }
func p99(r Result) float64       { return r.Lag.P99 }
func first99(r Result) float64   { return r.First.P99 }
func throttled(r Result) float64 { return float64(r.Throttled) }
func writes(r Result) float64    { return float64(r.MostWrites) }

// targetsOf are those of a scenario.
func targetsOf(r Result) []target {
	all := []target{
		{"clb-30", "mean lag, s", 1.3, mean},
		{"clb-30", "p99 lag, s", 4.5, p99},
		{"clb-30", "first answer p99, s", 0.5, first99},
		{"clb-60", "mean lag / bound", 1.25, func(r Result) float64 { return r.Lag.Mean / r.Bound }},
		{"clb-100", "mean lag, s", 3.9, mean},
		{"redis-100", "first answer p99, s", 0.5, first99},
		{"redis-1000", "mean lag, s", 1.7, mean},
		{"redis-1000", "p99 lag, s", 3, p99},
		{"redis-1000", "Info calls a task", 3, func(r Result) float64 { return r.InfoCalls }},
		{"redis-1000", "list calls a task", 6, func(r Result) float64 { return r.ListCalls }},
		{"redis-1000", "first answer p99, s", 0.5, first99},
		{"redis-10000", "mean lag, s", 4.5, mean},
		{"restart-10000", "known again after, s", 15, func(r Result) float64 { return r.KnownAgain }},
		{"stolen", "unused part of what others leave", 0.15, func(r Result) float64 {
			return 1 - float64(r.Calls-r.Throttled)/r.Window/10
		}},
		{"stolen", "rejected part of others' calls", 0.05, func(r Result) float64 {
			return float64(r.OthersThrottled) / max(float64(r.OthersCalls), 1)
		}},
		{"", "status writes of any task, progress aside", 3, writes},
	}
	if r.Scenario != "stolen" {
		all = append(all, target{"", "calls rejected", 0, throttled})
	}
	var its []target
	for _, t := range all {
		if t.scenario == r.Scenario || t.scenario == "" {
			its = append(its, t)
		}
	}
	return its
}

// targets says which figures are as they must be.
func (r *results) targets() string {
	rows := [][]string{{"scenario", "target", "at most", "measured", ""}}
	for _, x := range r.Results {
		if x.Policy != "cloudtask" {
			continue
		}
		for _, t := range targetsOf(x) {
			verdict := "met"
			if t.of(x) > t.most || t.of(x) < 0 && t.scenario == "restart-10000" {
				verdict = "missed"
			}
			rows = append(rows, []string{x.Title, t.what, trim(t.most), trim(t.of(x)), verdict})
		}
	}
	return "Targets:\n\n" + table(rows)
}

func trim(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}
