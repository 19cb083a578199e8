package controllers

import (
	"context"
	"fmt"
	"time"
)

// LeaseWatch ends a leader that was not running for longer than its lease allows,
// as after SIGSTOP or the sleep of a machine: another may lead by then, and leader
// election itself would notice only after it has failed to renew for as long again.
type LeaseWatch struct {
	// RenewDeadline is how long a leader may be without a renewal.
	RenewDeadline time.Duration
}

// NeedLeaderElection makes the watch run on the leader only.
func (LeaseWatch) NeedLeaderElection() bool { return true }

// Start watches the clock until the context ends.
func (w LeaseWatch) Start(ctx context.Context) error {
	ticker := time.NewTicker(w.RenewDeadline / 10)
	defer ticker.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := time.Now()
		if pause := now.Sub(last); pause > w.RenewDeadline {
			return fmt.Errorf("the process did not run for %s, and another may lead by now", pause.Round(time.Second))
		}
		last = now
	}
}
