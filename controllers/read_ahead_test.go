package controllers

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pages is an API server with three pages of objects.
type pages struct {
	asked chan string
	fails atomic.Value // the page that is refused
}

func (p *pages) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	p.asked <- req.URL.RequestURI()
	at := req.URL.Query().Get("continue")
	if at != "" && at == p.fails.Load() {
		http.Error(w, "not now", http.StatusTooManyRequests)
		return
	}
	next := map[string]string{"": "2", "2": "3"}[at]
	fmt.Fprintf(w, `{"apiVersion":"v1","items":[{"metadata":{"annotations":{"continue":"x"}},"page":%q}],"kind":"CloudTaskList","metadata":{"continue":%q,"resourceVersion":"7"}}`, at, next)
}

// next wants a request to come, and this one.
func (p *pages) next(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-p.asked:
		if got != want {
			t.Fatalf("asked for %s, want %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("not asked for %s", want)
	}
}

func TestReadAhead(t *testing.T) {
	p := &pages{asked: make(chan string, 10)}
	server := httptest.NewServer(p)
	defer server.Close()
	c := &http.Client{Transport: ReadAhead(http.DefaultTransport)}
	read := func(uri string, code int, page string) {
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
		if want := fmt.Sprintf(`"page":%q`, page); resp.StatusCode != code || code == http.StatusOK && !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %s; want %d, page %q", uri, resp.StatusCode, body, code, page)
		}
	}
	const list = "/apis/tencent.cloudtask.dev/v1alpha1/cloudtasks"
	first, second, third := list+"?labelSelector=a&limit=1&resourceVersion=", list+"?continue=2&labelSelector=a&limit=1", list+"?continue=3&labelSelector=a&limit=1"

	read(first, http.StatusOK, "")
	p.next(t, first)
	p.next(t, second) // ahead
	read(second, http.StatusOK, "2")
	p.next(t, third) // and the second not again
	read(third, http.StatusOK, "3")

	// Nothing was asked ahead after the last page, nor is it of other lists.
	for _, uri := range []string{list, "/api/v1/secrets?limit=1"} {
		read(uri, http.StatusOK, "")
		p.next(t, uri)
	}

	p.fails.Store("2")
	read(first, http.StatusOK, "")
	p.next(t, first)
	p.next(t, second)
	read(second, http.StatusTooManyRequests, "")
	p.fails.Store("")
	read(second, http.StatusOK, "2") // a refusal is not kept
	p.next(t, second)
	p.next(t, third)
}
