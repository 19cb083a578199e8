package main

import (
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// namespace is where the samples live.
const namespace = "demo"

// role is the part of one sample: its task in the simulated cloud and the reason
// with which the object must end.
type role struct {
	object string
	task   fakecloud.Task
	reason string
}

// roles are those of the samples in config/samples.
func roles(now time.Time) []role {
	const (
		bound   = "55c85074-3e7f-4c6d-864f-673660d4f8de"
		unbound = "8a6b7f0e-91c2-4d5f-b3a8-2f1d6c9e7b40"
	)
	return []role{
		{
			object: "flush-cache-18215",
			task:   fakecloud.Task{ID: "18215", InstanceID: "crs-5a4bn1yx", Prepare: time.Second, Duration: 11 * time.Second},
			reason: v1alpha1.ReasonTaskSucceeded,
		},
		{
			object: "resize-cache-18216",
			task: fakecloud.Task{
				ID: "18216", InstanceID: "crs-7ba2lk1c", TypeCode: "002", TypeName: "Redis resize process",
				Duration: 8 * time.Second, Fails: true, Message: "the zone has no memory left for 64 GB",
			},
			reason: v1alpha1.ReasonTaskFailed,
		},
		{
			object: "targets-" + bound,
			task:   fakecloud.Task{Service: "clb", ID: bound, InstanceID: "lb-6cyzxu2e", Duration: 6 * time.Second},
			reason: v1alpha1.ReasonTaskSucceeded,
		},
		{
			object: "listener-" + unbound,
			task: fakecloud.Task{
				Service: "clb", ID: unbound, InstanceID: "lb-6cyzxu2e", Duration: 4 * time.Second,
				Fails: true, Message: "port 443 is taken by another listener",
			},
			reason: v1alpha1.ReasonTaskFailed,
		},
		{
			object: "backup-cache-11963",
			task:   fakecloud.Task{ID: "11963", InstanceID: "crs-e2kf0q9w", TypeCode: "012", TypeName: "Redis backup process", Duration: 9 * time.Second},
			reason: v1alpha1.ReasonTaskSucceeded,
		},
		{
			object: "flush-cache-release-42",
			task:   fakecloud.Task{ID: "18220", InstanceID: "crs-09u2u96z", Start: now.Add(4 * time.Second), Duration: 9 * time.Second},
			reason: v1alpha1.ReasonTaskSucceeded,
		},
	}
}

// gate is a command that waits for a sample, the status it must exit with, and
// why that is so.
type gate struct {
	command string
	status  int
	why     string
}

func gates() []gate {
	const (
		good = "ct/flush-cache-18215"
		bad  = "ct/resize-cache-18216"
		wait = "kubectl wait -n " + namespace
	)
	succeeded := func(object, timeout string) string {
		return wait + " --for=condition=Succeeded " + object + " --timeout=" + timeout
	}
	finished := func(object string) string {
		return wait + " --for=condition=Finished " + object + " --timeout=30m && " + succeeded(object, "0")
	}
	either := func(object string) string {
		return wait + ` --for=jsonpath="{.status['phase','error']}"=Succeeded ` + object + " --timeout=30m"
	}
	return []gate{
		{succeeded(good, "30m"), 0, "the task succeeded. This is the plain form."},
		{succeeded(bad, "2s"), 1, "the plain form does not see that a task failed, and waits until its timeout."},
		{finished(good), 0, "Finished is True at either end, and the second command tells which it was."},
		{finished(bad), 1, "this form ends as soon as the task fails."},
		{either(good), 0, "one command: phase is Succeeded, and there is no error."},
		{either(bad), 1, "at a failure the path has two values, which ends kubectl wait at once."},
		{"cloudtask wait -n " + namespace + " " + good, 0, "the task succeeded. No kubectl is needed: it is in the operator's image."},
		{"cloudtask wait -n " + namespace + " " + bad, 1, "the task failed, and the cloud's own words say why. A timeout would be 2, anything else 3."},
	}
}
