package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// Tracker has the cloud asked about the tasks of objects, and keeps what it
// learns by the objects' UIDs.
type Tracker struct {
	Cloud  *tencent.Client
	Engine *poll.Engine[finding]
	// Wake is called with the object whose task has news.
	Wake func(types.NamespacedName)
	// Paged is called for each page of a sweep.
	Paged func()

	mu      sync.Mutex
	objects map[types.NamespacedName]object
}

// object is what must be remembered of an unfinished object between two looks
// at it.
type object struct {
	uid    types.UID
	secret string    // the name of the Secret that may serve it
	reason string    // of the trouble that keeps its task from being asked about
	since  time.Time // when that began
	ended  bool      // its final status is written, though the cache may not have it yet
}

// track has the cloud asked about an object's task with a key. It may be called
// again and again.
func (t *Tracker) track(task *v1alpha1.CloudTask, taskID string, k key) {
	api, ask := t.inquiry(task, taskID)
	region, name := task.Spec.Region, client.ObjectKeyFromObject(task)
	job := poll.Task[finding]{
		ID:      string(task.UID),
		Lane:    poll.Lane{Credential: k.digest, Host: t.Cloud.Host(api, region), API: string(api)},
		Since:   ageSince(task, time.Now()),
		Last:    remembered(task),
		Ask:     func(ctx context.Context) poll.Answer[finding] { return answer(ctx, k, ask) },
		Changed: func() { t.Wake(name) },
	}
	if api == tencent.RedisTaskInfo {
		list := tencent.RedisTaskList
		job.Row = taskID
		job.Listing = &poll.Listing[finding]{
			Lane:   poll.Lane{Credential: k.digest, Host: t.Cloud.Host(list, region), API: string(list)},
			Scope:  region,
			Lister: redisListing{cloud: t.Cloud, key: k, region: region, taskID: redisID(taskID), paged: t.Paged},
		}
	}
	t.change(task, func(o *object) { o.reason = "" })
	t.Engine.Track(job)
}

// ageSince is where a task's age counts from until the cloud tells its start. A
// resumed one is as good as new: it is since then that the operator is at work.
func ageSince(task *v1alpha1.CloudTask, now time.Time) time.Time {
	atWork := meta.FindStatusCondition(task.Status.Conditions, v1alpha1.ConditionReconciling)
	switch {
	case task.Status.StartTime != nil:
		return task.Status.StartTime.Time
	case reasonIs(task.Status, v1alpha1.ReasonSuspended):
		return now
	case atWork != nil:
		return atWork.LastTransitionTime.Time
	default:
		return task.CreationTimestamp.Time
	}
}

// known returns what is known of an object's task.
func (t *Tracker) known(task *v1alpha1.CloudTask) poll.Sighting[finding] {
	s, _ := t.Engine.Sighting(string(task.UID))
	return s
}

// rest has no more asked about an object's task for the time being.
func (t *Tracker) rest(task *v1alpha1.CloudTask) { t.Engine.Forget(string(task.UID)) }

// forget forgets the object of a name, and has no more asked about its task.
func (t *Tracker) forget(name types.NamespacedName) {
	t.mu.Lock()
	uid := t.objects[name].uid
	delete(t.objects, name)
	t.mu.Unlock()
	t.Engine.Forget(string(uid))
}

// conclude has no more asked about an object whose final status is written.
func (t *Tracker) conclude(task *v1alpha1.CloudTask) {
	t.change(task, func(o *object) { o.ended = true })
	t.rest(task)
}

// concluded reports whether an object's final status is written.
func (t *Tracker) concluded(task *v1alpha1.CloudTask) bool {
	return t.change(task, func(*object) {}).ended
}

// troubled returns when a trouble began that keeps the task from being asked
// about.
func (t *Tracker) troubled(task *v1alpha1.CloudTask, reason string, now time.Time) time.Time {
	return t.change(task, func(o *object) {
		if o.reason != reason {
			o.reason, o.since = reason, now
		}
	}).since
}

// change changes what is remembered of an object, and returns it. Another object
// of the same name has taken the place of the former, which is forgotten.
func (t *Tracker) change(task *v1alpha1.CloudTask, change func(*object)) object {
	name := client.ObjectKeyFromObject(task)
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.objects[name]
	if o.uid != task.UID {
		t.Engine.Forget(string(o.uid))
		o = object{uid: task.UID}
	}
	o.secret = secretName(task)
	change(&o)
	if t.objects == nil {
		t.objects = map[types.NamespacedName]object{}
	}
	t.objects[name] = o
	return o
}

// wakeUsers wakes the unfinished objects that a Secret may serve.
func (t *Tracker) wakeUsers(secret types.NamespacedName) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, o := range t.objects {
		if name.Namespace == secret.Namespace && o.secret == secret.Name && !o.ended {
			t.Wake(name)
		}
	}
}
