package main

import (
	"bytes"
	"image/color"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

const (
	// Grafana's grid has 24 columns; a row is half as high as a column is wide.
	columns = 24
	column  = vg.Length(46)
	row     = vg.Length(25)
	gap     = vg.Length(4)
	dpi     = 96
)

var (
	ink    = color.RGBA{36, 41, 46, 255}
	paper  = color.White
	shade  = color.RGBA{244, 245, 245, 255}
	grid   = color.RGBA{225, 227, 230, 255}
	colors = []color.Color{
		color.RGBA{115, 191, 105, 255},
		color.RGBA{242, 204, 12, 255},
		color.RGBA{87, 148, 242, 255},
		color.RGBA{255, 120, 10, 255},
		color.RGBA{242, 73, 92, 255},
		color.RGBA{184, 119, 217, 255},
		color.RGBA{31, 150, 140, 255},
		color.RGBA{140, 90, 60, 255},
	}
	named = map[string]color.Color{
		"green": color.RGBA{55, 135, 45, 255}, "orange": color.RGBA{224, 110, 0, 255}, "red": color.RGBA{196, 22, 42, 255}, "blue": color.RGBA{31, 96, 196, 255},
	}
)

// drawPanels returns a PNG of all panels, each in its place.
func drawPanels(panels []*panel) ([]byte, error) {
	bottom := 0
	for _, p := range panels {
		bottom = max(bottom, p.GridPos.Y+p.GridPos.H)
	}
	width, height := columns*column, vg.Length(bottom)*row
	image := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(shade))
	canvas := draw.New(image)
	from, to := times(panels)
	for _, p := range panels {
		g := p.GridPos
		place := draw.Canvas{Canvas: canvas.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: vg.Length(g.X)*column + gap, Y: height - vg.Length(g.Y+g.H)*row + gap},
			Max: vg.Point{X: vg.Length(g.X+g.W)*column - gap, Y: height - vg.Length(g.Y)*row - gap},
		}}
		switch p.Type {
		case "row":
			write(place, p.Title, 11, ink, vg.Point{X: place.Min.X, Y: place.Min.Y + 3})
		case "stat":
			p.drawStat(place)
		default:
			if err := p.drawLines(place, from, to); err != nil {
				return nil, err
			}
		}
	}
	var out bytes.Buffer
	_, err := vgimg.PngCanvas{Canvas: image}.WriteTo(&out)
	return out.Bytes(), err
}

// times are the first and the last second of all panels.
func times(panels []*panel) (from, to float64) {
	from = math.Inf(1)
	for _, p := range panels {
		for _, l := range p.lines {
			from, to = min(from, l.xs[0]), max(to, l.xs[len(l.xs)-1])
		}
	}
	return from, to
}

func style(size vg.Length, c color.Color) text.Style {
	sans := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	return text.Style{Color: c, Font: sans, Handler: plot.DefaultTextHandler}
}

func write(c draw.Canvas, words string, size vg.Length, ink color.Color, at vg.Point) {
	c.FillText(style(size, ink), at, words)
}

func fill(c draw.Canvas, background color.Color) {
	c.FillPolygon(background, []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}})
}

func (p *panel) title(c draw.Canvas) {
	fill(c, paper)
	write(c, p.Title, 9, ink, vg.Point{X: c.Min.X + 6, Y: c.Max.Y - 14})
}

// drawStat shows the last value.
func (p *panel) drawStat(c draw.Canvas) {
	p.title(c)
	if len(p.lines) == 0 {
		return
	}
	ys := p.lines[0].ys
	value := ys[len(ys)-1]
	s := style(28, named[p.color(value)])
	words := show(value, p.unit())
	c.FillText(s, vg.Point{X: (c.Min.X + c.Max.X - s.Width(words)) / 2, Y: c.Min.Y + 18}, words)
}

