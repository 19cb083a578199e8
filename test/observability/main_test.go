//go:build observability

// Package observability has a real Prometheus watch a running operator: its
// metrics, who may read them, the alerts and the dashboard. Run it by make
// observability; it needs prometheus and promtool, Debian's are recent enough.
package observability

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"cloudtask.dev/cloudtask/internal/testenv"
)

var (
	scrape  = flag.Duration("scrape", 40*time.Second, "how long Prometheus watches the operator")
	objects = flag.Int("objects", 10_000, "how many objects there are in the end")
	results = flag.String("results", "", "file for what the dashboard's queries returned, for hack/metrics/plot")
)

// What all tests share: a control plane, and the program.
var (
	env    *testenv.Env
	binary string
)

const (
	alertsFile    = "../../charts/cloudtask/files/alerts.yaml"
	dashboardFile = "../../charts/cloudtask/files/dashboard.json"
	// guard is how long a test waits for what must come.
	guard = 2 * time.Minute
)

func TestMain(m *testing.M) {
	flag.Parse()
	ctrl.SetLogger(logr.Discard())
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	for _, tool := range []string{"prometheus", "promtool", "timeout"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 1, fmt.Errorf("%w: apt-get install prometheus has it", err)
		}
	}
	dir, err := os.MkdirTemp("", "cloudtask-observability-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "cloudtask")
	if out, err := exec.Command("go", "build", "-o", binary, "cloudtask.dev/cloudtask").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the operator: %w\n%s", err, out)
	}
	if env, err = testenv.Start(context.Background()); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, env.Stop()) }()
	return m.Run(), nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// promtool must find nothing to complain about.
func promtool(t *testing.T, stdin *os.File, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !is(); {
		if time.Since(began) > guard {
			t.Fatalf("not so after %v: %s", guard, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("not so: %s", what)
		case <-tick.C:
		}
	}
}
