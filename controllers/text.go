package controllers

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

const (
	// maxMessage and maxCode bound texts in the status, in characters, as the
	// schema does.
	maxMessage = 1024
	maxCode    = 128
	// maxNote bounds an event's note, in bytes, as the API server does.
	maxNote = 1024
)

// line makes a text fit for a message: printable, on one line, bounded.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return cut(strings.TrimSpace(s), maxMessage)
}

// cut shortens a text to a number of characters.
func cut(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// cutBytes shortens a text to a number of bytes, at a character.
func cutBytes(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

func serviceOf(task *v1alpha1.CloudTask) string {
	if task.Spec.CLB != nil {
		return "clb"
	}
	return "redis"
}

// subject names the task in a sentence.
func subject(task *v1alpha1.CloudTask, s v1alpha1.CloudTaskStatus) string {
	switch {
	case task.Spec.CLB != nil && task.Spec.CLB.DealName != nil:
		return "CLB order " + s.TaskID
	case task.Spec.CLB != nil:
		return "CLB request " + s.TaskID
	case s.TaskID == "" && task.Spec.Redis != nil && task.Spec.Redis.Latest != nil:
		return "the latest task of " + task.Spec.Redis.Latest.InstanceID
	default:
		return "Redis task " + s.TaskID
	}
}

// said is the fault in the cloud's words, else the operator's.
func (t *trouble) said() string {
	if t.code == "" || t.code == t.reason {
		return t.message
	}
	return t.code + ": " + t.message
}

// advice says what is wrong, and what a person can do about it.
func advice(t *trouble) string {
	if t.person && t.code == t.reason {
		return t.message // the operator's own, which says what to do
	}
	switch t.reason {
	case v1alpha1.ReasonAccessDenied:
		return fmt.Sprintf("Tencent Cloud denies access (%s); put the key or its permissions right, it is tried again within a minute", t.said())
	case v1alpha1.ReasonInvalidRequest:
		return fmt.Sprintf("the request cannot succeed (%s); check the region and the service, it is tried again within a minute", t.said())
	case v1alpha1.ReasonThrottled:
		return "the quota of calls to Tencent Cloud is used up; polling goes on more slowly"
	case v1alpha1.ReasonUnrecognizedStatus:
		return t.said() + "; polling goes on"
	case v1alpha1.ReasonCloudUnavailable:
		return fmt.Sprintf("no answer from Tencent Cloud (%s); polling goes on", t.said())
	case v1alpha1.ReasonPending:
		return fmt.Sprintf("the cloud does not know the task yet (%s)", t.said())
	default:
		return t.said()
	}
}

// pollError is a fault as the status tells it.
func pollError(t *trouble) *v1alpha1.PollError {
	return &v1alpha1.PollError{Code: cut(line(t.code), maxCode), Message: line(t.message)}
}

// sameFault reports whether the status tells of a fault already. Of the cloud's
// the code counts alone.
func sameFault(told *v1alpha1.PollError, t *trouble) bool {
	if told == nil {
		return false
	}
	e := pollError(t)
	return *told == *e || told.Code == e.Code && t.code != t.reason
}

// requestID returns the ID of the request that an error answers, if it has one.
func requestID(err error) string {
	if e, ok := errors.AsType[*tencent.Error](err); ok {
		return e.RequestID
	}
	return ""
}
