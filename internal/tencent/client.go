// Package tencent holds all that the project knows of Tencent Cloud: the
// Describe APIs that tell of tasks, what their answers and errors mean, where
// they are served, and the keys to ask them with. It alone imports the SDK.
package tencent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

// API names one Describe API, as --api-rate and the metrics spell it.
type API string

// The APIs that are asked.
const (
	// RedisTaskInfo tells of one task by its ID.
	RedisTaskInfo API = "redis.DescribeTaskInfo"
	// RedisTaskList tells of up to 100 tasks at once, without their messages.
	RedisTaskList API = "redis.DescribeTaskList"
	// LegacyRedisTaskInfo is DescribeTaskInfo of API 2.0.
	LegacyRedisTaskInfo API = "redis2.DescribeTaskInfo"
	// CLBTaskStatus tells of one task by the request or order that began it.
	CLBTaskStatus API = "clb.DescribeTaskStatus"
)

// DefaultRate is the calls per second to begin with: a tenth below the published
// limits of 20 and, for the list, 100, since the cloud counts by its own clock.
func (a API) DefaultRate() float64 {
	if a == RedisTaskList {
		return 90
	}
	return 18
}

func (a API) service() string {
	service, _, _ := strings.Cut(string(a), ".")
	return service
}

// DefaultTimeout is how long a call may take.
const DefaultTimeout = 10 * time.Second

// Config says where the cloud is and how to ask it.
type Config struct {
	// Endpoint, http(s)://host:port, takes every call, those of API 2.0 too.
	// Empty: each service's own host.
	Endpoint string
	// RootDomain stands in for tencentcloudapi.com.
	RootDomain string
	// UserAgent names the caller to the cloud, in letters, digits and -_ ,;.
	UserAgent string
	// Timeout bounds one call. Default: DefaultTimeout.
	Timeout time.Duration
	// Observe, where set, is told of every call that was made, how long it took
	// and what came of it.
	Observe func(api API, took time.Duration, err error)
}

// Client asks Tencent Cloud about tasks. It keeps no state but idle connections
// and is safe for concurrent use.
type Client struct {
	endpoints endpoints
	userAgent string
	timeout   time.Duration
	transport *transport
	observe   func(API, time.Duration, error)
}

// NewClient returns a client. The error says what is wrong with Endpoint or
// RootDomain.
func NewClient(cfg Config) (*Client, error) {
	endpoints, err := newEndpoints(cfg.Endpoint, cfg.RootDomain)
	if err != nil {
		return nil, err
	}
	timeout := cfg.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	observe := cfg.Observe
	if observe == nil {
		observe = func(API, time.Duration, error) {}
	}
	return &Client{
		observe:   observe,
		endpoints: endpoints,
		userAgent: requestClient(cfg.UserAgent),
		timeout:   timeout,
		transport: newTransport(http.ProxyFromEnvironment),
	}, nil
}

// Host is the host, with its port where it has one, that a call goes to.
func (c *Client) Host(api API, region string) string {
	return c.endpoints.host(api.service(), region)
}

// ask makes one call within the time-out. It returns the caller's own ctx error
// when that ctx is done, which the SDK reports as a network or parse error, and
// an *Error in every other case.
func (c *Client) ask(ctx context.Context, api API, cred Credential, region string, call func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := cred.check(); err != nil {
		return err
	}
	if err := checkRegion(region); err != nil {
		return err
	}
	began := time.Now()
	err := c.call(ctx, cred, call)
	c.observe(api, time.Since(began), err)
	return err
}

func (c *Client) call(ctx context.Context, cred Credential, call func(context.Context) error) error {
	callCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := call(callCtx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(callCtx.Err(), context.DeadlineExceeded):
		return &Error{Kind: Unavailable, Code: "Timeout", Message: fmt.Sprintf("no answer within %s", c.timeout)}
	}
	return asError(err, cred)
}

// profile configures the SDK for one call. Its retries stay off, since they
// sleep without regard to ctx and would spend the quota unseen; its breaker
// stays off, since it counts successes as failures.
func (c *Client) profile(api API, region string) *profile.ClientProfile {
	p := profile.NewClientProfile()
	p.DisableRegionBreaker = true
	p.Language = "en-US"
	// Lets net/http repeat a call whose reused connection turned out to be
	// closed; safe, since every call here only reads.
	p.UnsafeRetryOnConnectionFailure = true
	p.HttpProfile.Scheme = c.endpoints.scheme
	p.HttpProfile.Endpoint = c.Host(api, region)
	p.HttpProfile.ReqTimeout = 0 // ctx bounds the call
	return p
}

// requestClient makes a name that the SDK takes: it logs about any other at
// every call.
func requestClient(name string) string {
	if name == "" {
		name = "cloudtask"
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("-_ ,;.", r):
			return r
		}
		return '-'
	}, name)
	return name[:min(len(name), 100)]
}
