package controllers

import (
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

func TestOnlyProgress(t *testing.T) {
	at := func(progress int32, change ...func(*v1alpha1.CloudTaskStatus)) v1alpha1.CloudTaskStatus {
		s := v1alpha1.CloudTaskStatus{Phase: v1alpha1.PhaseRunning, Progress: &progress}
		for _, c := range change {
			c(&s)
		}
		return s
	}
	none := func(s *v1alpha1.CloudTaskStatus) { s.Progress = nil }
	ended := func(s *v1alpha1.CloudTaskStatus) { s.Phase = v1alpha1.PhaseSucceeded }
	for name, tc := range map[string]struct {
		reason        string
		before, after v1alpha1.CloudTaskStatus
		want          bool
	}{
		"a step":         {"it can wait", at(5), at(10), true},
		"nothing":        {"there is nothing to write", at(5), at(5), false},
		"the first":      {"that there is progress is news", at(0, none), at(5), false},
		"a step and end": {"an end cannot wait", at(95), at(100, ended), false},
		"an end":         {"an end cannot wait", at(100), at(100, ended), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := onlyProgress(tc.before, tc.after); got != tc.want {
				t.Errorf("got %v, want %v: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestSoonest(t *testing.T) {
	for name, tc := range map[string]struct{ a, b, want time.Duration }{
		"both":   {2, 1, 1},
		"first":  {1, 2, 1},
		"only a": {1, 0, 1},
		"only b": {0, 1, 1},
		"past":   {0, -1, 0},
		"none":   {0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := soonest(tc.a, tc.b); got != tc.want {
				t.Errorf("soonest(%d, %d) = %d, want %d", tc.a, tc.b, got, tc.want)
			}
		})
	}
}
