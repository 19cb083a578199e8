package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/controllers"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// TestMetricsOfALife has an operator tell of two tasks that succeed, and of an
// object without a key.
func TestMetricsOfALife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	registry := prometheus.NewRegistry()
	metrics := controllers.NewMetrics(registry)
	cloud, err := tencent.NewClient(tencent.Config{Endpoint: w.url, Observe: metrics.ObserveCall})
	check(t, err)
	w.secret("tencent-credentials", mainKey)
	w.operate(func(o *operator) { o.setup.Metrics, o.setup.Cloud = metrics, cloud })
	for id := range int64(2) { // as many as make a sweep pay
		w.cloud.Add(fakecloud.Task{ID: fmt.Sprint(id + 1), Duration: 6 * time.Second})
		w.redis(fmt.Sprintf("flush-%d", id+1), id+1)
	}
	w.redis("locked", 3, func(s *v1alpha1.CloudTaskSpec) {
		s.Credentials = &v1alpha1.Credentials{SecretName: "other-credentials"}
	})
	for _, name := range []string{"flush-1", "flush-2"} {
		w.untilFinished(name)
	}
	w.untilReason("locked", v1alpha1.ReasonCredentialsNotFound)

	exactly := map[string]float64{
		"cloudtask_tasks{phase=Succeeded,service=redis}":                  2,
		"cloudtask_tasks{phase=Pending,service=redis}":                    1,
		"cloudtask_tasks_ended_total{reason=TaskSucceeded,service=redis}": 2,
		"cloudtask_status_lag_seconds{service=redis}":                     2,
		"cloudtask_credential_faults_total{reason=CredentialsNotFound}":   1,
		"cloudtask_lanes{api=redis.DescribeTaskInfo}":                     1,
		"cloudtask_watch_errors_total{}":                                  0,
		"cloudtask_panics_total{}":                                        0,
	}
	var got map[string]float64
	w.eventually("the metrics are those of the life", func() bool { // the cache comes after the client's watch
		got = told(t, registry)
		for name, want := range exactly {
			if got[name] != want {
				return false
			}
		}
		return true
	})
	for _, name := range []string{
		"cloudtask_cloud_calls_total{api=redis.DescribeTaskInfo,result=ok}",
		"cloudtask_cloud_calls_total{api=redis.DescribeTaskList,result=ok}",
		"cloudtask_sweep_pages_total{}",
		"cloudtask_status_writes_total{result=ok}",
	} {
		if got[name] < 1 {
			t.Errorf("%s is %v; all that is told: %s", name, got[name], cmp.Diff(nil, got))
		}
	}
}

// told are the values of all series; of a histogram, the count.
func told(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	check(t, err)
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, pair := range m.GetLabel() {
				labels = append(labels, pair.GetName()+"="+pair.GetValue())
			}
			out[fmt.Sprintf("%s{%s}", family.GetName(), strings.Join(labels, ","))] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}
