package acceptance

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// guard is how long a test waits for what must come. It is no measure of the
// operator: a busy machine must not fail a test.
const guard = 2 * time.Minute

// operator is a running cloudtask manager.
type operator struct {
	*testing.T
	cmd    *exec.Cmd
	output *output
	ended  chan struct{} // closed once the process has ended
	killed bool          // on purpose
}

// output keeps all that a process says.
type output struct {
	mu      sync.Mutex
	text    []byte
	changed chan struct{} // closed and replaced at each change
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	close(o.changed)
	o.changed = make(chan struct{})
	return len(p), nil
}

// read returns what was said so far, and a channel that is closed at more.
func (o *output) read() ([]byte, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text, o.changed
}

// options say which operator to run.
type options struct {
	binary string   // raced by default
	flags  []string // besides those of every operator
	env    []string
}

// operate runs an operator on the world's namespace and cloud until the test
// ends. It must then end with status 0, and have told no secret and no race.
func (w *world) operate(o options) *operator {
	w.Helper()
	flags := append([]string{
		"--kubeconfig=" + env.Kubeconfig, "--cloud-endpoint=" + w.url, "--namespaces=" + w.namespace,
	}, o.flags...)
	op := start(w.T, options{binary: o.binary, flags: flags, env: o.env})
	w.Cleanup(func() {
		if !op.killed {
			op.stop(syscall.SIGTERM)
		}
	})
	return op
}

// start runs cloudtask manager with no server of its own, telling all it can.
func start(t *testing.T, o options) *operator {
	t.Helper()
	if o.binary == "" {
		o.binary = raced
	}
	args := append([]string{"manager", "--metrics-bind-address=0", "--health-probe-bind-address=0", "--zap-log-level=9"}, o.flags...)
	op := &operator{
		T: t, cmd: exec.Command(o.binary, args...),
		output: &output{changed: make(chan struct{})}, ended: make(chan struct{}),
	}
	op.cmd.Stdout, op.cmd.Stderr = op.output, op.output
	op.cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, o.env...)
	check(t, op.cmd.Start())
	go func() {
		_ = op.cmd.Wait() // the state tells
		close(op.ended)
	}()
	t.Cleanup(op.inspect)
	return op
}

// inspect looks at all that the operator has said.
func (op *operator) inspect() {
	op.Helper()
	_ = op.cmd.Process.Kill() // where the test has given up
	<-op.ended
	text, _ := op.output.read()
	for _, bad := range []string{"DATA RACE", "panic:", "a task's answer could not be handled"} {
		if i := bytes.Index(text, []byte(bad)); i >= 0 {
			op.Errorf("the operator said %q:\n%s", bad, text[i:min(len(text), i+4000)])
		}
	}
	for _, found := range leaks(text) {
		op.Errorf("a secret is in the operator's output: %s", found)
	}
	if op.Failed() {
		op.Logf("the operator's last words:\n%s", tail(text, 60))
	}
}

// kill ends the operator at once.
func (op *operator) kill() {
	op.Helper()
	op.killed = true
	check(op.T, op.cmd.Process.Kill())
	<-op.ended
}

// stop tells the operator to end, which it must do with status 0, and returns
// how long that took.
func (op *operator) stop(signal syscall.Signal) time.Duration {
	op.Helper()
	began := time.Now()
	if err := op.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		op.Fatal(err)
	}
	if code := op.wait(); code != 0 {
		op.Errorf("the operator ended with status %d after %v", code, signal)
	}
	return time.Since(began)
}

// wait waits for the operator's end and returns its exit status.
func (op *operator) wait() int {
	op.Helper()
	timer := time.NewTimer(guard)
	defer timer.Stop()
	select {
	case <-op.ended:
		return op.cmd.ProcessState.ExitCode()
	case <-timer.C:
		op.Fatal("the operator does not end")
		return -1
	}
}

// await waits until the operator has said something.
func (op *operator) await(words string) {
	op.Helper()
	timer := time.NewTimer(guard)
	defer timer.Stop()
	for {
		text, more := op.output.read()
		if bytes.Contains(text, []byte(words)) {
			return
		}
		select {
		case <-more:
		case <-op.ended:
			op.Fatalf("the operator ended without saying %q", words)
		case <-timer.C:
			op.Fatalf("the operator does not say %q", words)
		}
	}
}

// lastLine is what a process that refused to start said in the end.
func (op *operator) lastLine() string {
	text, _ := op.output.read()
	return tail(text, 1)
}

func tail(text []byte, lines int) string {
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	all = all[max(0, len(all)-lines):]
	for i, line := range all {
		all[i] = line[:min(len(line), 400)]
	}
	return strings.Join(all, "\n")
}
