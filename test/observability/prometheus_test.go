//go:build observability

package observability

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// config is that of a Prometheus beside the operator: the job is called as the
// chart's ServiceMonitor calls it, the token is that of a service account.
const config = `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
- job_name: cloudtask
  scheme: https
  tls_config: {insecure_skip_verify: true}
  authorization: {credentials_file: %q}
  static_configs: [{targets: [%q]}]
`

// prometheus is a running Prometheus.
type prometheus struct {
	*testing.T
	url string
}

func startPrometheus(t *testing.T, op *operator) *prometheus {
	t.Helper()
	dir := t.TempDir()
	token, file := filepath.Join(dir, "token"), filepath.Join(dir, "prometheus.yml")
	rules, err := filepath.Abs(alertsFile)
	check(t, err)
	check(t, os.WriteFile(token, []byte(op.token), 0o600))
	check(t, os.WriteFile(file, fmt.Appendf(nil, config, rules, token, op.address), 0o600))
	promtool(t, nil, "check", "config", file)
	address := freeAddress(t)
	start(t, nil, "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")
	p := &prometheus{T: t, url: "http://" + address + "/api/v1/"}
	eventually(t, "Prometheus has scraped the operator", func() bool {
		found, err := p.query("query", url.Values{"query": {`up{job="cloudtask"} == 1`}})
		return err == nil && len(found) == 1
	})
	return p
}

// series is what a query returned of one.
type series struct {
	Metric map[string]string `json:"metric"`
	Values []point           `json:"values"`
}

// point is a time in seconds and a value, as text since it may be NaN.
type point [2]any

func (p point) value() float64 {
	text, _ := p[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return v
}

// query asks Prometheus' API.
func (p *prometheus) query(what string, form url.Values) ([]series, error) {
	var answer struct {
		Data struct {
			Result []series `json:"result"`
		} `json:"data"`
	}
	return answer.Data.Result, p.get(p.Context(), what+"?"+form.Encode(), &answer)
}

func (p *prometheus) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, http.NoBody)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // It is read to its end, or not needed.
	if res.StatusCode != http.StatusOK {
		var failure struct{ Error string }
		_ = json.NewDecoder(res.Body).Decode(&failure) // the status tells enough
		return fmt.Errorf("%s: %s: %s", path, res.Status, failure.Error)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// between returns what a query gave for each second of a time.
func (p *prometheus) between(query string, from, to time.Time) ([]series, error) {
	seconds := func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
	return p.query("query_range", url.Values{"query": {query}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {"1"}})
}

// testRules: Prometheus evaluates every alert, and the one about failed tasks fires.
func (p *prometheus) testRules(t *testing.T) {
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError, State string }
			}
		}
	}
	check(t, p.get(t.Context(), "rules", &answer))
	n := 0
	for _, group := range answer.Data.Groups {
		for _, rule := range group.Rules {
			n++
			if rule.Health != "ok" {
				t.Errorf("%s: %s: %s", rule.Name, rule.Health, rule.LastError)
			}
			if rule.Name == "CloudTaskFailed" && rule.State != "firing" {
				t.Errorf("%s is %s, though tasks have failed", rule.Name, rule.State)
			}
		}
	}
	if n == 0 {
		t.Error("Prometheus has no rules")
	}
}
