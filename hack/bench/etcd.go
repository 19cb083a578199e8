package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	etcdPrefix = "/registry/tencent.cloudtask.dev/cloudtasks/"
	// copyBatch is within etcd's limit of 128 operations a transaction.
	copyBatch  = 100
	copyAtOnce = 4
)

// statusAt is the status that an operator has given a task by some moment.
type statusAt func(*job, time.Time) v1alpha1.CloudTaskStatus

// load makes the objects of tasks that are not new, with their status: one at the
// API server, the others as copies of its record in etcd, which is some fifty
// times as fast.
func (b *bench) load(ctx context.Context, labels map[string]string, jobs []*job, status statusAt, done *atomic.Int64) error {
	if len(jobs) == 0 {
		return nil
	}
	first := jobs[0].object(labels)
	if err := b.client.Create(ctx, first); err != nil {
		return fmt.Errorf("create object: %w", err)
	}
	first.Status = status(jobs[0], time.Now())
	if err := b.client.Status().Update(ctx, first); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	url, err := b.etcdURL()
	if err != nil {
		return err
	}
	etcd, err := clientv3.New(clientv3.Config{Endpoints: []string{url}, Logger: zap.NewNop()})
	if err != nil {
		return fmt.Errorf("connect to etcd: %w", err)
	}
	defer etcd.Close() //nolint:errcheck // nothing is left to write
	model, err := readRecord(ctx, etcd, jobs[0])
	if err != nil {
		return err
	}
	if err := model.copy(ctx, etcd, jobs[1:], status, done); err != nil {
		return err
	}
	return b.awaitCache(ctx, etcd)
}

// awaitCache waits until the API server knows all that is in etcd.
func (b *bench) awaitCache(ctx context.Context, etcd *clientv3.Client) error {
	now, err := etcd.Get(ctx, etcdPrefix, clientv3.WithCountOnly(), clientv3.WithPrefix())
	if err != nil {
		return fmt.Errorf("read from etcd: %w", err)
	}
	known := &client.ListOptions{Limit: 1, Raw: &metav1.ListOptions{
		ResourceVersion: fmt.Sprint(now.Header.Revision), ResourceVersionMatch: metav1.ResourceVersionMatchNotOlderThan,
	}}
	for {
		err := b.client.List(ctx, &v1alpha1.CloudTaskList{}, known)
		if err == nil || ctx.Err() != nil || !apierrors.IsTimeout(err) {
			return err
		}
	}
}

// record is an object as the API server keeps it.
type record struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       any            `json:"spec"`
	Status     any            `json:"status"`
}

func (j *job) key() string { return etcdPrefix + j.namespace + "/" + j.name }

func readRecord(ctx context.Context, etcd *clientv3.Client, j *job) (r record, err error) {
	found, err := etcd.Get(ctx, j.key())
	if err != nil {
		return r, fmt.Errorf("read %s from etcd: %w", j.key(), err)
	}
	if len(found.Kvs) != 1 {
		return r, fmt.Errorf("read %s from etcd: there is no such key", j.key())
	}
	if err := json.Unmarshal(found.Kvs[0].Value, &r); err != nil {
		return r, fmt.Errorf("read %s from etcd: %w", j.key(), err)
	}
	return r, nil
}

// of returns the same record of another task.
func (r record) of(j *job, status v1alpha1.CloudTaskStatus) (string, error) {
	r.Metadata = maps.Clone(r.Metadata)
	r.Metadata["name"], r.Metadata["namespace"], r.Metadata["uid"] = j.name, j.namespace, newUID()
	r.Spec, r.Status = j.object(nil).Spec, status
	data, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("encode %s: %w", j.name, err)
	}
	return string(data), nil
}

func (r record) copy(ctx context.Context, etcd *clientv3.Client, jobs []*job, status statusAt, done *atomic.Int64) error {
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(copyAtOnce)
	for len(jobs) > 0 {
		batch := jobs[:min(copyBatch, len(jobs))]
		jobs = jobs[len(batch):]
		calls.Go(func() error {
			var puts []clientv3.Op
			for _, j := range batch {
				data, err := r.of(j, status(j, time.Now()))
				if err != nil {
					return err
				}
				puts = append(puts, clientv3.OpPut(j.key(), data))
			}
			if _, err := etcd.Txn(ctx).Then(puts...).Commit(); err != nil {
				return fmt.Errorf("write to etcd: %w", err)
			}
			done.Add(int64(len(batch)))
			return nil
		})
	}
	return calls.Wait()
}

func newUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// etcdURL finds etcd by the process ID that the control plane's launcher notes.
func (b *bench) etcdURL() (string, error) {
	pid, err := os.ReadFile(filepath.Join(filepath.Dir(b.env.Kubeconfig), "etcd.pid"))
	if err != nil {
		return "", fmt.Errorf("find etcd: %w", err)
	}
	args, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "cmdline"))
	if err != nil {
		return "", fmt.Errorf("find etcd: %w", err)
	}
	for arg := range strings.SplitSeq(string(args), "\x00") {
		if url, ok := strings.CutPrefix(arg, "--listen-client-urls="); ok {
			return url, nil
		}
	}
	return "", errors.New("find etcd: it was started without --listen-client-urls")
}
