// Command bench measures the operator as a process of its own, between a real
// kube-apiserver and a cloud that enforces its quotas: how late a client learns
// of a task's end, and what that costs. Beside it, in the same run and on the
// same tasks, it measures two baselines. It is run from the repository's root.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/testenv"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	only := flags.String("scenario", "", "scenarios to run, comma-separated, scale among them (default: all but scale)")
	quick := flags.Bool("quick", false, "short windows, to see that everything works")
	seed := flags.Uint64("seed", 1, "seed of all that is drawn")
	objects := flags.Int("objects", 100_000, "objects of the scenario scale, a tenth of them running")
	binary := flags.String("operator", "", "operator to measure (default: compiled from the work tree)")
	out := flags.String("out", "", "file for the results as JSON")
	report := flags.String("report", "", "Markdown file whose tables are to be renewed")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("read the flags: %w", err)
	}
	batches, scale, err := choose(*only, *quick)
	if err != nil {
		return err
	}
	b, stop, err := newBench(ctx, *seed, *binary)
	if err != nil {
		return err
	}
	results := newResults(ctx, *seed, *quick)
	err = errors.Join(b.runAll(ctx, batches), ctx.Err())
	if scale && err == nil {
		results.Scale, err = b.runScale(ctx, *objects)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	results.Results = b.results
	results.finish()
	fmt.Print(results.text())
	return errors.Join(err, results.right(), results.save(*out), results.renew(*report), stop())
}

// choose returns the scenarios to run.
func choose(only string, quick bool) (batches [][]scenario, scale bool, err error) {
	all := scenarios(quick)
	if only == "" {
		return all, false, nil
	}
	names := strings.Split(only, ",")
	for _, batch := range all {
		batch = slices.DeleteFunc(batch, func(s scenario) bool { return !slices.Contains(names, s.name) })
		if len(batch) > 0 {
			batches = append(batches, batch)
		}
		for _, s := range batch {
			names = slices.DeleteFunc(names, func(n string) bool { return n == s.name })
		}
	}
	if i := slices.Index(names, "scale"); i >= 0 {
		scale = true
		names = slices.Delete(names, i, i+1)
	}
	if len(names) > 0 {
		return nil, false, fmt.Errorf("no scenario %s", strings.Join(names, ", "))
	}
	return batches, scale, nil
}

// newBench starts a control plane, and compiles the operator unless there is one.
func newBench(ctx context.Context, seed uint64, binary string) (b *bench, stop func() error, err error) {
	ctrl.SetLogger(logr.Discard()) // what goes wrong is returned
	klog.SetLogger(logr.Discard())
	var printing sync.Mutex
	began := time.Now()
	b = &bench{seed: seed, binary: binary, say: func(format string, args ...any) {
		printing.Lock()
		defer printing.Unlock()
		took := time.Since(began).Round(time.Second)
		fmt.Fprintf(os.Stderr, "%6s  "+format+"\n", append([]any{took}, args...)...)
	}}
	b.say("starting")
	if b.env, err = testenv.Start(ctx); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "cloudtask-bench-")
	if err != nil {
		return nil, nil, errors.Join(err, b.env.Stop())
	}
	stop = func() error { return errors.Join(b.env.Stop(), os.RemoveAll(dir)) }
	if b.binary == "" {
		if b.binary, err = build(ctx, dir); err != nil {
			return nil, nil, errors.Join(err, stop())
		}
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	cfg := rest.CopyConfig(b.env.Config)
	cfg.QPS = -1
	if b.client, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme}); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a client: %w", err), stop())
	}
	return b, stop, nil
}

// runAll runs one batch of scenarios after the other, and waits for baselines
// that are not done yet.
func (b *bench) runAll(ctx context.Context, batches [][]scenario) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, batch := range batches {
		var trials errgroup.Group
		for _, s := range batch {
			trials.Go(func() error {
				err := b.run(ctx, s)
				if err != nil {
					cancel() // all others
					return fmt.Errorf("%s: %w", s.name, err)
				}
				return nil
			})
		}
		if err := trials.Wait(); err != nil {
			_ = b.background.Wait() // cancelled
			return err
		}
	}
	return b.background.Wait()
}

func (r *results) save(path string) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}
