package fakecloud

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clb "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/clb/v20180317"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

// A task that waits until 10 s, ends at 60 s; asked at some age.
func TestLifeOfATask(t *testing.T) {
	ok := Task{Prepare: 10 * time.Second, Duration: time.Minute, InstanceID: "crs-1"}
	bad := Task{Prepare: 10 * time.Second, Duration: time.Minute, Fails: true, Message: "disk full"}
	worse := bad
	worse.Fails, worse.Error = false, true
	forever := Task{Duration: -1}
	late := Task{Duration: time.Minute, HiddenFor: 5 * time.Second}
	cases := map[string]struct {
		reason     string
		task       Task
		age        time.Duration
		info, text string // of DescribeTaskInfo
		legacy     int
		clb        int64
		result     int64
		progress   float64
	}{
		"waiting":   {"prepares for 10 s", ok, 9 * time.Second, "preparing", "", 0, 2, 0, 0},
		"running":   {"until the end", ok, 30 * time.Second, "running", "", 1, 2, 1, 0.5},
		"nearly":    {"the end is exclusive", ok, time.Minute - 1, "running", "", 1, 2, 1, 0.99},
		"succeeded": {"at the end", ok, time.Minute, "succeed", "ok", 2, 0, 2, 1},
		"failed":    {"with its message", bad, time.Hour, "failed", "disk full", 3, 1, 4, 1},
		"error":     {"the other failure", worse, time.Hour, "error", "disk full", -1, 1, 4, 1},
		"for ever":  {"never ends", forever, 24 * time.Hour, "running", "", 1, 2, 1, 0},
		"hidden":    {"seen after 5 s", late, 5 * time.Second, "running", "", 1, 2, 1, 0.08},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			cloud := New(Options{Now: clock.Now})
			tc.task.Start = clock.Now().Add(-tc.age)
			task, lb := tc.task, tc.task
			task.ID, lb.ID, lb.Service = "7", "job", "clb"
			cloud.Add(task, lb)

			info, err := taskInfo(redisClient(t, cloud, sampleKey()), 7)
			if err != nil {
				t.Fatal(err)
			}
			if *info.Status != tc.info || *info.TaskMessage != tc.text {
				t.Errorf("%s: 3.0 says %s %q, want %s %q", tc.reason, *info.Status, *info.TaskMessage, tc.info, tc.text)
			}
			status, err := taskStatus(clbClient(t, cloud, sampleKey()), "job")
			if err != nil {
				t.Fatal(err)
			}
			if *status.Status != tc.clb || (tc.clb == 1) != (status.Message != nil && *status.Message == "disk full") {
				t.Errorf("%s: CLB says %d %v, want %d", tc.reason, *status.Status, status.Message, tc.clb)
			}
			legacy := callLegacy(t, cloud, http.MethodPost, signed("POST", legacyParams(cloud, 1, "7"), sampleKey().SecretKey))
			if legacy.CodeDesc != "Success" || *legacy.Data.Status != tc.legacy {
				t.Errorf("%s: 2.0 says %+v, want %d", tc.reason, legacy, tc.legacy)
			}
			row := list(t, cloud, func(*redis.DescribeTaskListRequest) {}).Tasks[0]
			if *row.Result != tc.result || *row.Progress != tc.progress {
				t.Errorf("%s: the list says %d %v, want %d %v", tc.reason, *row.Result, *row.Progress, tc.result, tc.progress)
			}
			if ended := *row.EndTime != redisNoTime; ended != (tc.result > 1) {
				t.Errorf("%s: the list's end is %s", tc.reason, *row.EndTime)
			}
		})
	}
}

