package controllers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// aheadPatience is how long a page that was asked for ahead may take, and is kept.
const aheadPatience = time.Minute

// readAhead asks the API server for the next page of CloudTasks while the reader
// is busy with the last one: at the start, neither need wait for the other.
type readAhead struct {
	next  http.RoundTripper
	mu    sync.Mutex
	ahead map[string]*page // by URL
}

// page is an answer with its body; done is closed when it is there.
type page struct {
	done chan struct{}
	resp *http.Response
	body []byte
	err  error
}

// ReadAhead wraps the transport of the API server's client.
func ReadAhead(next http.RoundTripper) http.RoundTripper {
	return &readAhead{next: next, ahead: map[string]*page{}}
}

// WrappedRoundTripper is for client-go, which looks for the transport below.
func (r *readAhead) WrappedRoundTripper() http.RoundTripper { return r.next }

// RoundTrip is for the client.
func (r *readAhead) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/cloudtasks") || !query.Has("limit") {
		return r.next.RoundTrip(req) //nolint:wrapcheck // the client is to see it as it is
	}
	p := r.take(req.URL.String())
	if p == nil {
		p = &page{done: make(chan struct{})}
		r.read(req, p)
	}
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case <-p.done:
	}
	if p.err != nil {
		return nil, p.err
	}
	if token := p.continued(); token != "" {
		query.Set("continue", token)
		query.Del("resourceVersion")
		query.Del("resourceVersionMatch")
		r.prepare(req, query.Encode())
	}
	p.resp.Request = req
	return p.resp, nil
}

// take returns the page of a URL if it was asked for ahead.
func (r *readAhead) take(url string) *page {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.ahead[url]
	delete(r.ahead, url)
	return p
}

// prepare asks for a page ahead.
func (r *readAhead) prepare(last *http.Request, query string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(last.Context()), aheadPatience)
	req := last.Clone(ctx)
	req.URL.RawQuery = query
	url, p := req.URL.String(), &page{done: make(chan struct{})}
	r.mu.Lock()
	r.ahead[url] = p
	r.mu.Unlock()
	context.AfterFunc(ctx, func() { r.take(url) })
	go func() {
		r.read(req, p)
		if p.err != nil {
			cancel()
		}
	}()
}

// read reads an answer to its end.
func (r *readAhead) read(req *http.Request, p *page) {
	defer close(p.done)
	if p.resp, p.err = r.next.RoundTrip(req); p.err != nil { //nolint:bodyclose // closed below
		return
	}
	p.body, p.err = io.ReadAll(p.resp.Body)
	if err := p.resp.Body.Close(); p.err == nil && err != nil {
		p.err = err
	}
	if p.err != nil {
		p.err = fmt.Errorf("read a page: %w", p.err)
		return
	}
	p.resp.Body = io.NopCloser(bytes.NewReader(p.body))
}

// continued returns the token of the page after this one, "" if there is none or
// it is not found: the API server writes it after the objects.
func (p *page) continued() string {
	const before = `,"kind":"CloudTaskList","metadata":`
	at := bytes.LastIndex(p.body, []byte(before))
	if p.resp.StatusCode != http.StatusOK || at < 0 {
		return ""
	}
	var metadata struct{ Continue string }
	if json.NewDecoder(bytes.NewReader(p.body[at+len(before):])).Decode(&metadata) != nil {
		return ""
	}
	return metadata.Continue
}
