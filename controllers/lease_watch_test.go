package controllers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"cloudtask.dev/cloudtask/controllers"
)

// That it ends a leader which was stopped is shown with a real process on a real
// node: a clock in the test cannot jump past a goroutine that runs.
func TestLeaseWatchLeavesARunningLeaderAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		check(t, controllers.LeaseWatch{RenewDeadline: 10 * time.Second}.Start(ctx))
		if ctx.Err() == nil {
			t.Error("the watch ended before its context")
		}
	})
}
