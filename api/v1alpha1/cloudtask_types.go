package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// CloudTaskSpec names one asynchronous task of Tencent Cloud and says how long
// to wait for it.
//
// +kubebuilder:validation:XValidation:rule="has(self.redis) != has(self.clb)",message="name exactly one service: either redis, for example {taskID: 18215}, or clb, for example {requestID: 55c85074-3e7f-4c6d-864f-673660d4f8de}"
// +kubebuilder:validation:XValidation:rule="self.region == oldSelf.region",message="region cannot be changed: a new task wants a new CloudTask with a new name, for example flush-cache-18215"
// +kubebuilder:validation:XValidation:rule="has(self.redis) == has(oldSelf.redis) && (!has(self.redis) || self.redis == oldSelf.redis)",message="redis cannot be changed: a new task wants a new CloudTask with a new name, for example flush-cache-18215"
// +kubebuilder:validation:XValidation:rule="has(self.clb) == has(oldSelf.clb) && (!has(self.clb) || self.clb == oldSelf.clb)",message="clb cannot be changed: a new task wants a new CloudTask with a new name, for example flush-cache-18215"
type CloudTaskSpec struct {
	// The region the task runs in, for example ap-guangzhou or
	// ap-shanghai-fsi. A region, not a zone. It cannot be changed.
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]{2}(-[a-z]+){1,3}$')",message="write a region such as ap-guangzhou; a zone (ap-guangzhou-3) or a host name is not one"
	Region string `json:"region"`

	// A task of TencentDB for Redis. Give this or clb. It cannot be changed.
	// +optional
	Redis *RedisTask `json:"redis,omitempty"`

	// A task of Cloud Load Balancer. Give this or redis. It cannot be changed.
	// +optional
	CLB *CLBTask `json:"clb,omitempty"`

	// Where the key for Tencent Cloud comes from. Default: the Secret
	// tencent-credentials of this namespace where there is one, else the
	// operator's own key where this namespace is allowed to use it.
	// +optional
	Credentials *Credentials `json:"credentials,omitempty"`

	// How long the task may take, counted from the object's creation, from 1s
	// to 720h, for example 30m. Then the object fails with reason
	// DeadlineExceeded; the task in the cloud is not touched. Default: no limit.
	// +optional
	Timeout *Duration `json:"timeout,omitempty"`

	// How long the cloud may say "no such task" before the object fails with
	// reason TaskNotFound, from 1s to 720h. A new task may be invisible for a
	// while. Default: 60s.
	// +kubebuilder:default="60s"
	// +optional
	NotFoundGracePeriod *Duration `json:"notFoundGracePeriod,omitempty"`

	// Seconds after its end until the object is deleted, for example 3600.
	// Default: it is kept for ever. Leave it unset under a GitOps tool, which
	// would create a deleted object again.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=2147483647
	// +optional
	TTLSecondsAfterFinished *int64 `json:"ttlSecondsAfterFinished,omitempty"`

	// True stops asking the cloud until it is false again. The timeout runs on.
	// Default: false.
	// +optional
	Suspend bool `json:"suspend,omitempty"`
}

// RedisTask is a task of TencentDB for Redis.
//
// +kubebuilder:validation:XValidation:rule="has(self.taskID) != has(self.latest)",message="give exactly one of taskID, for example 18215, or latest, for example {instanceID: crs-09u2u96z}"
// +kubebuilder:validation:XValidation:rule="self.api != '2.0' || has(self.taskID)",message="API 2.0 cannot find the latest task: give a taskID, or use api \"3.0\""
type RedisTask struct {
	// The task ID that the Redis call returned (TaskId or FlowId), for example
	// 18215. Give this or latest.
	// +kubebuilder:validation:Minimum=1
	// +optional
	TaskID *int64 `json:"taskID,omitempty"`

	// The newest matching task of an instance, for when no ID is known. Once
	// found, the task is pinned in status.taskID. Give this or taskID.
	// +optional
	Latest *LatestTask `json:"latest,omitempty"`

	// The version of the Redis API to ask: "3.0", or the legacy "2.0", which
	// goes with taskID only. Default: "3.0".
	// +kubebuilder:validation:Enum="3.0";"2.0"
	// +kubebuilder:default="3.0"
	// +optional
	API string `json:"api,omitempty"`
}

