package acceptance

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusedFlags: what cannot work ends the program at the start, with the
// flag's name and what to write.
func TestRefusedFlags(t *testing.T) {
	t.Parallel()
	absent := filepath.Join(t.TempDir(), "absent")
	cases := map[string]struct {
		reason string
		flags  []string
		words  []string
	}{
		"UnknownAPI":       {"there is no such quota", []string{"--api-rate=redis.DescribeInstances=5"}, []string{"--api-rate", "redis.DescribeInstances", "clb.DescribeTaskStatus"}},
		"RateZero":         {"nothing would ever be asked", []string{"--api-rate=clb.DescribeTaskStatus=0"}, []string{"--api-rate", "above 0 to 1000"}},
		"RateNegative":     {"no rate", []string{"--api-rate=clb.DescribeTaskStatus=-1"}, []string{"--api-rate", "above 0 to 1000"}},
		"RateNotANumber":   {"NaN compares with nothing", []string{"--api-rate=clb.DescribeTaskStatus=NaN"}, []string{"--api-rate", "above 0 to 1000"}},
		"RateInfinite":     {"no limit is no quota", []string{"--api-rate=clb.DescribeTaskStatus=Inf"}, []string{"--api-rate", "above 0 to 1000"}},
		"RateText":         {"no number", []string{"--api-rate=clb.DescribeTaskStatus=fast"}, []string{"--api-rate", "above 0 to 1000"}},
		"RateAlone":        {"of which API?", []string{"--api-rate=5"}, []string{"--api-rate"}},
		"IntervalZero":     {"it would ask without pause", []string{"--min-poll-interval=0s"}, []string{"--min-poll-interval must be positive"}},
		"IntervalNegative": {"no time", []string{"--min-poll-interval=-1s"}, []string{"--min-poll-interval must be positive"}},
		"IntervalsCrossed": {"the shortest is longer than the longest", []string{"--min-poll-interval=1m"}, []string{"at most --max-poll-interval"}},
		"NamespaceEmpty":   {"to client-go the empty namespace is all of them", []string{"--namespaces=a,"}, []string{"--namespaces has an empty name", "commas"}},
		"IdentityUnset":    {"each replica would take the lease of the other", []string{"--leader-elect-identity=$(POD_NAME)"}, []string{"--leader-elect-identity=$(POD_NAME)", "no such variable"}},
		"LeaseNowhere":     {"there is no pod with a namespace", []string{"--leader-elect", "--kubeconfig=" + env.Kubeconfig}, []string{"--leader-elect-namespace"}},
		"IntervalBare":     {"a unit is missing", []string{"--max-poll-interval=10"}, []string{"--max-poll-interval", "missing unit"}},
		"EndpointBare":     {"without a scheme", []string{"--cloud-endpoint=127.0.0.1:8080"}, []string{"endpoint", "http://host:port"}},
		"EndpointScheme":   {"nothing speaks that", []string{"--cloud-endpoint=ftp://127.0.0.1"}, []string{"endpoint", "http://host:port"}},
		"EndpointUser":     {"a password there would be shown", []string{"--cloud-endpoint=http://user:" + keyWord + "@127.0.0.1"}, []string{"endpoint", "without user"}},
		"EndpointPath":     {"the path is part of the signature", []string{"--cloud-endpoint=http://127.0.0.1/proxy"}, []string{"endpoint", "path"}},
		"RootDomain":       {"no domain", []string{"--cloud-root-domain=https://tencentcloudapi.com"}, []string{"root domain", "intl.tencentcloudapi.com"}},
		"Selector":         {"no selector", []string{"--watch-label-selector=shard in (a"}, []string{"--watch-label-selector"}},
		"UnknownFlag":      {"a typing error", []string{"--cloud-endpoints=x"}, []string{"--cloud-endpoints"}},
		"Argument":         {"it takes none", []string{"start"}, []string{"start"}},
		"LogLevel":         {"no level", []string{"--zap-log-level=loud"}, []string{"zap-log-level", "loud"}},
		"NoKubeconfig":     {"the file is not there", []string{"--kubeconfig=" + absent}, []string{absent, "--kubeconfig"}},
		"NoCluster":        {"neither flag nor pod", nil, []string{"no cluster to work in", "--kubeconfig"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op := start(t, options{binary: plain, flags: tc.flags})
			if code := op.wait(); code == 0 {
				t.Errorf("%s, and yet it ended with status 0", tc.reason)
			}
			for _, words := range tc.words {
				if !strings.Contains(op.lastLine(), words) {
					t.Errorf("%s: want %q in the last line, got:\n%s", tc.reason, words, op.lastLine())
				}
			}
		})
	}
}
