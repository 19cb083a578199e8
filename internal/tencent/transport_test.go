package tencent

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHostileAnswers(t *testing.T) {
	cases := map[string]struct {
		reason string
		handle http.HandlerFunc
		code   string
	}{
		"HTML 502":          {"a gateway's page", status(502, "<html>Bad Gateway</html>"), "HTTP502"},
		"empty 504":         {"", status(504, ""), "HTTP504"},
		"JSON error 403":    {"API 3.0 answers 200 even to refuse, so this is not its answer", status(403, `{"Response":{"Error":{"Code":"ResourceNotFound","Message":"m"},"RequestId":"r"}}`), "HTTP403"},
		"JSON error 503":    {"", status(503, `{"code":5000,"message":"m"}`), "HTTP503"},
		"204":               {"any status but 200", status(204, ""), "HTTP204"},
		"unknown status":    {"no text for it", status(599, ""), "HTTP599"},
		"HTML 200":          {"a captive portal", answer("<html>Log in</html>"), "UnreadableAnswer"},
		"empty":             {"", answer(""), "UnreadableAnswer"},
		"null":              {"the SDK panics on it", answer("null"), "UnreadableAnswer"},
		"null with blanks":  {"the SDK panics on it", answer(" \n null "), "UnreadableAnswer"},
		"list":              {"", answer("[]"), "UnreadableAnswer"},
		"number":            {"", answer("1"), "UnreadableAnswer"},
		"cut off":           {"", answer(`{"Response":{"Status":`), "UnreadableAnswer"},
		"nested":            {"the SDK's decoder knows no bound", nested, "UnreadableAnswer"},
		"endless":           {"read up to 1 MiB", endless, "UnreadableAnswer"},
		"gzip bomb":         {"1 MiB after decompression", gzipBomb, "UnreadableAnswer"},
		"deflate bomb":      {"the SDK would unpack it", deflateBomb, "UnreadableAnswer"},
		"unknown encoding":  {"", encoded("br", []byte("{}")), "UnreadableAnswer"},
		"gzip of a gzip":    {"", encoded("gzip, gzip", []byte("{}")), "UnreadableAnswer"},
		"not gzip":          {"the header lies", encoded("gzip", []byte("{}")), "NetworkError"},
		"body cut short":    {"less than announced", short, "NetworkError"},
		"closed connection": {"", hangUp, "NetworkError"},
		"not HTTP":          {"", garbage, "NetworkError"},
		"long header":       {"bounded", longHeader, "NetworkError"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
				client := serve(t, tc.handle)
				wantError(t, call(t.Context(), client, testCredential), Unavailable, tc.code)
			})
		})
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func encoded(encoding string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		_, _ = w.Write(body)
	}
}

// long is a good answer but for its length, so that only the bound can refuse it.
func long(size int) string {
	const body = `{"code":0,"Response":{"TotalCount":0}}`
	return body + strings.Repeat(" ", size-len(body))
}

func endless(w http.ResponseWriter, _ *http.Request) {
	for text := long(1 << 20); ; text = strings.Repeat(" ", 1<<16) {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
	}
}

// nested is a good answer but for a field that nobody knows.
func nested(w http.ResponseWriter, _ *http.Request) {
	const depth = 400_000
	_, _ = io.WriteString(w, `{"code":0,"x":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`,"Response":{"TotalCount":0}}`)
}

func gzipBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	bomb := gzip.NewWriter(w)
	_, _ = io.WriteString(bomb, long(maxAnswer+1))
	_ = bomb.Close()
}

func deflateBomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "deflate")
	bomb, err := flate.NewWriter(w, flate.BestSpeed)
	if err != nil {
		return
	}
	_, _ = io.WriteString(bomb, long(maxAnswer+1))
	_ = bomb.Close()
}

func TestLongestAnswer(t *testing.T) {
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		if err := call(t.Context(), serve(t, answer(long(maxAnswer))), testCredential); err != nil {
			t.Errorf("an answer of 1 MiB gave %v", err)
		}
	})
}

func short(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"Response":{}}`)
}

func raw(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, text)
	_ = conn.Close()
}

func hangUp(w http.ResponseWriter, _ *http.Request) { raw(w, "") }

func garbage(w http.ResponseWriter, r *http.Request) {
	raw(w, "you sent "+r.Header.Get("Authorization")+testCredential.SecretKey+"\r\n\r\n")
}

func longHeader(w http.ResponseWriter, _ *http.Request) {
	raw(w, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n{}")
}

func TestRedirectsAreRefused(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
				client := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, code) })
				wantError(t, call(t.Context(), client, testCredential), Unavailable, fmt.Sprintf("HTTP%d", code))
			})
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests followed a redirect", n)
	}
}

