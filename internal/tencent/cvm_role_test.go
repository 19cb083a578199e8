package tencent

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// metadata serves the role list and one role's answer.
func metadata(t *testing.T, roles, role http.HandlerFunc) cvmRole {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/cam/{$}", roles)
	mux.HandleFunc("/cam/my-role", role)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	r := newCVMRole(server.URL + "/cam/")
	t.Cleanup(r.http.CloseIdleConnections)
	return r
}

func TestCVMRole(t *testing.T) {
	r := metadata(t, answer("my-role\n"), answer(`{"TmpSecretId":"id","TmpSecretKey":"key","ExpiredTime":1900000000,"Expiration":"2030-03-17T17:46:40Z","Token":"tok","Code":"Success"}`))
	got, err := r.fetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := temporaryKey{Credential{SecretID: "id", SecretKey: "key", Token: "tok", Identity: "operator/cvm:my-role"}, time.Unix(1900000000, 0)}
	if got != want {
		t.Error("got another key than the metadata server gave")
	}
}

func TestCVMRoleErrors(t *testing.T) {
	none := http.NotFound
	cases := map[string]struct {
		reason      string
		roles, role http.HandlerFunc
		want        string
	}{
		"no role":        {"as the real server says it", none, none, "no role is bound"},
		"empty list":     {"", answer(""), none, "no role is bound"},
		"a path":         {"a name becomes part of a URL", answer("../../user-data"), none, "no role is bound"},
		"a page":         {"a captive portal", answer("<html>Log in</html>"), none, "no role is bound"},
		"role gone":      {"", answer("my-role"), none, "no role is bound"},
		"not successful": {"", answer("my-role"), answer(`{"Code":"Fail\n"}`), "Fail: no key for role my-role"},
		"not JSON":       {"", answer("my-role"), answer("x"), "UnreadableAnswer"},
		"server error":   {"", status(500, ""), none, "HTTP500"},
		"redirect":       {"", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/cam/my-role", http.StatusFound) }, none, "HTTP302"},
		"endless":        {"", endless, none, "longer than 1 MiB"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := metadata(t, tc.roles, tc.role).fetch(t.Context())
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "metadata server") {
				t.Errorf("got %v, want %q: %s", err, tc.want, tc.reason)
			}
		})
	}
}

func TestCVMRoleGivesUp(t *testing.T) {
	r := metadata(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "my-")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, http.NotFound)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.fetch(ctx); err == nil || !strings.Contains(err.Error(), "no answer within 5s") {
		t.Errorf("got %v", err)
	}
}
