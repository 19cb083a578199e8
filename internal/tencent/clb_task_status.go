package tencent

import (
	"context"
	"strconv"

	clb "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/clb/v20180317"
)

// CLBQuery names a CLB task: exactly one of its fields is set.
type CLBQuery struct {
	// RequestID is that of the call which began the task.
	RequestID string
	// DealName is the ID of the order of a load balancer.
	DealName string
}

// clbStates are the numbers of DescribeTaskStatus.
var clbStates = map[string]State{"0": Succeeded, "1": Failed, "2": Running}

// CLBTask asks about one CLB task
// (https://cloud.tencent.com/document/api/214/30683). Errors are as those of
// RedisTask.
func (c *Client) CLBTask(ctx context.Context, cred Credential, region string, query CLBQuery) (Observation, error) {
	if (query.RequestID == "") == (query.DealName == "") {
		return Observation{}, &Error{
			Kind: InvalidRequest, Code: "InvalidTaskID",
			Message: "a CLB task goes by exactly one of request ID and deal name",
		}
	}
	var response *clb.DescribeTaskStatusResponse
	err := c.ask(ctx, CLBTaskStatus, cred, region, func(ctx context.Context) error {
		client, err := c.clb(cred, region)
		if err != nil {
			return err
		}
		response, err = client.DescribeTaskStatusWithContext(ctx, query.request())
		return err
	})
	if err != nil {
		return Observation{}, err
	}
	return observeCLB(cred, response.Response), nil
}

func (c *Client) clb(cred Credential, region string) (*clb.Client, error) {
	client, err := clb.NewClient(cred.sdk(), region, c.profile(CLBTaskStatus, region))
	if err != nil {
		return nil, err
	}
	client.WithHttpTransport(c.transport).WithRequestClient(c.userAgent)
	return client, nil
}

func (q CLBQuery) request() *clb.DescribeTaskStatusRequest {
	request := clb.NewDescribeTaskStatusRequest()
	if q.RequestID != "" {
		request.TaskId = &q.RequestID
	} else {
		request.DealName = &q.DealName
	}
	return request
}

func observeCLB(cred Credential, answer *clb.DescribeTaskStatusResponseParams) Observation {
	if answer == nil {
		answer = &clb.DescribeTaskStatusResponseParams{}
	}
	o := Observation{
		ResourceIDs: resourceIDs(cred, answer.LoadBalancerIds),
		Progress:    NoProgress,
		Message:     cred.cleanPtr(answer.Message, maxMessage),
		RequestID:   cred.cleanPtr(answer.RequestId, maxID),
	}
	if answer.Status != nil {
		o.Status = strconv.FormatInt(*answer.Status, 10)
		o.State = stateOf(clbStates, o.Status)
	}
	return o
}
