package tencent

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

const listSample = `{"Response":{"RequestId":"19a7fb07","TotalCount":2,"Tasks":[
 {"EndTime":"2019-11-15 14:25:46","InstanceId":"crs-opcazbrb","InstanceName":"multidbccbugfix11153","Progress":1,"ProjectId":0,"Result":2,"StartTime":"2019-11-15 14:25:37","TaskId":42372,"TaskType":"037"},
 {"EndTime":"2019-11-15 14:25:25","InstanceId":"crs-opcazbrb","InstanceName":"multidbccbugfix11153","Progress":0.57,"ProjectId":0,"Result":1,"StartTime":"2019-11-15 14:25:16","TaskId":42371,"TaskType":"037"}]}}`

func TestRedisTasks(t *testing.T) {
	day := func(hour, minute, second int) time.Time {
		return time.Date(2019, 11, 15, hour, minute, second, 0, time.UTC)
	}
	sample := TaskPage{Total: 2, Tasks: []ListedTask{
		{42372, Observation{
			State: Succeeded, Status: "2", ResourceIDs: []string{"crs-opcazbrb"}, Progress: 100,
			Start: day(6, 25, 37), End: day(6, 25, 46), RequestID: "19a7fb07",
		}},
		{42371, Observation{
			State: Running, Status: "1", ResourceIDs: []string{"crs-opcazbrb"}, Progress: 55,
			Start: day(6, 25, 16), RequestID: "19a7fb07", // an end while it runs is none
		}},
	}}
	row := func(id int64, state State, status string) ListedTask {
		return ListedTask{id, Observation{State: state, Status: status, Progress: NoProgress}}
	}
	cases := map[string]struct {
		reason string
		answer string
		limit  int64
		want   TaskPage
	}{
		"the documented sample": {answer: listSample, want: sample},
		"results": {
			reason: "there is no 3",
			answer: page(5, `{"TaskId":1,"Result":0},{"TaskId":2,"Result":1},{"TaskId":3,"Result":2},{"TaskId":4,"Result":3},{"TaskId":5,"Result":4},{"TaskId":6},{"TaskId":7,"Result":-1}`),
			want: TaskPage{Total: 5, Tasks: []ListedTask{
				row(1, Waiting, "0"), row(2, Running, "1"), row(3, Succeeded, "2"), row(4, Unrecognized, "3"), row(5, Failed, "4"),
				row(6, Unrecognized, ""), row(7, Unrecognized, "-1"),
			}},
		},
		"rows without a task": {
			reason: "dropped",
			answer: page(5, `null,{},{"TaskId":0,"Result":1},{"TaskId":-5,"Result":1},{"TaskId":null},{"TaskId":9,"Result":1}`),
			want:   TaskPage{Total: 5, Tasks: []ListedTask{row(9, Running, "1")}},
		},
		"more rows than asked for": {
			reason: "bounded by the limit",
			answer: page(3, `{"TaskId":1,"Result":1},{"TaskId":2,"Result":1},{"TaskId":3,"Result":1}`),
			limit:  2,
			want:   TaskPage{Total: 3, Tasks: []ListedTask{row(1, Running, "1"), row(2, Running, "1")}},
		},
		"none":       {answer: page(0, ""), want: TaskPage{Tasks: []ListedTask{}}},
		"null Tasks": {answer: `{"Response":{"TotalCount":0,"Tasks":null}}`, want: TaskPage{Tasks: []ListedTask{}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, answer(tc.answer)).RedisTasks(t.Context(), testCredential, testRegion, ListQuery{Limit: tc.limit})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func page(total int64, rows string) string {
	return fmt.Sprintf(`{"Response":{"TotalCount":%d,"Tasks":[%s]}}`, total, rows)
}

func TestRedisTasksErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		kind   Kind
		code   string
	}{
		"API error":      {"", apiErrorAnswer("InvalidParameter.PermissionDenied"), AccessDenied, "InvalidParameter.PermissionDenied"},
		"no Response":    {"an empty page would end a sweep", `{}`, Unavailable, "UnreadableAnswer"},
		"null Response":  {"an empty page would end a sweep", `{"Response":null}`, Unavailable, "UnreadableAnswer"},
		"no total":       {"an empty page would end a sweep", `{"Response":{"Tasks":[]}}`, Unavailable, "UnreadableAnswer"},
		"negative total": {"", page(-1, ""), Unavailable, "UnreadableAnswer"},
		"string ID":      {"for a number", page(1, `{"TaskId":"1","Result":1}`), Unavailable, "UnreadableAnswer"},
		"string result":  {"for a number", page(1, `{"TaskId":1,"Result":"1"}`), Unavailable, "UnreadableAnswer"},
		"huge ID":        {"no int64", page(1, `{"TaskId":99999999999999999999,"Result":1}`), Unavailable, "UnreadableAnswer"},
		"huge progress":  {"no float64", page(1, `{"TaskId":1,"Progress":1e999}`), Unavailable, "UnreadableAnswer"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, answer(tc.answer)).RedisTasks(t.Context(), testCredential, testRegion, ListQuery{})
			wantError(t, err, tc.kind, tc.code)
		})
	}
}

