package acceptance

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"cloudtask.dev/cloudtask/api/v1alpha1"
	"cloudtask.dev/cloudtask/internal/fakecloud"
)

func TestOneHangingTaskDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	w.secret("tencent-credentials", mainKey)
	remove := w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Hang, API: fakecloud.RedisTaskInfo, TaskID: "7"})
	w.operate(options{})
	hanging := map[string]expectation{}
	w.follow("redis", fakecloud.Task{ID: "7", Duration: 2 * time.Second, Fails: true}, hanging)
	others := w.everyOutcome(2, rand.New(rand.NewPCG(3, 3)), 2*time.Second, 8*time.Second)
	t.Logf("lag of %d others: %s", len(others), summary(w.finish(others)))
	if s := w.history.of("redis-7"); finished(s[len(s)-1].task.Status) {
		t.Error("the hanging task finished: the fault does not work")
	}
	w.history.untilReason("redis-7", v1alpha1.ReasonCloudUnavailable)
	remove()
	w.finish(hanging)
}

func TestOneHangingAPIDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fakecloud.Options{})
	w.secret("tencent-credentials", mainKey)
	remove := w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Hang, API: fakecloud.CLBTaskStatus})
	w.operate(options{})
	hanging, others := map[string]expectation{}, map[string]expectation{}
	for i := range 30 {
		w.follow("clb", fakecloud.Task{ID: fmt.Sprint(100 + i), Duration: time.Second, Fails: i%2 == 0}, hanging)
	}
	for i := range 10 {
		w.follow("redis", fakecloud.Task{ID: fmt.Sprint(200 + i), Duration: 5 * time.Second, Fails: i%2 == 0}, others)
		w.follow("redis2", fakecloud.Task{ID: fmt.Sprint(300 + i), Duration: 5 * time.Second, Error: i%2 == 0}, others)
	}
	t.Logf("lag of %d others: %s", len(others), summary(w.finish(others)))
	last, _, _ := w.history.latest()
	for name := range hanging {
		if finished(last[name].task.Status) {
			t.Errorf("%s finished: the fault does not work", name)
		}
	}
	remove()
	w.finish(hanging)
}

func TestSignalsEndItWhileCallsHang(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			called := make(chan struct{}, 1000)
			w := newWorld(t, fakecloud.Options{OnRequest: func(fakecloud.Request) { called <- struct{}{} }})
			w.secret("tencent-credentials", mainKey)
			w.cloud.Inject(fakecloud.Fault{Kind: fakecloud.Hang})
			op := w.operate(options{})
			for i := range int64(5) {
				w.create(fmt.Sprintf("redis-%d", i), redis(100+i))
				w.create(fmt.Sprintf("latest-%d", i), latestOf(fmt.Sprintf("crs-%d", i)))
				w.create(fmt.Sprintf("redis2-%d", i), legacyRedis(200+i))
				w.create(fmt.Sprintf("clb-%d", i), clb(fmt.Sprintf("request-%d", i)))
			}
			for range 20 {
				<-called
			}
			t.Logf("ended %s after %s", op.stop(signal).Round(time.Millisecond), name)
		})
	}
}
