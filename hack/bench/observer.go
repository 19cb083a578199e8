package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// observer is a client that watches the objects, as a waiter does.
type observer struct {
	stop    context.CancelFunc
	done    chan struct{}
	version string // of the latest event

	mu       sync.Mutex
	failure  error
	seen     map[string]*seen // by the object's name
	writes   int              // of any status
	progress int              // of them, those that changed only the progress
}

// seen is what a watcher has seen of an object.
type seen struct {
	answered time.Time // its status is the operator's
	ended    time.Time // its status is final
	phase    v1alpha1.Phase
	reason   string
	writes   int // progress aside, since it was created without a status
	status   *v1alpha1.CloudTaskStatus
}

// observe watches the objects with some labels until the observer is closed.
func observe(ctx context.Context, c client.WithWatch, labels client.MatchingLabels) (*observer, error) {
	ctx, stop := context.WithCancel(ctx)
	o := &observer{stop: stop, done: make(chan struct{}), seen: map[string]*seen{}}
	watcher, err := o.watch(ctx, c, labels)
	if err != nil {
		stop()
		return nil, err
	}
	go func() {
		defer close(o.done)
		err := o.follow(ctx, c, labels, watcher)
		o.mu.Lock()
		defer o.mu.Unlock()
		o.failure = err
	}()
	return o, nil
}

// watch goes on where the last watch ended.
func (o *observer) watch(ctx context.Context, c client.WithWatch, labels client.MatchingLabels) (watch.Interface, error) {
	at := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: o.version}}
	watcher, err := c.Watch(ctx, &v1alpha1.CloudTaskList{}, labels, at)
	for apierrors.IsTimeout(err) {
		watcher, err = c.Watch(ctx, &v1alpha1.CloudTaskList{}, labels, at)
	}
	if err != nil {
		return nil, fmt.Errorf("watch objects: %w", err)
	}
	return watcher, nil
}

// follow takes events in. The API server ends a watch now and then.
func (o *observer) follow(ctx context.Context, c client.WithWatch, labels client.MatchingLabels, watcher watch.Interface) error {
	for {
		err := o.drain(watcher)
		watcher.Stop()
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		if err != nil {
			return err
		}
		if watcher, err = o.watch(ctx, c, labels); err != nil {
			return err
		}
	}
}

func (o *observer) drain(watcher watch.Interface) error {
	for event := range watcher.ResultChan() {
		now := time.Now()
		task, ok := event.Object.(*v1alpha1.CloudTask)
		if err := apierrors.FromObject(event.Object); !ok && apierrors.IsTimeout(err) {
			return nil // the API server is behind what it has told
		} else if !ok {
			return fmt.Errorf("watch objects: %w", err)
		}
		o.version = task.ResourceVersion
		if event.Type != watch.Deleted {
			o.take(task, now)
		}
	}
	return nil
}

func (o *observer) take(task *v1alpha1.CloudTask, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.seen[task.Name]
	if s == nil {
		s = &seen{}
		o.seen[task.Name] = s
	}
	status := task.Status
	if s.status != nil {
		o.count(s, *s.status, status)
	}
	s.status = &status
	if s.answered.IsZero() && status.ObservedGeneration >= 1 {
		s.answered = now
	}
	if s.ended.IsZero() && (status.Phase == v1alpha1.PhaseSucceeded || status.Phase == v1alpha1.PhaseFailed) {
		s.ended, s.phase, s.reason = now, status.Phase, status.Conditions[0].Reason
	}
}

func (o *observer) count(s *seen, before, after v1alpha1.CloudTaskStatus) {
	o.writes++
	before.Progress = after.Progress
	if equality.Semantic.DeepEqual(before, after) {
		o.progress++
		return
	}
	s.writes++
}

// of returns what has been seen of an object.
func (o *observer) of(name string) seen {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s := o.seen[name]; s != nil {
		return *s
	}
	return seen{}
}

func (o *observer) counts() (writes, progress int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.writes, o.progress
}

// err is why the watch has ended, nil while it goes on.
func (o *observer) err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failure
}

// close ends the watch; an error says that it ended before.
func (o *observer) close() error {
	o.stop()
	<-o.done
	return o.err()
}
