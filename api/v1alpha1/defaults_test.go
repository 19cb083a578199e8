package v1alpha1_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

// unseen is the status of an object that the operator has not seen yet.
func unseen() v1alpha1.CloudTaskStatus {
	condition := func(kind string) metav1.Condition {
		return metav1.Condition{
			Type: kind, Status: metav1.ConditionUnknown, Reason: "Pending",
			Message: "Waiting for the operator", LastTransitionTime: metav1.NewTime(time.Unix(0, 0)),
		}
	}
	return v1alpha1.CloudTaskStatus{
		ObservedGeneration: -1,
		Phase:              v1alpha1.PhasePending,
		Conditions:         []metav1.Condition{condition("Succeeded"), condition("Ready")},
	}
}

func TestDefaults(t *testing.T) {
	cases := map[string]struct {
		reason   string
		spec     string
		api      string
		graceful v1alpha1.Duration
	}{
		"Redis":         {"API 3.0 and a minute", `{region: ap-guangzhou, redis: {taskID: 18215}}`, "3.0", "60s"},
		"Redis latest":  {"API 3.0 and a minute", `{region: ap-guangzhou, redis: {latest: {instanceID: crs-1}}}`, "3.0", "60s"},
		"given":         {"what is given stays", `{region: ap-guangzhou, redis: {taskID: 1, api: "2.0"}, notFoundGracePeriod: 5s}`, "2.0", "5s"},
		"null":          {"null is as good as nothing", `{region: ap-guangzhou, redis: {taskID: 1, api: null}, notFoundGracePeriod: null}`, "3.0", "60s"},
		"load balancer": {"no version to choose", `{region: ap-guangzhou, clb: {requestID: a}}`, "", "60s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var task v1alpha1.CloudTask
			created := createTask(t, tc.spec)
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(created), &task); err != nil {
				t.Fatal(err)
			}
			api := ""
			if task.Spec.Redis != nil {
				api = task.Spec.Redis.API
			}
			if api != tc.api || *task.Spec.NotFoundGracePeriod != tc.graceful {
				t.Errorf("api = %q, notFoundGracePeriod = %s; want %q, %s: %s", api, *task.Spec.NotFoundGracePeriod, tc.api, tc.graceful, tc.reason)
			}
			if diff := cmp.Diff(unseen(), task.Status); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoObjectWithoutStatus: the answer to the create call, and a watch, show the
// default too; a waiter that sees an object without a status takes it for done.
func TestNoObjectWithoutStatus(t *testing.T) {
	created := createTask(t, `{region: ap-guangzhou, redis: {taskID: 18215}}`)
	phase, _, err := unstructured.NestedString(created.Object, "status", "phase")
	if phase != "Pending" || err != nil {
		t.Errorf("the answer to create has phase %q, %v; want Pending", phase, err)
	}
}

// TestStatusIsTheOperators: whoever may only write the object cannot say that its
// task succeeded.
func TestStatusIsTheOperators(t *testing.T) {
	obj := newTask(t, `{region: ap-guangzhou, redis: {taskID: 18215}}`)
	succeeded := map[string]any{"phase": "Succeeded", "observedGeneration": int64(1)}
	obj.Object["status"] = succeeded
	if err := admin.Create(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	deleteAfter(t, obj)
	checkUnseen(t, obj, "create")

	obj.Object["status"] = succeeded
	obj.SetLabels(map[string]string{"changed": "yes"})
	if err := admin.Update(t.Context(), obj); err != nil {
		t.Fatal(err)
	}
	checkUnseen(t, obj, "update")
}

func checkUnseen(t *testing.T, obj client.Object, after string) {
	t.Helper()
	var task v1alpha1.CloudTask
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(obj), &task); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unseen(), task.Status); diff != "" {
		t.Errorf("status after %s with a status (-want +got):\n%s", after, diff)
	}
}

// TestStatusRoundTrips: the operator's whole status is within the schema.
func TestStatusRoundTrips(t *testing.T) {
	var task v1alpha1.CloudTask
	created := createTask(t, `{region: ap-guangzhou, redis: {taskID: 18215}}`)
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(created), &task); err != nil {
		t.Fatal(err)
	}
	now := metav1.NewTime(time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC).Local())
	progress := int32(100)
	want := v1alpha1.CloudTaskStatus{
		ObservedGeneration: 1, Phase: v1alpha1.PhaseFailed, Service: "redis", TaskID: "18215", Credentials: "secret default/tencent-credentials",
		Conditions: []metav1.Condition{
			{Type: "Succeeded", Status: "False", Reason: "TaskFailed", Message: "disk full", LastTransitionTime: now, ObservedGeneration: 1},
			{Type: "Finished", Status: "True", Reason: "TaskFailed", Message: "", LastTransitionTime: now, ObservedGeneration: 1},
		},
		CloudStatus: "failed", TaskType: "Redis cache purge process", ResourceIDs: []string{"crs-09u2u96z"}, Progress: &progress,
		StartTime: &now, CompletionTime: &now, Message: "disk full",
		Error:         &v1alpha1.TaskError{Code: "TaskFailed", Message: "disk full", RequestID: requestID},
		LastPollError: &v1alpha1.PollError{Code: "InternalError", Message: "try again"},
	}
	task.Status = want
	if err := admin.Status().Update(t.Context(), &task); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(created), &task); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, task.Status); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}
