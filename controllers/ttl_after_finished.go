package controllers

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// expiry returns when a finished object is to be deleted, false if it is kept.
func expiry(task *v1alpha1.CloudTask) (time.Time, bool) {
	finished := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionFinished)
	if task.Spec.TTLSecondsAfterFinished == nil || finished == nil {
		return time.Time{}, false
	}
	return finished.LastTransitionTime.Add(time.Duration(*task.Spec.TTLSecondsAfterFinished) * time.Second), true
}

// expire deletes a finished object whose time has come: exactly the object that
// was seen, not one that was created anew or changed since.
func (r *CloudTaskReconciler) expire(ctx context.Context, task *v1alpha1.CloudTask) (reconcile.Result, error) {
	at, ok := expiry(task)
	if !ok {
		return reconcile.Result{}, nil
	}
	if left := time.Until(at); left > 0 {
		return later(left), nil
	}
	err := r.Client.Delete(ctx, task, client.Preconditions{UID: &task.UID, ResourceVersion: &task.ResourceVersion})
	if err != nil {
		return retry(fmt.Errorf("delete finished object: %w", err))
	}
	return reconcile.Result{}, nil
}
