package acceptance

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

// expectation is how an object must end, and the cloud's task that it follows.
type expectation struct {
	service, id string
	succeeds    bool
	anonymous   bool // API 2.0 gives its answers no request ID
}

// ending is one of the outcome words of the APIs.
type ending struct{ fails, errs bool }

// everyOutcome adds tasks to the cloud, and objects that follow them: n of each
// API and each outcome word, which end after a time from shortest to longest.
func (w *world) everyOutcome(n int, random *rand.Rand, shortest, longest time.Duration) map[string]expectation {
	w.Helper()
	want := map[string]expectation{}
	id := 1000
	for range n {
		for _, e := range []ending{{}, {fails: true}, {errs: true}} {
			for _, api := range []string{"redis", "redis2", "latest", "clb", "deal"} {
				id++
				task := fakecloud.Task{
					ID: strconv.Itoa(id), Duration: shortest + time.Duration(random.Int64N(int64(longest-shortest))),
					Prepare: time.Duration(random.IntN(3)) * time.Second, HiddenFor: time.Duration(random.IntN(3)) * time.Second,
					Fails: e.fails, Error: e.errs,
				}
				w.follow(api, task, want)
			}
		}
	}
	return want
}

// follow adds a task and an object that follows it.
func (w *world) follow(api string, task fakecloud.Task, want map[string]expectation) {
	w.Helper()
	number, err := strconv.ParseInt(task.ID, 10, 64)
	check(w.T, err)
	spec := redis(number)
	task.Service = "redis"
	switch api {
	case "redis2":
		spec = legacyRedis(number)
	case "latest":
		spec = latestOf("crs-" + task.ID)
	case "clb":
		task.Service, task.ID = "clb", "request-"+task.ID
		spec = clb(task.ID)
	case "deal":
		task.Service, task.ID, task.DealName = "clb", "request-"+task.ID, "deal-"+task.ID
		spec = clbOrder(task.DealName)
	}
	w.cloud.Add(task)
	name := fmt.Sprintf("%s-%d", api, number)
	w.create(name, spec)
	want[name] = expectation{service: task.Service, id: task.ID, succeeds: !task.Fails && !task.Error, anonymous: api == "redis2"}
}

// finish waits for all objects, and checks every outcome against the cloud's
// truth. It returns how long after its task's end each was seen to have ended.
func (w *world) finish(want map[string]expectation) []time.Duration {
	w.Helper()
	names := slices.Sorted(maps.Keys(want))
	w.history.untilFinished(names...)
	var lags []time.Duration
	for _, name := range names {
		e := want[name]
		end, ok := w.cloud.End(e.service, e.id)
		if !ok {
			w.Fatalf("%s: the cloud knows no %s task %s", name, e.service, e.id)
		}
		first := w.firstFinished(name)
		s := first.task.Status
		wanted, reason := v1alpha1.PhaseFailed, v1alpha1.ReasonTaskFailed
		if e.succeeds {
			wanted, reason = v1alpha1.PhaseSucceeded, v1alpha1.ReasonTaskSucceeded
		}
		if s.Phase != wanted || reasonOf(s) != reason {
			w.Errorf("%s: want %s %s, got %s", name, wanted, reason, describe(s))
		}
		if !e.succeeds && (s.Error == nil || s.Error.Code != v1alpha1.ReasonTaskFailed || (s.Error.RequestID == "") != e.anonymous) {
			w.Errorf("%s: the failure is not told in full: %s", name, describe(s))
		}
		if first.at.Before(end) {
			w.Errorf("%s: it finished %s before its task did: %s", name, end.Sub(first.at), describe(s))
		}
		lags = append(lags, first.at.Sub(end))
	}
	return lags
}

func (w *world) firstFinished(name string) sight {
	w.Helper()
	all := w.history.of(name)
	i := slices.IndexFunc(all, func(s sight) bool { return finished(s.task.Status) })
	if i < 0 {
		w.Fatalf("%s has not finished", name)
	}
	return all[i]
}

// misbehave makes the cloud fail in many ways at once, each a part of the calls.
func (w *world) misbehave(part float64) {
	legacy := fakecloud.LegacyRedisTaskInfo
	faults := []fakecloud.Fault{
		{Kind: fakecloud.BadGateway},
		{Kind: fakecloud.Drop},
		{Kind: fakecloud.DropMidBody},
		{Kind: fakecloud.Garbage},
		{Kind: fakecloud.EmptyResponse},
		{Kind: fakecloud.EmptyObject},
		{Kind: fakecloud.Throttle},
		{Kind: fakecloud.Error, API: legacy, Code: "6000"},
		{Kind: fakecloud.Error, Code: "InternalError"},
	}
	for _, f := range faults {
		f.Probability = part
		w.cloud.Inject(f)
	}
}

func TestEveryOutcomeWhileTheCloudMisbehaves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{Seed: 1})
	w.secret("tencent-credentials", mainKey)
	w.misbehave(0.1)
	w.operate(options{})
	want := w.everyOutcome(5, rand.New(rand.NewPCG(1, 1)), 4*time.Second, 20*time.Second)
	lags := w.finish(want)
	t.Logf("%d tasks; lag %s", len(want), summary(lags))
	t.Logf("calls: %+v", w.cloud.Stats().APIs)
}

func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{Seed: 2})
	w.secret("tencent-credentials", mainKey)
	random := rand.New(rand.NewPCG(2, 2))
	want := w.everyOutcome(3, random, 5*time.Second, 30*time.Second)
	const kills = 6
	for range kills {
		op := w.operate(options{})
		w.history.untilMore(5 + random.IntN(20))
		op.kill()
	}
	w.operate(options{})
	lags := w.finish(want)
	t.Logf("%d tasks, %d kills; lag %s", len(want), kills, summary(lags))
}

// summary is for a person to read.
func summary(lags []time.Duration) string {
	sorted := slices.Sorted(slices.Values(lags))
	var sum time.Duration
	for _, l := range sorted {
		sum += l
	}
	at := func(part float64) time.Duration {
		return sorted[int(part*float64(len(sorted)-1))].Round(time.Millisecond)
	}
	return fmt.Sprintf("mean %s, p50 %s, p99 %s, greatest %s", (sum / time.Duration(len(sorted))).Round(time.Millisecond), at(0.5), at(0.99), at(1))
}
