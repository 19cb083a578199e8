// Package controllers turns CloudTask objects into questions for the cloud, and
// the cloud's answers into statuses.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	// cacheDelay is how long the cache is given to learn of a write.
	cacheDelay = time.Second
	// conflictDelay is the same for a write that came too late.
	conflictDelay = 100 * time.Millisecond
)

// CloudTaskReconciler keeps the status of CloudTasks up with the cloud.
type CloudTaskReconciler struct {
	Client      client.Client
	Credentials *Credentials
	Tracker     *Tracker
	Recorder    Recorder
	Metrics     *Metrics
	// Progress limits the writes for nothing but progress.
	Progress *rate.Limiter
}

// Reconcile brings one object's status up to date. It fetches the object itself:
// only here, where nothing else works on the same name, can a task that was
// tracked for an object that is gone be let go without fail.
func (r *CloudTaskReconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var task v1alpha1.CloudTask
	err := r.Client.Get(ctx, req.NamespacedName, &task)
	switch {
	case apierrors.IsNotFound(err):
		r.Tracker.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("read object: %w", err)
	case !task.DeletionTimestamp.IsZero():
		r.Tracker.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	case finished(task.Status):
		r.Tracker.forget(req.NamespacedName)
		return r.settle(ctx, &task)
	case r.Tracker.concluded(&task):
		return later(cacheDelay), nil
	}
	return r.follow(ctx, &task)
}

// settle looks after an object that has finished.
func (r *CloudTaskReconciler) settle(ctx context.Context, task *v1alpha1.CloudTask) (reconcile.Result, error) {
	if task.Status.ObservedGeneration != task.Generation {
		if err := r.write(ctx, task, acknowledge(task)); err != nil {
			return retry(err)
		}
	}
	return r.expire(ctx, task)
}

// follow keeps the status of an object that has not finished up with its task.
func (r *CloudTaskReconciler) follow(ctx context.Context, task *v1alpha1.CloudTask) (reconcile.Result, error) {
	v, err := r.look(ctx, task)
	if err != nil {
		return reconcile.Result{Priority: new(int)}, err
	}
	before, status := task.Status, computeStatus(task, v)
	if wait := r.patience(task, status, v); wait > 0 {
		return later(soonest(next(task, v), wait)), nil
	}
	if err := r.write(ctx, task, status); err != nil {
		return retry(err)
	}
	r.Metrics.observeTransition(task, before, v.sighting.Observation, time.Now())
	switch {
	case finished(status):
		r.Tracker.conclude(task)
		return later(cacheDelay), nil
	case v.idle:
		r.Tracker.rest(task) // not earlier: what is known has to be written first
	}
	return later(next(task, v)), nil
}

// look has the cloud asked about the object's task, as far as that is to be, and
// returns what is known of it.
func (r *CloudTaskReconciler) look(ctx context.Context, task *v1alpha1.CloudTask) (view, error) {
	v := view{now: time.Now(), sighting: r.Tracker.known(task)}
	late := overdue(task, v.now)
	switch {
	case v.sighting.Ended:
		return v, nil
	case task.Spec.Suspend && !late:
		return v.resting(nil), nil
	}
	if err := checkSpec(task); err != nil {
		return r.trouble(task, v, v1alpha1.ReasonInvalidRequest, err.Error()), nil
	}
	k, err := r.Credentials.find(ctx, task, pinnedSource(task, v))
	var missing *credentialsError
	switch {
	case errors.As(err, &missing):
		return r.trouble(task, v, v1alpha1.ReasonCredentialsNotFound, missing.message), nil
	case err != nil:
		return view{}, err
	}
	id := knownID(task)
	if id == "" {
		id = v.sighting.Observation.TaskID
	}
	r.Tracker.track(task, id, k)
	v.sighting = r.Tracker.known(task)
	if late && !v.askedSince(deadlineOf(task)) && !v.failingSince(deadlineOf(task)) {
		r.Tracker.Engine.Hasten(string(task.UID))
	}
	return v, nil
}

// pinnedSource is the source that gave the first good answer, written or not; ""
// before there was one.
func pinnedSource(task *v1alpha1.CloudTask, v view) string {
	if task.Status.Credentials == "" && !v.sighting.Seen.IsZero() {
		return v.sighting.Observation.Source
	}
	return task.Status.Credentials
}

// trouble notes what keeps the cloud from being asked.
func (r *CloudTaskReconciler) trouble(task *v1alpha1.CloudTask, v view, reason, message string) view {
	since := r.Tracker.troubled(task, reason, v.now)
	return v.resting(&trouble{reason: reason, code: reason, message: message, since: since})
}

// write writes the status, if it has changed, and then tells of the transition.
// Conditions are a list, so the patch replaces them as a whole; that is wanted:
// the defaults of the CRD must go.
func (r *CloudTaskReconciler) write(ctx context.Context, task *v1alpha1.CloudTask, status v1alpha1.CloudTaskStatus) error {
	before := task.DeepCopy()
	if equality.Semantic.DeepEqual(before.Status, status) {
		return nil
	}
	task.Status = status
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.Client.Status().Patch(ctx, task, patch)
	r.Metrics.observeWrite(err)
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	r.announce(task, before.Status)
	return nil
}

// next returns how long until time alone may change the object's status; 0 for
// never.
func next(task *v1alpha1.CloudTask, v view) time.Duration {
	var at []time.Time
	if end, ok := deadline(task); ok {
		at = append(at, end, end.Add(lastLook), v.sighting.Tracked.Add(lastLook))
	}
	if f := v.fault(); f != nil && f.person {
		// Nobody may tell of a Secret put right, or of the operator's own key.
		at = append(at, f.since.Add(stallAfter), v.now.Add(secretMaxAge))
	}
	left := time.Duration(0)
	for _, t := range at {
		left = soonest(left, t.Sub(v.now))
	}
	return left
}

// soonest returns the shorter of two delays, of which 0 or less is never.
func soonest(a, b time.Duration) time.Duration {
	if a <= 0 || b > 0 && b < a {
		return max(b, 0)
	}
	return a
}

// later asks for another look at normal priority: an object keeps otherwise the
// low one that it had in the initial list.
func later(d time.Duration) reconcile.Result {
	return reconcile.Result{RequeueAfter: d, Priority: new(int)}
}

// retry says when to try a failed write or delete again: soon if the object had
// changed meanwhile, else as errors are.
func retry(err error) (reconcile.Result, error) {
	switch {
	case apierrors.IsConflict(err):
		return later(conflictDelay), nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	default:
		return reconcile.Result{Priority: new(int)}, err
	}
}
