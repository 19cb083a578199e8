package wait

import (
	"bytes"
	"strings"
	"testing"

	"github.com/vbauerster/mpb/v8"
)

func TestBars(t *testing.T) {
	cases := map[string]struct {
		reason string
		name   string
		states []state
		want   []string
		not    []string
	}{
		"Progress": {
			reason: "a bar where the cloud tells the progress",
			name:   "x", states: []state{running("x").progress(50)},
			want: []string{"x Running, 50 %  [=========>          ] 0s\n"},
		},
		"NoProgress": {
			reason: "no bar where it does not",
			name:   "x", states: []state{running("x")},
			want: []string{"x Running "}, not: []string{"["},
		},
		"Done": {
			reason: "the last state stays on the screen",
			name:   "x", states: []state{running("x").progress(50), done("x")},
			want: []string{"x Succeeded after 3m12s   0s\n"},
		},
		"Stalled": {
			reason: "what a person must do is above the bars",
			name:   "x", states: []state{stalled("x").message("no\x1b[2J key")},
			want: []string{"x: Pending (AccessDenied), stalled: no\ufffd[2J key\n"},
		},
		"LongName": {
			reason: "a long name leaves room for the state",
			name:   strings.Repeat("x", 100), states: []state{running("x")},
			want: []string{strings.Repeat("x", maxName-1) + "… Running"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			b := newBars(&out, []string{tc.name}, mpb.WithAutoRefresh())
			for _, s := range tc.states {
				b.task(tc.name, judge(s.task))
			}
			b.close()
			for _, want := range tc.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("%s: no %q in %q", tc.reason, want, out.String())
				}
			}
			for _, not := range tc.not {
				if last := out.String()[strings.LastIndex(out.String(), tc.name):]; strings.Contains(last, not) {
					t.Errorf("%s: %q in %q", tc.reason, not, last)
				}
			}
		})
	}
}
