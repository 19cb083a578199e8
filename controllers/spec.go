package controllers

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// defaultGrace is notFoundGracePeriod where an older CRD left it out.
const defaultGrace = time.Minute

var idPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// checkSpec finds values that make no sense to Go or the cloud. The schema
// refuses them, but an older one may have let them in.
func checkSpec(task *v1alpha1.CloudTask) error {
	spec := task.Spec
	for _, field := range []struct {
		name  string
		value *v1alpha1.Duration
	}{{"timeout", spec.Timeout}, {"notFoundGracePeriod", spec.NotFoundGracePeriod}} {
		if field.value == nil {
			continue
		}
		if _, err := field.value.Parse(); err != nil {
			return fmt.Errorf("spec.%s: %w", field.name, err)
		}
	}
	switch {
	case (spec.Redis == nil) == (spec.CLB == nil):
		return errors.New("spec names no service, or two: create a new CloudTask with either redis or clb")
	case spec.Redis != nil:
		return checkRedis(spec.Redis)
	default:
		return checkCLB(spec.CLB)
	}
}

func checkRedis(spec *v1alpha1.RedisTask) error {
	switch {
	case (spec.TaskID == nil) == (spec.Latest == nil):
		return errors.New("spec.redis names no task, or two: create a new CloudTask with either taskID or latest")
	case spec.API != "" && spec.API != "3.0" && spec.API != "2.0":
		return errors.New(`spec.redis.api is neither "3.0" nor "2.0": create a new CloudTask`)
	case spec.Latest == nil:
		return nil
	case spec.API == "2.0":
		return errors.New("API 2.0 cannot find the latest task: create a new CloudTask with a taskID, or with API 3.0")
	case !idPattern.MatchString(spec.Latest.InstanceID):
		return errors.New("spec.redis.latest.instanceID is not the ID of an instance: create a new CloudTask")
	case spec.Latest.StartedAfter != nil:
		if _, err := spec.Latest.StartedAfter.Parse(); err != nil {
			return fmt.Errorf("spec.redis.latest.startedAfter: %w", err)
		}
	}
	return nil
}

func checkCLB(spec *v1alpha1.CLBTask) error {
	switch {
	case (spec.RequestID == nil) == (spec.DealName == nil):
		return errors.New("spec.clb names no task, or two: create a new CloudTask with either requestID or dealName")
	case !idPattern.MatchString(deref(spec.RequestID) + deref(spec.DealName)):
		return errors.New("spec.clb names no task: create a new CloudTask with a requestID of letters, digits, - and _")
	}
	return nil
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

// gracePeriod is how long the cloud may not know the task.
func gracePeriod(task *v1alpha1.CloudTask) time.Duration {
	if task.Spec.NotFoundGracePeriod == nil {
		return defaultGrace
	}
	d, err := task.Spec.NotFoundGracePeriod.Parse()
	if err != nil {
		return defaultGrace
	}
	return d
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
