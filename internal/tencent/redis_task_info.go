package tencent

import (
	"context"

	redis "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/redis/v20180412"
)

// redisStates are the words of DescribeTaskInfo.
var redisStates = map[string]State{
	"preparing": Waiting,
	"running":   Running,
	"succeed":   Succeeded,
	"failed":    Failed,
	"error":     Failed, // the international site writes Error
}

// RedisTask asks about one Redis task by API 3.0
// (https://cloud.tencent.com/document/api/239/30601). The error is an *Error, or
// ctx's own when ctx is done.
func (c *Client) RedisTask(ctx context.Context, cred Credential, region string, taskID int64) (Observation, error) {
	request := redis.NewDescribeTaskInfoRequest()
	id, err := redisTaskID(taskID)
	if err != nil {
		return Observation{}, err
	}
	request.TaskId = &id
	var response *redis.DescribeTaskInfoResponse
	err = c.ask(ctx, RedisTaskInfo, cred, region, func(ctx context.Context) error {
		client, err := c.redis(RedisTaskInfo, cred, region)
		if err != nil {
			return err
		}
		response, err = client.DescribeTaskInfoWithContext(ctx, request)
		return err
	})
	if err != nil {
		return Observation{}, err
	}
	return observeRedis(cred, response.Response), nil
}

// redis makes an SDK client for one call. That takes a few microseconds, which is
// less trouble than a cache of clients that rotating tokens would fill.
func (c *Client) redis(api API, cred Credential, region string) (*redis.Client, error) {
	client, err := redis.NewClient(cred.sdk(), region, c.profile(api, region))
	if err != nil {
		return nil, err
	}
	client.WithHttpTransport(c.transport).WithRequestClient(c.userAgent)
	return client, nil
}

func redisTaskID(taskID int64) (uint64, error) {
	if taskID < 1 {
		return 0, &Error{Kind: InvalidRequest, Code: "InvalidTaskID", Message: "a Redis task ID is at least 1"}
	}
	return uint64(taskID), nil
}

func observeRedis(cred Credential, answer *redis.DescribeTaskInfoResponseParams) Observation {
	if answer == nil {
		answer = &redis.DescribeTaskInfoResponseParams{}
	}
	status := cred.cleanPtr(answer.Status, maxStatus)
	return Observation{
		State:       stateOf(redisStates, status),
		Status:      status,
		TaskType:    cred.cleanPtr(answer.TaskType, maxTaskType),
		ResourceIDs: resourceIDs(cred, []*string{answer.InstanceId}),
		Progress:    NoProgress,
		Start:       parseTime(answer.StartTime),
		Message:     cred.cleanPtr(answer.TaskMessage, maxMessage),
		RequestID:   cred.cleanPtr(answer.RequestId, maxID),
	}
}
