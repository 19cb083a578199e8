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

// advice says what is wrong, and what a person can do about it.
func advice(t *trouble) string {
	said := t.message
	if t.code != "" && t.code != t.reason {
		said = t.code + ": " + t.message
	}
	switch t.reason {
	case v1alpha1.ReasonAccessDenied:
		return fmt.Sprintf("Tencent Cloud denies access (%s); put the key or its permissions right, it is tried again within a minute", said)
	case v1alpha1.ReasonInvalidRequest:
		return fmt.Sprintf("the request cannot succeed (%s); check the region and the service, it is tried again within a minute", said)
	case v1alpha1.ReasonThrottled:
		return "the quota of calls to Tencent Cloud is used up; polling goes on more slowly"
	case v1alpha1.ReasonUnrecognizedStatus:
		return said + "; polling goes on"
	case v1alpha1.ReasonCloudUnavailable:
		return fmt.Sprintf("no answer from Tencent Cloud (%s); polling goes on", said)
	case v1alpha1.ReasonPending:
		return fmt.Sprintf("the cloud does not know the task yet (%s)", said)
	default:
		return said
	}
}

// pollError returns the fault for the status. One of the cloud's keeps its first
// message: a number in it must not write the status again and again.
func pollError(old *v1alpha1.PollError, t *trouble) *v1alpha1.PollError {
	e := v1alpha1.PollError{Code: cut(t.code, maxCode), Message: line(t.message)}
	if old != nil && (*old == e || old.Code == e.Code && t.code != t.reason) {
		return old
	}
	return &e
}

// requestID returns the ID of the request that an error answers, if it has one.
func requestID(err error) string {
	var e *tencent.Error
	if errors.As(err, &e) {
		return cut(e.RequestID, maxCode)
	}
	return ""
}
