package controllers

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

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

	mu    sync.Mutex
	notes map[types.UID]note
}

// note is what must be remembered of an object between two looks at it.
type note struct {
	reason string    // of the trouble that keeps its task from being asked about
	since  time.Time // when that began
	ended  bool      // its final status is written, though the cache may not have it yet
}

// track has the cloud asked about an object's task with a key. It may be called
// again and again.
func (t *Tracker) track(task *v1alpha1.CloudTask, taskID string, k key) {
	api, ask := t.inquiry(task, taskID)
	region, name := task.Spec.Region, types.NamespacedName{Namespace: task.Namespace, Name: task.Name}
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
			Lister: redisListing{cloud: t.Cloud, key: k, region: region, taskID: redisID(taskID)},
		}
	}
	t.Engine.Track(job)
}

// ageSince is where a task's age counts from until the cloud tells its start. A
// resumed one is as good as new.
func ageSince(task *v1alpha1.CloudTask, now time.Time) time.Time {
	switch {
	case task.Status.StartTime != nil:
		return task.Status.StartTime.Time
	case reasonIs(task.Status, v1alpha1.ReasonSuspended):
		return now
	default:
		return task.CreationTimestamp.Time
	}
}

// known returns what is known of an object's task.
func (t *Tracker) known(uid types.UID) poll.Sighting[finding] {
	s, _ := t.Engine.Sighting(string(uid))
	return s
}

// forget has no more asked about an object's task, and forgets the object.
func (t *Tracker) forget(uid types.UID) {
	t.Engine.Forget(string(uid))
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.notes, uid)
}

// conclude has no more asked about an object whose final status is written.
func (t *Tracker) conclude(uid types.UID) {
	t.Engine.Forget(string(uid))
	t.note(uid, note{ended: true})
}

// concluded reports whether an object's final status is written.
func (t *Tracker) concluded(uid types.UID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.notes[uid].ended
}

// troubled returns when a trouble began that keeps the task from being asked
// about; the task is not asked about meanwhile.
func (t *Tracker) troubled(uid types.UID, reason string, now time.Time) time.Time {
	t.mu.Lock()
	n := t.notes[uid]
	t.mu.Unlock()
	if n.reason != reason {
		n = note{reason: reason, since: now}
		t.note(uid, n)
	}
	t.Engine.Forget(string(uid))
	return n.since
}

// untroubled forgets an object's trouble.
func (t *Tracker) untroubled(uid types.UID) { t.note(uid, note{}) }

func (t *Tracker) note(uid types.UID, n note) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == (note{}) {
		delete(t.notes, uid)
		return
	}
	if t.notes == nil {
		t.notes = map[types.UID]note{}
	}
	t.notes[uid] = n
}
