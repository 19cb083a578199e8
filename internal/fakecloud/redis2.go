package fakecloud

import "time"

// legacyRedisTaskInfo is API 2.0's DescribeTaskInfo,
// https://cloud.tencent.com/document/api/239/1757.
func (c *Cloud) legacyRedisTaskInfo(call *call, now time.Time) (map[string]any, *apiError) {
	if call.taskID == "" {
		return nil, missingParameter("requestId")
	}
	task := c.tasks.find("redis", call.taskID, call, now)
	if task == nil {
		return nil, &apiError{code: "InvalidParameter", number: 11201, message: "task not exist"}
	}
	numbers := map[taskState]int{waiting: 0, running: 1, succeeded: 2, failed: 3, errored: -1}
	return map[string]any{"status": numbers[task.stateAt(now.UnixNano())]}, nil
}
