package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// stopWithin is how long the operator may take to end: it promises 5 seconds.
const stopWithin = 6 * time.Second

// launcher becomes the program, and leaves a watchdog behind: a demo that is
// killed cannot stop what it started.
const launcher = `parent=$PPID self=$$
(while kill -0 $parent && kill -0 $self; do sleep 1; done; kill $self) >/dev/null 2>&1 </dev/null &
exec "$@"`

// process is a program in the background.
type process struct {
	cmd      *exec.Cmd
	stopping chan struct{}
	ended    chan error
}

// startProcess starts a program with its output in a file. If it ends before it
// is stopped, fail is called.
func startProcess(log string, fail context.CancelCauseFunc, args ...string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, fmt.Errorf("make a log: %w", err)
	}
	defer file.Close() //nolint:errcheck // The process has its own.
	// No context ends it by force: stop asks it to end.
	cmd := exec.CommandContext(context.Background(), "sh", append([]string{"-c", launcher, "sh"}, args...)...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	// A Ctrl-C in the terminal is for the demo, which ends the operator in turn.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	p := &process{cmd: cmd, stopping: make(chan struct{}), ended: make(chan error, 1)}
	go func() {
		err := cmd.Wait()
		select {
		case <-p.stopping:
		default:
			fail(fmt.Errorf("the operator ended by itself (%v); its log: %s", cmd.ProcessState, log))
		}
		p.ended <- err
	}()
	return p, nil
}

// stop ends the program, by force if it takes too long, which is an error.
func (p *process) stop() error {
	close(p.stopping)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil // fail has told
	}
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("stop the operator: %w", err)
		}
		return nil
	case <-time.After(stopWithin):
		return errors.Join(fmt.Errorf("the operator had not ended %s after SIGTERM, and was killed", stopWithin), p.cmd.Process.Kill())
	}
}
