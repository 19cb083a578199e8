//go:build observability

package observability

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestAlerts has promtool run the alerts' own tests.
func TestAlerts(t *testing.T) {
	promtool(t, nil, "check", "rules", alertsFile)
	promtool(t, nil, "test", "rules", "alerts_test.yaml")
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	check(t, yaml.Unmarshal(text, into))
}

// TestEachAlert says what to do, and is seen to fire and not to fire.
func TestEachAlert(t *testing.T) {
	var alerts struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	readYAML(t, alertsFile, &alerts)
	var tests struct {
		Tests []struct {
			Cases []struct {
				Alert string `json:"alertname"`
				Fires []any  `json:"exp_alerts"`
			} `json:"alert_rule_test"`
		}
	}
	readYAML(t, "alerts_test.yaml", &tests)
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, c := range test.Cases {
			fires[c.Alert] = fires[c.Alert] || len(c.Fires) > 0
			silent[c.Alert] = silent[c.Alert] || len(c.Fires) == 0
		}
	}
	pages := map[string]bool{}
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			if !fires[rule.Alert] || !silent[rule.Alert] {
				t.Errorf("%s: a test of it firing: %v, of it silent: %v; both are wanted", rule.Alert, fires[rule.Alert], silent[rule.Alert])
			}
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s: severity, summary and description are wanted", rule.Alert)
			}
			page := path.Base(rule.Annotations["runbook_url"])
			pages[page] = true
			text, err := os.ReadFile(filepath.Join("../../docs/runbooks", page))
			if err != nil || !strings.HasPrefix(string(text), "# "+rule.Alert+"\n") {
				t.Errorf("%s: its runbook %s is not there, or is about another: %v", rule.Alert, page, err)
			}
		}
	}
	files, err := filepath.Glob("../../docs/runbooks/*.md")
	check(t, err)
	for _, file := range files {
		if !pages[filepath.Base(file)] {
			t.Errorf("no alert leads to %s", file)
		}
	}
}
