package fakecloud

import "time"

// clbTaskStatus is DescribeTaskStatus 2018-03-17,
// https://www.tencentcloud.com/document/api/214/33823.
func (c *Cloud) clbTaskStatus(call *call, now time.Time) (map[string]any, *apiError) {
	var params struct {
		TaskID   string `json:"TaskId"`
		DealName string
	}
	if err := decode(call.body, &params); err != nil {
		return nil, err
	}
	if (params.TaskID == "") == (params.DealName == "") {
		return nil, invalidParameter("Exactly one of `TaskId` and `DealName` must be given.")
	}
	task := c.tasks.find("clb", params.TaskID, call, now)
	if params.DealName != "" {
		task = c.tasks.find(dealName, params.DealName, call, now)
	}
	if task == nil {
		return nil, invalidParameter("The task does not exist.")
	}
	fields := map[string]any{"Status": 2, "LoadBalancerIds": nil, "Message": nil}
	if task.InstanceID != "" {
		fields["LoadBalancerIds"] = []string{task.InstanceID}
	}
	switch state := task.stateAt(now.UnixNano()); state {
	case succeeded:
		fields["Status"] = 0
	case failed, errored:
		fields["Status"], fields["Message"] = 1, task.text(state)
	}
	return fields, nil
}
