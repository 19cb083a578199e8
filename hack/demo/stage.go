package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/testenv"
)

// commandLimit bounds one command: all that the demo waits for has happened.
const commandLimit = 30 * time.Second

// stage is all that runs.
type stage struct {
	env      *testenv.Env
	cloud    *fakecloud.Cloud
	cloudURL string
	operator *process
	client   client.Client
	root     string // of the work tree
	bin      string // has cloudtask
	logPath  string // of the operator
}

// startStage starts the control plane, the simulated cloud and the operator. stop
// must be called, after an error too.
func startStage(ctx context.Context, fail context.CancelCauseFunc, out *narrator) (*stage, error) {
	s := &stage{logPath: filepath.Join("bin", "demo-operator.log")}
	out.step("Starting Kubernetes and building the operator")
	var err error
	if s.root, err = os.Getwd(); err != nil {
		return s, fmt.Errorf("find the work tree: %w", err)
	}
	if s.bin, err = os.MkdirTemp("", "cloudtask-demo-"); err != nil {
		return s, fmt.Errorf("make a directory: %w", err)
	}
	built := make(chan error, 1)
	go func() { built <- build(ctx, filepath.Join(s.bin, "cloudtask")) }()
	s.env, err = testenv.Start(ctx)
	if err := errors.Join(err, awaitBuild(built, out)); err != nil {
		return s, err
	}
	if s.client, err = newClient(s.env); err != nil {
		return s, err
	}
	out.step("Kubernetes runs: etcd and kube-apiserver, with the CRD")
	if err := s.startCloud(); err != nil {
		return s, err
	}
	out.step("Tencent Cloud, simulated, listens on " + s.cloudURL)
	//nolint:contextcheck // no context ends the operator: close does, and waits
	if s.operator, err = s.startOperator(fail); err != nil {
		return s, err
	}
	out.step("The operator runs; its log: " + s.logPath)
	return s, nil
}

func build(ctx context.Context, path string) error {
	output, err := exec.CommandContext(ctx, "go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build the operator: %w\n%s", err, output)
	}
	return nil
}

// awaitBuild says from time to time that the build goes on: with a cold cache it
// takes minutes.
func awaitBuild(built <-chan error, out *narrator) error {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case err := <-built:
			return err
		case <-tick.C:
			out.step("Still building the operator")
		}
	}
}

func newClient(env *testenv.Env) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("know the CloudTask: %w", err)
	}
	c, err := client.New(env.Config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("reach the API server: %w", err)
	}
	return c, nil
}

// startCloud starts a cloud with one account, which has the key of the sample
// Secret.
func (s *stage) startCloud() error {
	text, err := os.ReadFile(filepath.Join("config", "samples", "secret.yaml"))
	if err != nil {
		return fmt.Errorf("read the sample Secret: %w", err)
	}
	var secret corev1.Secret
	if err := yaml.UnmarshalStrict(text, &secret); err != nil {
		return fmt.Errorf("read the sample Secret: %w", err)
	}
	key := fakecloud.Key{SecretID: secret.StringData["secretId"], SecretKey: secret.StringData["secretKey"]}
	s.cloud = fakecloud.New(fakecloud.Options{
		Accounts: []fakecloud.Account{{Name: "demo", Keys: []fakecloud.Key{key}}},
		Latency:  func(string) time.Duration { return 30 * time.Millisecond },
		Admin:    true,
	})
	if s.cloudURL, err = s.cloud.Listen("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start the simulated cloud: %w", err)
	}
	return nil
}

// startOperator starts the operator as a process of its own. The environment has
// no key: the operator's comes from the Secret.
func (s *stage) startOperator(fail context.CancelCauseFunc) (*process, error) {
	// A log of another demo that still runs stays whole: it only loses its name.
	if err := errors.Join(os.MkdirAll(filepath.Dir(s.logPath), 0o750), removeAny(s.logPath)); err != nil {
		return nil, fmt.Errorf("make the operator's log: %w", err)
	}
	return startProcess(s.logPath, fail, filepath.Join(s.bin, "cloudtask"), "manager",
		"--kubeconfig="+s.env.Kubeconfig, "--cloud-endpoint="+s.cloudURL,
		"--metrics-bind-address=0", "--health-probe-bind-address=0")
}

// begin makes the samples' tasks begin.
func (s *stage) begin() []role {
	cast := roles(time.Now())
	for _, r := range cast {
		s.cloud.Add(r.task)
	}
	return cast
}

// expect shows a command as one would type it, runs it, shows its output, and
// fails unless it exits with that status.
func (s *stage) expect(ctx context.Context, out *narrator, command string, status int) error {
	out.step("$ " + command)
	ctx, cancel := context.WithTimeoutCause(ctx, commandLimit, fmt.Errorf("no end after %s", commandLimit))
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	// All that the shell started is ended with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Env = append(os.Environ(), s.environment()...)
	output, err := cmd.CombinedOutput()
	out.text(string(output))
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", command, cause)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w", command, err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		return fmt.Errorf("%s: exit status %d, not %d", command, got, status)
	}
	return nil
}

// environment lets a shell find the cluster, kubectl and cloudtask.
func (s *stage) environment() []string {
	path := s.bin + ":" + os.Getenv("KUBEBUILDER_ASSETS") + ":" + os.Getenv("PATH")
	return []string{"PATH=" + path, "KUBECONFIG=" + s.env.Kubeconfig, "KUBECACHEDIR=" + filepath.Join(s.bin, "kubectl-cache")}
}

// stop ends what was started, the operator first.
func (s *stage) stop() error {
	var errs []error
	if s.operator != nil {
		errs = append(errs, s.operator.stop())
	}
	if s.cloud != nil {
		s.cloud.Close()
	}
	if s.env != nil {
		errs = append(errs, s.env.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(s.bin))...)
}

// addTask is the command that begins one more task in the simulated cloud.
func (s *stage) addTask() string {
	return fmt.Sprintf(`curl -sS %s/_fake/tasks -d '[{"id": "20001", "duration": "20s"}]'`, s.cloudURL)
}

func removeAny(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