func TestRedisTasksRequest(t *testing.T) {
	cases := map[string]struct {
		reason string
		query  ListQuery
		want   string
	}{
		"nothing":       {"all tasks", ListQuery{}, `{"Limit":100,"Offset":0}`},
		"too many rows": {"the API's bound", ListQuery{Limit: 101}, `{"Limit":100,"Offset":0}`},
		"all": {
			reason: "times in UTC+8",
			query: ListQuery{
				InstanceID: "crs-1", TaskTypes: []string{"004", "037"}, Results: []int64{0, 1},
				Begin: time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 21, 21, 0, 0, 0, time.UTC),
				Offset: 40, Limit: 20,
			},
			want: `{"InstanceId":"crs-1","Limit":20,"Offset":40,"TaskTypes":["004","037"],"BeginTime":"2026-11-22 04:00:00","EndTime":"2026-11-22 05:00:00","Result":[0,1]}`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				wantBody(t, r, tc.want)
				_, _ = io.WriteString(w, page(0, ""))
			})
			if _, err := client.RedisTasks(t.Context(), testCredential, testRegion, tc.query); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func wantBody(t *testing.T, r *http.Request, want string) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != want {
		t.Errorf("the request is %s (%v), want %s", body, err, want)
	}
}

func TestPercent(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     float64
		want   int32
	}{
		"nothing done":    {"", 0, 0},
		"done":            {"a fraction", 1, 100},
		"rounded down":    {"in steps of 5", 0.999, 95},
		"a step":          {"0.55 * 100 is not 55", 0.55, 55},
		"another":         {"0.29 * 100 is not 29", 0.29, 25},
		"a twentieth":     {"", 0.05, 5},
		"above one":       {"percent", 37, 35},
		"hundred percent": {"percent", 100, 100},
		"a little":        {"percent", 1.5, 0},
		"too much":        {"unknown", 100.1, NoProgress},
		"negative":        {"unknown", -0.1, NoProgress},
		"minus one":       {"unknown", -1, NoProgress},
		"not a number":    {"unknown", math.NaN(), NoProgress},
		"infinite":        {"unknown", math.Inf(1), NoProgress},
		"minus infinite":  {"unknown", math.Inf(-1), NoProgress},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := percent(&tc.in); got != tc.want {
				t.Errorf("percent(%v) = %d, want %d: %s", tc.in, got, tc.want, tc.reason)
			}
		})
	}
	if got := percent(nil); got != NoProgress {
		t.Errorf("percent(nil) = %d, want %d", got, NoProgress)
	}
}

func FuzzReadPage(f *testing.F) {
	for _, seed := range []string{listSample, page(1, "null,{}"), page(2, `{"TaskId":-1,"Progress":-7.5,"Result":3,"EndTime":"0000-00-00 00:00:00"}`), `{"Response":null}`} {
		f.Add([]byte(seed), int64(2))
	}
	f.Fuzz(func(t *testing.T, body []byte, limit int64) {
		limit = 1 + (limit&math.MaxInt64)%MaxPage
		var response redis.DescribeTaskListResponse
		if !isObject(body) || json.Unmarshal(body, &response) != nil {
			return
		}
		got, err := readPage(testCredential, response.Response, limit)
		if err != nil {
			return
		}
		if int64(len(got.Tasks)) > limit || got.Total < 0 {
			t.Errorf("%d rows of %d, of which %d were asked for", len(got.Tasks), got.Total, limit)
		}
		for _, task := range got.Tasks {
			o := task.Observation
			if task.ID < 1 || o.Progress < NoProgress || o.Progress > 100 || o.Progress != NoProgress && o.Progress%5 != 0 ||
				len(o.ResourceIDs) > 1 || !o.State.Ended() && !o.End.IsZero() {
				t.Errorf("got %+v", task)
			}
		}
	})
}

// BenchmarkRedisTasks decodes a full page as the client does, SDK and network
// included.
func BenchmarkRedisTasks(b *testing.B) {
	const row = `{"EndTime":"0000-00-00 00:00:00","InstanceId":"crs-opcazbrb","InstanceName":"multidbccbugfix11153","Progress":0.57,"ProjectId":0,"Result":1,"StartTime":"2019-11-15 14:25:37","TaskId":42372,"TaskType":"037"}`
	client := serve(b, answer(page(100, strings.Repeat(row+",", 99)+row)))
	b.ReportAllocs()
	for b.Loop() {
		got, err := client.RedisTasks(b.Context(), testCredential, testRegion, ListQuery{})
		if err != nil || len(got.Tasks) != 100 {
			b.Fatal(len(got.Tasks), err)
		}
	}
}

// BenchmarkRedisClient shows that a client of the SDK for each call is cheap.
func BenchmarkRedisClient(b *testing.B) {
	client := clientOf(b, Config{})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.redis(RedisTaskList, testCredential, testRegion); err != nil {
			b.Fatal(err)
		}
	}
}
