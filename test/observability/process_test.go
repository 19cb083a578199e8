//go:build observability

package observability

import (
	"bytes"
	"errors"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
)

// process is a program in the background.
type process struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	said  bytes.Buffer
	ended chan struct{}
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

// start runs a program until the test ends. It ends by itself after some minutes,
// since a test that is killed cannot end it.
func start(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command("timeout", append([]string{"--kill-after=5", "900"}, args...)...)
	p.cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}, environ...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	check(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // the state tells
		close(p.ended)
	}()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the program, which must end well.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-p.ended
	p.mu.Lock()
	defer p.mu.Unlock()
	// timeout's own status, once it was told to end, is 124 or its child's.
	if code := p.cmd.ProcessState.ExitCode(); code != 0 && code != 124 || t.Failed() {
		text := p.said.Bytes()
		t.Logf("%v ended with status %d:\n%s", p.cmd.Args[3:], code, text[max(0, len(text)-4000):])
	}
}

// freeAddress is one on loopback that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close() //nolint:errcheck // It was only to be tried.
	return l.Addr().String()
}
