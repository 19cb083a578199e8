package fakecloud

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// reply is what a call got, as bytes.
type reply struct {
	Status   int
	Type     string
	Body     string
	Location string
	Dropped  bool
}

// raw asks with good signatures what the three single-task APIs say of task 7
// (job), and what the list says, without an SDK in the way.
func raw(t *testing.T, cloud *Cloud, api string) reply {
	t.Helper()
	recorder := httptest.NewRecorder()
	dropped := func() (dropped bool) {
		defer func() { dropped = recover() != nil }()
		cloud.ServeHTTP(recorder, signedRequest(cloud, api))
		return false
	}()
	return reply{recorder.Code, recorder.Header().Get("Content-Type"), recorder.Body.String(), recorder.Header().Get("Location"), dropped}
}

func signedRequest(cloud *Cloud, api string) *http.Request {
	if api == LegacyRedisTaskInfo {
		params := legacyParams(cloud, cloud.Stats().APIs[api].Calls+1, "7")
		return httptest.NewRequest(http.MethodPost, "http://fake:80/v2/index.php",
			strings.NewReader(signed("POST", params, sampleKey().SecretKey).Encode()))
	}
	service, action, _ := strings.Cut(api, ".")
	versions := map[string]string{"redis": "2018-04-12", "clb": "2018-03-17"}
	bodies := map[string]string{RedisTaskInfo: `{"TaskId":7}`, RedisTaskList: `{}`, CLBTaskStatus: `{"TaskId":"job"}`}
	r := httptest.NewRequest(http.MethodPost, "http://fake:80/", strings.NewReader(bodies[api]))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-TC-Action": action, "X-TC-Version": versions[service], "X-TC-Region": "ap-guangzhou",
	} {
		r.Header.Set(name, value)
	}
	signTest(r, bodies[api], service, cloud.options.Now(), "content-type", "host")
	return r
}

// signTest signs a request over the given headers.
func signTest(r *http.Request, body, service string, now time.Time, headers ...string) {
	auth := authorization{secretID: sampleKey().SecretID, date: now.UTC().Format(time.DateOnly), service: service}
	call := &call{method: r.Method, host: r.Host, header: r.Header, body: []byte(body)}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signature := signTC3(sampleKey().SecretKey, timestamp, auth, canonicalRequest(call, headers))
	r.Header.Set("X-TC-Timestamp", timestamp)
	r.Header.Set("Authorization", tc3+" Credential="+auth.secretID+"/"+auth.date+"/"+service+
		"/tc3_request, SignedHeaders="+strings.Join(headers, ";")+", Signature="+signature)
}

func runningTasks(clock *clock) *Cloud {
	cloud := New(Options{Now: clock.Now})
	cloud.Add(Task{ID: "7", Duration: -1}, Task{ID: "job", Service: "clb", Duration: -1})
	return cloud
}

func TestReplacedReplies(t *testing.T) {
	ok := http.StatusOK
	cases := map[string]struct {
		reason string
		fault  Fault
		want   reply
	}{
		"bad gateway":     {"502 with HTML", Fault{Kind: BadGateway}, reply{502, "text/html", htmlPage, "", false}},
		"gateway timeout": {"504 without a body", Fault{Kind: GatewayTimeout}, reply{504, "application/json", "", "", false}},
		"drop":            {"nothing", Fault{Kind: Drop}, reply{200, "", "", "", true}},
		"html":            {"200 with HTML", Fault{Kind: HTML}, reply{ok, "text/html", htmlPage, "", false}},
		"garbage":         {"no JSON", Fault{Kind: Garbage}, reply{ok, "application/json", "\x00\xff\xfe{\"Response\":\x80\x81]", "", false}},
		"empty object":    {"no Response", Fault{Kind: EmptyObject}, reply{ok, "application/json", "{}", "", false}},
		"null":            {"a null Response", Fault{Kind: NullResponse}, reply{ok, "application/json", `{"Response":null}`, "", false}},
		"raw":             {"as told", Fault{Kind: Raw, HTTPStatus: 418, Body: "tea"}, reply{418, "application/json", "tea", "", false}},
		"302":             {"by default", Fault{Kind: Redirect, URL: "http://x/"}, reply{302, "", "", "http://x/", false}},
		"301":             {"as told", Fault{Kind: Redirect, URL: "http://x/", HTTPStatus: 301}, reply{301, "", "", "http://x/", false}},
		"307":             {"as told", Fault{Kind: Redirect, URL: "http://x/", HTTPStatus: 307}, reply{307, "", "", "http://x/", false}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := runningTasks(newClock())
			cloud.Inject(tc.fault)
			if diff := cmp.Diff(tc.want, raw(t, cloud, RedisTaskInfo)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if got := cloud.Stats().APIs[RedisTaskInfo]; got.Faulted != 1 || got.Calls != 1 {
				t.Errorf("%s: counts %+v, want one faulted call", tc.reason, got)
			}
		})
	}
}

