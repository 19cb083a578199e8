// Command plot draws the mean lag by the number of running tasks from the results
// of hack/bench. It is a module of its own, so that nothing else depends on a
// plotting library. Run it in its directory:
//
//	go run . -in ../../../results.json -out ../../../docs/performance
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// results is what is read of the results of hack/bench.
type results struct {
	Results []struct {
		Policy, Scenario, Service string
		Running                   float64
		Lag                       struct {
			N    int
			Mean float64
		}
	}
	Bounds []struct {
		Service, Name string
		Points        [][2]float64
	}
}

func main() {
	in := flag.String("in", "", "results of hack/bench as JSON")
	out := flag.String("out", ".", "directory for lag-clb.svg and lag-redis.svg")
	flag.Parse()
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(in, out string) error {
	data, err := os.ReadFile(in)
	if err != nil {
		return fmt.Errorf("read results: %w", err)
	}
	var r results
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("read results of %s: %w", in, err)
	}
	for service, title := range map[string]string{"clb": "CLB", "redis": "Redis"} {
		p, err := r.chart(service, title)
		if err != nil {
			return fmt.Errorf("draw the lag of %s: %w", title, err)
		}
		path := filepath.Join(out, "lag-"+service+".svg")
		if err := p.Save(18*vg.Centimeter, 11*vg.Centimeter, path); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}

// chart shows one service: a line with points a policy, a dashed line a bound.
func (r results) chart(service, title string) (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = title + ": from a task's end to the final status at a client"
	p.X.Label.Text = "tasks running at once in one account"
	p.Y.Label.Text = "mean lag in seconds"
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Scale, axis.Tick.Marker = plot.LogScale{}, ticks{}
	}
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, vg.Points(3)
	p.Add(plotter.NewGrid())
	for i, policy := range []string{"cloudtask", "every 5s", "every 10s"} {
		if err := r.addPolicy(p, service, policy, i); err != nil {
			return nil, err
		}
	}
	for i, b := range r.Bounds {
		if b.Service != service {
			continue
		}
		line, err := plotter.NewLine(xys(b.Points))
		if err != nil {
			return nil, err
		}
		line.Color, line.Width = color.Gray{110}, vg.Points(1.2)
		line.Dashes = []vg.Length{vg.Points(float64(2 + 3*(i%2))), vg.Points(3)}
		p.Add(line)
		p.Legend.Add(b.Name, line)
	}
	p.Y.Max *= 4 // room for the legend
	return p, nil
}

func (r results) addPolicy(p *plot.Plot, service, policy string, i int) error {
	colors := []color.Color{color.RGBA{0, 82, 204, 255}, color.RGBA{214, 90, 0, 255}, color.RGBA{170, 30, 90, 255}}
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
	var points [][2]float64
	for _, x := range r.Results {
		if x.Service == service && x.Policy == policy && strings.HasPrefix(x.Scenario, service+"-") && x.Lag.N > 0 {
			points = append(points, [2]float64{x.Running, x.Lag.Mean})
		}
	}
	if len(points) == 0 {
		return nil
	}
	slices.SortFunc(points, func(a, b [2]float64) int { return int(a[0] - b[0]) })
	line, dots, err := plotter.NewLinePoints(xys(points))
	if err != nil {
		return err
	}
	line.Color, line.Width = colors[i], vg.Points(1.8)
	dots.Color, dots.Shape, dots.Radius = colors[i], shapes[i], vg.Points(3.5)
	p.Add(line, dots)
	p.Legend.Add(policy, line, dots)
	return nil
}

func xys(points [][2]float64) plotter.XYs {
	all := make(plotter.XYs, len(points))
	for i, point := range points {
		all[i] = plotter.XY{X: point[0], Y: point[1]}
	}
	return all
}

// ticks marks 1, 2 and 5 of every decade, with plain numbers.
type ticks struct{}

// Ticks is for plot.Ticker.
func (ticks) Ticks(least, most float64) []plot.Tick {
	var all []plot.Tick
	for decade := -3; decade <= 6; decade++ {
		for _, factor := range []float64{1, 2, 5} {
			if v := factor * math.Pow10(decade); v >= least*0.999 && v <= most*1.001 {
				all = append(all, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
			}
		}
	}
	return all
}
