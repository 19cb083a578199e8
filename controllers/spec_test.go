package controllers

import (
	"strings"
	"testing"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

func TestCheckSpec(t *testing.T) {
	clb := func(spec v1alpha1.CLBTask) func(*v1alpha1.CloudTask) {
		return func(task *v1alpha1.CloudTask) { task.Spec.Redis, task.Spec.CLB = nil, &spec }
	}
	redis := func(change func(*v1alpha1.RedisTask)) func(*v1alpha1.CloudTask) {
		return func(task *v1alpha1.CloudTask) { change(task.Spec.Redis) }
	}
	for name, test := range map[string]struct {
		task *v1alpha1.CloudTask
		want string
	}{
		"taskID":          {redisObject(), ""},
		"latest":          {latestObject(), ""},
		"API 2.0":         {redisObject(redis(func(r *v1alpha1.RedisTask) { r.API = "2.0" })), ""},
		"no API":          {redisObject(redis(func(r *v1alpha1.RedisTask) { r.API = "" })), ""},
		"requestID":       {redisObject(clb(v1alpha1.CLBTask{RequestID: new("55c85074-3e7f")})), ""},
		"dealName":        {redisObject(clb(v1alpha1.CLBTask{DealName: new("2026")})), ""},
		"timeout":         {redisObject(withTimeout("1 day")), `spec.timeout: "1 day"`},
		"grace":           {redisObject(func(task *v1alpha1.CloudTask) { task.Spec.NotFoundGracePeriod = new(v1alpha1.Duration("0s")) }), "spec.notFoundGracePeriod"},
		"no service":      {redisObject(func(task *v1alpha1.CloudTask) { task.Spec.Redis = nil }), "no service"},
		"two services":    {redisObject(func(task *v1alpha1.CloudTask) { task.Spec.CLB = &v1alpha1.CLBTask{} }), "or two"},
		"no task":         {redisObject(redis(func(r *v1alpha1.RedisTask) { r.TaskID = nil })), "names no task"},
		"two tasks":       {latestObject(redis(func(r *v1alpha1.RedisTask) { r.TaskID = new(int64(1)) })), "or two"},
		"unknown API":     {redisObject(redis(func(r *v1alpha1.RedisTask) { r.API = "4.0" })), "api"},
		"latest with 2.0": {latestObject(redis(func(r *v1alpha1.RedisTask) { r.API = "2.0" })), "API 2.0"},
		"no instance":     {latestObject(redis(func(r *v1alpha1.RedisTask) { r.Latest.InstanceID = "" })), "instanceID"},
		"no time":         {latestObject(redis(func(r *v1alpha1.RedisTask) { r.Latest.StartedAfter = new(v1alpha1.Time("yesterday")) })), "startedAfter"},
		"no ID":           {redisObject(clb(v1alpha1.CLBTask{})), "names no task"},
		"two IDs":         {redisObject(clb(v1alpha1.CLBTask{RequestID: new("a"), DealName: new("b")})), "or two"},
		"long ID":         {redisObject(clb(v1alpha1.CLBTask{RequestID: new(strings.Repeat("x", 129))})), "requestID"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkSpec(test.task)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
