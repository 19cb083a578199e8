package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	region = "ap-guangzhou"
	// label holds the scenario's name, so that each operator sees its own objects.
	label = "bench"
	// secretName is the Secret that the operator looks for.
	secretName = "tencent-credentials"
	// creators is how many clients create objects at once.
	creators = 48
)

// accountsOf are the accounts of every cloud of a scenario.
func accountsOf(s scenario) []fakecloud.Account {
	var accounts []fakecloud.Account
	for i := range s.accounts {
		key := fakecloud.Key{SecretID: fmt.Sprintf("bench-id-%d", i), SecretKey: fmt.Sprintf("bench-key-%d", i)}
		accounts = append(accounts, fakecloud.Account{Name: fmt.Sprint(i), Keys: []fakecloud.Key{key}})
	}
	return accounts
}

// newCloud returns a cloud with all tasks, those to come among them, and its URL.
func newCloud(s scenario, jobs []job) (*fakecloud.Cloud, string, error) {
	cloud := fakecloud.New(fakecloud.Options{Accounts: accountsOf(s), Latency: latency})
	tasks := make([]fakecloud.Task, 0, len(jobs))
	for _, j := range jobs {
		task := fakecloud.Task{
			Account: fmt.Sprint(j.account), Region: region, Service: j.service, ID: j.id,
			Start: j.start, Duration: j.end.Sub(j.start), Fails: j.fails,
		}
		if j.service == "clb" {
			task.InstanceID = "lb-" + j.id[:8]
		}
		tasks = append(tasks, task)
	}
	cloud.Add(tasks...)
	if s.stolen > 0 {
		cloud.Steal(fakecloud.CLBTaskStatus, s.stolen)
	}
	url, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("start the cloud: %w", err)
	}
	return cloud, url, nil
}

func latency(api string) time.Duration {
	if api == fakecloud.RedisTaskList {
		return listLatency
	}
	return infoLatency
}

// prepare creates the namespaces of a scenario with the keys of its accounts.
func prepare(ctx context.Context, c client.Client, s scenario) error {
	for i, account := range accountsOf(s) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace(i)}}
		if err := c.Create(ctx, ns); err != nil {
			return fmt.Errorf("create namespace: %w", err)
		}
		secret := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: secretName},
			StringData: map[string]string{"secretId": account.Keys[0].SecretID, "secretKey": account.Keys[0].SecretKey},
		}
		if err := c.Create(ctx, secret); err != nil {
			return fmt.Errorf("create secret: %w", err)
		}
	}
	return nil
}

// object is the CloudTask of a job.
func (j *job) object(labels map[string]string) *v1alpha1.CloudTask {
	task := &v1alpha1.CloudTask{
		ObjectMeta: metav1.ObjectMeta{Namespace: j.namespace, Name: j.name, Labels: labels},
		Spec:       v1alpha1.CloudTaskSpec{Region: region},
	}
	if j.service == "clb" {
		task.Spec.CLB = &v1alpha1.CLBTask{RequestID: &j.id}
		return task
	}
	id := j.redisID()
	task.Spec.Redis = &v1alpha1.RedisTask{TaskID: &id}
	return task
}

// status is what an operator has written of a task some time after its start.
func (j *job) status(now time.Time) v1alpha1.CloudTaskStatus {
	start := metav1.NewTime(j.start.Truncate(time.Second))
	s := v1alpha1.CloudTaskStatus{
		ObservedGeneration: 1, Phase: v1alpha1.PhaseRunning, Service: j.service, TaskID: j.id,
		Credentials: "secret/" + secretName, StartTime: &start,
		CloudStatus: "2", ResourceIDs: []string{"lb-" + j.id[:min(8, len(j.id))]},
		Message: "CLB request " + j.id + " is running",
	}
	if j.service == "redis" {
		s.CloudStatus, s.ResourceIDs = "running", []string{"crs-" + j.id}
		s.TaskType, s.Message = "Redis cache purge process", "Redis task "+j.id+" is running"
		done := max(min(int32(20*now.Sub(j.start)/j.end.Sub(j.start))*5, 95), 0)
		s.Progress = &done
	}
	s.Conditions = conditions(now, v1alpha1.ReasonRunning, s.Message, map[string]metav1.ConditionStatus{
		v1alpha1.ConditionSucceeded: metav1.ConditionUnknown, v1alpha1.ConditionFinished: metav1.ConditionFalse,
		v1alpha1.ConditionReady: metav1.ConditionUnknown, v1alpha1.ConditionReconciling: metav1.ConditionTrue,
	})
	return s
}

// conditions are those of a status, in the order in which operators write them.
func conditions(now time.Time, reason, message string, states map[string]metav1.ConditionStatus) []metav1.Condition {
	var all []metav1.Condition
	for _, kind := range []string{v1alpha1.ConditionSucceeded, v1alpha1.ConditionFinished, v1alpha1.ConditionReady, v1alpha1.ConditionReconciling} {
		if state, ok := states[kind]; ok {
			all = append(all, metav1.Condition{
				Type: kind, Status: state, Reason: reason, Message: message,
				ObservedGeneration: 1, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
			})
		}
	}
	return all
}

func credential(a fakecloud.Account) tencent.Credential {
	return tencent.Credential{SecretID: a.Keys[0].SecretID, SecretKey: a.Keys[0].SecretKey}
}