func TestGoodAnswersInOddForms(t *testing.T) {
	const body = `{"Response":{"Status":"running","RequestId":"r"}}`
	cases := map[string]http.HandlerFunc{
		"gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			_, _ = io.WriteString(packed, body)
			_ = packed.Close()
		},
		"identity":          encoded("identity", []byte(body)),
		"an event stream":   typed("text/event-stream", body),
		"a stream of bytes": typed("application/octet-stream", body),
		"blanks around":     answer("\r\n" + body + "\n"),
	}
	for name, handler := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, handler).RedisTask(t.Context(), testCredential, testRegion, 1)
			if err != nil || got.State != Running {
				t.Errorf("got %v, %v, want Running", got.State, err)
			}
		})
	}
}

func typed(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

func TestNoServer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	client := clientOf(t, Config{Endpoint: server.URL})
	server.Close()
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		err := call(t.Context(), client, testCredential)
		wantError(t, err, Unavailable, "NetworkError")
		if want := "NetworkError: dial: connect: connection refused"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
}

func TestUntrustedServer(t *testing.T) {
	server := httptest.NewUnstartedServer(answer("{}"))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	client := clientOf(t, Config{Endpoint: server.URL})
	wantError(t, calls[CLBTaskStatus](t.Context(), client, testCredential), Unavailable, "NetworkError")
}

// Over HTTP/2 all calls would share a connection, and hang with it.
func TestSpeaksHTTP1(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("the call came by %s", r.Proto)
		}
		_, _ = io.WriteString(w, `{"code":0,"Response":{"TotalCount":0}}`)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	client := clientOf(t, Config{Endpoint: server.URL})
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client.transport.base.TLSClientConfig = &tls.Config{RootCAs: roots}
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		if err := call(t.Context(), client, testCredential); err != nil {
			t.Error(err)
		}
	})
}

// A connection that the server closed while it was idle must not cost a poll.
func TestRepeatsOnADeadConnection(t *testing.T) {
	forEachCall(t, func(t *testing.T, call func(context.Context, *Client, Credential) error) {
		var conns atomic.Int64
		client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if conns.Add(1) == 2 {
				raw(w, "") // reads the second request, then hangs up
				return
			}
			_, _ = io.WriteString(w, `{"code":0,"Response":{"TotalCount":0}}`)
		})
		for range 2 {
			if err := call(t.Context(), client, testCredential); err != nil {
				t.Fatal(err)
			}
		}
		if n := conns.Load(); n != 3 {
			t.Errorf("the server saw %d requests, want 3", n)
		}
	})
}

func TestConnectionsAreReused(t *testing.T) {
	var conns atomic.Int64
	server := httptest.NewUnstartedServer(answer(`{"code":0,"Response":{"TotalCount":0}}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client := clientOf(t, Config{Endpoint: server.URL})
	for range 5 {
		for _, call := range calls {
			if err := call(t.Context(), client, testCredential); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("20 calls in a row took %d connections, want 1", n)
	}
}

func TestNetworkMessage(t *testing.T) {
	cases := map[string]struct {
		reason string
		err    error
		want   string
	}{
		"URL": {
			reason: "net/http puts the URL into its errors",
			err:    &url.Error{Op: "Post", URL: "https://h/?key=k", Err: io.ErrUnexpectedEOF},
			want:   "unexpected EOF",
		},
		"ports": {
			reason: "the local port is new in each try",
			err: &url.Error{Op: "Post", URL: "https://h/", Err: &net.OpError{
				Op: "read", Net: "tcp",
				Source: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 54321}, Addr: &net.TCPAddr{IP: net.IPv4(1, 2, 3, 4), Port: 443},
				Err: io.ErrClosedPipe,
			}},
			want: "read: io: read/write on closed pipe",
		},
		"no such host": {
			reason: "the name helps, the name server's address does not",
			err:    &net.OpError{Op: "dial", Err: &net.DNSError{Name: "h.example", Server: "10.0.0.2:53", IsNotFound: true}},
			want:   "look up h.example: no such host",
		},
		"silent name server": {
			reason: "its error holds a port too",
			err:    &net.OpError{Op: "dial", Err: &net.DNSError{Name: "h.example", Err: "read udp 10.0.0.1:4321->10.0.0.2:53: i/o timeout", IsTimeout: true}},
			want:   "look up h.example: the name server does not answer",
		},
		"expired certificate": {
			reason: "its error holds the time of day",
			err:    x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time " + time.Now().String()},
			want:   "the server's certificate has expired or is not yet valid",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := networkMessage(tc.err); got != tc.want {
				t.Errorf("got %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}
