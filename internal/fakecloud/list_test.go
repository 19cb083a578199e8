package fakecloud

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

func tryList(t *testing.T, cloud *Cloud, fill func(*redis.DescribeTaskListRequest)) (*redis.DescribeTaskListResponseParams, error) {
	t.Helper()
	request := redis.NewDescribeTaskListRequest()
	fill(request)
	response, err := redisClient(t, cloud, sampleKey()).DescribeTaskList(request)
	if err != nil {
		return nil, err
	}
	return response.Response, nil
}

func list(t *testing.T, cloud *Cloud, fill func(*redis.DescribeTaskListRequest)) *redis.DescribeTaskListResponseParams {
	t.Helper()
	page, err := tryList(t, cloud, fill)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func ids(page *redis.DescribeTaskListResponseParams) []int64 {
	found := []int64{}
	for _, row := range page.Tasks {
		found = append(found, *row.TaskId)
	}
	return found
}

// sevenTasks are tasks 1 to 7, one started every hour until an hour ago, the
// odd ones on crs-odd; 1 and 2 succeeded, 3 failed, 4 waits, the rest run.
func sevenTasks(clock *clock) *Cloud {
	cloud := New(Options{Now: clock.Now})
	for _, i := range []int{3, 1, 2, 7, 6, 5, 4} { // in no order
		task := Task{ID: strconv.Itoa(i), InstanceID: "crs-even", TypeCode: "00" + strconv.Itoa(i), Duration: -1}
		task.Start = clock.Now().Add(time.Duration(i-8) * time.Hour)
		if i%2 == 1 {
			task.InstanceID = "crs-odd"
		}
		if i <= 3 {
			task.Duration, task.Fails = time.Minute, i == 3
		}
		if i == 4 {
			task.Prepare = 24 * time.Hour
		}
		cloud.Add(task)
	}
	return cloud
}

func TestListFilters(t *testing.T) {
	clock := newClock()
	ago := func(d time.Duration) *string {
		return new(clock.Now().Add(-d).In(redisZone()).Format(redisTime))
	}
	cases := map[string]struct {
		reason string
		fill   func(*redis.DescribeTaskListRequest)
		want   []int64
	}{
		"all":       {"newest first", func(*redis.DescribeTaskListRequest) {}, []int64{7, 6, 5, 4, 3, 2, 1}},
		"instance":  {"by instance", func(r *redis.DescribeTaskListRequest) { r.InstanceId = new("crs-odd") }, []int64{7, 5, 3, 1}},
		"no such":   {"an unknown instance has none", func(r *redis.DescribeTaskListRequest) { r.InstanceId = new("crs-x") }, []int64{}},
		"types":     {"any of the codes", func(r *redis.DescribeTaskListRequest) { r.TaskTypes = []*string{new("002"), new("005")} }, []int64{5, 2}},
		"live":      {"waiting and running", func(r *redis.DescribeTaskListRequest) { r.Result = []*int64{new(int64(0)), new(int64(1))} }, []int64{7, 6, 5, 4}},
		"waiting":   {"Result 0", func(r *redis.DescribeTaskListRequest) { r.Result = []*int64{new(int64(0))} }, []int64{4}},
		"ended":     {"Result 2 and 4", func(r *redis.DescribeTaskListRequest) { r.Result = []*int64{new(int64(2)), new(int64(4))} }, []int64{3, 2, 1}},
		"begin":     {"inclusive, of the start", func(r *redis.DescribeTaskListRequest) { r.BeginTime = ago(3 * time.Hour) }, []int64{7, 6, 5}},
		"after":     {"a second later", func(r *redis.DescribeTaskListRequest) { r.BeginTime = ago(3*time.Hour - time.Second) }, []int64{7, 6}},
		"end":       {"inclusive, of the start", func(r *redis.DescribeTaskListRequest) { r.EndTime = ago(6 * time.Hour) }, []int64{2, 1}},
		"backwards": {"an empty time", func(r *redis.DescribeTaskListRequest) { r.BeginTime, r.EndTime = ago(time.Hour), ago(5*time.Hour) }, []int64{}},
		"together": {"filters add up", func(r *redis.DescribeTaskListRequest) {
			r.InstanceId, r.Result, r.BeginTime = new("crs-odd"), []*int64{new(int64(1))}, ago(2*time.Hour)
		}, []int64{7}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			page := list(t, sevenTasks(clock), tc.fill)
			if diff := cmp.Diff(tc.want, ids(page)); diff != "" || *page.TotalCount != int64(len(tc.want)) {
				t.Errorf("%s: total %d (-want +got):\n%s", tc.reason, *page.TotalCount, diff)
			}
		})
	}
}

