package fakecloud

import (
	"slices"
	"strconv"
	"time"
)

// Redis answers in UTC+8 without saying so.
const (
	redisTime   = time.DateTime
	redisNoTime = "0000-00-00 00:00:00"
	// listHistory is how far back DescribeTaskList looks.
	listHistory = 30 * 24 * time.Hour
)

func redisZone() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// redisTaskInfo is DescribeTaskInfo 2018-04-12,
// https://www.tencentcloud.com/document/api/239/30601.
func (c *Cloud) redisTaskInfo(call *call, now time.Time) (map[string]any, *apiError) {
	var params struct {
		TaskID *uint64 `json:"TaskId"`
	}
	if err := decode(call.body, &params); err != nil {
		return nil, err
	}
	if params.TaskID == nil {
		return nil, missingParameter("TaskId")
	}
	task := c.tasks.find("redis", strconv.FormatUint(*params.TaskID, 10), call, now)
	if task == nil {
		return nil, &apiError{code: "InvalidParameter.InvalidParameter", message: "task not exist"}
	}
	state := task.stateAt(now.UnixNano())
	words := map[taskState]string{waiting: "preparing", running: "running", succeeded: "succeed", failed: "failed", errored: "error"}
	return map[string]any{
		"Status":      words[state],
		"StartTime":   task.Start.In(redisZone()).Format(redisTime),
		"TaskType":    task.TypeName,
		"InstanceId":  task.InstanceID,
		"TaskMessage": task.text(state),
	}, nil
}

// listedResult is a state in DescribeTaskList's numbers.
type listedResult int64

func resultOf(s taskState) listedResult {
	return [...]listedResult{hidden: 0, waiting: 0, running: 1, succeeded: 2, failed: 4, errored: 4}[s]
}

// listParams are all documented parameters of DescribeTaskList; those that
// play no part here are accepted and ignored.
type listParams struct {
	InstanceID   string `json:"InstanceId"`
	InstanceName string
	Limit        *int64
	Offset       int64
	ProjectIDs   []int64 `json:"ProjectIds"`
	TaskTypes    []string
	BeginTime    string
	EndTime      string
	TaskStatus   []int64
	Result       []listedResult
	OperatorUin  []int64
	OperateUin   []string
}

// listQuery is a checked list call; begin and end bound the start, in Unix
// nanoseconds, end being the first that is too late.
type listQuery struct {
	instanceID    string
	types         []string
	results       []listedResult
	begin, end    int64
	limit, offset int64
}

func (q listQuery) onlyLive() bool {
	return len(q.results) > 0 && !slices.ContainsFunc(q.results, func(r listedResult) bool { return r != 0 && r != 1 })
}

func (q listQuery) matches(r *record, result listedResult) bool {
	return (len(q.types) == 0 || slices.Contains(q.types, r.TypeCode)) &&
		(len(q.results) == 0 || slices.Contains(q.results, result))
}

func (p listParams) check(now time.Time) (listQuery, *apiError) {
	q := listQuery{instanceID: p.InstanceID, types: p.TaskTypes, results: p.Result, limit: 20, offset: p.Offset}
	if p.InstanceName != "" { // here an instance is named by its ID
		q.instanceID = p.InstanceName
	}
	if p.Limit != nil {
		q.limit = *p.Limit
	}
	if q.limit < 1 || q.limit > 100 {
		return q, invalidParameter("Limit must be 1 to 100, not %d.", q.limit)
	}
	if q.offset < 0 || q.offset%q.limit != 0 {
		return q, invalidParameter("Offset must be an integral multiple of Limit, not %d.", q.offset)
	}
	begin, err := parseRedisTime("BeginTime", p.BeginTime, now.Add(-listHistory))
	if err != nil {
		return q, err
	}
	end, err := parseRedisTime("EndTime", p.EndTime, now)
	if err != nil {
		return q, err
	}
	q.begin = max(begin.UnixNano(), now.Add(-listHistory).UnixNano())
	q.end = end.Add(time.Second).Truncate(time.Second).UnixNano()
	return q, nil
}

func parseRedisTime(name, text string, otherwise time.Time) (time.Time, *apiError) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.ParseInLocation(redisTime, text, redisZone())
	if err != nil {
		return t, invalidParameter("%s must look like 2021-12-30 00:00:00.", name)
	}
	return t, nil
}

// listRow is TaskInfoDetail. Types that a fault may break are any.
type listRow struct {
	TaskID       int64 `json:"TaskId"`
	StartTime    string
	TaskType     string
	InstanceName string
	InstanceID   string `json:"InstanceId"`
	ProjectID    int64  `json:"ProjectId"`
	Progress     float64
	EndTime      string
	Result       any
}

// redisTaskList is DescribeTaskList 2018-04-12,
// https://www.tencentcloud.com/document/product/239/33293.
func (c *Cloud) redisTaskList(call *call, now time.Time, lies lies) (map[string]any, *apiError) {
	var params listParams
	if err := decode(call.body, &params); err != nil {
		return nil, err
	}
	q, err := params.check(now)
	if err != nil {
		return nil, err
	}
	total, rows := int64(0), []listRow{}
	c.tasks.shelf(call.account, call.region).list(q, now.UnixNano(), lies, func(r *record, result listedResult) {
		if total >= q.offset && total < q.offset+q.limit && !lies.skip(r, total, q) {
			rows = append(rows, newListRow(r, result, now.UnixNano()))
		}
		total++
	})
	rows, total = lies.page(rows, total)
	return map[string]any{"TotalCount": total, "Tasks": rows}, nil
}

func newListRow(r *record, result listedResult, now int64) listRow {
	row := listRow{
		TaskID: r.number, TaskType: r.TypeCode, InstanceID: r.InstanceID, InstanceName: r.InstanceID,
		StartTime: r.Start.In(redisZone()).Format(redisTime), EndTime: redisNoTime,
		Progress: r.progressAt(now), Result: result,
	}
	if result > 1 {
		row.EndTime = r.endTime().In(redisZone()).Format(redisTime)
	}
	return row
}
