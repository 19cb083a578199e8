package tencent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func podEnv(tokenFile string) map[string]string {
	return map[string]string{
		"TKE_REGION": "ap-shanghai", "TKE_PROVIDER_ID": "tke-1", "TKE_WEB_IDENTITY_TOKEN_FILE": tokenFile, "TKE_ROLE_ARN": "qcs::cam::uin/1:roleName/r",
	}
}

func TestEnvironmentCredentials(t *testing.T) {
	cases := map[string]struct {
		reason string
		cfg    Config
		env    map[string]string
		want   Credential
		errs   []string
	}{
		"ID and key": {
			reason: "blanks around are no part of it",
			env:    map[string]string{"TENCENTCLOUD_SECRET_ID": " id\n", "TENCENTCLOUD_SECRET_KEY": "key"},
			want:   Credential{SecretID: "id", SecretKey: "key"},
		},
		"with token": {
			env:  map[string]string{"TENCENTCLOUD_SECRET_ID": "id", "TENCENTCLOUD_SECRET_KEY": "key", "TENCENTCLOUD_TOKEN": "token"},
			want: Credential{SecretID: "id", SecretKey: "key", Token: "token"},
		},
		"before pod identity": {
			env:  map[string]string{"TENCENTCLOUD_SECRET_ID": "id", "TENCENTCLOUD_SECRET_KEY": "key", "TKE_ROLE_ARN": "r"},
			want: Credential{SecretID: "id", SecretKey: "key"},
		},
		"with an endpoint": {
			cfg:  Config{Endpoint: "http://127.0.0.1:1"},
			env:  map[string]string{"TENCENTCLOUD_SECRET_ID": "id", "TENCENTCLOUD_SECRET_KEY": "key"},
			want: Credential{SecretID: "id", SecretKey: "key"},
		},
		"half": {
			reason: "another source may be another account's",
			env:    map[string]string{"TENCENTCLOUD_SECRET_ID": "id", "TKE_ROLE_ARN": "r"},
			errs:   []string{"only one of TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY"},
		},
		"endpoint and pod identity": {
			reason: "an endpoint turns the providers off",
			cfg:    Config{Endpoint: "http://127.0.0.1:1"},
			env:    podEnv("/nowhere"),
			errs:   []string{"TENCENTCLOUD_SECRET_ID", "are off"},
		},
		"half a pod identity": {
			reason: "says what is missing",
			env:    map[string]string{"TKE_ROLE_ARN": "r", "TKE_REGION": "ap-shanghai"},
			errs:   []string{"TENCENTCLOUD_SECRET_ID", "lacks TKE_PROVIDER_ID, TKE_WEB_IDENTITY_TOKEN_FILE"},
		},
		"bad region of a pod identity": {
			reason: "a region can be part of a host",
			env:    map[string]string{"TKE_ROLE_ARN": "r", "TKE_REGION": "a/b-fsi", "TKE_PROVIDER_ID": "p", "TKE_WEB_IDENTITY_TOKEN_FILE": "f"},
			errs:   []string{"TKE_REGION"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o, err := NewOperatorCredentials(tc.cfg, env(tc.env))
			if err != nil {
				t.Fatal(err)
			}
			got, source, err := o.Get(t.Context())
			if len(tc.errs) == 0 && (err != nil || source != "operator/env") {
				t.Errorf("got source %q, error %v", source, err)
			}
			if got != tc.want {
				t.Errorf("got another key than wanted: %s", tc.reason)
			}
			for _, want := range tc.errs {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got error %v, want it to hold %q", err, want)
				}
			}
		})
	}
	if _, err := NewOperatorCredentials(Config{RootDomain: "x"}, env(nil)); err == nil {
		t.Error("a bad root domain gave no error")
	}
}

func TestChoosesTheProvider(t *testing.T) {
	for source, values := range map[string]map[string]string{
		"operator/oidc": podEnv("/nowhere"),
		"operator/cvm":  {"TKE_REGION": "ap-shanghai"},
	} {
		o, err := NewOperatorCredentials(Config{}, env(values))
		if err != nil || o.source != source || o.fetch == nil {
			t.Errorf("source %q, %v, want %q", o.source, err, source)
		}
	}
}

// script is a provider that gives keys of an hour, or an error, as told.
type script struct {
	hangs bool

	mu    sync.Mutex
	calls int
	err   error
}