func TestHiddenAndFutureTasks(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	start := clock.Now()
	cloud.Add(
		Task{ID: "1", Start: start, HiddenFor: 5 * time.Second, Duration: -1},
		Task{ID: "2", Start: start.Add(5 * time.Second), Duration: -1},
		Task{ID: "job", Service: "clb", DealName: "deal", HiddenFor: 5 * time.Second, Duration: -1},
	)
	look := func() (codes []string) {
		for _, id := range []uint64{1, 2} {
			_, err := taskInfo(redisClient(t, cloud, sampleKey()), id)
			codes = append(codes, codeOf(t, err))
		}
		_, err := taskStatus(clbClient(t, cloud, sampleKey()), "job")
		return append(codes, codeOf(t, err))
	}
	clock.Add(5*time.Second - 1)
	unknown := "InvalidParameter.InvalidParameter"
	if diff := cmp.Diff([]string{unknown, unknown, "InvalidParameter"}, look()); diff != "" {
		t.Errorf("before they show (-want +got):\n%s", diff)
	}
	if got := *list(t, cloud, func(*redis.DescribeTaskListRequest) {}).TotalCount; got != 0 {
		t.Errorf("%d listed, want none yet", got)
	}
	clock.Add(1)
	if diff := cmp.Diff([]string{"", "", ""}, look()); diff != "" {
		t.Errorf("once they show (-want +got):\n%s", diff)
	}
	if got := *list(t, cloud, func(*redis.DescribeTaskListRequest) {}).TotalCount; got != 2 {
		t.Errorf("%d listed, want both", got)
	}
}

func TestRedisShape(t *testing.T) {
	start := time.Date(2026, 1, 1, 20, 0, 0, 0, time.UTC)
	cloud := New(Options{})
	cloud.Add(Task{ID: "18215", InstanceID: "crs-09u2u96z", Start: start, Duration: -1})
	got, err := taskInfo(redisClient(t, cloud, sampleKey()), 18215)
	if err != nil {
		t.Fatal(err)
	}
	requestID := got.RequestId
	got.RequestId = nil
	want := &redis.DescribeTaskInfoResponseParams{
		Status: new("running"), StartTime: new("2026-01-02 04:00:00"), TaskType: new("Redis cache purge process"),
		InstanceId: new("crs-09u2u96z"), TaskMessage: new(""),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("times are UTC+8 (-want +got):\n%s", diff)
	}
	again, err := taskInfo(redisClient(t, cloud, sampleKey()), 18215)
	if err != nil || len(*requestID) != 36 || *again.RequestId == *requestID {
		t.Errorf("request IDs %s and %s (%v), want two UUIDs", *requestID, *again.RequestId, err)
	}
}

func TestCLBQuestions(t *testing.T) {
	cases := map[string]struct {
		reason     string
		task, deal *string
		want       string
	}{
		"task ID":   {"by request ID", new("job"), nil, ""},
		"deal name": {"by order", nil, new("deal"), ""},
		"both":      {"exactly one", new("job"), new("deal"), "InvalidParameter"},
		"none":      {"exactly one", nil, nil, "InvalidParameter"},
		"unknown":   {"no such request", new("deal"), nil, "InvalidParameter"},
		"swapped":   {"no such order", nil, new("job"), "InvalidParameter"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := New(Options{Now: newClock().Now})
			cloud.Add(Task{ID: "job", Service: "clb", DealName: "deal", InstanceID: "lb-1"})
			request := clb.NewDescribeTaskStatusRequest()
			request.TaskId, request.DealName = tc.task, tc.deal
			response, err := clbClient(t, cloud, sampleKey()).DescribeTaskStatus(request)
			if codeOf(t, err) != tc.want {
				t.Fatalf("%s: got %v, want %q", tc.reason, err, tc.want)
			}
			if err == nil && *response.Response.LoadBalancerIds[0] != "lb-1" {
				t.Errorf("%s: load balancers %v", tc.reason, response.Response.LoadBalancerIds)
			}
		})
	}
}

