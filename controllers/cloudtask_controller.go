// Package controllers turns CloudTask objects into questions for the cloud, and
// the cloud's answers into statuses.
package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// +kubebuilder:rbac:groups=tencent.cloudtask.dev,resources=cloudtasks,verbs=get;list;watch;delete
// +kubebuilder:rbac:groups=tencent.cloudtask.dev,resources=cloudtasks/status,verbs=patch
// +kubebuilder:rbac:groups="",resources=secrets,resourceNames=tencent-credentials,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

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
}

// Reconcile brings one object's status up to date.
func (r *CloudTaskReconciler) Reconcile(ctx context.Context, task *v1alpha1.CloudTask) (reconcile.Result, error) {
	switch {
	case !task.DeletionTimestamp.IsZero():
		r.Tracker.forget(task.UID)
		return reconcile.Result{}, nil
	case finished(task.Status):
		r.Tracker.forget(task.UID)
		return r.settle(ctx, task)
	case r.Tracker.concluded(task.UID):
		return later(cacheDelay), nil
	}
	v, err := r.look(ctx, task)
	if err != nil {
		return reconcile.Result{}, err
	}
	if tooEarly(task, v) {
		return later(firstAnswerWait), nil
	}
	status := computeStatus(task, v)
	if err := r.write(ctx, task, status); err != nil {
		return retry(err)
	}
	if finished(status) {
		r.Tracker.conclude(task.UID)
		return later(cacheDelay), nil
	}
	return later(next(task, v)), nil
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

// look has the cloud asked about the object's task, as far as that is to be, and
// returns what is known of it.
func (r *CloudTaskReconciler) look(ctx context.Context, task *v1alpha1.CloudTask) (view, error) {
	now := time.Now()
	late := overdue(task, now)
	if task.Spec.Suspend && !late {
		r.Tracker.forget(task.UID)
		return view{now: now}, nil
	}
	seen := r.Tracker.known(task.UID).Observation
	k, err := r.key(ctx, task, seen.Source)
	var missing *credentialsError
	switch {
	case errors.As(err, &missing):
		return r.trouble(task, v1alpha1.ReasonCredentialsNotFound, missing.message, now), nil
	case err != nil:
		return view{}, err
	}
	if err := checkSpec(task); err != nil {
		return r.trouble(task, v1alpha1.ReasonInvalidRequest, err.Error(), now), nil
	}
	r.Tracker.untroubled(task.UID)
	id := knownID(task)
	if id == "" {
		id = seen.TaskID
	}
	r.Tracker.track(task, id, k)
	v := view{now: now, sighting: r.Tracker.known(task.UID)}
	if late && !v.askedSince(deadlineOf(task)) {
		r.Tracker.Engine.Hasten(string(task.UID))
	}
	return v, nil
}

// key returns the key for the object, from the source that gave the first good
// answer if there was one.
func (r *CloudTaskReconciler) key(ctx context.Context, task *v1alpha1.CloudTask, seenFrom string) (key, error) {
	pinned := task.Status.Credentials
	if pinned == "" {
		pinned = seenFrom
	}
	return r.Credentials.find(ctx, task, pinned)
}

// trouble notes what keeps the cloud from being asked.
func (r *CloudTaskReconciler) trouble(task *v1alpha1.CloudTask, reason, message string, now time.Time) view {
	since := r.Tracker.troubled(task.UID, reason, now)
	return view{now: now, trouble: &trouble{reason: reason, code: reason, message: message, since: since}}
}

// checkSpec finds values that Go cannot read. The schema refuses them, but an
// older one may have let them in.
func checkSpec(task *v1alpha1.CloudTask) error {
	spec := task.Spec
	for name, d := range map[string]*v1alpha1.Duration{"timeout": spec.Timeout, "notFoundGracePeriod": spec.NotFoundGracePeriod} {
		if d != nil {
			if _, err := d.Parse(); err != nil {
				return fmt.Errorf("spec.%s: %w", name, err)
			}
		}
	}
	if (spec.Redis == nil) == (spec.CLB == nil) {
		return errors.New("spec names no service, or two: create a new CloudTask with either redis or clb")
	}
	if spec.Redis != nil && spec.Redis.Latest != nil && spec.Redis.Latest.StartedAfter != nil {
		if _, err := spec.Redis.Latest.StartedAfter.Parse(); err != nil {
			return fmt.Errorf("spec.redis.latest.startedAfter: %w", err)
		}
	}
	return nil
}

// tooEarly reports whether the first status can wait a moment for the first
// answer, so that both are one write.
func tooEarly(task *v1alpha1.CloudTask, v view) bool {
	return task.Status.ObservedGeneration < 0 && v.trouble == nil && !task.Spec.Suspend &&
		v.sighting.Asked.IsZero() && v.now.Sub(v.sighting.Tracked) < firstAnswerWait
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
	if err := r.Client.Status().Patch(ctx, task, patch); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	r.announce(task, before.Status)
	return nil
}

// next returns when time alone may change the object's status; 0 for never.
func next(task *v1alpha1.CloudTask, v view) time.Duration {
	var at []time.Time
	if end, ok := deadline(task); ok {
		at = append(at, end, end.Add(lastLook), v.sighting.Tracked.Add(lastLook))
	}
	if f := v.fault(); f != nil && f.person {
		at = append(at, f.since.Add(stallAfter))
	}
	soonest := time.Duration(0)
	if v.trouble != nil {
		soonest = secretMaxAge // nobody may tell of a Secret, or of the operator's own key
	}
	for _, t := range at {
		if left := t.Sub(v.now); left > 0 && (soonest == 0 || left < soonest) {
			soonest = left
		}
	}
	return soonest
}

// later asks for another look at normal priority: an object keeps otherwise the
// low one that it had in the initial list.
func later(d time.Duration) reconcile.Result {
	return reconcile.Result{RequeueAfter: d, Priority: new(int)}
}

// retry says when to try a failed write again: soon if the object had changed
// meanwhile, else as errors are.
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
