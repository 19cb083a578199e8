package controllers

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// finding is what one answer told of a task: the cloud's observation, the task
// it is of, and the source of the key that asked.
type finding struct {
	tencent.Observation
	TaskID string // empty while latest has found none
	Source string
	// Found: latest has just found the task, which is yet to be asked about.
	Found bool
	// Late: the task was asked about after the object's deadline.
	Late bool
}

// Equal reports whether nothing has changed that a status must show, or that
// the deadline waits for.
func (f finding) Equal(g finding) bool {
	return f.TaskID == g.TaskID && f.Source == g.Source && f.Late == g.Late && f.Observation.Equal(g.Observation)
}

// remembered returns what an object's status knows from before a restart, nil if
// that is nothing.
func remembered(task *v1alpha1.CloudTask) *finding {
	s := task.Status
	if s.Credentials == "" {
		return nil
	}
	f := &finding{TaskID: s.TaskID, Source: s.Credentials}
	f.State = tencent.Running
	if s.Phase == v1alpha1.PhasePending {
		f.State = tencent.Waiting
	}
	f.Status, f.TaskType, f.ResourceIDs = s.CloudStatus, s.TaskType, s.ResourceIDs
	f.Progress = tencent.NoProgress
	if s.Progress != nil {
		f.Progress = *s.Progress
	}
	if s.StartTime != nil {
		f.Start = s.StartTime.Time
	}
	return f
}

// question asks the cloud one thing about a task.
type question func(context.Context, tencent.Credential) (finding, error)

// answer asks a question with a key, and says what came of it in the words of
// the engine.
func answer(ctx context.Context, k key, ask question) poll.Answer[finding] {
	cred, err := k.current(ctx)
	if err != nil {
		return poll.Answer[finding]{Class: classOf(err), Err: err}
	}
	f, err := ask(ctx, cred)
	if err != nil {
		return poll.Answer[finding]{Class: classOf(err), Err: err}
	}
	f.Source = k.source
	a := poll.Answer[finding]{Class: poll.Good, Observation: f, Ended: f.State.Ended(), Start: f.Start}
	if f.State == tencent.Unrecognized {
		a.Class = poll.Unclear
		a.Err = fmt.Errorf("the cloud gave the status %q, which this version does not know", f.Status)
	}
	return a
}

// classOf sorts an error by what it means for the next question.
func classOf(err error) poll.Class {
	var missing *credentialsError
	var e *tencent.Error
	switch {
	case errors.As(err, &missing):
		return poll.Rejected
	case !errors.As(err, &e):
		return poll.Unavailable
	}
	switch e.Kind {
	case tencent.Throttled:
		return poll.Throttled
	case tencent.CredentialRefused:
		return poll.Refused
	case tencent.AccessDenied, tencent.InvalidRequest:
		return poll.Rejected
	case tencent.NotFound:
		return poll.Absent
	default:
		return poll.Unavailable
	}
}

// inquiry is the question that tells the state of an object's task, and the API
// whose quota it uses up.
func (t *Tracker) inquiry(task *v1alpha1.CloudTask, taskID string) (tencent.API, question) {
	region := task.Spec.Region
	switch spec := task.Spec; {
	case spec.CLB != nil:
		q := tencent.CLBQuery{RequestID: deref(spec.CLB.RequestID), DealName: deref(spec.CLB.DealName)}
		return tencent.CLBTaskStatus, aboutTask(task, taskID, func(ctx context.Context, cred tencent.Credential) (tencent.Observation, error) {
			return t.Cloud.CLBTask(ctx, cred, region, q)
		})
	case taskID == "":
		s, late := newSearch(task), lateness(task)
		return tencent.RedisTaskList, func(ctx context.Context, cred tencent.Credential) (finding, error) {
			now := time.Now()
			f, err := s.find(ctx, t.Cloud, cred, now)
			f.Late = late(now) && f.TaskID == "" // one that is found is asked about first
			return f, err
		}
	case spec.Redis.API == "2.0":
		id := redisID(taskID)
		return tencent.LegacyRedisTaskInfo, aboutTask(task, taskID, func(ctx context.Context, cred tencent.Credential) (tencent.Observation, error) {
			return t.Cloud.LegacyRedisTask(ctx, cred, region, id)
		})
	default:
		id := redisID(taskID)
		return tencent.RedisTaskInfo, aboutTask(task, taskID, func(ctx context.Context, cred tencent.Credential) (tencent.Observation, error) {
			return t.Cloud.RedisTask(ctx, cred, region, id)
		})
	}
}

// aboutTask makes a call about one task a question. The ID of a Redis task is a
// small number, and that of an instance is unique: an answer about another
// instance than before is another account's task.
func aboutTask(task *v1alpha1.CloudTask, taskID string, call func(context.Context, tencent.Credential) (tencent.Observation, error)) question {
	late, isRedis := lateness(task), task.Spec.Redis != nil
	source, before := task.Status.Credentials, task.Status.ResourceIDs
	return func(ctx context.Context, cred tencent.Credential) (finding, error) {
		f := finding{TaskID: taskID, Late: late(time.Now())}
		var err error
		f.Observation, err = call(ctx, cred)
		if err == nil && isRedis && otherInstance(before, f.ResourceIDs) {
			err = noCredentials("the key of %s now sees another task %s, of %s and not of %s: it must be another account's; put the former account's key back, or create a new CloudTask",
				source, taskID, f.ResourceIDs[0], before[0])
		}
		return f, err
	}
}

// otherInstance reports whether two answers are about different Redis instances.
func otherInstance(a, b []string) bool { return len(a) > 0 && len(b) > 0 && a[0] != b[0] }

// redisID reads a task ID, which the schema or the cloud gave as a number; 0,
// which no task has, for anything else.
func redisID(s string) int64 {
	id, _ := strconv.ParseInt(s, 10, 64)
	return id
}
