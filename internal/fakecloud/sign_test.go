package fakecloud

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

func TestTC3Vector(t *testing.T) {
	// The worked example of Tencent's documentation of signature method 3.
	call := &call{
		method: http.MethodPost, host: "cvm.tencentcloudapi.com",
		header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		body:   []byte(`{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`),
	}
	auth := authorization{date: "2019-02-25", service: "cvm"}
	canonical := canonicalRequest(call, []string{"content-type", "host"})
	got := signTC3("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "1551113065", auth, canonical)
	if want := "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestParseAuthorization(t *testing.T) {
	good := "TC3-HMAC-SHA256 Credential=id/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, Signature=ab"
	cases := map[string]struct {
		reason, header string
		want           string // the secret ID
	}{
		"good":           {"as documented", good, "id"},
		"spaces":         {"spaces after commas are free", strings.ReplaceAll(good, ", ", ","), "id"},
		"algorithm":      {"another algorithm", strings.Replace(good, "TC3", "AWS4", 1), ""},
		"scope":          {"a scope of three parts", strings.Replace(good, "/cvm", "", 1), ""},
		"no signature":   {"signature missing", strings.Replace(good, "Signature=ab", "", 1), ""},
		"signed headers": {"signed headers missing", strings.Replace(good, "SignedHeaders=content-type;host", "", 1), ""},
		"empty":          {"no header", "", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := parseAuthorization(tc.header).secretID; got != tc.want {
				t.Errorf("%s: secret ID %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}

func TestCredentials(t *testing.T) {
	temporary := Key{SecretID: "temporary", SecretKey: "k2", Token: "token"}
	cases := map[string]struct {
		reason string
		key    Key
		want   string
	}{
		"right":       {"the sample key", sampleKey(), ""},
		"temporary":   {"a temporary key with its token", temporary, ""},
		"wrong key":   {"the secret key is another", Key{SecretID: sampleKey().SecretID, SecretKey: "x"}, "AuthFailure.SignatureFailure"},
		"unknown":     {"no such SecretId", Key{SecretID: "nobody", SecretKey: "x"}, "AuthFailure.SecretIdNotFound"},
		"no token":    {"a temporary key needs its token", Key{SecretID: "temporary", SecretKey: "k2"}, "AuthFailure.TokenFailure"},
		"wrong token": {"another token", Key{SecretID: "temporary", SecretKey: "k2", Token: "x"}, "AuthFailure.TokenFailure"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			cloud := New(Options{Now: clock.Now, Accounts: []Account{SampleAccount(), {Name: "other", Keys: []Key{temporary}}}})
			cloud.Add(Task{ID: "1"}, Task{ID: "1", Account: "other"})
			cloud.Add(Task{ID: "job", Service: "clb"}, Task{ID: "job", Service: "clb", Account: "other"})
			if _, err := taskInfo(redisClient(t, cloud, tc.key), 1); codeOf(t, err) != tc.want {
				t.Errorf("Redis: %s: got %v, want %q", tc.reason, err, tc.want)
			}
			if _, err := taskStatus(clbClient(t, cloud, tc.key), "job"); codeOf(t, err) != tc.want {
				t.Errorf("CLB: %s: got %v, want %q", tc.reason, err, tc.want)
			}
			params := legacyParams(cloud, 1, "1")
			params.Set("SecretId", tc.key.SecretID)
			if tc.key.Token != "" {
				params.Set("Token", tc.key.Token)
			}
			numbers := map[string]int{"AuthFailure.SignatureFailure": 4100, "AuthFailure.SecretIdNotFound": 4104, "AuthFailure.TokenFailure": 4105}
			if got := callLegacy(t, cloud, http.MethodPost, signed("POST", params, tc.key.SecretKey)); got.Code != numbers[tc.want] {
				t.Errorf("API 2.0: %s: got %+v, want %d", tc.reason, got, numbers[tc.want])
			}
		})
	}
}

func TestTC3Tampering(t *testing.T) {
	cases := map[string]struct {
		reason string
		alter  func(*http.Request)
		want   string
	}{
		"nothing": {"as the SDK sends it", func(*http.Request) {}, ""},
		"body":    {"the payload is signed", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"TaskId":2}`)) }, "AuthFailure.SignatureFailure"},
		"host":    {"the host is signed", func(r *http.Request) { r.Host = "elsewhere" }, "AuthFailure.SignatureFailure"},
		"content": {"the content type is signed", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, "AuthFailure.SignatureFailure"},
		"service": {"the scope's service is signed", func(r *http.Request) { replaceAuth(r, "/redis/", "/clb/") }, "AuthFailure.SignatureFailure"},
		"terminator": {"the scope ends in tc3_request", func(r *http.Request) {
			replaceAuth(r, "tc3_request", "tc4_request")
		}, "AuthFailure.SignatureFailure"},
		"timestamp": {"the timestamp is signed", func(r *http.Request) {
			seconds, _ := strconv.Atoi(r.Header.Get("X-TC-Timestamp"))
			r.Header.Set("X-TC-Timestamp", strconv.Itoa(seconds-1))
		}, "AuthFailure.SignatureFailure"},
		"no timestamp": {"it is required", func(r *http.Request) { r.Header.Del("X-TC-Timestamp") }, "MissingParameter"},
		"host unsigned": {"host must be among the signed headers", func(r *http.Request) {
			replaceAuth(r, "content-type;host", "content-type")
		}, "AuthFailure.SignatureFailure"},
		"unsigned": {"no Authorization", func(r *http.Request) { r.Header.Del("Authorization") }, "AuthFailure.InvalidAuthorization"},
		"get":      {"the four calls are made by POST", func(r *http.Request) { r.Method = http.MethodGet }, "UnsupportedProtocol"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := New(Options{Now: newClock().Now})
			cloud.Add(Task{ID: "1"}, Task{ID: "2"})
			client := redisClient(t, cloud, sampleKey())
			client.WithHttpTransport(direct{cloud, tc.alter})
			if _, err := taskInfo(client, 1); codeOf(t, err) != tc.want {
				t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// A signature may be right and still cover too little or the wrong thing.
func TestTC3Signed(t *testing.T) {
	cases := map[string]struct {
		reason, body string
		headers      []string
		want         string
	}{
		"usual":        {"as the SDK does", `{"TaskId":1}`, []string{"content-type", "host"}, `"Status"`},
		"action":       {"more may be signed, lower-cased", `{"TaskId":1}`, []string{"content-type", "host", "x-tc-action"}, `"Status"`},
		"no host":      {"host is a must", `{"TaskId":1}`, []string{"content-type"}, "AuthFailure.SignatureFailure"},
		"no type":      {"content-type is a must", `{"TaskId":1}`, []string{"host"}, "AuthFailure.SignatureFailure"},
		"no ID":        {"TaskId is required", `{}`, []string{"content-type", "host"}, "MissingParameter"},
		"text":         {"TaskId is a number", `{"TaskId":"1"}`, []string{"content-type", "host"}, `"InvalidParameter"`},
		"unknown":      {"unknown parameters are refused", `{"TaskId":1,"Limit":1}`, []string{"content-type", "host"}, "UnknownParameter"},
		"no JSON":      {"a JSON body", `TaskId=1`, []string{"content-type", "host"}, "InvalidRequest"},
		"two objects":  {"exactly one", `{"TaskId":1}{}`, []string{"content-type", "host"}, "InvalidRequest"},
		"empty object": {"not even that", ``, []string{"content-type", "host"}, "InvalidRequest"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := New(Options{Now: newClock().Now})
			cloud.Add(Task{ID: "1"})
			r := signedRequest(cloud, RedisTaskInfo)
			r.Body = io.NopCloser(strings.NewReader(tc.body))
			signTest(r, tc.body, "redis", cloud.options.Now(), tc.headers...)
			recorder := httptest.NewRecorder()
			cloud.ServeHTTP(recorder, r)
			if got := recorder.Body.String(); !strings.Contains(got, tc.want) {
				t.Errorf("%s: got %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func replaceAuth(r *http.Request, from, to string) {
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), from, to, 1))
}

func TestClockSkew(t *testing.T) {
	cases := map[string]struct {
		reason string
		skew   time.Duration
		tc3    string
		legacy int
	}{
		"behind":     {"4 minutes are fine", 4 * time.Minute, "", 0},
		"ahead":      {"either way", -4 * time.Minute, "", 0},
		"far behind": {"6 are not", 6 * time.Minute, "AuthFailure.SignatureExpire", 4500},
		"far ahead":  {"either way", -6 * time.Minute, "AuthFailure.SignatureExpire", 4500},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			clock := newClock()
			cloud := New(Options{Now: clock.Now})
			cloud.Add(Task{ID: "1", Start: clock.Now().Add(-time.Hour)})
			params := signed("POST", legacyParams(cloud, 1, "1"), sampleKey().SecretKey)
			clock.Add(tc.skew)
			if _, err := taskInfo(redisClient(t, cloud, sampleKey()), 1); codeOf(t, err) != tc.tc3 {
				t.Errorf("%s: got %v, want %q", tc.reason, err, tc.tc3)
			}
			if got := callLegacy(t, cloud, http.MethodPost, params); got.Code != tc.legacy {
				t.Errorf("%s: got %+v, want %d", tc.reason, got, tc.legacy)
			}
		})
	}
}

func TestLegacyVectors(t *testing.T) {
	published := url.Values{
		"SecretId": {"secretIdFoo"}, "Region": {"ap-guangzhou"}, "Nonce": {"1290303896666895346"},
		"Timestamp": {"1512393162"}, "Action": {"DescribeInstances"}, "Version": {"2017-03-12"},
	}
	ours := url.Values{
		"Action": {"DescribeTaskInfo"}, "Nonce": {"12345"}, "Region": {"gz"}, "SecretId": {"secretIdFoo"},
		"SignatureMethod": {"HmacSHA256"}, "Timestamp": {"1700000000"}, "requestId": {"11963"},
	}
	with := func(params url.Values, name, value string) url.Values {
		more := url.Values{name: {value}}
		maps.Copy(more, params)
		return more
	}
	sha1, sha256 := with(published, "SignatureMethod", "HmacSHA1"), with(published, "SignatureMethod", "HmacSHA256")
	cases := map[string]struct {
		reason, method, host string
		params               url.Values
		want                 string
	}{
		"POST":         {"SHA1 by SignatureMethod", "POST", "cvm.api.qcloud.com", sha1, "p3n+pxBqF5JGZtDSxoVn5tGngf0="},
		"GET":          {"the method matters", "GET", "cvm.api.qcloud.com", sha1, "5HAq1BOKNLEE2/uauWnp6Zv9Z3c="},
		"SHA256":       {"SHA256 by SignatureMethod", "POST", "cvm.api.qcloud.com", sha256, "B2T37FRSP6Fk0/q/cdfrTE0p3zX5ooB/2BPWZUFpsj4="},
		"redis":        {"SHA256 by SignatureMethod", "GET", "redis.api.qcloud.com", ours, "4w6JpPLsg40nEOvJUPZP+Xa9DTxT8KtYBUs4CmqWbGY="},
		"redis, token": {"the token is signed", "GET", "redis.api.qcloud.com", with(ours, "Token", "tok"), "wAI6GF0YfATo4jFMTSiOHXN6CyPH4yh5Rv6RxW90B3I="},
		"signature":    {"the signature is not", "POST", "cvm.api.qcloud.com", with(sha1, "Signature", "x"), "p3n+pxBqF5JGZtDSxoVn5tGngf0="},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := signLegacy("secretKeyBar", tc.method, tc.host, tc.params); got != tc.want {
				t.Errorf("%s: signature %s, want %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestLegacyCalls(t *testing.T) {
	key := sampleKey().SecretKey
	cases := map[string]struct {
		reason, method string
		alter          func(url.Values)
		resigned       bool
		want           int
	}{
		"POST":       {"in the form", "POST", func(url.Values) {}, true, 0},
		"GET":        {"in the query", "GET", func(url.Values) {}, true, 0},
		"SHA1":       {"HmacSHA1 by name", "POST", func(p url.Values) { p.Set("SignatureMethod", "HmacSHA1") }, true, 0},
		"default":    {"no SignatureMethod is SHA1", "POST", func(p url.Values) { p.Del("SignatureMethod") }, true, 0},
		"unencoded":  {"values are signed as they are", "POST", func(p url.Values) { p.Set("Extra", "a&b= ü") }, true, 0},
		"short code": {"old names of regions", "POST", func(p url.Values) { p.Set("Region", "gz") }, true, 0},
		"tampered":   {"every parameter is signed", "POST", func(p url.Values) { p.Set("requestId", "2") }, false, 4100},
		"no nonce":   {"it is required", "POST", func(p url.Values) { p.Del("Nonce") }, true, 4000},
		"bad nonce":  {"it is a number", "POST", func(p url.Values) { p.Set("Nonce", "x") }, true, 4000},
		"no id":      {"it is required", "POST", func(p url.Values) { p.Del("requestId") }, true, 4000},
		"action":     {"only one is served", "POST", func(p url.Values) { p.Set("Action", "Reboot") }, true, 6100},
		"region":     {"a zone is no region", "POST", func(p url.Values) { p.Set("Region", "ap-guangzhou-3") }, true, 4000},
		"unknown":    {"no such task", "POST", func(p url.Values) { p.Set("requestId", "9") }, true, 11201},
		"elsewhere":  {"another region's task", "POST", func(p url.Values) { p.Set("Region", "sh") }, true, 11201},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := New(Options{Now: newClock().Now})
			cloud.Add(Task{ID: "1"}, Task{ID: "2"})
			params := signed(tc.method, legacyParams(cloud, 1, "1"), key)
			tc.alter(params)
			if tc.resigned {
				signed(tc.method, params, key)
			}
			if got := callLegacy(t, cloud, tc.method, params); got.Code != tc.want || (tc.want == 0 && *got.Data.Status != 2) {
				t.Errorf("%s: got %+v, want %d", tc.reason, got, tc.want)
			}
		})
	}
}

func TestLegacyReplay(t *testing.T) {
	clock := newClock()
	cloud := New(Options{Now: clock.Now})
	cloud.Add(Task{ID: "1", Start: clock.Now()})
	call := func(nonce int) int {
		return callLegacy(t, cloud, http.MethodPost, signed("POST", legacyParams(cloud, nonce, "1"), sampleKey().SecretKey)).Code
	}
	if first, second, other := call(1), call(1), call(2); first != 0 || second != 4500 || other != 0 {
		t.Errorf("codes %d, %d, %d, want 0, 4500 for the repeated nonce, 0", first, second, other)
	}
	for range 2 {
		clock.Add(11 * time.Minute)
		call(3)
	}
	if got := call(1); got != 0 {
		t.Errorf("code %d, want 0: nonces are forgotten once their timestamps are too old", got)
	}
}

func TestRefusals(t *testing.T) {
	cases := map[string]struct {
		reason string
		alter  func(*http.Request)
		want   string
	}{
		"version":   {"each product has its own", func(r *http.Request) { r.Header.Set("X-TC-Version", "2017-03-12") }, "NoSuchVersion"},
		"action":    {"one that is not served", func(r *http.Request) { r.Header.Set("X-TC-Action", "DescribeInstances") }, "InvalidAction"},
		"other":     {"an action of CLB", func(r *http.Request) { r.Header.Set("X-TC-Action", "DescribeTaskStatus") }, "InvalidAction"},
		"no region": {"it is required", func(r *http.Request) { r.Header.Del("X-TC-Region") }, "MissingParameter"},
		"zone":      {"a zone is no region", func(r *http.Request) { r.Header.Set("X-TC-Region", "ap-guangzhou-3") }, "UnsupportedRegion"},
		"unlisted":  {"Options.Regions lists others", func(r *http.Request) { r.Header.Set("X-TC-Region", "eu-frankfurt") }, "UnsupportedRegion"},
		"elsewhere": {"the task of another region is unknown", func(r *http.Request) { r.Header.Set("X-TC-Region", "ap-shanghai") }, "InvalidParameter.InvalidParameter"},
		"fine":      {"as the SDK sends it", func(*http.Request) {}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			cloud := New(Options{Now: newClock().Now, Regions: []string{"ap-guangzhou", "ap-shanghai"}})
			cloud.Add(Task{ID: "1"})
			client := redisClient(t, cloud, sampleKey())
			client.WithHttpTransport(direct{cloud, tc.alter}) // these headers are not signed
			request := redis.NewDescribeTaskInfoRequest()
			request.TaskId = new(uint64(1))
			if _, err := client.DescribeTaskInfo(request); codeOf(t, err) != tc.want {
				t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}
