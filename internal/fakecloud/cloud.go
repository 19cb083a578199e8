// Package fakecloud is a Tencent Cloud on loopback for tests, the demo and
// benchmarks. It serves the four Describe calls the operator makes, verifies
// their signatures, enforces their quotas, and misbehaves on demand.
//
// It is an independent reading of the API documents: it shares no code with
// the client it judges, nor with Tencent's SDK.
package fakecloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The APIs served; also the keys of Options.Limits and of Stats.
const (
	RedisTaskInfo       = "redis.DescribeTaskInfo"
	RedisTaskList       = "redis.DescribeTaskList"
	CLBTaskStatus       = "clb.DescribeTaskStatus"
	LegacyRedisTaskInfo = "redis2.DescribeTaskInfo"

	// Other counts the calls to anything else.
	Other = "other"
)

// maxRequestBytes is what API 3.0 accepts of a signed POST.
const maxRequestBytes = 10 << 20

// Options says which cloud to be. The zero value is a well-behaved one with
// the account of SampleAccount.
type Options struct {
	// Accounts are the sub-accounts; the first one is the default of a Task.
	Accounts []Account
	// Regions restricts the accepted regions; empty accepts every well-formed one.
	Regions []string
	// Limits are calls per calendar second and account, by API. An API
	// without an entry has its published limit; 0 means no limit.
	Limits map[string]int
	// Latency is the round trip of a call: half of it passes before the call
	// counts as arrived, half before the client reads the answer.
	Latency func(api string) time.Duration
	// Admin serves the administration API under /_fake/.
	Admin bool
	// Seed makes faults with a probability repeatable.
	Seed uint64
	// Now is the cloud's clock; time.Now by default.
	Now func() time.Time
	// OnRequest sees every call once it is judged, before it is answered. It
	// may be called from several goroutines and must not call Close.
	OnRequest func(Request)
	// Logger gets what the HTTP server complains about; nil discards it.
	Logger *slog.Logger
}

// Cloud is an http.Handler and, after Listen, a server. All methods may be
// used from several goroutines.
type Cloud struct {
	options Options
	limits  map[string]int
	regions map[string]bool
	admin   http.Handler
	closing chan struct{}

	mu       sync.Mutex // guards everything below
	closed   bool
	calls    sync.WaitGroup
	servers  []*http.Server
	accounts []Account
	tasks    *tasks
	nonces   nonces
	windows  map[lane]*window
	thefts   map[string]int // others' calls a second, by API
	faults   faults
	stats    *stats
}

// New makes a cloud without tasks. It panics if two keys share a SecretID.
func New(options Options) *Cloud {
	if options.Now == nil {
		options.Now = time.Now
	}
	if len(options.Accounts) == 0 {
		options.Accounts = []Account{SampleAccount()}
	}
	c := &Cloud{
		options: options,
		limits:  map[string]int{RedisTaskInfo: 20, RedisTaskList: 100, CLBTaskStatus: 20, LegacyRedisTaskInfo: 20},
		regions: map[string]bool{},
		closing: make(chan struct{}),
		tasks:   newTasks(),
		windows: map[lane]*window{},
		thefts:  map[string]int{},
		faults:  faults{random: rand.New(rand.NewPCG(options.Seed, 0))}, //nolint:gosec // repeatable on purpose
		stats:   newStats(),
	}
	maps.Copy(c.limits, options.Limits)
	for _, region := range options.Regions {
		c.regions[region] = true
	}
	for _, account := range options.Accounts {
		c.SetAccount(account)
	}
	if options.Admin {
		c.admin = c.adminHandler()
	}
	return c
}

// Listen serves the cloud on a loopback address such as 127.0.0.1:0 and
// returns its URL. Any other address is an error.
func (c *Cloud) Listen(addr string) (string, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", fmt.Errorf("listen: %q is not a loopback address", addr)
	}
	listener, err := net.Listen("tcp", addr) //nolint:noctx // Close ends it
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	// The real servers close idle connections after 60 s.
	server := &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ErrorLog: c.errorLog()}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return "", errors.Join(errors.New("listen: the cloud is closed"), listener.Close())
	}
	c.servers = append(c.servers, server)
	c.calls.Go(func() { _ = server.Serve(listener) }) // always ErrServerClosed or a dead listener
	return "http://" + listener.Addr().String(), nil
}

func (c *Cloud) errorLog() *log.Logger {
	if c.options.Logger == nil {
		return log.New(io.Discard, "", 0)
	}
	return slog.NewLogLogger(c.options.Logger.Handler(), slog.LevelWarn)
}

// Close ends the servers and every call under way, hanging ones too, and
// returns when all have ended.
func (c *Cloud) Close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	servers := c.servers
	c.mu.Unlock()
	for _, server := range servers {
		_ = server.Close() // nothing is left to be saved on these connections
	}
	c.calls.Wait()
}

// enter keeps Close from returning while a call is under way.
func (c *Cloud) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.calls.Add(1)
	}
	return !c.closed
}

// ServeHTTP answers API 3.0 at /, API 2.0 at /v2/index.php, and the
// administration API at /_fake/. A dropped connection is a panic with
// http.ErrAbortHandler, as net/http wants it.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.enter() {
		panic(http.ErrAbortHandler)
	}
	defer c.calls.Done()
	switch {
	case r.URL.Path == "/" || r.URL.Path == legacyPath:
		c.serveCall(w, r)
	case c.admin != nil && strings.HasPrefix(r.URL.Path, "/_fake/"):
		c.admin.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (c *Cloud) serveCall(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBytes))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	call := parseCall(r, body)
	var latency time.Duration
	if c.options.Latency != nil {
		latency = c.options.Latency(call.api)
	}
	c.pause(r.Context(), latency/2)
	verdict := c.judge(call)
	if c.options.OnRequest != nil {
		c.options.OnRequest(verdict.request)
	}
	c.pause(r.Context(), verdict.fault.Delay+latency-latency/2)
	c.write(w, r, call, verdict)
}

// pause drops the connection if the client leaves or the cloud closes first.
func (c *Cloud) pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(http.ErrAbortHandler)
	case <-c.closing:
		panic(http.ErrAbortHandler)
	}
}
