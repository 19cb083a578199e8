package wait

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestNoWay covers ends for which the API server is to blame, and when.
func TestNoWay(t *testing.T) {
	cases := map[string]struct {
		reason   string
		prepare  func(s *apiServer)
		during   func(s *apiServer)
		opts     options
		min, max time.Duration
		err      string
	}{
		"NoList": {
			reason:  "nothing will change by itself",
			prepare: func(s *apiServer) { s.setRefusal("list", 403) },
			err:     "not allowed to list cloudtasks in namespace shop: refused by the test\nIt takes the verbs list and watch",
		},
		"NoWatch": {
			reason:  "the missing verb is named",
			prepare: func(s *apiServer) { s.setRefusal("watch", 403) },
			err:     "not allowed to watch cloudtasks in namespace shop",
		},
		"Unauthorized": {
			reason:  "a wrong key will not become right",
			prepare: func(s *apiServer) { s.setRefusal("list", 401) },
			err:     "the API server http://api.test does not accept the credentials",
		},
		"NoCRD": {
			reason:  "what to do is said",
			prepare: func(s *apiServer) { s.setRefusal("list", 404) },
			err:     "the API server http://api.test knows no cloudtasks of tencent.cloudtask.dev/v1alpha1\nIs CloudTask installed",
		},
		"UnreachableAtStart": {
			reason:  "a few seconds are enough for a wrong address",
			prepare: func(s *apiServer) { s.setDown(true) },
			min:     startPatience, max: 12 * time.Second,
			err: "the API server http://api.test cannot be reached: connection refused",
		},
		"TimesOutUnreachable": {
			reason:  "nobody has said that the task is unfinished",
			prepare: func(s *apiServer) { s.setDown(true) },
			opts:    options{timeout: 2 * time.Second, stalledAfter: time.Minute},
			min:     2 * time.Second, max: 2 * time.Second,
			err: "timed out before the API server http://api.test told anything of CloudTask x (no answer from the API server: connection refused)",
		},
		"GoneForLong": {
			reason: "an outage longer than a restart",
			during: func(s *apiServer) { s.setDown(true) },
			min:    outagePatience, max: outagePatience + 10*time.Second,
			err: "the API server http://api.test cannot be reached: connection refused",
		},
		"RefusedForLong": {
			reason: "what a restart does not explain",
			during: func(s *apiServer) { s.setRefusal("list", 403); s.endWatches() },
			min:    outagePatience, max: outagePatience + 10*time.Second,
			err: "the API server http://api.test cannot be reached: refused by the test",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := newAPIServer(running("x"))
				if tc.prepare != nil {
					tc.prepare(server)
				}
				got := run(t, server, nil, tc.opts, tc.during)
				if got.code != 3 {
					t.Errorf("%s: status %d", tc.reason, got.code)
				}
				if got.after < tc.min || got.after > tc.max {
					t.Errorf("%s: ended after %s, want %s to %s", tc.reason, got.after, tc.min, tc.max)
				}
				if !strings.Contains(got.err, tc.err) {
					t.Errorf("%s: error:\n%s\nwant\n%s", tc.reason, got.err, tc.err)
				}
			})
		})
	}
}

// TestQuiet holds the number of calls: a watch does the waiting.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newAPIServer(running("x"))
		run(t, server, nil, options{}, nil)
		if got := server.listed(); got != 1 {
			t.Errorf("%d lists in 10 minutes of one watch, want 1", got)
		}
	})
}
