package controllers

import (
	"testing"

	"cloudtask.dev/cloudtask/internal/tencent"
)

func TestWhatIsNews(t *testing.T) {
	running := found(tencent.Running)
	for name, test := range map[string]struct {
		reason string
		change func(*finding)
		want   bool
	}{
		"nothing":          {"", func(*finding) {}, false},
		"a new request ID": {"every answer has one", func(f *finding) { f.RequestID = "another" }, false},
		"the state":        {"", func(f *finding) { f.State = tencent.Succeeded }, true},
		"the progress":     {"", func(f *finding) { f.Progress = 5 }, true},
		"the task":         {"", func(f *finding) { f.TaskID = "18216" }, true},
		"that it is late":  {"the deadline waits for it", late, true},
		"the type":         {"a list tells the state alone", func(f *finding) { f.TaskType = "" }, true},
		"another type":     {"", func(f *finding) { f.TaskType = "Backup" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := !found(tencent.Running, test.change).Equal(running); got != test.want {
				t.Errorf("news: %t; %s", got, test.reason)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	row := found(tencent.Succeeded, func(f *finding) {
		f.TaskType, f.Progress, f.End, f.Source = "", 100, after(seconds(8)), "secret/sweeper"
	})
	merged := redisListing{}.Merge(found(tencent.Running), row)
	if merged.State != tencent.Succeeded || merged.Status != "succeed" || merged.Progress != 100 || !merged.End.Equal(row.End) || merged.Source != "secret/tencent-credentials" || merged.TaskType == "" {
		t.Errorf("%+v", merged)
	}
	if got := (redisListing{}).Merge(found(tencent.Failed), row); got.State != tencent.Failed {
		t.Errorf("a row took an outcome back: %+v", got)
	}
	foreign := row
	foreign.ResourceIDs = []string{"crs-foreign"}
	if got := (redisListing{}).Merge(found(tencent.Running), foreign); !got.Equal(found(tencent.Running)) {
		t.Errorf("another account's row counts: %+v", got)
	}
}
