package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// Metrics are what the operator tells of itself. Their labels are closed sets:
// no name, ID or message of anything is among them.
type Metrics struct {
	calls            *prometheus.CounterVec
	duration         *prometheus.HistogramVec
	pages            prometheus.Counter
	lag              *prometheus.HistogramVec
	ended            *prometheus.CounterVec
	statusWrites     *prometheus.CounterVec
	credentialFaults *prometheus.CounterVec
	watchErrors      prometheus.Counter
}

// NewMetrics returns metrics that a registry serves.
func NewMetrics(registry prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudtask_cloud_calls_total", Help: "Calls to Tencent Cloud, by API and what came of them.",
		}, []string{"api", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloudtask_cloud_call_duration_seconds", Help: "How long calls to Tencent Cloud took.",
			Buckets: []float64{.025, .05, .1, .2, .4, .8, 1.6, 3.2, 6.4, 10},
		}, []string{"api"}),
		pages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cloudtask_sweep_pages_total", Help: "Pages of running Redis tasks that were listed.",
		}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "cloudtask_status_lag_seconds", Help: "Time from a task's end, where the cloud tells it to the second, to its final status.",
			Buckets: []float64{1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300, 600},
		}, []string{"service"}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudtask_tasks_ended_total", Help: "Tasks that ended, by the reason of their condition Succeeded.",
		}, []string{"service", "reason"}),
		statusWrites: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudtask_status_writes_total", Help: "Writes of a status, by result: ok, conflict or error.",
		}, []string{"result"}),
		credentialFaults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudtask_credential_faults_total", Help: "Times that an object began to lack a good key, by reason.",
		}, []string{"reason"}),
		watchErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cloudtask_watch_errors_total", Help: "Times that a list or watch at the API server failed, or its objects did not decode.",
		}),
	}
	m.announce()
	registry.MustRegister(m.calls, m.duration, m.pages, m.lag, m.ended, m.statusWrites, m.credentialFaults, m.watchErrors)
	return m
}

// announce makes series exist before their first event: a rate over a counter
// that appears with the value 1 is 0.
func (m *Metrics) announce() {
	for _, api := range []tencent.API{tencent.RedisTaskInfo, tencent.RedisTaskList, tencent.LegacyRedisTaskInfo, tencent.CLBTaskStatus} {
		m.duration.WithLabelValues(string(api))
		for _, result := range []string{"ok", "Unavailable", "Throttled", "CredentialRefused", "AccessDenied", "InvalidRequest", "NotFound"} {
			m.calls.WithLabelValues(string(api), result)
		}
	}
	for _, service := range []string{"redis", "clb"} {
		m.lag.WithLabelValues(service)
		for _, reason := range []string{v1alpha1.ReasonTaskSucceeded, v1alpha1.ReasonTaskFailed, v1alpha1.ReasonTaskNotFound, v1alpha1.ReasonDeadlineExceeded} {
			m.ended.WithLabelValues(service, reason)
		}
	}
	for _, result := range []string{"ok", "conflict", "error"} {
		m.statusWrites.WithLabelValues(result)
	}
	for _, reason := range []string{v1alpha1.ReasonCredentialsNotFound, v1alpha1.ReasonAccessDenied} {
		m.credentialFaults.WithLabelValues(reason)
	}
}

// ObserveCall counts a call to the cloud.
func (m *Metrics) ObserveCall(api tencent.API, took time.Duration, err error) {
	result := "ok"
	var e *tencent.Error
	switch {
	case errors.As(err, &e):
		result = e.Kind.String()
	case err != nil: // the operator is ending
		return
	}
	m.calls.WithLabelValues(string(api), result).Inc()
	m.duration.WithLabelValues(string(api)).Observe(took.Seconds())
}

// ObserveWatchError counts a failure to list or watch.
func (m *Metrics) ObserveWatchError() { m.watchErrors.Inc() }

