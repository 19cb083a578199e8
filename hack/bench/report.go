package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are those of one run.
type results struct {
	Date    time.Time `json:"date"`
	Commit  string    `json:"commit"`
	Machine string    `json:"machine"`
	Seed    uint64    `json:"seed"`
	Quick   bool      `json:"quick"`
	Results []Result  `json:"results"`
	Bounds  []Curve   `json:"bounds"`
	Scale   *Scale    `json:"scale,omitempty"`
}

// Curve is a bound by the number of running tasks.
type Curve struct {
	Service string       `json:"service"`
	Name    string       `json:"name"`
	Points  [][2]float64 `json:"points"`
}

func newResults(ctx context.Context, seed uint64, quick bool) *results {
	return &results{
		Date: time.Now().UTC().Truncate(time.Second), Seed: seed, Quick: quick,
		Commit: commit(ctx), Machine: machine(),
	}
}

// commit names the work tree, with a mark where it differs from the commit.
func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func machine() string {
	memory := ""
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = fmt.Sprintf(", %d GiB", (kilobytes(info, "MemTotal:")+1<<29)>>30)
	}
	return fmt.Sprintf("%d cores%s, %s/%s, %s", runtime.NumCPU(), memory, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// finish puts the results in order and adds the curves of the bounds.
func (r *results) finish() {
	order := map[string]int{}
	for _, batch := range scenarios(r.Quick) {
		for _, s := range batch {
			order[s.name] = rank(s)
		}
	}
	slices.SortStableFunc(r.Results, func(a, b Result) int {
		if d := order[a.Scenario] - order[b.Scenario]; d != 0 {
			return d
		}
		return slices.Index(policies(), a.Policy) - slices.Index(policies(), b.Policy)
	})
	if len(r.Results) == 0 {
		return
	}
	clb, redis := clbLaw(), redisLaw()
	r.Bounds = []Curve{
		oneByOne(clb, []float64{10, 15, 20, 30, 40, 50, 60, 80, 100, 120, 140, 160}),
		oneByOne(redis, []float64{1, 10, 30, 100, 300, 1000, 2000, 3000, 5000, 7000, 10000, 12000}),
		byListing(redis, []float64{1, 10, 100, 1000, 3000, 10000, 15000}),
	}
}

// policies are in the order of the tables.
func policies() []string { return []string{"cloudtask", "every 5s", "every 10s"} }

// rank is a scenario's place in the tables: CLB first, the small ones before the
// large.
func rank(s scenario) int {
	place := s.running
	if s.law.service == "redis" {
		place += 100_000
	}
	if s.burst > 0 || s.stolen > 0 || s.restart > 0 {
		place += 1_000_000
	}
	return place
}

func oneByOne(l law, running []float64) Curve {
	c := Curve{Service: l.service, Name: "bound, one by one"}
	for _, n := range running {
		c.Points = append(c.Points, [2]float64{n, leastLag(l, infoRate*l.mean.Seconds()/n)})
	}
	return c
}

func byListing(l law, running []float64) Curve {
	c := Curve{Service: l.service, Name: "bound, by listing"}
	for _, n := range running {
		c.Points = append(c.Points, [2]float64{n, leastListLag(n, n/l.mean.Seconds())})
	}
	return c
}

func (r *results) right() error {
	var all []error
	for _, result := range r.Results {
		all = append(all, result.right())
	}
	return errors.Join(all...)
}

// text is the report on a terminal, and in Markdown.
func (r *results) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, commit %s, %s, seed %d", r.Date.Format("2006-01-02 15:04 UTC"), r.Commit, r.Machine, r.Seed)
	if r.Quick {
		b.WriteString(", short windows")
	}
	b.WriteString("\n\n")
	if len(r.Results) > 0 {
		b.WriteString(r.lagTable() + "\n" + r.costTable() + "\n" + r.targets() + "\n")
	}
	if r.Scale != nil {
		b.WriteString(r.Scale.table() + "\n")
	}
	return b.String()
}

func (r *results) lagTable() string {
	rows := [][]string{{"scenario", "policy", "ends", "mean", "p50", "p90", "p99", "max", "bound", "first answer p50", "p99"}}
	for _, x := range r.Results {
		bound := "–"
		if x.Bound > 0 {
			bound = secs(x.Bound) + " " + x.BoundNote
		}
		rows = append(rows, []string{
			x.Title, x.Policy, fmt.Sprint(x.Lag.N), secs(x.Lag.Mean), secs(x.Lag.P50), secs(x.Lag.P90), secs(x.Lag.P99), secs(x.Lag.Max),
			bound, secs(x.First.P50), secs(x.First.P99),
		})
	}
	return "Lag and first answer, in seconds:\n\n" + table(rows)
}

func (r *results) costTable() string {
	rows := [][]string{{"scenario", "policy", "Info calls/task", "list calls/task", "calls/s", "throttled", "writes/task", "without progress", "most", "processor s", "in window s", "peak MiB"}}
	for _, x := range r.Results {
		row := []string{
			x.Title, x.Policy, fmt.Sprintf("%.1f", x.InfoCalls), fmt.Sprintf("%.1f", x.ListCalls),
			fmt.Sprintf("%.1f", float64(x.Calls)/x.Window), fmt.Sprint(x.Throttled), "–", "–", "–", "–", fmt.Sprintf("%.0f", x.Window), "–",
		}
		if x.Policy == "cloudtask" {
			copy(row[6:], []string{fmt.Sprintf("%.1f", x.Writes), fmt.Sprintf("%.1f", x.StepWrites), fmt.Sprint(x.MostWrites), fmt.Sprintf("%.1f", x.CPU)})
			row[11] = fmt.Sprint(x.PeakMemory >> 20)
		}
		rows = append(rows, row)
	}
	return "Cost:\n\n" + table(rows)
}

func secs(s float64) string {
	if s >= 100 {
		return fmt.Sprintf("%.0f", s)
	}
	return fmt.Sprintf("%.2f", s)
}

// table renders rows as Markdown that can be read as it is.
func table(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for n, row := range rows {
		for i, cell := range row {
			fmt.Fprintf(&b, "| %-*s ", width[i], cell)
		}
		b.WriteString("|\n")
		if n == 0 {
			for i := range row {
				b.WriteString("|" + strings.Repeat("-", width[i]+2))
			}
			b.WriteString("|\n")
		}
	}
	return b.String()
}

// The part of a page between these lines is the report's.
const (
	reportBegin = "<!-- begin of %s -->\n"
	reportEnd   = "<!-- end of %s -->\n"
)

// renew writes the report into a page.
func (r *results) renew(path string) error {
	if path == "" {
		return nil
	}
	part := "bench"
	if len(r.Results) == 0 {
		part = "bench-scale"
	}
	page, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("renew the report: %w", err)
	}
	before, rest, ok := strings.Cut(string(page), fmt.Sprintf(reportBegin, part))
	_, after, ok2 := strings.Cut(rest, fmt.Sprintf(reportEnd, part))
	if !ok || !ok2 {
		return fmt.Errorf("renew the report: %s has no part for %s", path, part)
	}
	text := before + fmt.Sprintf(reportBegin, part) + r.text() + fmt.Sprintf(reportEnd, part) + after
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("renew the report: %w", err)
	}
	return nil
}