func TestBrokenAnswers(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  Fault
		want   map[string]string // by API: what the body holds
	}{
		"none": {"the proper answers", Fault{Kind: Delay}, map[string]string{
			RedisTaskInfo: `"Status":"running"`, CLBTaskStatus: `"Status":2`, LegacyRedisTaskInfo: `"data":{"status":1}`, RedisTaskList: `"Result":1`,
		}},
		"null response": {"2.0 has its own", Fault{Kind: NullResponse}, map[string]string{LegacyRedisTaskInfo: `"data":null`}},
		"empty response": {"only a request ID", Fault{Kind: EmptyResponse}, map[string]string{
			RedisTaskInfo: `{"Response":{"RequestId":"`, CLBTaskStatus: `{"Response":{"RequestId":"`, LegacyRedisTaskInfo: `"data":{}`,
		}},
		"null status": {"status is null", Fault{Kind: NullStatus}, map[string]string{
			RedisTaskInfo: `"Status":null`, CLBTaskStatus: `"Status":null`, LegacyRedisTaskInfo: `"status":null`, RedisTaskList: `"Result":null`,
		}},
		"unknown word": {"as told", Fault{Kind: Status, Status: json.RawMessage(`"paused"`)}, map[string]string{
			RedisTaskInfo: `"Status":"paused"`, CLBTaskStatus: `"Status":"paused"`,
		}},
		"unknown number": {"as told", Fault{Kind: Status, Status: json.RawMessage(`77`)}, map[string]string{
			CLBTaskStatus: `"Status":77`, LegacyRedisTaskInfo: `"status":77`, RedisTaskList: `"Result":77`,
		}},
		"wrong type": {"text for numbers and the reverse", Fault{Kind: WrongType}, map[string]string{
			RedisTaskInfo: `"Status":1`, CLBTaskStatus: `"Status":"2"`, LegacyRedisTaskInfo: `"status":"1"`, RedisTaskList: `"TotalCount":"1"`,
		}},
		"message": {"hostile text", Fault{Kind: Message}, map[string]string{
			RedisTaskInfo: `\u001b[31mred`, CLBTaskStatus: `\u001b[31mred`,
		}},
		"error": {"any code", Fault{Kind: Error, Code: "InternalError.X", Message: "sorry"}, map[string]string{
			RedisTaskInfo: `"Error":{"Code":"InternalError.X","Message":"sorry"}`, RedisTaskList: `"Code":"InternalError.X"`,
			CLBTaskStatus: `"Code":"InternalError.X"`, LegacyRedisTaskInfo: `"codeDesc":"InternalError.X"`,
		}},
		"number": {"2.0 codes are numbers", Fault{Kind: Error, Code: "5100"}, map[string]string{LegacyRedisTaskInfo: `{"code":5100,"message":"injected fault"}`}},
		"throttle": {"as if over the quota", Fault{Kind: Throttle}, map[string]string{
			RedisTaskInfo: `"Code":"RequestLimitExceeded"`, LegacyRedisTaskInfo: `"code":4400`,
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := runningTasks(newClock())
			cloud.Inject(tc.fault)
			for api, want := range tc.want {
				got := raw(t, cloud, api)
				if got.Status != http.StatusOK || !json.Valid([]byte(got.Body)) || !strings.Contains(got.Body, want) {
					t.Errorf("%s: %s: got %+v, want JSON with %s", tc.reason, api, got, want)
				}
			}
		})
	}
}

func TestLongMessages(t *testing.T) {
	cloud := runningTasks(newClock())
	cloud.Inject(Fault{Kind: Message, Size: 20_000})
	info, err := taskInfo(redisClient(t, cloud, sampleKey()), 7)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(*info.TaskMessage); n > 20_000 || n < 20_000-4 || !strings.HasPrefix(*info.TaskMessage, NastyText) {
		t.Errorf("a message of %d bytes, want 20,000 less what would cut a character", n)
	}
	cloud.ClearFaults()
	cloud.Inject(Fault{Kind: Error, Code: "InternalError", Message: NastyText, Size: 10 << 20})
	if got := len(raw(t, cloud, RedisTaskInfo).Body); got < 10<<20 {
		t.Errorf("an error of %d bytes, want 10 MiB", got)
	}
}