func (s *script) fetch(ctx context.Context) (temporaryKey, error) {
	if s.hangs {
		<-ctx.Done()
		return temporaryKey{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil {
		return temporaryKey{}, s.err
	}
	return temporaryKey{
		Credential: Credential{SecretID: strings.Repeat("i", s.calls), SecretKey: "key"},
		expires:    time.Now().Add(time.Hour),
	}, nil
}

func (s *script) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *script) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// start runs credentials that come from the script until the test ends.
func (s *script) start(t *testing.T) *OperatorCredentials {
	o := &OperatorCredentials{source: "operator/cvm", fetch: s.fetch, asked: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- o.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return o
}

// pass lets fake time pass, and then whatever it has set off.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func wantKey(t *testing.T, o *OperatorCredentials, id string) {
	t.Helper()
	cred, source, err := o.Get(t.Context())
	if err != nil || cred.SecretID != id || source != "operator/cvm" {
		t.Errorf("got key %q from %q, %v, want %q", cred.SecretID, source, err, id)
	}
}

func wantNoKey(t *testing.T, o *OperatorCredentials, text string) {
	t.Helper()
	cred, source, err := o.Get(t.Context())
	if err == nil || !strings.Contains(err.Error(), text) || cred != (Credential{}) || source != "" {
		t.Errorf("got source %q, error %v, want %q", source, err, text)
	}
}

func TestKeyIsRefreshedInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		o := s.start(t)
		wantKey(t, o, "i")
		pass(30*time.Minute + time.Second)
		wantKey(t, o, "ii")
		if n := s.asked(); n != 2 {
			t.Errorf("the provider was asked %d times, want 2", n)
		}
	})
}

func TestLastGoodKeyIsKeptUntilItExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{}
		o := s.start(t)
		wantKey(t, o, "i")
		s.fail(errors.New("STS is down"))
		pass(59 * time.Minute)
		wantKey(t, o, "i")
		if n := s.asked(); n < 10 {
			t.Errorf("the provider was asked %d times, want it asked again and again", n)
		}
		pass(2 * time.Minute)
		wantNoKey(t, o, "STS is down")
		s.fail(nil)
		pass(maxRetry + time.Second)
		if _, _, err := o.Get(t.Context()); err != nil {
			t.Errorf("got %v after the provider recovered", err)
		}
	})
}

func TestHangingProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&script{hangs: true}).start(t)
		begin := time.Now()
		wantNoKey(t, o, "")
		if took := time.Since(begin); took > providerTimeout {
			t.Errorf("the first Get took %s", took)
		}
		synctest.Wait()
		begin = time.Now()
		wantNoKey(t, o, "none from operator/cvm")
		if took := time.Since(begin); took != 0 {
			t.Errorf("a later Get took %s", took)
		}
	})
}

func TestGetWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &OperatorCredentials{source: "operator/cvm", fetch: (&script{}).fetch, asked: make(chan struct{})}
		begin := time.Now()
		wantNoKey(t, o, "has not answered yet")
		if took := time.Since(begin); took != providerTimeout {
			t.Errorf("Get took %s, want %s", took, providerTimeout)
		}
	})
}

func TestGetHonoursTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := (&script{hangs: true}).start(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := o.Get(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's own error", err)
		}
	})
}

func TestFailuresAreCached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{err: errors.New("not on a CVM")}
		o := s.start(t)
		for range 100 {
			wantNoKey(t, o, "not on a CVM")
		}
		if n := s.asked(); n != 1 {
			t.Errorf("100 Gets asked the provider %d times", n)
		}
		pass(10 * time.Minute)
		if n := s.asked(); n > 25 {
			t.Errorf("the provider was asked %d times in 10 minutes", n)
		}
	})
}

func TestUselessKeysAreRefused(t *testing.T) {
	cases := map[string]temporaryKey{
		"expired": {Credential{SecretID: "id", SecretKey: "key"}, time.Unix(1, 0)},
		"empty":   {Credential{}, time.Now().Add(time.Hour)},
		"newline": {Credential{SecretID: "id\n", SecretKey: "key"}, time.Now().Add(time.Hour)},
	}
	for name, key := range cases {
		t.Run(name, func(t *testing.T) {
			o := &OperatorCredentials{
				source: "operator/cvm", asked: make(chan struct{}),
				fetch: func(context.Context) (temporaryKey, error) { return key, nil },
			}
			if _, err := o.refresh(t.Context()); err == nil {
				t.Error("the key was taken")
			}
			wantNoKey(t, o, "none from operator/cvm")
		})
	}
}
