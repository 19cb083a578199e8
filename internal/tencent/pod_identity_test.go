package tencent

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPodIdentityHost(t *testing.T) {
	for want, cfg := range map[string]Config{
		"sts.tencentcloudapi.com":      {},
		"sts.intl.tencentcloudapi.com": {RootDomain: "intl.tencentcloudapi.com"},
	} {
		endpoints, err := newEndpoints(cfg.Endpoint, cfg.RootDomain)
		if err != nil {
			t.Fatal(err)
		}
		if got := endpoints.host("sts", "ap-shanghai"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// podProvider is a provider that asks a server instead of STS.
func podProvider(t *testing.T, handler http.HandlerFunc) (oidcProvider, string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the-web-token-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	transport := newTransport(nil)
	t.Cleanup(transport.base.CloseIdleConnections)
	return oidcProvider{
		scheme: "http", host: strings.TrimPrefix(server.URL, "http://"), region: "ap-shanghai",
		providerID: "tke-1", tokenFile: file, roleARN: "qcs::cam::uin/1:roleName/r", transport: transport,
	}, file
}

func TestPodIdentity(t *testing.T) {
	var tokens []string
	provider, file := podProvider(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"X-Tc-Action": "AssumeRoleWithWebIdentity", "X-Tc-Version": "2018-08-13", "X-Tc-Region": "ap-shanghai", "Authorization": "SKIP",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		var got map[string]any
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		token, ok := got["WebIdentityToken"].(string)
		if !ok {
			t.Errorf("WebIdentityToken is %v", got["WebIdentityToken"])
		}
		tokens = append(tokens, token)
		delete(got, "WebIdentityToken")
		want := map[string]any{"ProviderId": "tke-1", "RoleArn": "qcs::cam::uin/1:roleName/r", "RoleSessionName": "cloudtask", "DurationSeconds": 7200.0}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		_, _ = io.WriteString(w, `{"Response":{"Credentials":{"Token":"tok","TmpSecretId":"id","TmpSecretKey":"key"},"ExpiredTime":1900000000,"Expiration":"2030-03-17T17:46:40Z","RequestId":"r"}}`)
	})
	got, err := provider.fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := temporaryKey{
		Credential{SecretID: "id", SecretKey: "key", Token: "tok", Identity: "operator/oidc:qcs::cam::uin/1:roleName/r"}, time.Unix(1900000000, 0),
	}
	if got != want {
		t.Error("got another key than STS gave")
	}
	if err := os.WriteFile(file, []byte("the-web-token-2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"the-web-token-1", "the-web-token-2"}, tokens); diff != "" {
		t.Errorf("the token file is read anew each time (-want +got):\n%s", diff)
	}
}

func TestPodIdentityErrors(t *testing.T) {
	cases := map[string]struct {
		reason string
		handle http.HandlerFunc
		want   string
	}{
		"refused": {
			reason: "in STS's own words, but for the token",
			handle: answer(`{"Response":{"Error":{"Code":"InvalidParameter.WebIdentityTokenError","Message":"bad token the-web-token-1"},"RequestId":"r"}}`),
			want:   "InvalidParameter.WebIdentityTokenError: bad token [hidden]",
		},
		"page":       {"", status(502, "<html>"), "HTTP502"},
		"wrong type": {"", answer(`{"Response":{"Credentials":[]}}`), "UnreadableAnswer"},
		"redirect": {"", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "HTTP307"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			provider, _ := podProvider(t, tc.handle)
			_, err := provider.fetch(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "the-web-token-1") {
				t.Errorf("got %v, want %q: %s", err, tc.want, tc.reason)
			}
		})
	}
}

func TestPodIdentityGivesUp(t *testing.T) {
	provider, file := podProvider(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := provider.fetch(ctx); err == nil || !strings.Contains(err.Error(), "no answer within 5s") {
		t.Errorf("got %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := provider.fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}