// LatestTask selects the newest task of a Redis instance.
type LatestTask struct {
	// The Redis instance, for example crs-09u2u96z.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]{1,128}$')",message="write the ID of the instance, for example crs-09u2u96z: letters, digits, - and _"
	InstanceID string `json:"instanceID"`

	// Only tasks of these types, as codes of DescribeTaskList, for example
	// ["004"] for clearing an instance. At most 20. Default: all types.
	// +kubebuilder:validation:MaxItems=20
	// +kubebuilder:validation:items:MaxLength=64
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z0-9_]{1,64}$')",message="write a task type as DescribeTaskList gives it, for example 004: letters, digits and _"
	// +listType=atomic
	// +optional
	TaskTypes []string `json:"taskTypes,omitempty"`

	// Only tasks that started at or after this time, for example
	// 2026-11-21T10:00:00Z. Default: 5 minutes before the object was created.
	// +optional
	StartedAfter *Time `json:"startedAfter,omitempty"`
}

// CLBTask is a task of Cloud Load Balancer.
//
// +kubebuilder:validation:XValidation:rule="has(self.requestID) != has(self.dealName)",message="give exactly one of requestID, the RequestId that the CLB call returned, or dealName, the ID of the order"
type CLBTask struct {
	// The RequestId that the CLB call returned, for example
	// 55c85074-3e7f-4c6d-864f-673660d4f8de. Give this or dealName.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]{1,128}$')",message="write the RequestId that the CLB call returned, for example 55c85074-3e7f-4c6d-864f-673660d4f8de: letters, digits, - and _"
	// +optional
	RequestID *string `json:"requestID,omitempty"`

	// The ID of the order by which a load balancer was bought, for example
	// 20260101430001234567890. Give this or requestID.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z0-9_-]{1,128}$')",message="write the ID of the order, for example 20260101430001234567890: letters, digits, - and _"
	// +optional
	DealName *string `json:"dealName,omitempty"`
}

// Credentials say where the key for Tencent Cloud comes from.
type Credentials struct {
	// A Secret in the object's own namespace with the keys secretId, secretKey
	// and, for temporary keys, token. The operator reads only Secrets whose
	// names it was started with (--credential-secret-names). It is then the
	// only source: if it is missing, nothing else is tried.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",message="write the name of a Secret, for example tencent-credentials"
	SecretName string `json:"secretName"`
}

// Phase sums a CloudTask up in one word.
//
// +kubebuilder:validation:Enum=Pending;Running;Succeeded;Failed
type Phase string

// The phases. Succeeded and Failed are final.
const (
	// PhasePending: not seen yet, or not yet started in the cloud.
	PhasePending Phase = "Pending"
	// PhaseRunning: the cloud says that the task runs.
	PhaseRunning Phase = "Running"
	// PhaseSucceeded: the task ended well.
	PhaseSucceeded Phase = "Succeeded"
	// PhaseFailed: the task failed, is not known to the cloud, or took too long.
	PhaseFailed Phase = "Failed"
)

