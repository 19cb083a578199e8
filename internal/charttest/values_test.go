package charttest

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func TestLint(t *testing.T) {
	for name, helm := range map[string]string{"Helm3": helm3(t), "Helm4": helm4(t)} {
		t.Run(name, func(t *testing.T) {
			for _, more := range [][]string{nil, {"--values", all}} {
				if _, err := run(t, helm, append([]string{"lint", "--strict", chart}, more...)...); err != nil {
					t.Errorf("with %v: %v", more, err)
				}
			}
		})
	}
}

// TestHelm3RendersTheSame: the two versions have engines of their own.
func TestHelm3RendersTheSame(t *testing.T) {
	for _, text := range []string{"", all} {
		by3, err := template(t, helm3(t), text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(render(t, text), parse(t, by3)); diff != "" {
			t.Errorf("values %q: -4 +3\n%s", text, diff)
		}
	}
}

func TestRefused(t *testing.T) {
	cases := map[string]struct {
		reason string
		values string
		want   string
	}{
		"Misspelt":       {"at the top", "replicas: 2", "additional properties 'replicas' not allowed"},
		"MisspeltBelow":  {"deep down", "metrics: {serviceMonitor: {enable: true}}", "at '/metrics/serviceMonitor': additional properties 'enable' not allowed"},
		"MisspeltProbe":  {"in what is handed to Kubernetes", "livenessProbe: {period: 3}", "at '/livenessProbe': additional properties 'period' not allowed"},
		"MisspeltAPI":    {"the operator would not start", "cloud: {rates: {redis.DescribeTask: 1}}", "additional properties 'redis.DescribeTask' not allowed"},
		"Type":           {"a word for a number", "replicaCount: two", "at '/replicaCount': got string, want integer"},
		"Digest":         {"half of one", "image: {digest: sha256:12}", "at '/image/digest'"},
		"Namespace":      {"it would be a flag's second value", `watchNamespaces: ["a,b"]`, "at '/watchNamespaces/0'"},
		"SecretName":     {"a path", "credentials: {secretNames: [../x]}", "at '/credentials/secretNames/0'"},
		"Level":          {"zap knows no such level", "log: {level: verbose}", "at '/log/level'"},
		"Duration":       {"a unit is missing", `leaderElection: {leaseDuration: "15"}`, "at '/leaderElection/leaseDuration'"},
		"ExtraArgs":      {"cobra takes it for a command", "extraArgs: [max-poll-interval=1s]", "at '/extraArgs/0'"},
		"NoMetrics":      {"nothing to scrape", "metrics: {enabled: false, podMonitor: {enabled: true}}", "there are no metrics to scrape"},
		"NoMetricsThere": {"secure metrics are off", "watchNamespaces: [a]\nmetrics: {serviceMonitor: {enabled: true}}", "also metrics.authDelegator"},
		"TwoMonitors":    {"all would count twice", "metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}", "enable one of them"},
		"NoService":      {"a ServiceMonitor selects a Service", "metrics: {service: {enabled: false}, serviceMonitor: {enabled: true}}", "set metrics.service.enabled"},
		"NoToken":        {"a PodMonitor has no bearerTokenFile", "metrics: {podMonitor: {enabled: true}}", "give metrics.podMonitor.authorization"},
		"TwoKeys":        {"the environment would win unseen", "credentials: {existingSecret: key}\npodIdentity: {enabled: true}", "keep one of them"},
		"NoRole":         {"the pod identity is incomplete", "podIdentity: {enabled: true, region: ap-guangzhou, providerId: cls-1}", "podIdentity.roleArn"},
		"EmptyBudget":    {"it would limit nothing", `podDisruptionBudget: {enabled: true, maxUnavailable: ""}`, "minAvailable or maxUnavailable"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := template(t, helm4(t), tc.values); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s: got %v, want %q", tc.reason, err, tc.want)
			}
		})
	}
}

// TestMisspeltByHelm3: Helm 3 has a schema library of its own.
func TestMisspeltByHelm3(t *testing.T) {
	if _, err := template(t, helm3(t), "replicas: 2"); err == nil || !strings.Contains(err.Error(), "replicas") {
		t.Errorf("got %v", err)
	}
}

