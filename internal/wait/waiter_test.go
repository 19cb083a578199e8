package wait

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

const opening = "Waiting up to 10m0s for CloudTask x in namespace shop (http://api.test)\n"

type end struct {
	code  int
	out   string
	err   string
	after time.Duration // since the wait began; -1 in a case: whenever the jitter has it
}

func TestWait(t *testing.T) {
	recreated := running("x")
	recreated.task.UID = types.UID("another")
	other := stalled("x")
	other.task.Status.Conditions[0].Reason = "InvalidRequest"

	cases := map[string]struct {
		reason string
		names  []string
		start  []state
		opts   options
		before func(s *apiServer)
		during func(s *apiServer) // in its own goroutine; a second passes before it
		want   end
	}{
		"Succeeds": {
			reason: "each change is one line, words alone are none",
			start:  []state{unseen("x")},
			during: func(s *apiServer) {
				s.put(running("x"))
				time.Sleep(time.Second)
				s.put(running("x").message("still running"))
				time.Sleep(time.Second)
				s.put(running("x").progress(45))
				time.Sleep(time.Second)
				s.put(done("x"))
			},
			want: end{0, opening + "x: Pending: Waiting for the operator\nx: Running: redis task 18215 is running\nx: Running, 45 %: redis task 18215 is running\nx: Succeeded after 3m12s\n", "", 4 * time.Second},
		},
		"Fails": {
			reason: "the cloud's own words go to stderr, made harmless",
			start:  []state{running("x")},
			during: func(s *apiServer) { s.put(broken("x")) },
			want: end{
				1, opening + "x: Running: redis task 18215 is running\nx: Failed after 3m12s (TaskFailed)\n",
				"CloudTask x failed: TaskFailed\n  code: TaskFailed\n  message: disk \ufffd[31mfull\n  request ID: req-1\nTo see more: kubectl describe cloudtask/x -n shop", time.Second,
			},
		},
		"FirstFailureEndsIt": {
			reason: "the others are not waited for",
			names:  []string{"x", "y"},
			start:  []state{running("x"), running("y")},
			during: func(s *apiServer) { s.put(broken("y")) },
			want:   end{code: 1, after: time.Second},
		},
		"All": {
			reason: "one success is not enough, and its object may go: a TTL deletes it",
			names:  []string{"x", "y"},
			start:  []state{done("x"), running("y")},
			during: func(s *apiServer) {
				s.remove("x")
				time.Sleep(time.Second)
				s.put(done("y"))
			},
			want: end{code: 0, after: 2 * time.Second},
		},
		"TimesOut": {
			reason: "the last state is told",
			start:  []state{running("x")},
			want: end{
				2, opening + "x: Running: redis task 18215 is running\n",
				"timed out after 10m0s\n  x: Running: redis task 18215 is running\nTo see more: kubectl describe cloudtask/x -n shop", 10 * time.Minute,
			},
		},
		"Answered": {
			reason: "the operator has looked, whatever it found; stalls and failures are answers",
			names:  []string{"x", "y", "z"},
			start:  []state{unseen("x"), broken("y"), stalled("z")},
			opts:   options{until: forAnswered, timeout: 10 * time.Minute},
			during: func(s *apiServer) { s.put(running("x")) },
			want:   end{code: 0, after: time.Second},
		},
		"AnsweredBefore": {
			reason: "an answer to an older spec is none",
			start:  []state{running("x").generation(2)},
			opts:   options{until: forAnswered, timeout: 10 * time.Minute},
			during: func(s *apiServer) { s.put(running("x")) },
			want:   end{code: 0, after: time.Second},
		},
		"NeverAnswered": {
			reason: "what waits for the operator says so",
			start:  []state{unseen("x")},
			opts:   options{until: forAnswered, timeout: 10 * time.Minute},
			want: end{
				2, opening + "x: Pending: Waiting for the operator\n",
				"timed out after 10m0s\n  x: Pending: Waiting for the operator\nThe operator has not looked yet: does it run, and does it watch namespace shop?\nTo see more: kubectl describe cloudtask/x -n shop", 10 * time.Minute,
			},
		},
		"NoOperator": {
			reason: "an operator that never looks is the likely cause",
			start:  []state{unseen("x")},
			want: end{
				2, opening + "x: Pending: Waiting for the operator\n",
				"timed out after 10m0s\n  x: Pending: Waiting for the operator\nThe operator has not looked yet: does it run, and does it watch namespace shop?\nTo see more: kubectl describe cloudtask/x -n shop", 10 * time.Minute,
			},
		},
		"OlderSpec": {
			reason: "an outcome counts once it is for the latest spec",
			start:  []state{done("x").generation(2)},
			during: func(s *apiServer) { s.put(done("x").generation(1)) },
			want:   end{code: 0, after: time.Second},
		},
		"Absent": {
			reason: "as kubectl does, at once",
			want:   end{3, opening, "CloudTask x does not exist in namespace shop (http://api.test)\nTo see those that do: kubectl get cloudtasks -n shop", 0},
		},
		"Deleted": {
			reason: "kubectl would hang until its timeout",
			start:  []state{running("x")},
			during: func(s *apiServer) { s.remove("x") },
			want:   end{3, opening + "x: Running: redis task 18215 is running\n", "CloudTask x was deleted while waiting", time.Second},
		},
		"DeletedWhileAway": {
			reason: "the deletion was missed, the list shows it",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				s.setDown(true)
				time.Sleep(time.Second)
				s.remove("x")
				time.Sleep(time.Second)
				s.setDown(false)
			},
			want: end{code: 3, err: "CloudTask x was deleted while waiting", after: -1},
		},
		"Recreated": {
			reason: "a new object of that name is another task",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				s.setDown(true)
				s.remove("x")
				s.put(recreated)
				time.Sleep(time.Second)
				s.setDown(false)
			},
			want: end{code: 3, err: "CloudTask x was deleted and created anew while waiting: this is another task", after: -1},
		},
		"Stalled": {
			reason: "a stall of long ago gets the whole time, since it may just have been mended",
			start:  []state{stalled("x")},
			want: end{
				3, opening + "x: Pending (AccessDenied), stalled: the key may not ask\nx: a person must act; giving up in 1m0s\n",
				"CloudTask x is stalled: AccessDenied: the key may not ask\nA person must act; the task goes on by itself once that is put right. To see more: kubectl describe cloudtask/x -n shop", time.Minute,
			},
		},
		"StalledForAnotherReason": {
			reason: "it is still the same stall",
			start:  []state{stalled("x")},
			during: func(s *apiServer) { time.Sleep(30 * time.Second); s.put(other) },
			want:   end{code: 3, after: time.Minute},
		},
		"Mended": {
			reason: "a mended stall is forgotten, a new one counts anew",
			start:  []state{stalled("x")},
			during: func(s *apiServer) {
				time.Sleep(58 * time.Second)
				s.put(running("x"))
				time.Sleep(time.Second)
				s.put(stalled("x"))
			},
			want: end{code: 3, after: 2 * time.Minute},
		},
		"StalledAtOnce": {
			reason: "0 gives up at once",
			start:  []state{stalled("x")},
			opts:   options{timeout: 10 * time.Minute, stalledAfter: -1},
			want:   end{code: 3, after: 0},
		},
		"LookOnce": {
			reason: "a timeout of 0 looks once",
			start:  []state{running("x")},
			opts:   options{timeout: -1, stalledAfter: time.Minute},
			want: end{
				2, "Looking once at CloudTask x in namespace shop (http://api.test)\nx: Running: redis task 18215 is running\n",
				"not finished: x\n  x: Running: redis task 18215 is running\nTo see more: kubectl describe cloudtask/x -n shop", 0,
			},
		},
		"LookOnceDone": {
			reason: "and succeeds if all have",
			names:  []string{"x", "y"}, start: []state{done("x"), done("y")},
			opts: options{timeout: -1, stalledAfter: time.Minute},
			want: end{code: 0, after: 0},
		},
		"LookOnceFailed": {
			reason: "a failure goes before what is unfinished",
			names:  []string{"x", "y"}, start: []state{running("x"), broken("y")},
			opts: options{timeout: -1, stalledAfter: time.Minute},
			want: end{code: 1, after: 0},
		},
		"LookOnceWithoutWatch": {
			reason: "a look takes the verb list alone, for as long as it lasts",
			names:  []string{"x", "y"}, start: []state{running("x"), running("y")},
			before: func(s *apiServer) { s.setRefusal("watch", 403); s.setRefusal("list y", 500) },
			during: func(s *apiServer) { s.setRefusal("list y", 0) },
			opts:   options{timeout: -1, stalledAfter: time.Minute},
			want:   end{code: 2, after: -1},
		},
		"Restart": {
			reason: "an outage is survived, said once, and nothing is missed",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				s.setDown(true)
				time.Sleep(20 * time.Second)
				s.put(running("x").progress(60))
				s.forget()
				s.setDown(false)
				time.Sleep(10 * time.Second)
				s.put(done("x"))
			},
			want: end{code: 0, out: opening + "x: Running: redis task 18215 is running\nNo answer from the API server, asking again: connection refused\nThe API server answers again\nx: Running, 60 %: redis task 18215 is running\nx: Succeeded after 3m12s\n", after: 31 * time.Second},
		},
		"TwoRestarts": {
			reason: "patience begins anew with each",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				for range 2 {
					s.setDown(true)
					time.Sleep(20 * time.Second)
					s.setDown(false)
					time.Sleep(10 * time.Second)
				}
				s.put(done("x"))
			},
			want: end{code: 0, after: 61 * time.Second},
		},
		"Hostile": {
			reason: "a message cannot forge a line",
			start:  []state{running("x").message("ok\nx: Succeeded\x1b[2K"), done("y")},
			opts:   options{timeout: -1, stalledAfter: time.Minute},
			want:   end{code: 2, out: "Looking once at CloudTask x in namespace shop (http://api.test)\nx: Running: ok x: Succeeded\ufffd[2K\n"},
		},
		"SlowLogin": {
			reason: "a credential plugin may hold up the first call: there is a second",
			start:  []state{done("x")},
			before: func(s *apiServer) { s.setRefusal("list", hang) },
			during: func(s *apiServer) { s.setRefusal("list", 0) },
			want:   end{code: 0, after: -1},
		},
		"RestartRefuses": {
			reason: "an API server that starts may refuse what it allows later",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				s.setRefusal("list", 403)
				s.endWatches()
				time.Sleep(5 * time.Second)
				s.setRefusal("list", 404)
				time.Sleep(5 * time.Second)
				s.setRefusal("list", 0)
				s.put(done("x"))
			},
			want: end{code: 0, after: -1},
		},
		"Expired": {
			reason: "410 Gone lists again",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				s.setRefusal("watch", 410)
				s.endWatches()
				time.Sleep(20 * time.Second)
				s.put(running("x").progress(5))
				time.Sleep(20 * time.Second)
				s.setRefusal("watch", 0)
				time.Sleep(20 * time.Second)
				s.put(done("x"))
			},
			want: end{code: 0, out: opening + "x: Running: redis task 18215 is running\nx: Running, 5 %: redis task 18215 is running\nx: Succeeded after 3m12s\n", after: 61 * time.Second},
		},
		"WatchesEnd": {
			reason: "a load balancer that cuts watches is not worth a line",
			start:  []state{running("x")},
			during: func(s *apiServer) {
				for range 3 {
					s.endWatches()
					time.Sleep(time.Minute)
				}
				s.put(done("x"))
			},
			want: end{code: 0, out: opening + "x: Running: redis task 18215 is running\nx: Succeeded after 3m12s\n", after: 3*time.Minute + time.Second},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newAPIServer(tc.start...)
				if tc.before != nil {
					tc.before(server)
				}
				got := run(t, server, tc.names, tc.opts, tc.during)
				if got.code != tc.want.code {
					t.Errorf("%s: status %d, want %d: %s", tc.reason, got.code, tc.want.code, got.err)
				}
				if diff := cmp.Diff(tc.want.out, got.out); tc.want.out != "" && diff != "" {
					t.Errorf("%s: output: -want +got\n%s", tc.reason, diff)
				}
				if diff := cmp.Diff(tc.want.err, got.err); tc.want.err != "" && diff != "" {
					t.Errorf("%s: error: -want +got\n%s", tc.reason, diff)
				}
				if tc.want.after >= 0 && got.after != tc.want.after {
					t.Errorf("%s: ended after %s, want %s", tc.reason, got.after, tc.want.after)
				}
			})
		})
	}
}

