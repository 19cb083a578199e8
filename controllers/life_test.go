package controllers_test

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// controllerOptions let several operators run in one process, one a test.
func controllerOptions() config.Controller { return config.Controller{SkipNameValidation: new(true)} }

func cacheFor(namespace string) cache.Options {
	return cache.Options{DefaultNamespaces: map[string]cache.Config{namespace: {}}}
}

func TestRedisSucceeds(t *testing.T) {
	w := newWorld(t)
	w.secret("tencent-credentials", key)
	w.cloud.Add(fakecloud.Task{ID: "18215", Duration: 3 * time.Second, InstanceID: "crs-09u2u96z"})
	w.operate()
	w.redis("flush-18215", 18215)
	task, seen := w.untilFinished("flush-18215")
	for _, s := range seen {
		t.Logf("%s %s %v %s: %s", s.Phase, states(s), s.Progress, s.Conditions[0].Reason, s.Message)
	}
	t.Logf("%+v", task.Status)
	if task.Status.Phase != v1alpha1.PhaseSucceeded {
		t.Errorf("phase %s", task.Status.Phase)
	}
}

func TestRedisFails(t *testing.T) {
	w := newWorld(t)
	w.secret("tencent-credentials", key)
	w.cloud.Add(fakecloud.Task{ID: "18216", Duration: 3 * time.Second, Fails: true, Message: "out of memory"})
	w.operate()
	w.redis("flush-18216", 18216)
	task, seen := w.untilFinished("flush-18216")
	for _, s := range seen {
		t.Logf("%s %s %v %s: %s", s.Phase, states(s), s.Progress, s.Conditions[0].Reason, s.Message)
	}
	t.Logf("%+v %+v", task.Status, task.Status.Error)
}