// TestSchemaKnowsTheValues: the same keys, and none but these.
func TestSchemaKnowsTheValues(t *testing.T) {
	schema := map[string]any{}
	if err := json.Unmarshal([]byte(read(t, "charts/cloudtask/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	compareKeys(t, "", schema, schema, defaults(t))
}

// compareKeys walks a schema and the values side by side.
func compareKeys(t *testing.T, path string, document, schema map[string]any, vals map[string]any) {
	t.Helper()
	properties := object(schema["properties"])
	if schema["additionalProperties"] != false {
		t.Errorf("%s: the schema lets misspelt keys pass", path)
	}
	for key, value := range vals {
		property := object(properties[key])
		if property == nil {
			t.Errorf("%s.%s: not in the schema", path, key)
		}
		if ref, ok := property["$ref"].(string); ok {
			property = object(object(document["definitions"])[strings.TrimPrefix(ref, "#/definitions/")])
		}
		if inner := object(value); len(inner) > 0 && property["properties"] != nil {
			compareKeys(t, path+"."+key, document, property, inner)
		}
	}
	// Kubernetes's own, of which the defaults set a few.
	own := []string{".livenessProbe", ".readinessProbe", ".resources"}
	for key := range properties {
		if _, ok := vals[key]; !ok && key != "global" && !slices.Contains(own, path) {
			t.Errorf("%s.%s: in the schema, not in values.yaml", path, key)
		}
	}
}

// TestEveryValueCounts changes each value alone, and something else is rendered.
func TestEveryValueCounts(t *testing.T) {
	const podMonitor = `
metrics:
  podMonitor:
    enabled: true
    labels: {a: b}
    interval: 15s
    scrapeTimeout: 10s
    tlsConfig: {serverName: x}
    authorization: {credentials: {name: token, key: token}}
    relabelings: [{action: labeldrop, regex: pod}]
    metricRelabelings: [{action: labeldrop, regex: pod}]
`
	// The values that do nothing in the file of all options: another one
	// excludes them there.
	elsewhere := map[string]struct{ base, value string }{
		"watchNamespaces":                    {"", `["shop"]`},
		"credentials.existingSecret":         {"", `"key"`},
		"leaderElection.enabled":             {"", "true"},
		"metrics.enabled":                    {"", "false"},
		"metrics.secure":                     {"", "false"},
		"metrics.service.enabled":            {"", "false"},
		"metrics.authDelegator":              {"watchNamespaces: [shop]", "true"},
		"podDisruptionBudget.maxUnavailable": {"podDisruptionBudget: {enabled: true}", "2"},
	}
	given := leaves("", decode(t, readFile(t, all)))
	givenPodMonitor := leaves("", decode(t, podMonitor))
	before := map[string]string{}
	for path, value := range leaves("", defaults(t)) {
		t.Run(path, func(t *testing.T) {
			base, set := all, given
			if strings.HasPrefix(path, "metrics.podMonitor.") {
				base, set = podMonitor, givenPodMonitor
			}
			other := another(t, value, set, path)
			if e, ok := elsewhere[path]; ok {
				base, other = e.base, e.value
			}
			if before[base] == "" {
				before[base] = must(t, base)
			}
			after, err := template(t, helm4(t), base, "--set-json", path+"="+other)
			if err != nil && strings.Contains(err.Error(), "don't meet the specifications") {
				t.Fatal(err)
			}
			if after == before[base] { // An error of a template tells that it reads the value, too.
				t.Errorf("%s=%s changes nothing", path, other)
			}
		})
	}
}

// another is a value, as JSON, other than the one that is set or the default: the
// default, if it is not in force; else the opposite, or nothing at all.
func another(t *testing.T, byDefault any, set map[string]any, path string) string {
	t.Helper()
	for given, value := range set {
		if strings.HasPrefix(given, path+".") || given == path && !cmp.Equal(value, byDefault) {
			text, err := json.Marshal(byDefault)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	if on, ok := byDefault.(bool); ok {
		return strconv.FormatBool(!on)
	}
	return "null"
}

func must(t *testing.T, text string) string {
	t.Helper()
	rendered, err := template(t, helm4(t), text)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// TestReadme: every value is described.
func TestReadme(t *testing.T) {
	readme := read(t, "charts/cloudtask/README.md")
	for line := range strings.SplitSeq(readme, "\n") {
		if strings.HasSuffix(line, "|  |") {
			t.Errorf("no description: %s", line)
		}
	}
	for key := range defaults(t) {
		if !strings.Contains(readme, "| "+key) {
			t.Errorf("%s is missing: run make manifests", key)
		}
	}
}

func defaults(t *testing.T) map[string]any {
	t.Helper()
	return decode(t, read(t, "charts/cloudtask/values.yaml"))
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	decoded := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// leaves are the paths of all values that are no filled map.
func leaves(path string, vals map[string]any) map[string]any {
	found := map[string]any{}
	for key, value := range vals {
		at := strings.TrimPrefix(path+"."+key, ".")
		if inner := object(value); len(inner) > 0 {
			maps.Copy(found, leaves(at, inner))
			continue
		}
		found[at] = value
	}
	return found
}

// object is nil for what is none.
func object(value any) map[string]any {
	m, _ := value.(map[string]any)
	return m
}
