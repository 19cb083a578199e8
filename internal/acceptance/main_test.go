// Package acceptance tests the operator as its own process, between a real
// kube-apiserver and a cloud that misbehaves.
package acceptance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"cloudtask.dev/cloudtask/internal/testenv"
)

// What all tests share: a control plane, and the program built twice. raced
// carries the race detector, which costs memory and time; plain is for figures.
var (
	env          *testenv.Env
	raced, plain string
)

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait for the operator most of the time.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fail(err)
	}
	ctrl.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "cloudtask-acceptance-")
	if err != nil {
		fail(err)
	}
	code, err := run(m, dir)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		fail(err)
	}
	os.Exit(code)
}

func run(m *testing.M, dir string) (code int, err error) {
	raced, plain = filepath.Join(dir, "cloudtask-race"), filepath.Join(dir, "cloudtask")
	if err := errors.Join(build(raced, "-race"), build(plain)); err != nil {
		return 1, err
	}
	if env, err = testenv.Start(context.Background()); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, env.Stop()
}

func build(to string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", to, "cloudtask.dev/cloudtask")
	cmd := exec.Command("go", args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the program: %w", err)
	}
	return nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