func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &waiter{
			cluster: newAPIServer(running("x")).cluster(t), names: []string{"x"},
			options: options{timeout: time.Hour}, display: lines{out: &bytes.Buffer{}},
		}
		time.AfterFunc(time.Minute, cancel)
		if err := w.wait(ctx); ExitCode(err) != 3 || err.Error() != "interrupted" {
			t.Errorf("got %v", err)
		}
	})
}

// run waits for x, or names, for 10 minutes unless opts says otherwise. In opts
// -1 stands for a duration of 0.
func run(t *testing.T, server *apiServer, names []string, opts options, during func(*apiServer)) end {
	t.Helper()
	if names == nil {
		names = []string{"x"}
	}
	if opts == (options{}) {
		opts = options{timeout: 10 * time.Minute, stalledAfter: time.Minute}
	}
	opts.timeout, opts.stalledAfter = max(0, opts.timeout), max(0, opts.stalledAfter)
	var out bytes.Buffer
	w := &waiter{cluster: server.cluster(t), options: opts, names: names, display: lines{out: &out}}
	began := time.Now()
	if during != nil {
		go func() {
			time.Sleep(time.Second)
			during(server)
		}()
	}
	err := w.wait(t.Context())
	got := end{code: ExitCode(err), out: out.String(), after: time.Since(began)}
	if err != nil {
		got.err = err.Error()
	}
	return got
}
