//go:build observability

package observability

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// TestOperator has an operator at work, and Prometheus watch it.
func TestOperator(t *testing.T) {
	w := newWorld(t)
	op := startOperator(t, w.url)
	t.Run("access", op.testAccess)

	w.settle()
	for _, series := range []string{
		`cloudtask_tasks_stalled{reason="AccessDenied"}`,
		`cloudtask_tasks_stalled{reason="CredentialsNotFound"}`,
		`cloudtask_tasks_ended_total{reason="TaskNotFound",service="redis"}`,
		`cloudtask_tasks_ended_total{reason="DeadlineExceeded",service="redis"}`,
		`cloudtask_tasks_ended_total{reason="TaskFailed",service="clb"}`,
		`cloudtask_cloud_calls_total{api="clb.DescribeTaskStatus",result="Throttled"}`,
	} {
		eventually(t, series+" is not 0", func() bool { return op.shows(series, "0") })
	}
	t.Run("promtool check metrics", op.testLint)
	few := op.series()

	p := startPrometheus(t, op)
	from := time.Now()
	work, ctx := errgroup.WithContext(t.Context())
	work.Go(func() error { return w.traffic(ctx, *scrape) })
	work.Go(func() error { return w.crowd(ctx, *objects) })
	check(t, work.Wait())
	t.Run("dashboard", func(t *testing.T) { p.testDashboard(t, from, time.Now()) })
	t.Run("rules", p.testRules)
	eventually(t, "the operator knows all objects", func() bool { return op.tasks() >= *objects })
	t.Run("series", func(t *testing.T) {
		if diff := cmp.Diff(few, op.series()); diff != "" {
			t.Errorf("the series of 100 objects are not those of %d (-100 +%d):\n%s", *objects, *objects, diff)
		}
		t.Logf("%d series at 100 objects and at %d", len(few), *objects)
	})
}
