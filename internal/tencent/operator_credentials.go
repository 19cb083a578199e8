package tencent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// A provider that does not answer in this time is given up for the moment.
	providerTimeout = 5 * time.Second
	// A fresh key is fetched when half the life of the old one is over, at least
	// every half hour, and at most once a minute.
	minRefresh = time.Minute
	maxRefresh = 30 * time.Minute
	// After a failure the pause doubles from 5 s to 30 s.
	firstRetry = 5 * time.Second
	maxRetry   = 30 * time.Second
)

// OperatorCredentials gives the operator's own key: from the environment, else by
// the pod identity of TKE (OIDC), else from the role of the CVM it runs on. Which
// one is a matter of configuration alone, fixed at the start: a provider that
// fails does not hand over to the next, since that may be another account's.
type OperatorCredentials struct {
	source string
	fetch  func(context.Context) (temporaryKey, error) // nil: the key below is all there is

	asked chan struct{} // closed once the provider was asked for the first time

	mu  sync.Mutex
	key temporaryKey
	err error
}

// temporaryKey is a key with its end; a zero end is never.
type temporaryKey struct {
	Credential
	expires time.Time
}

// NewOperatorCredentials chooses the source by the environment, which getenv
// reads. An endpoint in cfg turns OIDC and the CVM role off. The error says what is
// wrong with cfg; a missing key is Get's error. Run must be started.
func NewOperatorCredentials(cfg Config, getenv func(string) string) (*OperatorCredentials, error) {
	endpoints, err := newEndpoints(cfg.Endpoint, cfg.RootDomain)
	if err != nil {
		return nil, err
	}
	o := &OperatorCredentials{asked: make(chan struct{})}
	env := func(name string) string { return strings.TrimSpace(getenv(name)) }
	switch {
	case env("TENCENTCLOUD_SECRET_ID") != "" || env("TENCENTCLOUD_SECRET_KEY") != "":
		o.source = "operator/env"
		o.key.Credential, o.err = envCredential(env)
	case endpoints.override != "":
		o.err = errors.New("no key in TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY; pod identity and CVM role are off, since an endpoint is set")
	case podIdentityConfigured(env):
		o.source = "operator/oidc"
		o.fetch, o.err = podIdentity(endpoints, env)
	default:
		o.source = "operator/cvm"
		o.fetch = newCVMRole(metadataURL).fetch
	}
	return o, nil
}

func envCredential(env func(string) string) (Credential, error) {
	cred := Credential{
		SecretID:  env("TENCENTCLOUD_SECRET_ID"),
		SecretKey: env("TENCENTCLOUD_SECRET_KEY"),
		Token:     env("TENCENTCLOUD_TOKEN"),
	}
	if cred.SecretID == "" || cred.SecretKey == "" {
		return Credential{}, errors.New("only one of TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY is set: set both")
	}
	return cred, nil
}

// Get returns the key and its source: operator/env, operator/oidc or
// operator/cvm. It waits for the network only until the provider was first asked,
// and never longer than ctx or 5 s. The error says what was looked for and what
// the provider said.
func (o *OperatorCredentials) Get(ctx context.Context) (Credential, string, error) {
	if o.fetch != nil {
		if err := o.waitForFirst(ctx); err != nil {
			return Credential{}, "", err
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.key.SecretID != "" && (o.key.expires.IsZero() || time.Now().Before(o.key.expires)):
		return o.key.Credential, o.source, nil
	case o.err == nil:
		return Credential{}, "", errors.New("the operator's own key has expired")
	}
	return Credential{}, "", o.err
}

func (o *OperatorCredentials) waitForFirst(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	select {
	case <-o.asked:
		return nil
	case <-wait.Done():
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.New("the provider of the operator's own key has not answered yet")
}

// Run keeps the key fresh until ctx is done, and then returns nil.
func (o *OperatorCredentials) Run(ctx context.Context) error {
	if o.fetch == nil {
		<-ctx.Done()
		return nil
	}
	for failures := 0; ctx.Err() == nil; {
		pause := firstRetry << failures
		if expires, err := o.refresh(ctx); err == nil {
			failures = 0
			pause = min(max(time.Until(expires)/2, minRefresh), maxRefresh)
		} else {
			pause = min(pause, maxRetry)
			failures = min(failures+1, 3)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// refresh asks the provider once. The last good key stays when that fails.
func (o *OperatorCredentials) refresh(ctx context.Context) (time.Time, error) {
	callCtx, cancel := context.WithTimeout(ctx, providerTimeout)
	defer cancel()
	key, err := o.fetch(callCtx)
	if err == nil && !key.expires.After(time.Now()) {
		err = errors.New("the provider gave a key that has expired")
	}
	if err == nil {
		err = key.check()
	}
	if err != nil {
		err = fmt.Errorf("no key in TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY, and none from %s: %w", o.source, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err = err; err == nil {
		o.key = key
	}
	select {
	case <-o.asked:
	default:
		close(o.asked)
	}
	return key.expires, err
}

// providerError says what a provider's call came to. Its time-out is not the
// caller's, so ctx is the call's own.
func providerError(ctx context.Context, err error, cred Credential) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer within %s", providerTimeout)
	}
	return asError(err, cred)
}