// observeTransition counts what a status write that went through has changed.
func (m *Metrics) observeTransition(task *v1alpha1.CloudTask, before v1alpha1.CloudTaskStatus, o finding, now time.Time) {
	condition := succeededCondition(task.Status)
	if condition == nil || reasonIs(before, condition.Reason) {
		return
	}
	switch condition.Reason {
	case v1alpha1.ReasonCredentialsNotFound, v1alpha1.ReasonAccessDenied:
		m.credentialFaults.WithLabelValues(condition.Reason).Inc()
	}
	if !finished(task.Status) || finished(before) {
		return
	}
	service := serviceOf(task)
	m.ended.WithLabelValues(service, condition.Reason).Inc()
	if !o.End.IsZero() && task.Status.CompletionTime != nil && o.End.Equal(task.Status.CompletionTime.Time) {
		m.lag.WithLabelValues(service).Observe(max(now.Sub(o.End).Seconds(), 0))
	}
}

// observeWrite counts a status write.
func (m *Metrics) observeWrite(result string) { m.statusWrites.WithLabelValues(result).Inc() }

var (
	tasksDesc = prometheus.NewDesc("cloudtask_tasks", "CloudTasks that the operator looks after, by service and phase.", []string{"service", "phase"}, nil)
	stallDesc = prometheus.NewDesc("cloudtask_tasks_stalled", "CloudTasks that have not ended and wait for a person, by reason.", []string{"reason"}, nil)
	rateDesc  = prometheus.NewDesc("cloudtask_lane_rate", "Calls a second that the slowest lane of an API may make.", []string{"api"}, nil)
	dueDesc   = prometheus.NewDesc("cloudtask_lane_depth", "Questions that wait for their turn, over all lanes of an API.", []string{"api"}, nil)
	lanesDesc = prometheus.NewDesc("cloudtask_lanes", "Lanes of an API: quotas in use.", []string{"api"}, nil)
)

// gauges tells of what is there at the moment it is asked.
type gauges struct {
	reader client.Reader
	loads  func() []poll.Load
}

// Describe is for the registry.
func (gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{tasksDesc, stallDesc, rateDesc, dueDesc, lanesDesc} {
		ch <- d
	}
}

// Collect is for the registry.
func (g gauges) Collect(ch chan<- prometheus.Metric) {
	g.collectLanes(ch)
	var tasks v1alpha1.CloudTaskList
	// A cache that is not there yet has nothing to tell, and nothing to wait for.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := g.reader.List(ctx, &tasks, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	type kind struct{ service, phase string }
	byKind := map[kind]int{}
	for _, service := range []string{"redis", "clb"} {
		for _, phase := range []v1alpha1.Phase{v1alpha1.PhasePending, v1alpha1.PhaseRunning, v1alpha1.PhaseSucceeded, v1alpha1.PhaseFailed} {
			byKind[kind{service, string(phase)}] = 0
		}
	}
	byReason := map[string]int{v1alpha1.ReasonCredentialsNotFound: 0, v1alpha1.ReasonAccessDenied: 0, v1alpha1.ReasonInvalidRequest: 0}
	for i := range tasks.Items {
		task := &tasks.Items[i]
		byKind[kind{serviceOf(task), string(task.Status.Phase)}]++
		if c := succeededCondition(task.Status); c != nil && stalled(task.Status) && !finished(task.Status) {
			byReason[c.Reason]++
		}
	}
	for k, n := range byKind {
		ch <- prometheus.MustNewConstMetric(tasksDesc, prometheus.GaugeValue, float64(n), k.service, k.phase)
	}
	for reason, n := range byReason {
		ch <- prometheus.MustNewConstMetric(stallDesc, prometheus.GaugeValue, float64(n), reason)
	}
}

func (g gauges) collectLanes(ch chan<- prometheus.Metric) {
	type sum struct {
		rate       float64
		due, lanes int
	}
	byAPI := map[string]sum{}
	for _, load := range g.loads() {
		s := byAPI[load.Lane.API]
		if s.lanes == 0 || load.Rate < s.rate {
			s.rate = load.Rate
		}
		s.due += load.Due
		s.lanes++
		byAPI[load.Lane.API] = s
	}
	for api, s := range byAPI {
		ch <- prometheus.MustNewConstMetric(rateDesc, prometheus.GaugeValue, s.rate, api)
		ch <- prometheus.MustNewConstMetric(dueDesc, prometheus.GaugeValue, float64(s.due), api)
		ch <- prometheus.MustNewConstMetric(lanesDesc, prometheus.GaugeValue, float64(s.lanes), api)
	}
}
