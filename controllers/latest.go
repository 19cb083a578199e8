package controllers

import (
	"context"
	"strconv"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	// latestLeeway is how long before the object a task may have started: the
	// call that began the task was made before the object could be created.
	latestLeeway = 5 * time.Minute
	// latestPages bounds how far back one search reads, 100 tasks a page.
	latestPages = 10
)

// search looks for the newest task of an instance.
type search struct {
	region       string
	instance     string
	types        []string
	startedAfter time.Time
	created      time.Time
	grace        time.Duration
}

// newSearch reads the search that an object asks for; its spec has been checked.
func newSearch(task *v1alpha1.CloudTask) search {
	s := search{region: task.Spec.Region, created: task.CreationTimestamp.Time, grace: gracePeriod(task)}
	s.startedAfter = s.created.Add(-latestLeeway)
	if l := task.Spec.Redis.Latest; l != nil {
		s.instance, s.types = l.InstanceID, l.TaskTypes
		if l.StartedAfter != nil {
			if after, err := l.StartedAfter.Parse(); err == nil {
				s.startedAfter = after
			}
		}
	}
	return s
}

// find asks for the instance's tasks and returns the one to follow; a finding
// without a task ID where there is none yet.
func (s search) find(ctx context.Context, cloud *tencent.Client, cred tencent.Credential, now time.Time) (finding, error) {
	var rows []tencent.ListedTask
	for offset := int64(0); offset < latestPages*tencent.MaxPage; offset += tencent.MaxPage {
		page, err := cloud.RedisTasks(ctx, cred, s.region, tencent.ListQuery{
			InstanceID: s.instance, TaskTypes: s.types, Begin: s.startedAfter, Offset: offset, Limit: tencent.MaxPage,
		})
		if err != nil {
			return finding{}, err
		}
		rows = append(rows, page.Tasks...)
		if offset+tencent.MaxPage >= page.Total || len(page.Tasks) == 0 {
			break
		}
	}
	row, ok := s.pick(rows, now)
	if !ok {
		return finding{Observation: tencent.Observation{State: tencent.Waiting, Progress: tencent.NoProgress}}, nil
	}
	return s.running(row), nil
}

// running is what a found task's row says, except how it ended: that is for
// DescribeTaskInfo to tell, which also knows why.
func (s search) running(row tencent.ListedTask) finding {
	f := finding{Observation: row.Observation, TaskID: strconv.FormatInt(row.ID, 10), Found: true}
	if f.State != tencent.Waiting {
		f.State = tencent.Running
	}
	f.Status, f.End = infoWords[f.State], time.Time{}
	return f
}

// pick returns the newest task that started late enough. One that ended before
// the object was created is taken only once nothing newer has shown up within
// the grace period.
func (s search) pick(rows []tencent.ListedTask, now time.Time) (newest tencent.ListedTask, ok bool) {
	for _, row := range rows {
		start := row.Observation.Start
		if !start.IsZero() && start.Before(s.startedAfter.Truncate(time.Second)) {
			continue
		}
		if !ok || newer(row, newest) {
			newest, ok = row, true
		}
	}
	end := newest.Observation.End
	if ok && newest.Observation.State.Ended() && end.Before(s.created) && now.Before(s.created.Add(s.grace)) {
		return tencent.ListedTask{}, false
	}
	return newest, ok
}

// newer reports whether a started after b. A task without a start has not
// started yet; of two that started at once, the greater ID is the newer.
func newer(a, b tencent.ListedTask) bool {
	as, bs := a.Observation.Start, b.Observation.Start
	switch {
	case as.Equal(bs):
		return a.ID > b.ID
	case as.IsZero() || bs.IsZero():
		return as.IsZero()
	default:
		return as.After(bs)
	}
}
