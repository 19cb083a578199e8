// Command plot draws the dashboard's panels as one picture, from what their
// queries returned in a run of test/observability: make dashboard. It is a module
// of its own, so that nothing else depends on a plotting library.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
)

func main() {
	dashboard := flag.String("dashboard", "", "Grafana's model of the dashboard")
	results := flag.String("results", "", "what its queries returned")
	out := flag.String("out", "dashboard.png", "the picture to write")
	flag.Parse()
	if err := run(*dashboard, *results, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(dashboard, results, out string) error {
	var model struct{ Panels []*panel }
	var found []result
	if err := readJSON(dashboard, &model); err != nil {
		return err
	}
	if err := readJSON(results, &found); err != nil {
		return err
	}
	byID := map[int]*panel{}
	for _, p := range model.Panels {
		byID[p.ID] = p
	}
	for _, r := range found {
		if p := byID[r.Panel]; p != nil {
			p.lines = append(p.lines, r.lines()...)
		}
	}
	picture, err := drawPanels(model.Panels)
	if err != nil {
		return fmt.Errorf("draw: %w", err)
	}
	if err := os.WriteFile(out, picture, 0o644); err != nil { //nolint:gosec // A picture is for everyone.
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// panel is what is read of Grafana's model of a panel.
type panel struct {
	ID          int
	Title, Type string
	GridPos     struct{ X, Y, W, H int }
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Decimals   int
			Custom     struct{ Stacking struct{ Mode string } }
			Thresholds struct {
				Steps []struct {
					Color string
					Value float64
				}
			}
		}
	}
	lines []line
}

func (p *panel) unit() string  { return p.FieldConfig.Defaults.Unit }
func (p *panel) stacked() bool { return p.FieldConfig.Defaults.Custom.Stacking.Mode == "normal" }

// color is that of a value by the panel's thresholds.
func (p *panel) color(value float64) string {
	name := ""
	for i, step := range p.FieldConfig.Defaults.Thresholds.Steps {
		if i == 0 || value >= step.Value {
			name = step.Color
		}
	}
	return name
}

// result is what one query of a panel returned.
type result struct {
	Panel  int
	Legend string
	Series []struct {
		Metric map[string]string
		Values [][2]any
	}
}

// line is one line of a panel: seconds and values.
type line struct {
	name string
	xs   []float64
	ys   []float64
}

var label = regexp.MustCompile(`{{(\w+)}}`)

func (r result) lines() []line {
	var all []line
	for _, s := range r.Series {
		l := line{name: label.ReplaceAllStringFunc(r.Legend, func(word string) string {
			return s.Metric[label.FindStringSubmatch(word)[1]]
		})}
		for _, point := range s.Values {
			x, _ := point[0].(float64)
			text, _ := point[1].(string)
			if y, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(y) {
				l.xs, l.ys = append(l.xs, x), append(l.ys, y)
			}
		}
		if len(l.xs) > 0 {
			all = append(all, l)
		}
	}
	return all
}

// show writes a value as Grafana does.
func show(value float64, unit string) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
	switch {
	case value == 0:
		return "0"
	case unit == "percentunit":
		return strconv.FormatFloat(value*100, 'f', 1, 64) + " %"
	case unit == "bytes":
		return number(value/(1<<20)) + " MiB"
	case unit == "s" && value < 1:
		return number(value*1000) + " ms"
	case unit == "s":
		return number(value) + " s"
	case unit == "reqps" || unit == "wps":
		return number(value) + "/s"
	case value >= 1000:
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return number(value)
}
