package acceptance

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// maxGrowth is what hostile answers may cost, in MiB.
const maxGrowth = 50

func TestHostileAnswersHarmOneTaskEach(t *testing.T) {
	t.Parallel()
	var strangers atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strangers.Add(1) }))
	t.Cleanup(elsewhere.Close)
	w := newWorld(t, fakecloud.Options{})
	w.secret("tencent-credentials", mainKey)
	op := w.operate(options{binary: plain})
	hostile, others := map[string]expectation{}, map[string]expectation{}
	for i := range 10 {
		w.follow("redis", fakecloud.Task{ID: fmt.Sprint(100 + i), Duration: 20 * time.Second, Fails: i%2 == 0}, others)
		w.follow("clb", fakecloud.Task{ID: fmt.Sprint(200 + i), Duration: 20 * time.Second, Fails: i%2 == 0}, others)
	}
	for name := range others {
		w.history.untilReason(name, v1alpha1.ReasonRunning)
	}
	before := op.memory("VmRSS")

	faults := []fakecloud.Fault{
		{Kind: fakecloud.Endless},
		{Kind: fakecloud.GzipBomb},
		{Kind: fakecloud.Message, Size: 10 << 20},
		{Kind: fakecloud.Error, Code: "InternalError", Size: 10 << 20},
		{Kind: fakecloud.Redirect, URL: elsewhere.URL + "/latest/meta-data/", HTTPStatus: http.StatusFound},
		{Kind: fakecloud.Redirect, URL: elsewhere.URL, HTTPStatus: http.StatusTemporaryRedirect},
	}
	for i, f := range faults {
		for j, api := range []string{"redis", "redis2", "clb"} {
			id := fmt.Sprint(1000 + 10*i + j)
			w.cloud.Inject(against(f, api, id))
			w.follow(api, fakecloud.Task{ID: id, Duration: time.Second, Fails: true}, hostile)
		}
	}
	t.Logf("lag of %d others: %s", len(others), summary(w.finish(others)))
	for name := range hostile {
		if s := w.history.untilReason(name, v1alpha1.ReasonCloudUnavailable).task.Status; s.LastPollError == nil {
			t.Errorf("%s: no poll error: %s", name, describe(s))
		}
	}
	peak := op.memory("VmHWM")
	t.Logf("resident: %.1f MiB before, %.1f MiB at the peak", before, peak)
	if peak-before > maxGrowth {
		t.Errorf("hostile answers cost %.1f MiB", peak-before)
	}
	w.cloud.ClearFaults()
	w.finish(hostile)
	if n := strangers.Load(); n > 0 {
		t.Errorf("%d requests went to another host", n)
	}
}

// against aims a fault at one task.
func against(f fakecloud.Fault, api, id string) fakecloud.Fault {
	switch f.TaskID = id; api {
	case "clb":
		f.API, f.TaskID = fakecloud.CLBTaskStatus, "request-"+id
	case "redis2":
		f.API = fakecloud.LegacyRedisTaskInfo
		if f.Kind == fakecloud.Message || f.Kind == fakecloud.Error { // it gives tasks no message
			f.Kind, f.Code = fakecloud.Error, "6000"
		}
	default:
		f.API = fakecloud.RedisTaskInfo
	}
	return f
}
