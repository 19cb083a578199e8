package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	cases := map[string]struct {
		reason string
		tasks  string // "" for the sample ones
		args   []string
		want   string // held by the greeting
		err    string
	}{
		"sample":   {"needs nothing", "", nil, "redis 18216 in ap-guangzhou fails after 45s", ""},
		"file":     {"YAML", "- {id: abc, service: clb, region: eu-frankfurt, duration: 2m}", nil, "clb   abc in eu-frankfurt succeeds after 2m0s", ""},
		"key":      {"told", "", []string{"--secret-id=i", "--secret-key=k"}, "--from-literal=secretId=i --from-literal=secretKey=k", ""},
		"bad task": {"refused before listening", "- {id: x}", nil, "", "positive integer"},
		"typo":     {"unknown fields are refused", "- {idd: 1}", nil, "", "idd"},
		"no file":  {"said plainly", "", []string{"--tasks=/does/not/exist"}, "", "no such file"},
		"exposed":  {"loopback only", "", []string{"--listen=0.0.0.0:0"}, "", "loopback"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--listen=127.0.0.1:0"}, tc.args...)
			if tc.tasks != "" {
				file := filepath.Join(t.TempDir(), "tasks.yaml")
				if err := os.WriteFile(file, []byte(tc.tasks), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--tasks="+file)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // as if it were told to end as soon as it serves
			var out strings.Builder
			err := run(ctx, args, &out)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.err)
			}
			if !strings.Contains(out.String(), tc.want) {
				t.Errorf("%s: want %q in:\n%s", tc.reason, tc.want, out.String())
			}
		})
	}
}
