//go:build observability

package observability

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// operator is a running cloudtask manager, its metrics served as in production.
type operator struct {
	*testing.T
	address string
	token   string // of who may read the metrics
}

func startOperator(t *testing.T, cloud string) *operator {
	t.Helper()
	op := &operator{T: t, address: freeAddress(t)}
	// The role is the one that is shipped; the binding is what the pages say.
	op.kubectl("apply", "--server-side", "-f", "../../config/rbac/metrics.yaml")
	op.kubectl("create", "serviceaccount", "prometheus", "-n", "default")
	op.kubectl("create", "serviceaccount", "stranger", "-n", "default")
	op.kubectl("create", "clusterrolebinding", "prometheus-cloudtask",
		"--clusterrole=cloudtask-metrics-reader", "--serviceaccount=default:prometheus")
	op.token = op.tokenOf("prometheus")
	start(t, []string{"GOMEMLIMIT=512MiB"}, binary, "manager", "--kubeconfig="+env.Kubeconfig, "--cloud-endpoint="+cloud,
		"--metrics-bind-address="+op.address, "--health-probe-bind-address=0", "--leader-elect", "--leader-elect-namespace=default")
	eventually(t, "the operator serves its metrics", func() bool {
		status, _ := op.get(op.token)
		return status == http.StatusOK
	})
	return op
}

func (op *operator) kubectl(args ...string) string {
	op.Helper()
	out, err := env.Kubectl(op.Context(), args...).CombinedOutput()
	if err != nil {
		op.Fatalf("kubectl %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (op *operator) tokenOf(account string) string {
	op.Helper()
	return op.kubectl("create", "token", account, "-n", "default")
}

// get reads the metrics with a bearer token; status 0 is no answer at all.
func (op *operator) get(token string) (status int, body string) {
	op.Helper()
	// The operator's certificate is self-signed, as in a cluster.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(op.Context(), http.MethodGet, "https://"+op.address+"/metrics", http.NoBody)
	check(op.T, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // It was read.
	text, err := io.ReadAll(res.Body)
	check(op.T, err)
	return res.StatusCode, string(text)
}

// metrics are the metrics as text.
func (op *operator) metrics() string {
	op.Helper()
	status, body := op.get(op.token)
	if status != http.StatusOK {
		op.Fatalf("GET /metrics: %d: %s", status, body)
	}
	return body
}

// shows tells whether a series has a value that is none of those.
func (op *operator) shows(series string, but ...string) bool {
	op.Helper()
	for line := range strings.Lines(op.metrics()) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return !slices.Contains(but, strings.TrimSpace(value))
		}
	}
	op.Fatalf("there is no series %s", series)
	return false
}

// tasks is how many objects the operator tells of.
func (op *operator) tasks() int {
	op.Helper()
	n := 0
	for line := range strings.Lines(op.metrics()) {
		if strings.HasPrefix(line, "cloudtask_tasks{") {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			check(op.T, err)
			n += int(value)
		}
	}
	return n
}

// code is the API server's answer, in client-go's count of requests. The codes are
// few, but a conflict, for one, comes when it comes: with any number of objects.
var code = regexp.MustCompile(`^(rest_client_requests_total\{)code="[^"]*",`)

// series are the names and labels of all series, but for that code.
func (op *operator) series() []string {
	op.Helper()
	var all []string
	for line := range strings.Lines(op.metrics()) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			all = append(all, code.ReplaceAllString(line[:i], "$1"))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// testAccess: metrics are for those whom the API server allows to read them.
func (op *operator) testAccess(t *testing.T) {
	for name, tc := range map[string]struct {
		token string
		want  int
	}{
		"without a token": {"", http.StatusUnauthorized},
		// Of controller-runtime; 401 would be better.
		"with a wrong token": {"x.y.z", http.StatusInternalServerError},
		"without the role":   {op.tokenOf("stranger"), http.StatusForbidden},
		"with the role":      {op.token, http.StatusOK},
	} {
		if got, body := op.get(tc.token); got != tc.want {
			t.Errorf("%s: status %d, want %d: %.200s", name, got, tc.want, body)
		}
	}
	res, err := http.Get("http://" + op.address + "/metrics")
	check(t, err)
	if check(t, res.Body.Close()); res.StatusCode == http.StatusOK {
		t.Error("the metrics are served without TLS")
	}
}

// testLint: promtool finds nothing to complain about, in all that is served.
func (op *operator) testLint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "metrics.txt")
	check(t, os.WriteFile(path, []byte(op.metrics()), 0o600))
	file, err := os.Open(path)
	check(t, err)
	defer file.Close() //nolint:errcheck // It was only read.
	promtool(t, file, "check", "metrics")
}
