package controllers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// values are the series of a registry that are not 0, such as
// cloudtask_lanes{api=redis.DescribeTaskInfo}; a histogram is its count and sum.
func values(t *testing.T, registry prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			var labels []string
			for _, pair := range m.GetLabel() {
				labels = append(labels, pair.GetName()+"="+pair.GetValue())
			}
			name := fmt.Sprintf("%s{%s}", family.GetName(), strings.Join(labels, ","))
			out[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if h := m.GetHistogram(); h != nil {
				out[name+" count"], out[name+" sum"] = float64(h.GetSampleCount()), h.GetSampleSum()
			}
		}
	}
	return out
}

// moved are the series whose value has changed.
func moved(before, after map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for name, value := range after {
		if old, ok := before[name]; !ok || old != value {
			out[name] = value - old
		}
	}
	return out
}

func TestEachMetricMovesForItsCause(t *testing.T) {
	ended := created.Add(30 * time.Second)
	end := func(f *finding) { f.End = ended }
	conflict := apierrors.NewConflict(schema.GroupResource{Resource: "cloudtasks"}, "x", errors.New("newer"))
	transition := func(m *Metrics, views ...view) {
		task := redisObject()
		for _, v := range views {
			before := task.Status
			task.Status = computeStatus(task, v)
			m.observeTransition(task, before, v.sighting.Observation, v.now)
		}
	}
	noKey := unasked(created).resting(&trouble{reason: "CredentialsNotFound", code: "CredentialsNotFound", message: "none", since: created})
	refused := faulty(unasked(created), created, created, 1, poll.Refused, cloudError(tencent.CredentialRefused, "AuthFailure", "no"))

	cases := map[string]struct {
		reason string
		cause  func(*Metrics)
		want   map[string]float64
	}{
		"GoodCall": {
			reason: "A call is counted by its API, with its duration.",
			cause:  func(m *Metrics) { m.ObserveCall(tencent.CLBTaskStatus, 250*time.Millisecond, nil) },
			want: map[string]float64{
				"cloudtask_cloud_calls_total{api=clb.DescribeTaskStatus,result=ok}":       1,
				"cloudtask_cloud_call_duration_seconds{api=clb.DescribeTaskStatus} count": 1,
				"cloudtask_cloud_call_duration_seconds{api=clb.DescribeTaskStatus} sum":   .25,
			},
		},
		"ThrottledCall": {
			reason: "What came of a call is the kind of its error, never the cloud's own code.",
			cause: func(m *Metrics) {
				m.ObserveCall(tencent.RedisTaskInfo, time.Second, fmt.Errorf("describe task: %w", cloudError(tencent.Throttled, "RequestLimitExceeded", "slow down")))
			},
			want: map[string]float64{
				"cloudtask_cloud_calls_total{api=redis.DescribeTaskInfo,result=Throttled}": 1,
				"cloudtask_cloud_call_duration_seconds{api=redis.DescribeTaskInfo} count":  1,
				"cloudtask_cloud_call_duration_seconds{api=redis.DescribeTaskInfo} sum":    1,
			},
		},
		"AbandonedCall": {
			reason: "A call that the operator's own end cut off says nothing of the cloud.",
			cause:  func(m *Metrics) { m.ObserveCall(tencent.RedisTaskInfo, time.Second, context.Canceled) },
			want:   map[string]float64{},
		},
		"Page": {
			reason: "A page of a sweep is counted.",
			cause:  func(m *Metrics) { m.pages.Inc() },
			want:   map[string]float64{"cloudtask_sweep_pages_total{}": 1},
		},
		"StatusWrite": {
			reason: "A write that went through is ok.",
			cause:  func(m *Metrics) { m.observeWrite(nil) },
			want:   map[string]float64{"cloudtask_status_writes_total{result=ok}": 1},
		},
		"StatusConflict": {
			reason: "A write that came too late is no error of the API server.",
			cause: func(m *Metrics) {
				m.observeWrite(fmt.Errorf("write status: %w", conflict))
				m.observeWrite(apierrors.NewNotFound(schema.GroupResource{Resource: "cloudtasks"}, "x"))
			},
			want: map[string]float64{"cloudtask_status_writes_total{result=conflict}": 2},
		},
		"StatusError": {
			reason: "Any other is.",
			cause:  func(m *Metrics) { m.observeWrite(io.ErrUnexpectedEOF) },
			want:   map[string]float64{"cloudtask_status_writes_total{result=error}": 1},
		},
		"UndecodableWatch": {
			reason: "An object that does not decode stops the watch of all, and must be seen.",
			cause: func(m *Metrics) {
				m.HandleWatchError(t.Context(), reflector(), errors.New("unable to decode"))
			},
			want: map[string]float64{"cloudtask_watch_errors_total{}": 1},
		},
		"EndedWatch": {
			reason: "The API server ends every watch after some minutes.",
			cause: func(m *Metrics) {
				m.HandleWatchError(t.Context(), reflector(), io.EOF)
				m.HandleWatchError(t.Context(), reflector(), apierrors.NewResourceExpired("too old"))
			},
			want: map[string]float64{},
		},
		"Panic": {
			reason: "A panic is counted.",
			cause:  func(m *Metrics) { m.panics.Inc() },
			want:   map[string]float64{"cloudtask_panics_total{}": 1},
		},
		"Ended": {
			reason: "The lag is from the cloud's end to the moment of the write, once, and the way there counts nothing.",
			cause: func(m *Metrics) {
				running := told(created.Add(time.Second), found(tencent.Running))
				over := told(ended.Add(2*time.Second), found(tencent.Succeeded, end))
				transition(m, unasked(created), running, over, over)
			},
			want: map[string]float64{
				"cloudtask_tasks_ended_total{reason=TaskSucceeded,service=redis}": 1,
				"cloudtask_status_lag_seconds{service=redis} count":               1,
				"cloudtask_status_lag_seconds{service=redis} sum":                 2,
			},
		},
		"EndUnknown": {
			reason: "Where the cloud does not tell the end there is no lag to tell.",
			cause: func(m *Metrics) {
				transition(m, told(ended, found(tencent.Failed)))
			},
			want: map[string]float64{"cloudtask_tasks_ended_total{reason=TaskFailed,service=redis}": 1},
		},
		"NoKey": {
			reason: "A fault of the key counts when it begins, not while it lasts.",
			cause:  func(m *Metrics) { transition(m, noKey, noKey) },
			want:   map[string]float64{"cloudtask_credential_faults_total{reason=CredentialsNotFound}": 1},
		},
		"KeyRefused": {
			reason: "A key that the cloud refuses is such a fault too.",
			cause:  func(m *Metrics) { transition(m, refused) },
			want:   map[string]float64{"cloudtask_credential_faults_total{reason=AccessDenied}": 1},
		},
		"Lanes": {
			reason: "Of an API's lanes the slowest is told; what waits is summed up.",
			cause: func(m *Metrics) {
				m.lanes.loads = func() []poll.Load {
					return []poll.Load{
						{Lane: poll.Lane{Credential: "a", API: string(tencent.CLBTaskStatus)}, Rate: 9, Due: 3, Tasks: 7},
						{Lane: poll.Lane{Credential: "b", API: string(tencent.CLBTaskStatus)}, Rate: 4, Due: 5, Tasks: 30, Answered: 20},
					}
				}
			},
			want: map[string]float64{
				"cloudtask_lane_rate{api=clb.DescribeTaskStatus}":                 4 - 18,
				"cloudtask_lane_depth{api=clb.DescribeTaskStatus}":                8,
				"cloudtask_lane_tasks{answered=true,api=clb.DescribeTaskStatus}":  20,
				"cloudtask_lane_tasks{answered=false,api=clb.DescribeTaskStatus}": 17,
				"cloudtask_lanes{api=clb.DescribeTaskStatus}":                     2,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			m := NewMetrics(registry)
			before := values(t, registry)
			tc.cause(m)
			if diff := cmp.Diff(tc.want, moved(before, values(t, registry))); diff != "" {
				t.Errorf("%s\nthat moved (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func reflector() *toolscache.Reflector {
	return toolscache.NewReflectorWithOptions(&toolscache.ListWatch{}, &v1alpha1.CloudTask{}, toolscache.NewStore(toolscache.MetaNamespaceKeyFunc), toolscache.ReflectorOptions{Name: "test"})
}

// objects are CloudTasks of all kinds, in turn.
func objects(n int) []*v1alpha1.CloudTask {
	out := make([]*v1alpha1.CloudTask, 0, n)
	for i := range n {
		task := redisObject(func(task *v1alpha1.CloudTask) {
			task.Name, task.UID = fmt.Sprintf("flush-%d", i), types.UID(fmt.Sprintf("uid-%d", i))
			task.Status.Message = task.Name
			if i%2 == 1 {
				task.Spec.Redis, task.Spec.CLB = nil, &v1alpha1.CLBTask{RequestID: new(task.Name)}
			}
			task.Status.Phase = phases[i/2%len(phases)]
		})
		if i%16 < 2 { // Pending
			task.Status.Conditions[0].Reason = stallReasons[i/16%len(stallReasons)]
			task.Status.Conditions = append(task.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionStalled, Status: metav1.ConditionTrue})
		}
		out = append(out, task)
	}
	return out
}

// live fills metrics as an operator with so many objects does.
func live(m *Metrics, n int) {
	handler := m.census.handler()
	loads := make([]poll.Load, 0, n)
	for i, task := range objects(n) {
		handler.OnAdd(task, false)
		api := apis[i%len(apis)]
		kind := errorKinds[i%len(errorKinds)]
		m.ObserveCall(api, time.Duration(i)*time.Millisecond, nil)
		m.ObserveCall(api, time.Second, cloudError(kind, "Code."+task.Name, task.Name))
		loads = append(loads, poll.Load{Lane: poll.Lane{Credential: task.Name, API: string(api)}, Rate: 1, Due: 1})
	}
	m.lanes.loads = func() []poll.Load { return loads }
}

func TestSeriesAreAsManyForAnyNumberOfObjects(t *testing.T) {
	series := func(n int) []string {
		registry := prometheus.NewRegistry()
		live(NewMetrics(registry), n)
		var names []string
		for name := range values(t, registry) {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	none, hundred, many := series(0), series(100), series(10_000)
	if diff := cmp.Diff(none, hundred); diff != "" {
		t.Errorf("100 objects change the series:\n%s", diff)
	}
	if diff := cmp.Diff(hundred, many); diff != "" {
		t.Errorf("10,000 objects change the series of 100:\n%s", diff)
	}
}

func TestMetricsAreWellNamed(t *testing.T) {
	registry := prometheus.NewRegistry()
	live(NewMetrics(registry), 100)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestCensus has objects come, change and go as the cache tells of it.
func TestCensus(t *testing.T) {
	const pending, running = "cloudtask_tasks{phase=Pending,service=redis}", "cloudtask_tasks{phase=Running,service=redis}"
	run := redisObject(withStatus(told(created, found(tencent.Running))))
	again := redisObject(func(task *v1alpha1.CloudTask) { task.UID = "uid-2" })
	stuck := redisObject(withStatus(unasked(created.Add(time.Minute)).resting(&trouble{
		reason: "CredentialsNotFound", code: "CredentialsNotFound", message: "none", since: created,
	})))
	steps := []struct {
		reason string
		event  func(toolscache.ResourceEventHandler)
		want   map[string]float64
	}{
		{"a new object", func(h toolscache.ResourceEventHandler) { h.OnAdd(redisObject(), true) }, map[string]float64{pending: 1}},
		{"it runs", func(h toolscache.ResourceEventHandler) { h.OnUpdate(redisObject(), run) }, map[string]float64{running: 1}},
		{"its key is gone", func(h toolscache.ResourceEventHandler) { h.OnUpdate(run, stuck) }, map[string]float64{
			pending: 1, "cloudtask_tasks_stalled{reason=CredentialsNotFound}": 1,
		}},
		{"deleted and created again", func(h toolscache.ResourceEventHandler) { h.OnUpdate(stuck, again) }, map[string]float64{pending: 1}},
		{"told twice", func(h toolscache.ResourceEventHandler) { h.OnAdd(again, false) }, map[string]float64{pending: 1}},
		{"gone while nobody watched", func(h toolscache.ResourceEventHandler) {
			h.OnDelete(toolscache.DeletedFinalStateUnknown{Key: "shop/flush-18215", Obj: again})
		}, map[string]float64{}},
	}
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	before := values(t, registry)
	for _, step := range steps {
		step.event(m.census.handler())
		if diff := cmp.Diff(step.want, moved(before, values(t, registry))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.reason, diff)
		}
	}
}

// BenchmarkScrape must not grow by a copy of every object: 100,000 of them are
// some 50 MB even without what they point to.
func BenchmarkScrape(b *testing.B) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	handler := m.census.handler()
	for _, task := range objects(100_000) {
		handler.OnAdd(task, true)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
