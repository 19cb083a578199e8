package v1alpha1

// The types of a CloudTask's conditions. A condition that does not apply is
// absent, not False: kstatus and Crossplane's AllTrue need that.
const (
	// ConditionSucceeded is True when the task succeeded, False when it failed,
	// Unknown before. It is always the first in the list.
	ConditionSucceeded = "Succeeded"
	// ConditionFinished is True once the task has ended, either way.
	ConditionFinished = "Finished"
	// ConditionReady is the same as Succeeded, under the name that Crossplane
	// and kstatus look for.
	ConditionReady = "Ready"
	// ConditionReconciling is True while the operator is at work (kstatus:
	// InProgress).
	ConditionReconciling = "Reconciling"
	// ConditionStalled is True when a person must act, and when the task failed
	// (kstatus: Failed).
	ConditionStalled = "Stalled"
	// ConditionFailed is True when the task failed, for krane.
	ConditionFailed = "Failed"
)

// The reasons of a CloudTask's conditions.
const (
	// ReasonPending: not asked about yet, or not yet started in the cloud.
	ReasonPending = "Pending"
	// ReasonRunning: the cloud says that the task runs.
	ReasonRunning = "Running"
	// ReasonSuspended: spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonWaitingForTask: latest has found no matching task yet.
	ReasonWaitingForTask = "WaitingForTask"
	// ReasonThrottled: the cloud's quota of calls is used up; passes by itself.
	ReasonThrottled = "Throttled"
	// ReasonCloudUnavailable: no answer, or none that makes sense; passes by
	// itself.
	ReasonCloudUnavailable = "CloudUnavailable"
	// ReasonUnrecognizedStatus: the cloud gave a state that this version does
	// not know.
	ReasonUnrecognizedStatus = "UnrecognizedStatus"
	// ReasonAccessDenied: the key is refused, or may not ask. A person must act.
	ReasonAccessDenied = "AccessDenied"
	// ReasonCredentialsNotFound: there is no usable key. A person must act.
	ReasonCredentialsNotFound = "CredentialsNotFound"
	// ReasonInvalidRequest: the cloud refuses the question, for example for an
	// unknown region. A person must act.
	ReasonInvalidRequest = "InvalidRequest"
	// ReasonTaskSucceeded: the task succeeded. Final.
	ReasonTaskSucceeded = "TaskSucceeded"
	// ReasonTaskFailed: the task failed. Final.
	ReasonTaskFailed = "TaskFailed"
	// ReasonTaskNotFound: the cloud knows no such task. Final.
	ReasonTaskNotFound = "TaskNotFound"
	// ReasonDeadlineExceeded: spec.timeout ran out. Final.
	ReasonDeadlineExceeded = "DeadlineExceeded"
)
