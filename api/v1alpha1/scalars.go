package v1alpha1

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a length of time as a person writes it, for example 30m or 1h30m.
// It is a string to Go, so that a value which an older CRD let in cannot stop
// the informer for every other object; Parse says what is wrong with it. The
// pattern bounds the digits, since a sum beyond 292 years makes CEL fail with
// words of its own.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}([.][0-9]{1,9})?h|[0-9]{1,7}([.][0-9]{1,9})?(ms|s|m)){1,4}$') && duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="write a duration from 1s to 720h, for example 30m or 1h30m"
type Duration string

// Parse returns the length of time, which lies between 1 second and 720 hours.
func (d Duration) Parse() (time.Duration, error) {
	v, err := time.ParseDuration(string(d))
	if err != nil || v < time.Second || v > 720*time.Hour {
		return 0, fmt.Errorf("%q is not a duration from 1s to 720h", string(d))
	}
	return v, nil
}

// Time is a moment as RFC 3339 writes it, for example 2026-11-21T10:00:00Z. It
// is a string to Go for the same reason as Duration.
//
// +kubebuilder:validation:Type=string
// +kubebuilder:validation:Format=date-time
// +kubebuilder:validation:MaxLength=40
// +kubebuilder:validation:XValidation:rule="self >= timestamp('2000-01-01T00:00:00Z')",message="write a time from the year 2000 on, for example 2026-11-21T10:00:00Z"
type Time string

// Parse returns the moment. RFC 3339 allows lower-case letters, package time does
// not.
func (t Time) Parse() (time.Time, error) {
	v, err := time.Parse(time.RFC3339, strings.ToUpper(string(t)))
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time such as 2026-11-21T10:00:00Z", string(t))
	}
	return v, nil
}
