//go:build observability

package observability

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// dashboard is what is read of Grafana's model.
type dashboard struct {
	UID           string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Query string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Title, Description, Type string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct{ RefID, Expr, LegendFormat string }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	check(t, err)
	var d dashboard
	check(t, json.Unmarshal(text, &d))
	return d
}

// TestDashboardIsWhole checks what Grafana would mend or leave empty in silence.
func TestDashboardIsWhole(t *testing.T) {
	d := readDashboard(t)
	if d.UID == "" || d.SchemaVersion < 39 {
		t.Errorf("uid %q, schemaVersion %d", d.UID, d.SchemaVersion)
	}
	if len(d.Templating.List) != 1 || d.Templating.List[0].Name != "datasource" || d.Templating.List[0].Query != "prometheus" {
		t.Errorf("the variable is not the data source: %+v", d.Templating.List)
	}
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: IDs and titles are wanted, each once", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%q lies on %q, or outside the grid", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && (p.Datasource.UID != "${datasource}" || p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("%q has no description, no query, or a data source of its own", p.Title)
		}
	}
}

// result is what the queries of a panel returned.
type result struct {
	Panel  int      `json:"panel"`
	Legend string   `json:"legend"`
	Series []series `json:"series"`
}

// testDashboard: every query returns data.
func (p *prometheus) testDashboard(t *testing.T, from, to time.Time) {
	var all []result
	for _, panel := range readDashboard(t).Panels {
		for _, target := range panel.Targets {
			query := strings.ReplaceAll(target.Expr, "$__rate_interval", "10s")
			found, err := p.between(query, from, to)
			if err != nil || !hasValue(found) {
				t.Errorf("%s, %s: no data: %v\n%s", panel.Title, target.RefID, err, query)
			}
			all = append(all, result{panel.ID, target.LegendFormat, found})
		}
	}
	if *results != "" {
		text, err := json.Marshal(all)
		check(t, err)
		check(t, os.WriteFile(*results, text, 0o600))
	}
}

func hasValue(found []series) bool {
	for _, s := range found {
		for _, p := range s.Values {
			if !math.IsNaN(p.value()) {
				return true
			}
		}
	}
	return false
}
