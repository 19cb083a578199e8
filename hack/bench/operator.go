package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// build compiles the operator as it is released.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "cloudtask")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "cloudtask.dev/cloudtask")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the operator: %w\n%s", err, out)
	}
	return binary, nil
}

// operator is a running cloudtask manager.
type operator struct {
	cmd     *exec.Cmd
	log     *bytes.Buffer
	metrics string // address
}

func startOperator(binary, kubeconfig, selector, endpoint string) (*operator, error) {
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	o := &operator{log: &bytes.Buffer{}, metrics: metrics}
	//nolint:noctx // stop ends it, and waits
	o.cmd = exec.Command(binary, "manager", "--kubeconfig="+kubeconfig, "--watch-label-selector="+selector,
		"--cloud-endpoint="+endpoint, "--metrics-bind-address="+metrics, "--metrics-secure=false", "--health-probe-bind-address=0")
	o.cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "PATH=" + os.Getenv("PATH")}
	o.cmd.Stdout, o.cmd.Stderr = o.log, o.log
	if err := o.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the operator: %w", err)
	}
	return o, nil
}

// stop ends the operator as a kubelet does.
func (o *operator) stop() error {
	kill := time.AfterFunc(10*time.Second, func() { _ = o.cmd.Process.Kill() })
	defer kill.Stop()
	if err := o.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the operator: %w", err)
	}
	if err := o.cmd.Wait(); err != nil {
		tail := o.log.Bytes()
		return fmt.Errorf("the operator ended badly: %w\n%s", err, tail[max(len(tail)-2000, 0):])
	}
	return nil
}

// usage is what a process has used of the machine.
type usage struct {
	cpu            time.Duration
	resident, peak int64 // bytes
}

// clockTick is the unit of processor times in /proc, fixed on Linux.
const clockTick = 10 * time.Millisecond

func (o *operator) usage() (u usage, err error) {
	dir := filepath.Join("/proc", strconv.Itoa(o.cmd.Process.Pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, fmt.Errorf("read the operator's processor time: %w", err)
	}
	// What follows the name, which ends in a parenthesis, begins with field 3.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, field := range fields[11:13] { // utime and stime
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return u, fmt.Errorf("read the operator's processor time: %w", err)
		}
		u.cpu += time.Duration(ticks) * clockTick
	}
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return u, fmt.Errorf("read the operator's memory: %w", err)
	}
	u.resident, u.peak = kilobytes(status, "VmRSS:"), kilobytes(status, "VmHWM:")
	return u, nil
}

// kilobytes returns a line of /proc/PID/status in bytes, 0 if there is none.
func kilobytes(status []byte, name string) int64 {
	_, rest, _ := strings.Cut(string(status), name)
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(fields[0], 10, 64)
	return n << 10
}
