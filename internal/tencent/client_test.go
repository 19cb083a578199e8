package tencent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var testCredential = Credential{SecretID: "AKIDexample0", SecretKey: "theSecretKey0", Token: "theToken00"}

const testRegion = "ap-guangzhou"

// serve starts a server and a client that asks it. The request's body has been
// read when the handler runs, so that the server notices a client that leaves.
func serve(t testing.TB, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read the request: %v", err)
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	return clientOf(t, Config{Endpoint: server.URL, UserAgent: "cloudtask/1.2.3 (test)"})
}

func clientOf(t testing.TB, cfg Config) *Client {
	t.Helper()
	client, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.transport.base.CloseIdleConnections)
	return client
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// calls are the four calls of the client, each for some task.
var calls = map[API]func(context.Context, *Client, Credential) error{
	RedisTaskInfo: func(ctx context.Context, c *Client, cred Credential) error {
		_, err := c.RedisTask(ctx, cred, testRegion, 18215)
		return err
	},
	RedisTaskList: func(ctx context.Context, c *Client, cred Credential) error {
		_, err := c.RedisTasks(ctx, cred, testRegion, ListQuery{})
		return err
	},
	LegacyRedisTaskInfo: func(ctx context.Context, c *Client, cred Credential) error {
		_, err := c.LegacyRedisTask(ctx, cred, testRegion, 18215)
		return err
	},
	CLBTaskStatus: func(ctx context.Context, c *Client, cred Credential) error {
		_, err := c.CLBTask(ctx, cred, testRegion, CLBQuery{RequestID: "55c85074"})
		return err
	},
}

// forEachCall runs a test for each of the four calls.
func forEachCall(t *testing.T, test func(t *testing.T, call func(context.Context, *Client, Credential) error)) {
	for api, call := range calls {
		t.Run(string(api), func(t *testing.T) { test(t, call) })
	}
}

// wantError checks kind and code, and that the text gives nothing away.
func wantError(t *testing.T, err error, kind Kind, code string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got error %v (%T), want an *Error", err, err)
	}
	if e.Kind != kind || e.Code != code {
		t.Errorf("got %v %q (%s), want %v %q", e.Kind, e.Code, e.Message, kind, code)
	}
	for _, hidden := range []string{testCredential.SecretID, testCredential.SecretKey, testCredential.Token, "http://", "127.0.0.1", "<html"} {
		if strings.Contains(e.Error(), hidden) {
			t.Errorf("error %q holds %q", e, hidden)
		}
	}
}

func TestCancelledCall(t *testing.T) {
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		ctx, cancel := context.WithCancel(t.Context())
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		if err := call(ctx, client, testCredential); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		if err := call(ctx, client, testCredential); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v on the second call, want context.Canceled", err)
		}
	})
}

func TestCancelledWithinTheBody(t *testing.T) {
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		ctx, cancel := context.WithCancel(t.Context())
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"Response":{`)
			_ = http.NewResponseController(w).Flush()
			cancel()
			<-r.Context().Done()
		})
		if err := call(ctx, client, testCredential); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

func TestCallersDeadline(t *testing.T) {
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(20*time.Millisecond))
		defer cancel()
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if err := call(ctx, client, testCredential); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want context.DeadlineExceeded", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	cases := map[string]struct {
		reason string
		begin  string
	}{
		"silent":        {"no header comes", ""},
		"within a body": {"the header came, the body stops", `{"Response":{`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
				server := serve(t, func(w http.ResponseWriter, r *http.Request) {
					if tc.begin != "" {
						_, _ = io.WriteString(w, tc.begin)
						_ = http.NewResponseController(w).Flush()
					}
					<-r.Context().Done()
				})
				server.timeout = 20 * time.Millisecond
				wantError(t, call(t.Context(), server, testCredential), Unavailable, "Timeout")
			})
		})
	}
}

func TestRefusedBeforeTheCall(t *testing.T) {
	client := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the cloud was asked") })
	_, err := client.RedisTask(t.Context(), Credential{}, testRegion, 1)
	wantError(t, err, CredentialRefused, "InvalidCredential")
	_, err = client.RedisTask(t.Context(), testCredential, "ap-guangzhou-3", 1)
	wantError(t, err, InvalidRequest, "UnsupportedRegion")
	_, err = client.RedisTask(t.Context(), testCredential, testRegion, 0)
	wantError(t, err, InvalidRequest, "InvalidTaskID")
	_, err = client.LegacyRedisTask(t.Context(), testCredential, testRegion, -1)
	wantError(t, err, InvalidRequest, "InvalidTaskID")
	_, err = client.CLBTask(t.Context(), testCredential, testRegion, CLBQuery{})
	wantError(t, err, InvalidRequest, "InvalidTaskID")
	_, err = client.CLBTask(t.Context(), testCredential, testRegion, CLBQuery{RequestID: "a", DealName: "b"})
	wantError(t, err, InvalidRequest, "InvalidTaskID")
}

func TestRequestHeaders(t *testing.T) {
	var got http.Header
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = io.WriteString(w, `{"Response":{}}`)
	})
	if err := calls[RedisTaskInfo](t.Context(), client, testCredential); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"X-Tc-Action":   "DescribeTaskInfo",
		"X-Tc-Version":  "2018-04-12",
		"X-Tc-Region":   testRegion,
		"X-Tc-Language": "en-US",
		"X-Tc-Token":    testCredential.Token,
	} {
		if got.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Get(name), want)
		}
	}
	if client := got.Get("X-Tc-Requestclient"); !strings.HasSuffix(client, ": cloudtask-1.2.3 -test-") {
		t.Errorf("X-TC-RequestClient is %q", client)
	}
}

func TestDefaultRate(t *testing.T) {
	for api, want := range map[API]float64{RedisTaskInfo: 18, RedisTaskList: 90, LegacyRedisTaskInfo: 18, CLBTaskStatus: 18} {
		if got := api.DefaultRate(); got != want {
			t.Errorf("%s: %v calls/s, want %v", api, got, want)
		}
	}
}
