package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"cloudtask.dev/cloudtask/api/v1alpha1"
)

const (
	// followLimit bounds the time until all samples have ended: the longest
	// takes some 15 seconds, on a busy machine more.
	followLimit = time.Minute
	// redrawEvery is how often the table is brought up to date.
	redrawEvery = 200 * time.Millisecond
)

// follow shows the samples until all have ended, and judges how.
func follow(ctx context.Context, s *stage, cast []role, out *narrator) error {
	ctx, cancel := context.WithTimeoutCause(ctx, followLimit, fmt.Errorf("the samples had not all ended after %s", followLimit))
	defer cancel()
	show := out.table()
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		var tasks v1alpha1.CloudTaskList
		if err := s.client.List(ctx, &tasks, client.InNamespace(namespace)); err != nil {
			return errors.Join(context.Cause(ctx), fmt.Errorf("list the samples: %w", err))
		}
		show.draw(rows(tasks.Items))
		if allEnded(tasks.Items) {
			return judge(cast, tasks.Items)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func allEnded(tasks []v1alpha1.CloudTask) bool {
	for _, t := range tasks {
		if t.Status.CompletionTime == nil {
			return false
		}
	}
	return true
}

// judge says which samples did not end as they should.
func judge(cast []role, tasks []v1alpha1.CloudTask) error {
	ended := map[string]string{}
	for _, t := range tasks {
		ended[t.Name] = reason(t)
	}
	var errs []error
	for _, r := range cast {
		if ended[r.object] != r.reason {
			errs = append(errs, fmt.Errorf("%s ended with %q, not %s", r.object, ended[r.object], r.reason))
		}
		delete(ended, r.object)
	}
	for name := range ended {
		errs = append(errs, fmt.Errorf("%s is a sample without a task in the demo", name))
	}
	return errors.Join(errs...)
}

func rows(tasks []v1alpha1.CloudTask) [][]string {
	var out [][]string
	for _, t := range tasks {
		progress := ""
		if p := t.Status.Progress; p != nil {
			progress = strconv.Itoa(int(*p))
		}
		out = append(out, []string{t.Name, t.Status.Service, t.Status.TaskID, string(t.Status.Phase), progress, reason(t)})
	}
	return out
}

func reason(t v1alpha1.CloudTask) string {
	if c := meta.FindStatusCondition(t.Status.Conditions, v1alpha1.ConditionSucceeded); c != nil {
		return c.Reason
	}
	return ""
}
