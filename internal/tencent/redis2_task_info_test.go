package tencent

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLegacySignature(t *testing.T) {
	published := map[string]string{
		"SecretId": "secretIdFoo", "Region": "ap-guangzhou", "Nonce": "1290303896666895346", "Timestamp": "1512393162",
		"Action": "DescribeInstances", "Version": "2017-03-12",
		"SignatureMethod": "HmacSHA256",
	}
	task := map[string]string{
		"Action": "DescribeTaskInfo", "Nonce": "12345", "Region": "gz", "SecretId": "secretIdFoo",
		"SignatureMethod": "HmacSHA256", "Timestamp": "1700000000", "requestId": "11963",
	}
	withToken := map[string]string{"Token": "tok"}
	maps.Copy(withToken, task)
	cases := map[string]struct {
		reason       string
		method, host string
		params       map[string]string
		want         string
	}{
		"published":  {"the test of Tencent's own SDK of API 2.0", "POST", "cvm.api.qcloud.com", published, "B2T37FRSP6Fk0/q/cdfrTE0p3zX5ooB/2BPWZUFpsj4="},
		"task":       {"upper case goes before lower case", "GET", "redis.api.qcloud.com", task, "4w6JpPLsg40nEOvJUPZP+Xa9DTxT8KtYBUs4CmqWbGY="},
		"with token": {"the token is signed too", "GET", "redis.api.qcloud.com", withToken, "wAI6GF0YfATo4jFMTSiOHXN6CyPH4yh5Rv6RxW90B3I="},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := legacySignature(tc.method, tc.host, tc.params, "secretKeyBar"); got != tc.want {
				t.Errorf("got %s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestLegacyRedisTask(t *testing.T) {
	state := func(state State, status string) Observation {
		return Observation{State: state, Status: status, Progress: NoProgress}
	}
	cases := map[string]struct {
		reason string
		answer string
		want   Observation
	}{
		"the documented sample": {answer: `{"code":0,"message":"","codeDesc":"Success","data":{"status":2}}`, want: state(Succeeded, "2")},
		"waiting":               {answer: `{"code":0,"data":{"status":0}}`, want: state(Waiting, "0")},
		"running":               {answer: `{"code":0,"data":{"status":1}}`, want: state(Running, "1")},
		"execution error":       {answer: `{"code":0,"data":{"status":-1}}`, want: state(Failed, "-1")},
		"failed": {
			reason: "with the only message there is",
			answer: `{"code":0,"message":"it broke","data":{"status":3}}`,
			want:   Observation{State: Failed, Status: "3", Progress: NoProgress, Message: "it broke"},
		},
		"strings":          {"real answers hold numbers in strings", `{"code":"0","data":{"status":"2"}}`, state(Succeeded, "2")},
		"blanks":           {"trimmed", `{"code":" 0 ","data":{"status":" -1\n"}}`, state(Failed, "-1")},
		"whole float":      {"the same number", `{"code":0.0,"data":{"status":2.0}}`, state(Succeeded, "2")},
		"array":            {"as documented", `{"code":0,"data":[{"status":2}]}`, state(Succeeded, "2")},
		"two in the array": {"which one is ours is not known", `{"code":0,"data":[{"status":2},{"status":2}]}`, state(Unrecognized, "")},
		"empty array":      {"no status", `{"code":0,"data":[]}`, state(Unrecognized, "")},
		"unknown number":   {"neither success nor failure", `{"code":0,"data":{"status":4}}`, state(Unrecognized, "4")},
		"half":             {"no number of the table", `{"code":0,"data":{"status":2.5}}`, state(Unrecognized, "2.5")},
		"word":             {"not of this API", `{"code":0,"data":{"status":"succeed"}}`, state(Unrecognized, "succeed")},
		"true":             {"no number", `{"code":0,"data":{"status":true}}`, state(Unrecognized, "")},
		"null status":      {"not 0", `{"code":0,"data":{"status":null}}`, state(Unrecognized, "")},
		"no status":        {"not 0", `{"code":0,"data":{}}`, state(Unrecognized, "")},
		"null data":        {"no status", `{"code":0,"data":null}`, state(Unrecognized, "")},
		"no data":          {"no status", `{"code":0}`, state(Unrecognized, "")},
		"data a string":    {"no status", `{"code":0,"data":"2"}`, state(Unrecognized, "")},
		"no code":          {"a status without a code is not trusted", `{"data":{"status":2}}`, state(Unrecognized, "")},
		"nothing":          {"", `{}`, state(Unrecognized, "")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, answer(tc.answer)).LegacyRedisTask(t.Context(), testCredential, testRegion, 11963)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLegacyRedisTaskErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		answer string
		want   Error
	}{
		"number":       {"", `{"code":4400,"message":"over quota","codeDesc":"X"}`, Error{Throttled, "4400", "over quota", ""}},
		"string":       {"as real answers have it", `{"code":"5100","message":"retry later"}`, Error{Unavailable, "5100", "retry later", ""}},
		"no message":   {"the description serves", `{"code":11201,"codeDesc":"InvalidParameter"}`, Error{NotFound, "11201", "InvalidParameter", ""}},
		"with data":    {"an error all the same", `{"code":4100,"data":{"status":2}}`, Error{CredentialRefused, "4100", "", ""}},
		"a word":       {"unknown", `{"code":"busy","message":"m"}`, Error{Unavailable, "busy", "m", ""}},
		"odd message":  {"of a wrong type", `{"code":5000,"message":{"a":1}}`, Error{NotFound, "5000", "", ""}},
		"key repeated": {"hidden", `{"code":6000,"message":"for theSecretKey0\n"}`, Error{Unavailable, "6000", "for [hidden]", ""}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, answer(tc.answer)).LegacyRedisTask(t.Context(), testCredential, testRegion, 11963)
			got, ok := errors.AsType[*Error](err)
			if !ok || *got != tc.want {
				t.Errorf("got %#v, want %#v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestLegacyRequest(t *testing.T) {
	nonces := map[string]bool{}
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.String() != "/v2/index.php" {
			t.Errorf("got %s %s, want POST /v2/index.php", r.Method, r.URL)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			t.Error(err)
		}
		params := map[string]string{}
		for key := range form {
			params[key] = form.Get(key)
		}
		nonces[params["Nonce"]] = true
		got := params["Signature"]
		delete(params, "Signature")
		if want := legacySignature("POST", r.Host, params, testCredential.SecretKey); got != want {
			t.Errorf("signature %s, want %s over the Host header as sent", got, want)
		}
		if n, err := strconv.ParseInt(params["Nonce"], 10, 64); err != nil || n < 1 {
			t.Errorf("nonce %q is no positive number", params["Nonce"])
		}
		delete(params, "Nonce")
		delete(params, "Timestamp")
		want := map[string]string{
			"Action": "DescribeTaskInfo", "Region": testRegion, "SecretId": testCredential.SecretID,
			"SignatureMethod": "HmacSHA256", "Token": testCredential.Token, "requestId": "11963",
		}
		if diff := cmp.Diff(want, params); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		_, _ = io.WriteString(w, `{"code":0}`)
	})
	for range 10 {
		if _, err := client.LegacyRedisTask(t.Context(), testCredential, testRegion, 11963); err != nil {
			t.Fatal(err)
		}
	}
	if len(nonces) != 10 {
		t.Errorf("10 calls used %d nonces", len(nonces))
	}
}

func FuzzReadLegacy(f *testing.F) {
	for _, seed := range []string{
		`{"code":0,"message":"","codeDesc":"Success","data":{"status":2}}`, `{"code":"4400","message":"m"}`,
		`{"code":0,"data":[{"status":"-1"}]}`, `{"code":1e400}`, `{"code":0,"data":{"status":-0}}`, `null`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readLegacy(testCredential, body)
		if err != nil {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Code == "" && len(body) == 0 {
				t.Errorf("got error %v", err)
			}
			return
		}
		known := map[string]State{"0": Waiting, "1": Running, "2": Succeeded, "3": Failed, "-1": Failed}
		if got.State != known[got.Status] {
			t.Errorf("status %q gives %v", got.Status, got.State)
		}
	})
}
