// Command demo shows CloudTask at work without a cluster and without a cloud
// account: a real control plane, a simulated Tencent Cloud and the operator, all
// on loopback; the samples of config/samples until all have ended; and the ways
// to wait for them. It ends by itself, with status 0 if all went as it should.
// KEEP=1 in the environment leaves everything running until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// errInterrupted is the cause of an end by Ctrl-C.
var errInterrupted = errors.New("interrupted")

func main() {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		<-signals
		cancel(errInterrupted)
	}()
	err := demo(ctx, cancel)
	switch {
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "Interrupted; all processes have been stopped.")
		os.Exit(130)
	case err != nil:
		fmt.Fprintf(os.Stderr, "\nThe demo failed: %v\n", err)
		os.Exit(1)
	}
}

// demo runs the demo; fail ends it early when one of its processes ends.
func demo(ctx context.Context, fail context.CancelCauseFunc) (err error) {
	out := newNarrator()
	s, err := startStage(ctx, fail, out)
	defer func() { err = errors.Join(err, s.stop()) }()
	if err != nil {
		return orCause(ctx, err)
	}
	if err := play(ctx, s, out); err != nil {
		return orCause(ctx, fmt.Errorf("%w; the operator's log: %s", err, s.logPath))
	}
	if os.Getenv("KEEP") != "1" {
		out.step("All as it should be. To look around yourself: make demo KEEP=1")
		return nil
	}
	out.invite(s)
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, errInterrupted) {
		return err
	}
	out.step("Stopping everything")
	return nil
}

// play applies the samples, shows them until they have ended, and gates on them.
func play(ctx context.Context, s *stage, out *narrator) error {
	for _, command := range []string{
		"kubectl create namespace " + namespace,
		"kubectl apply -n " + namespace + " -f config/samples/secret.yaml",
	} {
		if err := s.expect(ctx, out, command, 0); err != nil {
			return err
		}
	}
	cast := s.begin()
	out.step("Six tasks begin in the cloud; six objects to wait for them:")
	if err := s.expect(ctx, out, "kubectl apply -n "+namespace+" -k config/samples", 0); err != nil {
		return err
	}
	out.step("kubectl get ct -n " + namespace + ", until all have ended:")
	if err := follow(ctx, s, cast, out); err != nil {
		return err
	}
	out.step("All have ended. This is how a pipeline waits for them:")
	for _, g := range gates() {
		if err := s.expect(ctx, out, g.command, g.status); err != nil {
			return err
		}
		out.text(fmt.Sprintf("exit %d: %s", g.status, g.why))
	}
	return nil
}

// orCause prefers what ended the demo over what that made of a step.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
