package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// launcher is a shell script that becomes one of the control plane's binaries. It
// notes the process ID, which envtest keeps to itself, and leaves a watchdog
// behind: a test binary that panics, times out or is killed cannot stop the
// servers it started, or remove their data.
const launcher = `#!/bin/sh
parent=$PPID
self=$$
echo $self >%[2]q
(
	while kill -0 $parent; do
		kill -0 $self || exit
		sleep 1
	done
	kill -KILL $self
	rm -rf %[3]q
) >/dev/null 2>&1 &
exec %[1]q "$@"
`

// watched writes the launcher of one binary and returns its path.
func (e *Env) watched(binary string) (string, error) {
	target, err := filepath.Abs(filepath.Join(e.assets, binary))
	if err != nil {
		return "", fmt.Errorf("find %s: %w", binary, err)
	}
	if _, err := os.Stat(target); err != nil {
		return "", fmt.Errorf("find %s: %w", binary, err)
	}
	path := filepath.Join(e.dir, binary)
	script := fmt.Sprintf(launcher, target, path+".pid", e.dir)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // It must be executable.
		return "", fmt.Errorf("write the launcher of %s: %w", binary, err)
	}
	return path, nil
}

// PauseAPIServer freezes the API server: connections stay open, and nothing
// answers until ResumeAPIServer.
func (e *Env) PauseAPIServer() error { return e.signalAPIServer(syscall.SIGSTOP) }

// ResumeAPIServer lets a paused API server go on.
func (e *Env) ResumeAPIServer() error {
	err := e.signalAPIServer(syscall.SIGCONT)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (e *Env) signalAPIServer(signal os.Signal) error {
	text, err := os.ReadFile(filepath.Join(e.dir, "kube-apiserver.pid"))
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	if err := process.Signal(signal); err != nil {
		return fmt.Errorf("send %v to the API server: %w", signal, err)
	}
	return nil
}
