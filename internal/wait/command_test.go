package wait

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		reason string
		opts   options
		args   []string
		want   []string
		err    string
	}{
		"Forms": {
			reason: "every form that kubectl prints or takes",
			args: []string{
				"a", "ct/b", "cloudtask/c", "cloudtasks/d", "cloudtask.tencent.cloudtask.dev/e",
				"cloudtasks.tencent.cloudtask.dev/f", "cloudtasks.v1alpha1.tencent.cloudtask.dev/g", "CloudTask/h",
			},
			want: []string{"a", "b", "c", "d", "e", "f", "g", "h"},
		},
		"Twice":        {reason: "an object is followed once", args: []string{"a", "ct/a", "b", "a"}, want: []string{"a", "b"}},
		"None":         {reason: "a name is needed", err: "name the CloudTasks"},
		"OtherKind":    {reason: "only CloudTasks", args: []string{"pod/a"}, err: `"pod/a" is not a CloudTask`},
		"OtherGroup":   {reason: "only our group", args: []string{"cloudtask.example.org/a"}, err: "is not a CloudTask"},
		"TwoSlashes":   {reason: "a name has no slash", args: []string{"ct/a/b"}, err: `"ct/a/b" is not the name`},
		"NoName":       {reason: "a name is needed after the kind", args: []string{"ct/"}, err: `"ct/" is not the name`},
		"Empty":        {reason: "an unset variable in a script", args: []string{""}, err: `"" is not the name`},
		"Dots":         {reason: "no path", args: []string{".."}, err: `".." is not the name`},
		"Capitals":     {reason: "no object has such a name", args: []string{"Foo"}, err: `"Foo" is not the name`},
		"Timeout":      {reason: "no negative time", opts: options{timeout: -1}, args: []string{"a"}, err: "--timeout -1ns is negative"},
		"StalledAfter": {reason: "no negative time", opts: options{stalledAfter: -time.Second}, args: []string{"a"}, err: "--stalled-after -1s is negative"},
		"For":          {reason: "two things can be waited for", opts: options{until: "ready"}, args: []string{"a"}, err: `--for "ready" is not known: write succeeded or answered`},
		"Namespace":    {reason: "no path", opts: options{namespace: "../x"}, args: []string{"a"}, err: `--namespace "../x"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := tc.opts.validate(tc.args)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestUsageErrors runs the command as a program does: what is wrong is printed
// once, with the way to the help, and the status is 3.
func TestUsageErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", empty)
	cases := map[string]struct {
		reason string
		args   []string
		want   string
	}{
		"NoName":    {"cobra's own checks would give another status", nil, "Error: name the CloudTasks to wait for, for example ct/flush-cache-18215\nSee wait --help.\n"},
		"Flag":      {"an unknown flag is wrong usage", []string{"--nope", "a"}, "Error: unknown flag: --nope\nSee wait --help.\n"},
		"Duration":  {"so is a bad value", []string{"a", "--timeout", "30"}, "Error: invalid argument \"30\" for \"--timeout\" flag: time: missing unit in duration \"30\"\nSee wait --help.\n"},
		"NoConfig":  {"there is no cluster to ask", []string{"a"}, "Error: there is no kubeconfig, and this is not a pod with a service account\nName one with --kubeconfig or KUBECONFIG.\n"},
		"NoContext": {"the context must exist", []string{"a", "--context", "prod"}, "Error: read the kubeconfig: context \"prod\" does not exist\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			cmd := NewCommand()
			cmd.SetOut(&out)
			cmd.SetErr(&errs)
			cmd.SetArgs(append([]string{}, tc.args...))
			err := cmd.Execute()
			if got := ExitCode(err); got != 3 {
				t.Errorf("%s: status %d", tc.reason, got)
			}
			if diff := cmp.Diff(tc.want, errs.String()); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if out.Len() > 0 {
				t.Errorf("%s: on stdout: %s", tc.reason, out.String())
			}
		})
	}
}

func TestExitCode(t *testing.T) {
	if got := ExitCode(nil); got != 0 {
		t.Errorf("no error: status %d", got)
	}
	if got := ExitCode(errors.New("of another command")); got != 1 {
		t.Errorf("another command's error: status %d", got)
	}
}
