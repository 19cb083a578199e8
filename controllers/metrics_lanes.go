package controllers

import (
	"github.com/prometheus/client_golang/prometheus"

	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

var (
	rateDesc     = prometheus.NewDesc("cloudtask_lane_rate", "Calls a second that the slowest lane of an API may make, or a new one would.", []string{"api"}, nil)
	depthDesc    = prometheus.NewDesc("cloudtask_lane_depth", "Questions that wait for their turn, over all lanes of an API.", []string{"api"}, nil)
	followedDesc = prometheus.NewDesc("cloudtask_lane_tasks", "Unfinished tasks that the cloud is asked about, by the API that tells how they end, and whether it has told of them since the operator started.", []string{"api", "answered"}, nil)
	lanesDesc    = prometheus.NewDesc("cloudtask_lanes", "Lanes of an API: quotas in use.", []string{"api"}, nil)
)

// lanes tells how busy the quotas are at the moment it is asked. There are as
// many lanes as keys and hosts, so they are summed up by API.
type lanes struct {
	loads func() []poll.Load
	rate  func(api string) float64
}

// newLanes returns the lanes of an operator that does not poll, or not yet.
func newLanes() *lanes {
	return &lanes{
		loads: func() []poll.Load { return nil },
		rate:  func(api string) float64 { return tencent.API(api).DefaultRate() },
	}
}

// Describe is for the registry.
func (*lanes) Describe(ch chan<- *prometheus.Desc) {
	ch <- rateDesc
	ch <- depthDesc
	ch <- followedDesc
	ch <- lanesDesc
}

// Collect is for the registry.
func (l *lanes) Collect(ch chan<- prometheus.Metric) {
	byAPI := map[string][]poll.Load{}
	for _, load := range l.loads() {
		byAPI[load.Lane.API] = append(byAPI[load.Lane.API], load)
	}
	for _, api := range apis {
		loads := byAPI[string(api)]
		rate, depth, tasks, answered := l.rate(string(api)), 0, 0, 0
		for _, load := range loads {
			rate, depth = min(rate, load.Rate), depth+load.Due
			tasks, answered = tasks+load.Tasks, answered+load.Answered
		}
		for desc, value := range map[*prometheus.Desc]float64{
			rateDesc: rate, depthDesc: float64(depth), lanesDesc: float64(len(loads)),
		} {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, string(api))
		}
		ch <- prometheus.MustNewConstMetric(followedDesc, prometheus.GaugeValue, float64(answered), string(api), "true")
		ch <- prometheus.MustNewConstMetric(followedDesc, prometheus.GaugeValue, float64(tasks-answered), string(api), "false")
	}
}