func TestListPages(t *testing.T) {
	cases := map[string]struct {
		reason        string
		limit, offset *int64
		want          []int64
		code          string
	}{
		"first":    {"newest", new(int64(3)), new(int64(0)), []int64{7, 6, 5}, ""},
		"second":   {"follows", new(int64(3)), new(int64(3)), []int64{4, 3, 2}, ""},
		"last":     {"is short", new(int64(3)), new(int64(6)), []int64{1}, ""},
		"beyond":   {"is empty", new(int64(3)), new(int64(9)), []int64{}, ""},
		"100":      {"the greatest", new(int64(100)), nil, []int64{7, 6, 5, 4, 3, 2, 1}, ""},
		"101":      {"too great", new(int64(101)), nil, nil, "InvalidParameter"},
		"none":     {"too small", new(int64(0)), nil, nil, "InvalidParameter"},
		"odd":      {"Offset is a multiple of Limit", new(int64(3)), new(int64(4)), nil, "InvalidParameter"},
		"negative": {"Offset is from 0", new(int64(3)), new(int64(-3)), nil, "InvalidParameter"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			page, err := tryList(t, sevenTasks(newClock()), func(r *redis.DescribeTaskListRequest) { r.Limit, r.Offset = tc.limit, tc.offset })
			if codeOf(t, err) != tc.code {
				t.Fatalf("%s: got %v, want %q", tc.reason, err, tc.code)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tc.want, ids(page)); diff != "" || *page.TotalCount != 7 {
				t.Errorf("%s: total %d (-want +got):\n%s", tc.reason, *page.TotalCount, diff)
			}
		})
	}
}

func TestListDefaultLimit(t *testing.T) {
	cloud := New(Options{Now: newClock().Now})
	for i := range 30 {
		cloud.Add(Task{ID: strconv.Itoa(i + 1)})
	}
	page := list(t, cloud, func(*redis.DescribeTaskListRequest) {})
	if len(page.Tasks) != 20 || *page.TotalCount != 30 {
		t.Errorf("%d rows of %d, want 20 of 30", len(page.Tasks), *page.TotalCount)
	}
}

func TestListHistory(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	day := 24 * time.Hour
	cloud.Add(Task{ID: "1", Start: clock.Now().Add(-31 * day), Duration: -1}, Task{ID: "2", Start: clock.Now().Add(-29 * day), Duration: -1})
	page := list(t, cloud, func(r *redis.DescribeTaskListRequest) { r.BeginTime = new("2018-01-01 00:00:00") })
	if diff := cmp.Diff([]int64{2}, ids(page)); diff != "" {
		t.Errorf("only 30 days are listed (-want +got):\n%s", diff)
	}
	if _, err := taskInfo(redisClient(t, cloud, sampleKey()), 1); err != nil {
		t.Errorf("older ones are still known by ID: %v", err)
	}
	if _, err := tryList(t, cloud, func(r *redis.DescribeTaskListRequest) { r.BeginTime = new("yesterday") }); codeOf(t, err) != "InvalidParameter" {
		t.Errorf("a bad time: %v", err)
	}
}

func TestListShape(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	cloud.Add(Task{ID: "42372", InstanceID: "crs-1", TypeCode: "037", Start: clock.Now().Add(-time.Hour), Duration: 9 * time.Second})
	want := &redis.TaskInfoDetail{
		TaskId: new(int64(42372)), InstanceId: new("crs-1"), InstanceName: new("crs-1"), TaskType: new("037"), ProjectId: new(int64(0)),
		StartTime: new(clock.Now().Add(-time.Hour).In(redisZone()).Format(redisTime)),
		EndTime:   new(clock.Now().Add(9*time.Second - time.Hour).In(redisZone()).Format(redisTime)),
		Progress:  new(1.0), Result: new(int64(2)),
	}
	if diff := cmp.Diff(want, list(t, cloud, func(*redis.DescribeTaskListRequest) {}).Tasks[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Ended tasks leave the live list, those finished by hand as well.
func TestLiveList(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	for i := range 10 {
		cloud.Add(Task{ID: strconv.Itoa(i + 1), Duration: time.Duration(i+1) * 10 * time.Second})
	}
	live := func() *redis.DescribeTaskListResponseParams {
		return list(t, cloud, func(r *redis.DescribeTaskListRequest) { r.Result = []*int64{new(int64(0)), new(int64(1))} })
	}
	clock.Add(25 * time.Second)
	if diff := cmp.Diff([]int64{10, 9, 8, 7, 6, 5, 4, 3}, ids(live())); diff != "" {
		t.Errorf("after 25 s (-want +got):\n%s", diff)
	}
	cloud.Finish("redis", "10", true, "")
	if diff := cmp.Diff([]int64{9, 8, 7, 6, 5, 4, 3}, ids(live())); diff != "" {
		t.Errorf("at once, with one finished (-want +got):\n%s", diff)
	}
	clock.Add(50 * time.Second)
	if diff := cmp.Diff([]int64{9, 8}, ids(live())); diff != "" {
		t.Errorf("after 75 s (-want +got):\n%s", diff)
	}
	if got := len(cloud.tasks.shelf("sample", "ap-guangzhou").live); got != 2 {
		t.Errorf("the live list holds %d, want 2: else lists grow slow", got)
	}
}

func BenchmarkListPage(b *testing.B) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	tasks := make([]Task, 100_000)
	for i := range tasks {
		tasks[i] = Task{ID: strconv.Itoa(i + 1), Start: clock.Now().Add(time.Duration(i-len(tasks)) * time.Second)}
		if i%10 == 0 {
			tasks[i].Duration = -1
		}
	}
	cloud.Add(tasks...)
	call := &call{account: "sample", region: "ap-guangzhou", body: []byte(`{"Limit":100,"Offset":5000,"Result":[0,1]}`)}
	for b.Loop() {
		fields, err := cloud.redisTaskList(call, clock.Now(), nil)
		if err != nil {
			b.Fatal(err.message)
		}
		if _, err := encode(call, verdict{fields: fields}); err != nil {
			b.Fatal(err)
		}
	}
}
