package tencent

import (
	"context"
	"math"
	"strconv"
	"time"

	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

// MaxPage is the most rows that one DescribeTaskList call returns.
const MaxPage = 100

// ListQuery selects Redis tasks. What is left empty does not select.
type ListQuery struct {
	InstanceID string
	// TaskTypes are codes such as 004.
	TaskTypes []string
	// Results are 0 waiting, 1 running, 2 succeeded, 4 failed.
	Results []int64
	// Begin and End bound the tasks' start; only the last 30 days can be listed.
	Begin, End time.Time
	// Offset is a multiple of Limit, which is from 1 to MaxPage, by default
	// MaxPage.
	Offset, Limit int64
}

// TaskPage is one page of a list.
type TaskPage struct {
	// Total counts the tasks that match, on all pages.
	Total int64
	// Tasks are at most Limit, in the cloud's order.
	Tasks []ListedTask
}

// ListedTask is one row. Its observation has the number for a status, and no
// message even where the task failed.
type ListedTask struct {
	ID          int64
	Observation Observation
}

// listStates are the numbers of DescribeTaskList. There is no 3.
var listStates = map[string]State{"0": Waiting, "1": Running, "2": Succeeded, "4": Failed}

// RedisTasks lists Redis tasks
// (https://www.tencentcloud.com/document/product/239/33293). An answer without a
// list is an error, never an empty page. Errors are as those of RedisTask.
func (c *Client) RedisTasks(ctx context.Context, cred Credential, region string, query ListQuery) (TaskPage, error) {
	if query.Limit < 1 || query.Limit > MaxPage {
		query.Limit = MaxPage
	}
	var response *redis.DescribeTaskListResponse
	err := c.ask(ctx, RedisTaskList, cred, region, func(ctx context.Context) error {
		client, err := c.redis(RedisTaskList, cred, region)
		if err != nil {
			return err
		}
		response, err = client.DescribeTaskListWithContext(ctx, query.request())
		return err
	})
	if err != nil {
		return TaskPage{}, err
	}
	return readPage(cred, response.Response, query.Limit)
}

func (q ListQuery) request() *redis.DescribeTaskListRequest {
	request := redis.NewDescribeTaskListRequest()
	request.Limit = &q.Limit
	request.Offset = &q.Offset
	request.BeginTime = formatTime(q.Begin)
	request.EndTime = formatTime(q.End)
	if q.InstanceID != "" {
		request.InstanceId = &q.InstanceID
	}
	for _, taskType := range q.TaskTypes {
		request.TaskTypes = append(request.TaskTypes, &taskType)
	}
	for _, result := range q.Results {
		request.Result = append(request.Result, &result)
	}
	return request
}

func readPage(cred Credential, answer *redis.DescribeTaskListResponseParams, limit int64) (TaskPage, error) {
	if answer == nil || answer.TotalCount == nil || *answer.TotalCount < 0 {
		return TaskPage{}, unreadable("the answer holds no list of tasks")
	}
	rows := answer.Tasks[:min(len(answer.Tasks), int(limit))]
	page := TaskPage{Total: *answer.TotalCount, Tasks: make([]ListedTask, 0, len(rows))}
	requestID := cred.cleanPtr(answer.RequestId, maxID)
	for _, row := range rows {
		if row == nil || row.TaskId == nil || *row.TaskId < 1 {
			continue
		}
		task := ListedTask{ID: *row.TaskId, Observation: observeRow(cred, row)}
		task.Observation.RequestID = requestID
		page.Tasks = append(page.Tasks, task)
	}
	return page, nil
}

func observeRow(cred Credential, row *redis.TaskInfoDetail) Observation {
	o := Observation{
		ResourceIDs: resourceIDs(cred, []*string{row.InstanceId}),
		Progress:    percent(row.Progress),
		Start:       parseTime(row.StartTime),
	}
	if row.Result != nil {
		o.Status = strconv.FormatInt(*row.Result, 10)
		o.State = stateOf(listStates, o.Status)
	}
	if o.State.Ended() {
		o.End = parseTime(row.EndTime)
	}
	return o
}

// percent reads a progress, which the cloud gives as a fraction from 0 to 1, in
// steps of 5, rounded down. A value from there to 100 is taken for percent.
func percent(progress *float64) int32 {
	if progress == nil {
		return NoProgress
	}
	p := *progress
	if p <= 1 {
		p *= 100
	}
	if math.IsNaN(p) || p < 0 || p > 100 {
		return NoProgress
	}
	const rounding = 1e-9 // 0.55 * 100 may fall short of 55
	return int32((p+rounding)/5) * 5
}
