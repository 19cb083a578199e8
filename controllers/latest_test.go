package controllers

import (
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/tencent"
)

func TestPick(t *testing.T) {
	row := func(id int64, state tencent.State, start, end time.Duration) tencent.ListedTask {
		r := tencent.ListedTask{ID: id, Observation: tencent.Observation{State: state, Start: after(start)}}
		if state.Ended() {
			r.Observation.End = after(end)
		}
		return r
	}
	unstarted := tencent.ListedTask{ID: 9, Observation: tencent.Observation{State: tencent.Waiting}}
	for name, test := range map[string]struct {
		reason string
		rows   []tencent.ListedTask
		now    time.Duration
		want   int64
	}{
		"none":                        {"", nil, 0, 0},
		"one":                         {"", []tencent.ListedTask{row(5, tencent.Running, -time.Second, 0)}, 0, 5},
		"the newest":                  {"in whatever order", []tencent.ListedTask{row(5, tencent.Running, -3*time.Second, 0), row(7, tencent.Running, -time.Second, 0), row(6, tencent.Running, -2*time.Second, 0)}, 0, 7},
		"started at once":             {"the greater ID", []tencent.ListedTask{row(7, tencent.Running, 0, 0), row(5, tencent.Running, 0, 0)}, 0, 7},
		"not yet started":             {"is newer than all", []tencent.ListedTask{row(10, tencent.Running, 0, 0), unstarted}, 0, 9},
		"started too early":           {"", []tencent.ListedTask{row(5, tencent.Running, -5*time.Minute-time.Second, 0)}, 0, 0},
		"just not too early":          {"", []tencent.ListedTask{row(5, tencent.Running, -5*time.Minute, 0)}, 0, 5},
		"ended before the object":     {"within the grace something newer may appear", []tencent.ListedTask{row(5, tencent.Succeeded, -time.Minute, -time.Second)}, 59 * time.Second, 0},
		"ended before, after grace":   {"", []tencent.ListedTask{row(5, tencent.Succeeded, -time.Minute, -time.Second)}, time.Minute, 5},
		"ended after the object":      {"", []tencent.ListedTask{row(5, tencent.Failed, -time.Minute, time.Second)}, 2 * time.Second, 5},
		"ended before, but a new one": {"", []tencent.ListedTask{row(5, tencent.Succeeded, -time.Minute, -time.Second), row(6, tencent.Waiting, 0, 0)}, time.Second, 6},
		"a new one that is older":     {"it began before the one that ended", []tencent.ListedTask{row(6, tencent.Succeeded, -time.Minute, -time.Second), row(5, tencent.Running, -2*time.Minute, 0)}, time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := newSearch(latestObject()).pick(test.rows, after(test.now))
			if got.ID != test.want {
				t.Errorf("picked %d, not %d; %s", got.ID, test.want, test.reason)
			}
		})
	}
}

func TestSearchStart(t *testing.T) {
	for name, test := range map[string]struct {
		after *v1alpha1.Time
		want  time.Time
	}{
		"default":    {nil, after(-5 * time.Minute)},
		"given":      {new(v1alpha1.Time("2026-11-21T09:00:00Z")), after(-time.Hour)},
		"lower case": {new(v1alpha1.Time("2026-11-21t17:00:00+08:00")), after(-time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			task := latestObject(func(task *v1alpha1.CloudTask) { task.Spec.Redis.Latest.StartedAfter = test.after })
			if got := newSearch(task).startedAfter; !got.Equal(test.want) {
				t.Errorf("from %s on", got)
			}
		})
	}
}

func TestFoundTaskIsNotTakenForItsOutcome(t *testing.T) {
	row := tencent.ListedTask{ID: 18216, Observation: found(tencent.Failed).Observation}
	f := newSearch(latestObject()).running(row)
	if f.TaskID != "18216" || f.State != tencent.Running || !f.End.IsZero() || f.Status != "running" {
		t.Errorf("%+v", f)
	}
	task := latestObject()
	play(t, task, told(after(seconds(1)), f))
	if s := task.Status; s.TaskID != "18216" || s.Phase != v1alpha1.PhaseRunning || knownID(task) != "18216" {
		t.Errorf("%+v", s)
	}
}
