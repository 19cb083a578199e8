package main

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// callers notes who calls the cloud: each pod has an address of its own.
//
// GET /_e2e/callers answers when each address called first, as {address: time};
// DELETE /_e2e/callers forgets all.
type callers struct {
	cloud http.Handler

	mu    sync.Mutex // guards first
	first map[string]time.Time
}

func (c *callers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/_e2e/callers":
		c.serve(w, r)
		return
	case !strings.HasPrefix(r.URL.Path, "/_fake/"):
		c.note(r.RemoteAddr)
	}
	c.cloud.ServeHTTP(w, r)
}

func (c *callers) note(address string) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.first[host]; !ok {
		c.first[host] = time.Now()
	}
}

func (c *callers) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Method == http.MethodDelete {
		clear(c.first)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(c.first) //nolint:errchkjson // a client that left needs no answer
}