// CloudTaskStatus is what the operator has learnt of the task.
type CloudTaskStatus struct {
	// The generation of the spec that this status answers; -1 before the
	// operator has seen the object.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// The state in one word: Pending, Running, Succeeded or Failed. The last
	// two are final.
	// +optional
	Phase Phase `json:"phase,omitempty"`

	// The state for tools: Succeeded, Finished, Ready, Reconciling, Stalled and
	// Failed. Succeeded is always the first.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// The service the task belongs to: redis or clb.
	// +kubebuilder:validation:MaxLength=16
	// +optional
	Service string `json:"service,omitempty"`

	// The ID that the cloud is asked about; with latest, the task that was
	// found.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	TaskID string `json:"taskID,omitempty"`

	// Where the key came from that gave the first good answer. From then on no
	// other source is used, since the same task ID means another task in
	// another account.
	// +kubebuilder:validation:MaxLength=300
	// +optional
	Credentials string `json:"credentials,omitempty"`

	// The cloud's own word or number for the state, for example running or 2.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	CloudStatus string `json:"cloudStatus,omitempty"`

	// The cloud's name for the kind of task, for example "Redis cache purge
	// process".
	// +kubebuilder:validation:MaxLength=128
	// +optional
	TaskType string `json:"taskType,omitempty"`

	// The resources the task works on, for example crs-09u2u96z or lb-abcd1234.
	// At most 100.
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=128
	// +listType=atomic
	// +optional
	ResourceIDs []string `json:"resourceIDs,omitempty"`

	// How much is done, in percent, in steps of 5; only where the cloud tells.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +optional
	Progress *int32 `json:"progress,omitempty"`

	// When the task started in the cloud; where the cloud does not tell, when
	// it was first asked about with success.
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// When the task ended in the cloud; where the cloud does not tell, when the
	// operator learnt of it. Only in phase Succeeded or Failed.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// The state in one line for a person.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// Why the task failed. Only in phase Failed, never for a passing fault.
	// +optional
	Error *TaskError `json:"error,omitempty"`

	// Why the cloud cannot be asked at present. It is gone with the next good
	// answer.
	// +optional
	LastPollError *PollError `json:"lastPollError,omitempty"`
}

// TaskError says why a task failed.
type TaskError struct {
	// The cloud's error code where there is one, else the reason of the
	// condition, for example TaskFailed.
	// +kubebuilder:validation:MaxLength=128
	Code string `json:"code"`

	// The cloud's own message.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`

	// The ID of the request whose answer told of the failure, for a ticket with
	// Tencent Cloud.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	RequestID string `json:"requestID,omitempty"`
}

// PollError says why the cloud could not be asked.
type PollError struct {
	// The cloud's error code, or the operator's own where no answer came.
	// +kubebuilder:validation:MaxLength=128
	Code string `json:"code"`

	// The cloud's own message.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	Message string `json:"message,omitempty"`
}

// CloudTask makes Kubernetes wait for an asynchronous task of Tencent Cloud. The
// operator asks the cloud about the task and writes what it learns into the
// status: kubectl wait --for=condition=Succeeded cloudtask/NAME
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:path=cloudtasks,shortName=ct,categories=tencentcloud,scope=Namespaced
// +kubebuilder:metadata:annotations="krane.shopify.io/instance-rollout-conditions=true"
// +kubebuilder:printcolumn:name="Service",type=string,JSONPath=`.status.service`
// +kubebuilder:printcolumn:name="Task",type=string,JSONPath=`.status.taskID`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Progress",type=integer,JSONPath=`.status.progress`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Succeeded")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Region",type=string,priority=1,JSONPath=`.spec.region`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`
type CloudTask struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// The task to wait for.
	Spec CloudTaskSpec `json:"spec"`

	// What the operator has learnt of the task. The default makes every waiter
	// right before the operator has seen the object.
	// +kubebuilder:default={observedGeneration:-1,phase:"Pending",conditions:{{type:"Succeeded",status:"Unknown",reason:"Pending",message:"Waiting for the operator",lastTransitionTime:"1970-01-01T00:00:00Z"},{type:"Ready",status:"Unknown",reason:"Pending",message:"Waiting for the operator",lastTransitionTime:"1970-01-01T00:00:00Z"}}}
	// +optional
	Status CloudTaskStatus `json:"status,omitempty"`
}

// CloudTaskList is a list of CloudTasks.
//
// +kubebuilder:object:root=true
type CloudTaskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []CloudTask `json:"items"`
}
