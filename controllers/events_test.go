package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"

	"cloudtask.dev/cloudtask/internal/poll"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// diary is a Recorder that keeps what it is told.
type diary struct{ kinds, notes []string }

func (d *diary) Eventf(_, _ runtime.Object, kind, reason, _, note string, args ...any) {
	d.kinds = append(d.kinds, kind+" "+reason)
	d.notes = append(d.notes, fmt.Sprintf(note, args...))
}

func TestEventsTellOfTransitionsOnly(t *testing.T) {
	at := func(s float64) time.Time { return after(seconds(s)) }
	running := told(at(1), found(tencent.Running))
	for name, test := range map[string]struct {
		reason string
		views  []view
		want   []string
	}{
		"succeeds": {
			"",
			[]view{unasked(at(0)), running, told(at(2), found(tencent.Running, func(f *finding) { f.Progress = 5 })), told(at(9), found(tencent.Succeeded))},
			[]string{"Normal Running", "Normal TaskSucceeded"},
		},
		"fails": {"", []view{told(at(0), found(tencent.Waiting)), told(at(9), found(tencent.Failed))}, []string{"Warning TaskFailed"}},
		"a fault that passes": {
			"once, and not that it has passed",
			[]view{running, faulty(running, at(2), at(7), 3, poll.Throttled, errThrottled), faulty(running, at(2), at(17), 9, poll.Throttled, errThrottled), told(at(18), found(tencent.Running))},
			[]string{"Normal Running", "Warning Throttled"},
		},
		"a person": {
			"Stalled is no other reason",
			[]view{faulty(unasked(at(0)), at(0), at(0), 1, poll.Refused, errKey), faulty(unasked(at(0)), at(0), at(45), 2, poll.Refused, errKey)},
			[]string{"Warning AccessDenied"},
		},
		"suspended": {"", []view{running, running.resting(nil)}, []string{"Normal Running"}},
	} {
		t.Run(name, func(t *testing.T) {
			task, d := redisObject(), &diary{}
			r := &CloudTaskReconciler{Recorder: d}
			for _, v := range test.views {
				before := task.Status
				play(t, task, v)
				r.announce(task, before)
			}
			if diff := cmp.Diff(test.want, d.kinds); diff != "" {
				t.Errorf("%s; -want +got:\n%s", test.reason, diff)
			}
		})
	}
}

func TestNotesFit(t *testing.T) {
	task, d := redisObject(), &diary{}
	before := task.Status
	play(t, task, told(after(0), found(tencent.Failed, func(f *finding) { f.Message = "100 %s " + strings.Repeat("龍", 1024) })))
	(&CloudTaskReconciler{Recorder: d}).announce(task, before)
	note := d.notes[0]
	if len(note) > 1024 || len(note) < 1020 || !utf8.ValidString(note) || !strings.Contains(note, "100 %s 龍") {
		t.Errorf("%d bytes: %q", len(note), note)
	}
}