func TestOwnership(t *testing.T) {
	other := Key{SecretID: "other", SecretKey: "k"}
	cloud := New(Options{Now: newClock().Now, Accounts: []Account{SampleAccount(), {Name: "other", Keys: []Key{other}}}})
	cloud.Add(Task{ID: "1"}, Task{ID: "job", Service: "clb"}, Task{ID: "2", Region: "ap-shanghai"})
	if _, err := taskInfo(redisClient(t, cloud, other), 1); codeOf(t, err) != "InvalidParameter.InvalidParameter" {
		t.Errorf("another account's Redis task: %v", err)
	}
	if _, err := taskStatus(clbClient(t, cloud, other), "job"); codeOf(t, err) != "InvalidParameter" {
		t.Errorf("another account's CLB task: %v", err)
	}
	if _, err := taskInfo(redisClient(t, cloud, sampleKey()), 2); codeOf(t, err) != "InvalidParameter.InvalidParameter" {
		t.Errorf("another region's task: %v", err)
	}
	if got := *list(t, cloud, func(*redis.DescribeTaskListRequest) {}).TotalCount; got != 1 {
		t.Errorf("%d tasks listed, want the one of account and region", got)
	}
}

func TestFinishEndEvict(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	cloud.Add(Task{ID: "1", Duration: -1}, Task{ID: "2", Duration: time.Hour}, Task{ID: "3"})
	start := clock.Now()
	if end, ok := cloud.End("redis", "2"); !ok || !end.Equal(start.Add(time.Hour)) {
		t.Errorf("end %v %v, want an hour after the start", end, ok)
	}
	if end, ok := cloud.End("redis", "1"); !ok || !end.IsZero() {
		t.Errorf("end %v %v, want zero for a task without end", end, ok)
	}
	if _, ok := cloud.End("clb", "1"); ok {
		t.Error("an unknown task has an end")
	}
	clock.Add(time.Minute)
	if !cloud.Finish("redis", "1", false, "cancelled") || cloud.Finish("redis", "3", true, "") || cloud.Finish("redis", "9", true, "") {
		t.Error("Finish: want true for what runs, false for what ended or is unknown")
	}
	info, err := taskInfo(redisClient(t, cloud, sampleKey()), 1)
	if err != nil || *info.Status != "failed" || *info.TaskMessage != "cancelled" {
		t.Errorf("got %+v, %v, want failed: cancelled", info, err)
	}
	if end, _ := cloud.End("redis", "1"); !end.Equal(clock.Now()) {
		t.Errorf("end %v, want now", end)
	}
	if got := cloud.Evict(clock.Now()); got != 1 { // task 3, which ended at once
		t.Errorf("%d evicted, want 1", got)
	}
	if _, err := taskInfo(redisClient(t, cloud, sampleKey()), 3); codeOf(t, err) != "InvalidParameter.InvalidParameter" {
		t.Errorf("an evicted task: %v", err)
	}
	if got := *list(t, cloud, func(*redis.DescribeTaskListRequest) {}).TotalCount; got != 2 {
		t.Errorf("%d listed, want the 2 left", got)
	}
}

func TestAddReplaces(t *testing.T) {
	cloud := New(Options{Now: newClock().Now})
	cloud.Add(Task{ID: "1"}, Task{ID: "1", Duration: -1})
	got := list(t, cloud, func(*redis.DescribeTaskListRequest) {})
	if *got.TotalCount != 1 || *got.Tasks[0].Result != 1 {
		t.Errorf("%d listed, first %d; want one, running", *got.TotalCount, *got.Tasks[0].Result)
	}
}

func TestCheck(t *testing.T) {
	cases := map[string]struct {
		reason string
		task   Task
		ok     bool
	}{
		"redis":   {"defaults", Task{ID: "1"}, true},
		"clb":     {"any ID", Task{ID: "x", Service: "clb"}, true},
		"no ID":   {"needed", Task{Service: "clb"}, false},
		"word":    {"a Redis ID is a number", Task{ID: "x"}, false},
		"zero":    {"from 1", Task{ID: "0"}, false},
		"service": {"two only", Task{ID: "1", Service: "cvm"}, false},
		"account": {"must exist", Task{ID: "1", Account: "nobody"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if err := New(Options{}).Check(tc.task); (err == nil) != tc.ok {
				t.Errorf("%s: got %v", tc.reason, err)
			}
		})
	}
}
