package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"

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
	panics           prometheus.Counter
	census           *census
	lanes            *lanes
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
			Name: "cloudtask_status_writes_total", Help: "Writes of a status, by result; conflict: the object had changed, or was gone.",
		}, []string{"result"}),
		credentialFaults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cloudtask_credential_faults_total", Help: "Times that an object began to lack a good key, by reason.",
		}, []string{"reason"}),
		watchErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cloudtask_watch_errors_total", Help: "Times that a list or watch at the API server failed, or its objects did not decode.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cloudtask_panics_total", Help: "Panics while a task's answer was handled; the others went on.",
		}),
		census: &census{}, lanes: newLanes(),
	}
	m.announce()
	registry.MustRegister(m.calls, m.duration, m.pages, m.lag, m.ended, m.statusWrites,
		m.credentialFaults, m.watchErrors, m.panics, m.census, m.lanes)
	return m
}

// The values of the labels, each in one place.
var (
	apis         = []tencent.API{tencent.RedisTaskInfo, tencent.RedisTaskList, tencent.LegacyRedisTaskInfo, tencent.CLBTaskStatus}
	services     = []string{"redis", "clb"}
	phases       = []v1alpha1.Phase{v1alpha1.PhasePending, v1alpha1.PhaseRunning, v1alpha1.PhaseSucceeded, v1alpha1.PhaseFailed}
	errorKinds   = []tencent.Kind{tencent.Unavailable, tencent.Throttled, tencent.CredentialRefused, tencent.AccessDenied, tencent.InvalidRequest, tencent.NotFound}
	endReasons   = []string{v1alpha1.ReasonTaskSucceeded, v1alpha1.ReasonTaskFailed, v1alpha1.ReasonTaskNotFound, v1alpha1.ReasonDeadlineExceeded}
	stallReasons = []string{v1alpha1.ReasonCredentialsNotFound, v1alpha1.ReasonAccessDenied, v1alpha1.ReasonInvalidRequest}
	keyReasons   = stallReasons[:2]
)

const (
	resultOK       = "ok"
	resultConflict = "conflict"
	resultError    = "error"
)

// follow has the metrics tell of the objects in a cache, and of what is polled.
// It must be called before the cache and the registry are in use.
func (m *Metrics) follow(objects ctrlcache.Cache, loads func() []poll.Load, rate func(api string) float64) error {
	m.lanes.loads, m.lanes.rate = loads, rate
	informer, err := objects.GetInformer(context.Background(), &v1alpha1.CloudTask{}, ctrlcache.BlockUntilSynced(false))
	if err != nil {
		return fmt.Errorf("count objects: %w", err)
	}
	if _, err := informer.AddEventHandler(m.census.handler()); err != nil {
		return fmt.Errorf("count objects: %w", err)
	}
	return nil
}

// announce makes series exist before their first event: a rate over a counter
// that appears with the value 1 is 0.
func (m *Metrics) announce() {
	for _, api := range apis {
		m.duration.WithLabelValues(string(api))
		m.calls.WithLabelValues(string(api), resultOK)
		for _, kind := range errorKinds {
			m.calls.WithLabelValues(string(api), kind.String())
		}
	}
	m.lag.WithLabelValues(services[0]) // CLB tells no end
	for _, service := range services {
		for _, reason := range endReasons {
			m.ended.WithLabelValues(service, reason)
		}
	}
	for _, result := range []string{resultOK, resultConflict, resultError} {
		m.statusWrites.WithLabelValues(result)
	}
	for _, reason := range keyReasons {
		m.credentialFaults.WithLabelValues(reason)
	}
}

// ObserveCall counts a call to the cloud.
func (m *Metrics) ObserveCall(api tencent.API, took time.Duration, err error) {
	result := resultOK
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

// HandleWatchError counts a failure to list or watch, and logs it as client-go
// does by itself.
func (m *Metrics) HandleWatchError(ctx context.Context, r *cache.Reflector, err error) {
	if !watchEnded(err) {
		m.watchErrors.Inc()
	}
	cache.DefaultWatchErrorHandler(ctx, r, err)
}

// observeWrite counts a status write.
func (m *Metrics) observeWrite(err error) {
	result := resultOK
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		result = resultConflict
	case err != nil:
		result = resultError
	}
	m.statusWrites.WithLabelValues(result).Inc()
}

// observeTransition counts what a status write that went through has changed.
func (m *Metrics) observeTransition(task *v1alpha1.CloudTask, before v1alpha1.CloudTaskStatus, f finding, now time.Time) {
	condition := succeededCondition(task.Status)
	if condition == nil || reasonIs(before, condition.Reason) {
		return
	}
	if slices.Contains(keyReasons, condition.Reason) {
		m.credentialFaults.WithLabelValues(condition.Reason).Inc()
	}
	if !finished(task.Status) || finished(before) {
		return
	}
	service := serviceOf(task)
	m.ended.WithLabelValues(service, condition.Reason).Inc()
	if !f.End.IsZero() && task.Status.CompletionTime != nil && f.End.Equal(task.Status.CompletionTime.Time) {
		m.lag.WithLabelValues(service).Observe(max(now.Sub(f.End).Seconds(), 0))
	}
}
