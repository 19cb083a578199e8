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
}

// Equal reports whether nothing has changed that a status could show.
func (f finding) Equal(g finding) bool {
	return f.TaskID == g.TaskID && f.Source == g.Source && f.Observation.Equal(g.Observation)
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
		return poll.Answer[finding]{Class: poll.Rejected, Err: err}
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
	var e *tencent.Error
	if !errors.As(err, &e) {
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
	of := func(o tencent.Observation, err error) (finding, error) {
		return finding{Observation: o, TaskID: taskID}, err
	}
	switch spec := task.Spec; {
	case spec.CLB != nil:
		q := tencent.CLBQuery{RequestID: deref(spec.CLB.RequestID), DealName: deref(spec.CLB.DealName)}
		return tencent.CLBTaskStatus, func(ctx context.Context, cred tencent.Credential) (finding, error) {
			return of(t.Cloud.CLBTask(ctx, cred, region, q))
		}
	case taskID == "":
		s := newSearch(task)
		return tencent.RedisTaskList, func(ctx context.Context, cred tencent.Credential) (finding, error) {
			return s.find(ctx, t.Cloud, cred, time.Now())
		}
	case spec.Redis.API == "2.0":
		id := redisID(taskID)
		return tencent.LegacyRedisTaskInfo, func(ctx context.Context, cred tencent.Credential) (finding, error) {
			return of(t.Cloud.LegacyRedisTask(ctx, cred, region, id))
		}
	default:
		id := redisID(taskID)
		return tencent.RedisTaskInfo, func(ctx context.Context, cred tencent.Credential) (finding, error) {
			return of(t.Cloud.RedisTask(ctx, cred, region, id))
		}
	}
}

// redisID reads a task ID, which the schema or the cloud gave as a number; 0,
// which no task has, for anything else.
func redisID(s string) int64 {
	id, _ := strconv.ParseInt(s, 10, 64) //nolint:errcheck // see above
	return id
}

// knownID returns the ID that the cloud is asked about, "" while latest has
// found none.
func knownID(task *v1alpha1.CloudTask) string {
	switch spec := task.Spec; {
	case spec.CLB != nil && spec.CLB.RequestID != nil:
		return *spec.CLB.RequestID
	case spec.CLB != nil:
		return deref(spec.CLB.DealName)
	case spec.Redis != nil && spec.Redis.TaskID != nil:
		return strconv.FormatInt(*spec.Redis.TaskID, 10)
	default:
		return task.Status.TaskID
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
