package controllers

import (
	"context"
	"strconv"
	"time"

	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// maxListedPages bounds a sweep: what claims to be longer is not swept.
const maxListedPages = 10_000

// redisListing tells of Redis tasks by DescribeTaskList: of all that run in a
// region, or of one by its instance.
type redisListing struct {
	cloud  *tencent.Client
	key    key
	region string
	taskID int64
	paged  func()
}

// Page returns one page of the running tasks.
func (l redisListing) Page(ctx context.Context, n int) poll.Page[finding] {
	page, err := l.list(ctx, tencent.ListQuery{
		Results: []int64{0, 1}, Offset: int64(n) * tencent.MaxPage, Limit: tencent.MaxPage,
	})
	if err != nil {
		return poll.Page[finding]{Class: classOf(err)}
	}
	l.paged()
	out := poll.Page[finding]{Pages: int(min((page.Total+tencent.MaxPage-1)/tencent.MaxPage, maxListedPages))}
	for _, row := range page.Tasks {
		if row.Observation.State == tencent.Waiting || row.Observation.State == tencent.Running {
			id := strconv.FormatInt(row.ID, 10)
			out.Rows = append(out.Rows, poll.Row[finding]{Key: id, Observation: l.finding(row)})
		}
	}
	return out
}

// Detail returns the task's own row, found by its instance.
func (l redisListing) Detail(ctx context.Context, seen finding) poll.Answer[finding] {
	if len(seen.ResourceIDs) == 0 {
		return poll.Answer[finding]{Class: poll.Absent}
	}
	query := tencent.ListQuery{InstanceID: seen.ResourceIDs[0], Limit: tencent.MaxPage}
	if !seen.Start.IsZero() {
		query.Begin = seen.Start.Add(-time.Minute)
	}
	page, err := l.list(ctx, query)
	if err != nil {
		return poll.Answer[finding]{Class: classOf(err), Err: err}
	}
	for _, row := range page.Tasks {
		if row.ID == l.taskID {
			return rowAnswer(l.finding(row))
		}
	}
	return poll.Answer[finding]{Class: poll.Absent}
}

// rowAnswer says what a row of a task proves: success, and when; that it runs;
// or that it failed, of which only DescribeTaskInfo knows the cause.
func rowAnswer(f finding) poll.Answer[finding] {
	switch f.State {
	case tencent.Succeeded:
		return poll.Answer[finding]{Class: poll.Good, Observation: f, Ended: true}
	case tencent.Waiting, tencent.Running:
		return poll.Answer[finding]{Class: poll.Good, Observation: f}
	case tencent.Failed:
		return poll.Answer[finding]{Class: poll.Unclear, Observation: f}
	default:
		return poll.Answer[finding]{Class: poll.Absent}
	}
}

func (l redisListing) list(ctx context.Context, q tencent.ListQuery) (tencent.TaskPage, error) {
	cred, err := l.key.current(ctx)
	if err != nil {
		return tencent.TaskPage{}, err
	}
	return l.cloud.RedisTasks(ctx, cred, l.region, q)
}

func (l redisListing) finding(row tencent.ListedTask) finding {
	return finding{Observation: row.Observation, TaskID: strconv.FormatInt(row.ID, 10), Source: l.key.source}
}

// infoWords are DescribeTaskInfo's words for the states, so that the status does
// not change its language with the API that told.
var infoWords = map[tencent.State]string{
	tencent.Waiting: "preparing", tencent.Running: "running", tencent.Succeeded: "succeed", tencent.Failed: "failed",
}

// Merge adds what a row tells to what is known. How a task ended is taken from a
// row only where nothing contradicts it. The source is the task's own: a sweep
// may have been made with the same key out of another Secret.
func (l redisListing) Merge(seen, row finding) finding {
	if otherInstance(seen.ResourceIDs, row.ResourceIDs) {
		return seen
	}
	if row.State.Ended() {
		seen.End = row.End
	}
	if row.Progress != tencent.NoProgress {
		seen.Progress = row.Progress
	}
	if seen.Start.IsZero() {
		seen.Start = row.Start
	}
	if len(seen.ResourceIDs) == 0 {
		seen.ResourceIDs = row.ResourceIDs
	}
	if seen.TaskID == "" {
		seen.TaskID, seen.Source = row.TaskID, l.key.source
	}
	if !seen.State.Ended() && row.State != tencent.Failed && row.State != seen.State {
		seen.State, seen.Status = row.State, infoWords[row.State]
	}
	return seen
}