// drawLines shows the values over the time, with the legend below.
func (p *panel) drawLines(c draw.Canvas, from, to float64) error {
	p.title(c)
	chart := plot.New()
	chart.BackgroundColor = paper
	chart.X.Min, chart.X.Max, chart.Y.Min = from, to, 0
	chart.X.Tick.Marker, chart.Y.Tick.Marker = minutes{from}, amounts{p.unit()}
	for _, axis := range []*plot.Axis{&chart.X, &chart.Y} {
		axis.LineStyle.Width, axis.Tick.LineStyle.Width, axis.Tick.Label.Font.Size, axis.Padding = 0, 0, 7, 0
		axis.Tick.Label.Color, axis.Tick.Label.Font.Variant, axis.Tick.Length = ink, "Sans", 3
	}
	lattice := plotter.NewGrid()
	lattice.Vertical.Color, lattice.Horizontal.Color = grid, grid
	chart.Add(lattice)
	if err := p.addLines(chart); err != nil {
		return err
	}
	chart.X.Min, chart.X.Max = from, to
	if chart.Y.Max *= 1.05; chart.Y.Max == 0 {
		chart.Y.Max = 1
	}
	bottom := p.legend(c)
	chart.Draw(draw.Crop(c, 4, -10, bottom, -20))
	return nil
}

func (p *panel) addLines(chart *plot.Plot) error {
	below := map[float64]float64{}
	for i, l := range p.lines {
		points := make(plotter.XYs, len(l.xs))
		area := make(plotter.XYs, 0, 2*len(l.xs))
		for j, x := range l.xs {
			base := 0.0
			if p.stacked() {
				base = below[x]
				below[x] += l.ys[j]
			}
			points[j] = plotter.XY{X: x, Y: base + l.ys[j]}
			area = append(area, plotter.XY{X: x, Y: base})
		}
		if p.stacked() && len(points) > 1 {
			slices.Reverse(area)
			polygon, err := plotter.NewPolygon(append(slices.Clone(points), area...))
			if err != nil {
				return err
			}
			polygon.Color, polygon.LineStyle.Width = faint(colors[i%len(colors)]), 0
			chart.Add(polygon)
		}
		drawn, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		drawn.Color, drawn.Width = colors[i%len(colors)], 1.2
		chart.Add(drawn)
	}
	return nil
}

func faint(c color.Color) color.Color {
	r, g, b, _ := c.RGBA()
	mix := func(v uint32) uint8 { return uint8((v>>8 + 255) / 2) }
	return color.RGBA{mix(r), mix(g), mix(b), 255}
}

// legend names the lines, and returns the height that this took.
func (p *panel) legend(c draw.Canvas) vg.Length {
	const left, low, high = 6, 5, 10
	s := style(7, ink)
	places := []vg.Point{{X: left}}
	for _, l := range p.lines {
		last := &places[len(places)-1]
		next := vg.Point{X: last.X + s.Width(l.name) + 18, Y: last.Y}
		if next.X > c.Max.X-c.Min.X && last.X > left {
			*last = vg.Point{X: left, Y: last.Y - high}
			next = vg.Point{X: left + s.Width(l.name) + 18, Y: last.Y}
		}
		places = append(places, next)
	}
	rows := -places[len(places)-1].Y
	for i, l := range p.lines {
		at := c.Min.Add(places[i]).Add(vg.Point{Y: rows + low})
		c.FillPolygon(colors[i%len(colors)], []vg.Point{
			{X: at.X, Y: at.Y + 2}, {X: at.X + 8, Y: at.Y + 2}, {X: at.X + 8, Y: at.Y + 4}, {X: at.X, Y: at.Y + 4},
		})
		c.FillText(s, vg.Point{X: at.X + 11, Y: at.Y}, l.name)
	}
	return rows + low + 12
}

// minutes marks the time since the first second.
type minutes struct{ from float64 }

// Ticks is for plot.Ticker.
func (m minutes) Ticks(from, to float64) []plot.Tick {
	step := 60.0
	if to-from < 120 {
		step = 10
	}
	var all []plot.Tick
	for x := m.from; x <= to; x += step {
		if passed := int(x - m.from); x >= from {
			all = append(all, plot.Tick{Value: x, Label: strconv.Itoa(passed/60) + ":" + strconv.Itoa(passed%60/10) + "0"})
		}
	}
	return all
}

// amounts marks four or five round values of a unit.
type amounts struct{ unit string }

// Ticks is for plot.Ticker.
func (a amounts) Ticks(_, most float64) []plot.Tick {
	scale := 1.0
	if a.unit == "bytes" {
		scale = 1 << 20
	}
	step := math.Pow(10, math.Floor(math.Log10(most/scale))) / 2
	for most/scale/step > 5 {
		step *= 2
	}
	var all []plot.Tick
	for y := 0.0; y <= most; y += step * scale {
		all = append(all, plot.Tick{Value: y, Label: show(y, a.unit)})
	}
	return all
}