func TestFaultMatching(t *testing.T) {
	cases := map[string]struct {
		reason string
		fault  Fault
		want   []string // the APIs that fail, of two rounds of Info, CLB, 2.0
	}{
		"all":        {"empty matches all", Fault{}, []string{RedisTaskInfo, CLBTaskStatus, LegacyRedisTaskInfo, RedisTaskInfo, CLBTaskStatus, LegacyRedisTaskInfo}},
		"API":        {"by API", Fault{API: CLBTaskStatus}, []string{CLBTaskStatus, CLBTaskStatus}},
		"task":       {"by ID", Fault{TaskID: "7"}, []string{RedisTaskInfo, LegacyRedisTaskInfo, RedisTaskInfo, LegacyRedisTaskInfo}},
		"count":      {"so many", Fault{Count: 2}, []string{RedisTaskInfo, CLBTaskStatus}},
		"together":   {"all must match", Fault{TaskID: "7", API: LegacyRedisTaskInfo, Count: 1}, []string{LegacyRedisTaskInfo}},
		"account":    {"by account", Fault{Account: "sample", Count: 1}, []string{RedisTaskInfo}},
		"no account": {"another's", Fault{Account: "other"}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := runningTasks(newClock())
			tc.fault.Kind = BadGateway
			remove := cloud.Inject(tc.fault)
			round := func() (failed []string) {
				for _, api := range []string{RedisTaskInfo, CLBTaskStatus, LegacyRedisTaskInfo} {
					if raw(t, cloud, api).Status == http.StatusBadGateway {
						failed = append(failed, api)
					}
				}
				return failed
			}
			if diff := cmp.Diff(tc.want, append(round(), round()...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if remove(); len(round()) != 0 {
				t.Error("it goes on after remove")
			}
		})
	}
}

func TestProbabilityIsSeeded(t *testing.T) {
	strikes := func(seed uint64) (hits []bool) {
		clock := newClock()
		cloud := New(Options{Now: clock.Now, Seed: seed, Limits: map[string]int{RedisTaskInfo: 0}})
		cloud.Inject(Fault{Kind: BadGateway, Probability: 0.3})
		for range 200 {
			hits = append(hits, raw(t, cloud, RedisTaskInfo).Status == http.StatusBadGateway)
		}
		return hits
	}
	first := strikes(1)
	if !slices.Equal(first, strikes(1)) || slices.Equal(first, strikes(2)) {
		t.Error("want the same for one seed, another for another")
	}
	hits := 0
	for _, hit := range first {
		if hit {
			hits++
		}
	}
	if hits < 30 || hits > 90 {
		t.Errorf("%d of 200 struck, want about 60", hits)
	}
}

func TestInvalidFaults(t *testing.T) {
	for name, fault := range map[string]Fault{
		"kind": {Kind: "typo"}, "status": {Kind: Status, Status: json.RawMessage("x")}, "code": {Kind: Error},
		"size": {Kind: Message, Size: 1 << 30}, "HTTP status": {Kind: Raw, HTTPStatus: 9},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("accepted")
				}
			}()
			New(Options{}).Inject(fault)
		})
	}
}

func TestDelayAndLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := New(Options{Latency: func(string) time.Duration { return 100 * time.Millisecond }})
		cloud.Add(Task{ID: "7", Duration: 49 * time.Millisecond})
		start := time.Now()
		if got := raw(t, cloud, RedisTaskInfo); !strings.Contains(got.Body, `"succeed"`) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("after %v: %s; want an answer of the arrival, half a round trip later", time.Since(start), got.Body)
		}
		cloud.Add(Task{ID: "7", Duration: time.Second})
		cloud.Inject(Fault{Kind: Delay, Delay: 3 * time.Second})
		start = time.Now()
		if got := raw(t, cloud, RedisTaskInfo); !strings.Contains(got.Body, `"running"`) || time.Since(start) != 3100*time.Millisecond {
			t.Errorf("after %v: %s; want an answer that is out of date", time.Since(start), got.Body)
		}
	})
}
