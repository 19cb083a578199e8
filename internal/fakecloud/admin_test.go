package fakecloud

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func admin(cloud *Cloud, method, path, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	cloud.ServeHTTP(recorder, httptest.NewRequest(method, "http://fake:80"+path, strings.NewReader(body)))
	return recorder
}

// One walk through the administration API, as a test in another process does.
func TestAdmin(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now, Admin: true})
	steps := []struct {
		reason, method, path, body string
		status                     int
		want                       string // held by the answer
	}{
		{"tasks are added", "POST", "/_fake/tasks", `[{"id":"7","duration":"1m30s","prepare":"5s"},{"id":"job","service":"clb","duration":"-1s"}]`, 204, ""},
		{"durations are text", "GET", "/_fake/tasks/redis/7", "", 200, `"prepare":"5s","duration":"1m30s"`},
		{"state is told", "GET", "/_fake/tasks/redis/7", "", 200, `"state":"waiting"`},
		{"end is told", "GET", "/_fake/tasks/redis/7", "", 200, `"end":"` + clock.Now().Add(90*time.Second).Format(time.RFC3339Nano) + `"`},
		{"no end", "GET", "/_fake/tasks/clb/job", "", 200, `"state":"running"}`},
		{"no such task", "GET", "/_fake/tasks/clb/7", "", 404, "no such task"},
		{"tasks end", "POST", "/_fake/finish", `{"service":"redis","id":"7","ok":false,"message":"gone"}`, 200, `"state":"failed"`},
		{"once", "POST", "/_fake/finish", `{"service":"redis","id":"7","ok":true}`, 404, "no such task runs"},
		{"faults", "POST", "/_fake/faults", `{"kind":"status","status":7,"delay":"1ms"}`, 200, `{"id":1}`},
		{"more faults", "POST", "/_fake/faults", `{"kind":"list-late","for":"10s"}`, 200, `{"id":2}`},
		{"one goes", "DELETE", "/_fake/faults/2", "", 204, ""},
		{"unknown kind", "POST", "/_fake/faults", `{"kind":"typo"}`, 400, "bad-gateway"},
		{"typo", "POST", "/_fake/faults", `{"kind":"drop","cuont":1}`, 400, "cuont"},
		{"bare number", "POST", "/_fake/tasks", `[{"id":"8","duration":5}]`, 400, "duration"},
		{"bad task", "POST", "/_fake/tasks", `[{"id":"9"},{"id":"x"}]`, 400, "positive integer"},
		{"all or none", "GET", "/_fake/tasks/redis/9", "", 404, ""},
		{"accounts", "POST", "/_fake/accounts", `{"name":"new","keys":[{"secretID":"i","secretKey":"k"}]}`, 204, ""},
		{"its task", "POST", "/_fake/tasks", `[{"id":"7","account":"new"}]`, 204, ""},
		{"taken", "POST", "/_fake/accounts", `{"name":"newer","keys":[{"secretID":"i","secretKey":"k"}]}`, 400, "taken"},
		{"others", "POST", "/_fake/steal", `{"api":"clb.DescribeTaskStatus","perSecond":30,"account":"new"}`, 204, ""},
		{"stats", "GET", "/_fake/stats", "", 200, `"clb.DescribeTaskStatus":{"calls":0,`},
		{"evict", "POST", "/_fake/evict", `{"before":"2100-01-01T00:00:00Z"}`, 200, `{"evicted":2}`},
		{"not by GET", "GET", "/_fake/faults", "", 405, ""},
		{"unknown path", "GET", "/_fake/x", "", 404, ""},
	}
	for _, step := range steps {
		got := admin(cloud, step.method, step.path, step.body)
		if got.Code != step.status || !strings.Contains(got.Body.String(), step.want) {
			t.Fatalf("%s: %s %s: got %d %s, want %d with %s", step.reason, step.method, step.path, got.Code, got.Body, step.status, step.want)
		}
	}
	if got := raw(t, cloud, CLBTaskStatus); !strings.Contains(got.Body, `"Status":7`) {
		t.Errorf("the fault: got %s", got.Body)
	}
	if got := admin(cloud, "DELETE", "/_fake/faults", ""); got.Code != http.StatusNoContent {
		t.Fatalf("clear faults: %d", got.Code)
	}
	if got := raw(t, cloud, CLBTaskStatus); !strings.Contains(got.Body, `"Status":2`) {
		t.Errorf("without faults: got %s", got.Body)
	}
}

func TestAdminIsOffByDefault(t *testing.T) {
	if got := admin(New(Options{}), "GET", "/_fake/stats", ""); got.Code != http.StatusNotFound {
		t.Errorf("status %d, want 404", got.Code)
	}
}

func TestJSONRoundTrip(t *testing.T) {
	task := Task{ID: "7", Start: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Prepare: time.Second, Duration: time.Minute, HiddenFor: time.Hour, Fails: true}
	fault := Fault{Kind: Status, Status: json.RawMessage(`"x"`), Delay: time.Second, For: time.Minute, Probability: 0.5, Count: 3, TaskID: "7"}
	if diff := cmp.Diff(task, throughJSON(t, task)); diff != "" {
		t.Errorf("task (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fault, throughJSON(t, fault)); diff != "" {
		t.Errorf("fault (-want +got):\n%s", diff)
	}
}

func throughJSON[T any](t *testing.T, value T) (back T) {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return back
}
