package tencent

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRedisTask(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		want   Observation
	}{
		"the documented sample": {
			answer: `{"Response":{"Status":"succeed","StartTime":"2018-11-01 17:25:14","TaskType":"redis缓存清空流程","InstanceId":"crs-09u2u96z","TaskMessage":"","RequestId":"81120ab8"}}`,
			want: Observation{
				State: Succeeded, Status: "succeed", TaskType: "redis缓存清空流程", ResourceIDs: []string{"crs-09u2u96z"},
				Progress: NoProgress, Start: time.Date(2018, 11, 1, 9, 25, 14, 0, time.UTC), RequestID: "81120ab8",
			},
		},
		"preparing":       {answer: redisStatus(`"preparing"`), want: redisWant(Waiting, "preparing")},
		"running":         {answer: redisStatus(`"running"`), want: redisWant(Running, "running")},
		"failed":          {answer: redisStatus(`"failed"`), want: redisWant(Failed, "failed")},
		"error":           {answer: redisStatus(`"error"`), want: redisWant(Failed, "error")},
		"Error":           {reason: "as the international site spells it", answer: redisStatus(`"Error"`), want: redisWant(Failed, "Error")},
		"blanks and case": {reason: "trimmed, any case", answer: redisStatus(`" SUCCEED\n"`), want: redisWant(Succeeded, "SUCCEED")},
		"unknown word":    {reason: "neither success nor failure", answer: redisStatus(`"success"`), want: redisWant(Unrecognized, "success")},
		"empty word":      {reason: "neither success nor failure", answer: redisStatus(`""`), want: redisWant(Unrecognized, "")},
		"null status":     {reason: "neither success nor failure", answer: redisStatus(`null`), want: redisWant(Unrecognized, "")},
		"no fields":       {reason: "neither success nor failure", answer: `{"Response":{}}`, want: redisWant(Unrecognized, "")},
		"null Response":   {reason: "the SDK returns no error and no answer", answer: `{"Response":null}`, want: redisWant(Unrecognized, "")},
		"no Response":     {reason: "the SDK returns no error and no answer", answer: `{}`, want: redisWant(Unrecognized, "")},
		"message ok": {
			reason: "a message means nothing by itself",
			answer: `{"Response":{"Status":"running","TaskMessage":"ok"}}`,
			want:   Observation{State: Running, Status: "running", Progress: NoProgress, Message: "ok"},
		},
		"hostile text": {
			reason: "clean, and free of the key",
			answer: `{"Response":{"Status":"failed","TaskMessage":"no\nway \u202e theSecretKey0","InstanceId":"crs-\u0000 1","StartTime":"0000-00-00 00:00:00"}}`,
			want:   Observation{State: Failed, Status: "failed", Progress: NoProgress, Message: "no way [hidden]", ResourceIDs: []string{"crs- 1"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, answer(tc.answer)).RedisTask(t.Context(), testCredential, testRegion, 18215)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func redisStatus(status string) string { return `{"Response":{"Status":` + status + `}}` }

func redisWant(state State, status string) Observation {
	return Observation{State: state, Status: status, Progress: NoProgress}
}

func TestRedisTaskErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		kind   Kind
		code   string
	}{
		"API error":     {"", apiErrorAnswer("InvalidParameter.InvalidParameter"), NotFound, "InvalidParameter.InvalidParameter"},
		"throttled":     {"", apiErrorAnswer("RequestLimitExceeded"), Throttled, "RequestLimitExceeded"},
		"refused":       {"", apiErrorAnswer("AuthFailure.SignatureFailure"), CredentialRefused, "AuthFailure.SignatureFailure"},
		"wrong type":    {"a number for a word", redisStatus("2"), Unavailable, "UnreadableAnswer"},
		"an object":     {"for a word", redisStatus(`{}`), Unavailable, "UnreadableAnswer"},
		"Response list": {"for an object", `{"Response":[]}`, Unavailable, "UnreadableAnswer"},
		"API 2.0 error": {"from the wrong server", `{"code":4400,"message":"m"}`, Unavailable, "UnreadableAnswer"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, answer(tc.answer)).RedisTask(t.Context(), testCredential, testRegion, 18215)
			wantError(t, err, tc.kind, tc.code)
		})
	}
}

func apiErrorAnswer(code string) string {
	return `{"Response":{"Error":{"Code":"` + code + `","Message":"m"},"RequestId":"r"}}`
}

func TestRedisTaskRequest(t *testing.T) {
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		wantBody(t, r, `{"TaskId":18215}`)
		_, _ = w.Write([]byte(redisStatus(`"running"`)))
	})
	if _, err := client.RedisTask(t.Context(), testCredential, testRegion, 18215); err != nil {
		t.Fatal(err)
	}
}

func TestObservationEqual(t *testing.T) {
	base := Observation{
		State: Running, Status: "running", TaskType: "t", ResourceIDs: []string{"a"}, Progress: 5,
		Start: time.Unix(1, 0), End: time.Unix(2, 0), Message: "m", RequestID: "r",
	}
	cases := map[string]struct {
		change func(*Observation)
		want   bool
	}{
		"request ID":   {func(o *Observation) { o.RequestID = "x" }, true},
		"zone":         {func(o *Observation) { o.Start = o.Start.UTC() }, true},
		"state":        {func(o *Observation) { o.State = Failed }, false},
		"status":       {func(o *Observation) { o.Status = "x" }, false},
		"task type":    {func(o *Observation) { o.TaskType = "x" }, false},
		"resource IDs": {func(o *Observation) { o.ResourceIDs = []string{"b"} }, false},
		"progress":     {func(o *Observation) { o.Progress = 10 }, false},
		"start":        {func(o *Observation) { o.Start = time.Unix(3, 0) }, false},
		"end":          {func(o *Observation) { o.End = time.Unix(3, 0) }, false},
		"message":      {func(o *Observation) { o.Message = "x" }, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			other := base
			tc.change(&other)
			if got := base.Equal(other); got != tc.want {
				t.Errorf("Equal = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestStates(t *testing.T) {
	want := map[State]string{Unrecognized: "Unrecognized", Waiting: "Waiting", Running: "Running", Succeeded: "Succeeded", Failed: "Failed"}
	for state, name := range want {
		if state.String() != name {
			t.Errorf("%d prints as %q, want %q", state, state, name)
		}
		if ended := name == "Succeeded" || name == "Failed"; state.Ended() != ended {
			t.Errorf("%v.Ended() = %v", state, state.Ended())
		}
	}
}

func TestBoundsOnTexts(t *testing.T) {
	long := strings.Repeat("x", 5000)
	client := serve(t, answer(`{"Response":{"Status":"`+long+`","TaskType":"`+long+`","InstanceId":"`+long+`","TaskMessage":"`+long+`","RequestId":"`+long+`"}}`))
	got, err := client.RedisTask(t.Context(), testCredential, testRegion, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := Observation{
		Status: long[:64], TaskType: long[:128], ResourceIDs: []string{long[:128]},
		Progress: NoProgress, Message: long[:1024], RequestID: long[:128],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
