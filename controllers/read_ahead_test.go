package controllers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// pages is an API server with three pages of objects.
type pages struct {
	mu    sync.Mutex
	asked []string
	fails string // the page that is refused
}

func (s *pages) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := req.URL.Query().Get("continue")
	s.mu.Lock()
	s.asked = append(s.asked, req.URL.RequestURI())
	refused := s.fails != "" && at == s.fails
	s.mu.Unlock()
	if refused {
		http.Error(w, "not now", http.StatusTooManyRequests)
		return
	}
	next := map[string]string{"": "2", "2": "3"}[at]
	fmt.Fprintf(w, `{"apiVersion":"v1","items":[{"metadata":{"annotations":{"continue":"x"}},"page":%q}],"kind":"CloudTaskList","metadata":{"continue":%q,"resourceVersion":"7"}}`, at, next)
}

// until waits until so many requests have come.
func (s *pages) until(t *testing.T, n int) []string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		asked := append([]string(nil), s.asked...)
		s.mu.Unlock()
		if len(asked) >= n {
			return asked
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests after 10 s: %q", len(asked), asked)
		}
	}
}

func TestReadAhead(t *testing.T) {
	s := &pages{}
	server := httptest.NewServer(s)
	defer server.Close()
	c := &http.Client{Transport: ReadAhead(http.DefaultTransport)}
	read := func(uri string) (int, string) {
		t.Helper()
		resp, err := c.Get(server.URL + uri)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // read to its end
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	const list = "/apis/tencent.cloudtask.dev/v1alpha1/cloudtasks"

	read(list + "?labelSelector=a&limit=1&resourceVersion=")
	want := []string{list + "?labelSelector=a&limit=1&resourceVersion=", list + "?continue=2&labelSelector=a&limit=1"}
	if diff := cmp.Diff(want, s.until(t, 2)); diff != "" {
		t.Fatal("the second page is not asked for ahead:", diff)
	}
	if _, body := read(want[1]); !strings.Contains(body, `"page":"2"`) {
		t.Errorf("the second page is %s", body)
	}
	want = append(want, list+"?continue=3&labelSelector=a&limit=1")
	if diff := cmp.Diff(want, s.until(t, 3)); diff != "" {
		t.Fatal("each page is asked for once:", diff)
	}
	if _, body := read(want[2]); !strings.Contains(body, `"page":"3"`) {
		t.Errorf("the third page is %s", body)
	}

	read(list)
	read("/api/v1/secrets?limit=1")
	if n := len(s.until(t, 5)); n != 5 {
		t.Errorf("%d requests, want 5: nothing is asked for after the last page, nor after another list", n)
	}

	s.mu.Lock()
	s.fails = "2"
	s.mu.Unlock()
	read(list + "?limit=1")
	if code, _ := read(list + "?continue=2&limit=1"); code != http.StatusTooManyRequests {
		t.Errorf("a refusal arrives as %d", code)
	}
	s.mu.Lock()
	s.fails = ""
	s.mu.Unlock()
	if code, body := read(list + "?continue=2&limit=1"); code != http.StatusOK || !strings.Contains(body, `"page":"2"`) {
		t.Errorf("after a refusal the page is %d, %s", code, body)
	}
}
