// Command metrics writes docs/metrics.md from the metrics themselves: make docs.
package main

import (
	_ "embed"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"cloudtask.dev/cloudtask/controllers"
)

//go:embed page.md
var page string

func main() {
	out := flag.String("out", "docs/metrics.md", "the file to write")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "metrics:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	registry := prometheus.NewRegistry()
	controllers.NewMetrics(registry)
	families, err := registry.Gather()
	if err != nil {
		return fmt.Errorf("read the metrics: %w", err)
	}
	text := strings.ReplaceAll(page, "{{metrics}}", table(families))
	if err := os.WriteFile(out, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// table has a row for each metric. All values of a label are there: the metrics
// announce their series.
func table(families []*dto.MetricFamily) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | |\n|---|---|---|---|\n")
	series := 0
	for _, f := range families {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()), labels(f), f.GetHelp())
		for _, m := range f.GetMetric() {
			series += seriesOf(m)
		}
	}
	fmt.Fprintf(&b, "\nThese are %d series, from the start on and however many objects there are.\n", series)
	return b.String()
}

// seriesOf is what Prometheus stores of one metric: a histogram is its buckets,
// the last one to infinity, sum and count.
func seriesOf(m *dto.Metric) int {
	if h := m.GetHistogram(); h != nil {
		return len(h.GetBucket()) + 3
	}
	return 1
}

// labels are the labels of a metric with all their values, one a line.
func labels(f *dto.MetricFamily) string {
	var names []string
	values := map[string][]string{}
	for _, m := range f.GetMetric() {
		for _, pair := range m.GetLabel() {
			name, value := pair.GetName(), "`"+pair.GetValue()+"`"
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			if !slices.Contains(values[name], value) {
				values[name] = append(values[name], value)
			}
		}
	}
	for i, name := range names {
		names[i] = fmt.Sprintf("`%s`: %s", name, strings.Join(values[name], ", "))
	}
	return strings.Join(names, "<br>")
}
