package main

import (
	"context"
	"fmt"
	"time"

	"cloudtask.dev/cloudtask/internal/fakecloud"
	"cloudtask.dev/cloudtask/internal/tencent"
)

// startBaselines starts the baselines, each with a cloud and quotas of its own
// and the same tasks.
func (t *trial) startBaselines(ctx context.Context) error {
	if !t.baselines {
		return nil
	}
	for _, interval := range []time.Duration{5 * time.Second, 10 * time.Second} {
		cloud, url, err := newCloud(t.scenario, t.jobs)
		if err != nil {
			return err
		}
		asker, err := tencent.NewClient(tencent.Config{Endpoint: url, UserAgent: "bench"})
		if err != nil {
			cloud.Close()
			return fmt.Errorf("start a baseline: %w", err)
		}
		byAccount := make([][]*job, t.accounts)
		for i := range t.jobs {
			j := &t.jobs[i]
			byAccount[j.account] = append(byAccount[j.account], j)
		}
		var all []*baseline
		for i, account := range accountsOf(t.scenario) {
			all = append(all, startBaseline(ctx, interval, asker, credential(account), byAccount[i], t.begin))
		}
		t.background.Go(func() error {
			defer cloud.Close()
			defer func() {
				for _, b := range all {
					b.close()
				}
			}()
			return t.measureBaseline(ctx, interval, cloud, all)
		})
	}
	return nil
}

func (t *trial) measureBaseline(ctx context.Context, interval time.Duration, cloud *fakecloud.Cloud, all []*baseline) error {
	from := t.begin.Add(t.warm)
	to := from.Add(t.window)
	if err := pause(ctx, from); err != nil {
		return err
	}
	before := snapshot{at: time.Now(), cloud: cloud.Stats()}
	if err := pause(ctx, to); err != nil {
		return err
	}
	after := snapshot{at: time.Now(), cloud: cloud.Stats()}
	counted := t.counted(from, to)
	deadline := to.Add(baselineDrain)
	for _, j := range counted {
		for all[j.account].of(j).end.IsZero() && time.Now().Before(deadline) {
			if err := pause(ctx, time.Now().Add(100*time.Millisecond)); err != nil {
				return err
			}
		}
	}
	r := t.result(fmt.Sprintf("every %s", interval), after.since(before))
	t.judgeBaseline(&r, counted, all, from, to)
	t.add(r)
	return nil
}
