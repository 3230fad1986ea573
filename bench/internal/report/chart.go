package report

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart compares contenders side by side in groups, one group for each work.
type chart struct {
	file   string
	title  string
	unit   string // label of the vertical axis
	groups []string
	names  []string          // the contenders, in the order of the legend and within a group
	marks  map[string][]mark // by name, one for each group
	log    bool              // the scale, for latencies and costs of different magnitude
	times  bool              // the axis is in microseconds, and labelled with the unit that suits
	spans  bool              // low, mid and high are drawn on a line; otherwise a bar up to mid
	even   float64           // where a dashed line stands; 0: nowhere
	most   float64           // the axis ends here, and bars that are longer are cut; 0: where the longest ends
}

// mark is what one contender reached in one work. A zero mark was not measured.
type mark struct{ low, mid, high float64 }

const (
	chartWidth   = 10 * vg.Inch
	chartHeight  = 4.4 * vg.Inch
	chartMargin  = vg.Length(8)
	legendSwatch = vg.Length(10)
	legendGap    = vg.Length(16)
	tickGap      = vg.Length(5) // between an axis and its labels; the ticks themselves are white
	groupFill    = 0.84         // share of a group's width that its bars take
	barFill      = 0.86         // share of a bar's place that it takes
	dotRadius    = vg.Length(3.4)
	labelGap     = vg.Length(3) // between a mark and its figure
)

// fontName is metrically the same as Arial and Helvetica, which are named beside it, so a
// reader without it sees the same layout.
const fontName = "Liberation Sans"

func sans(size vg.Length) text.Style {
	return text.Style{Color: color.Black, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}, Handler: plot.DefaultTextHandler}
}

// svg draws the chart.
func (c *chart) svg(w io.Writer) error {
	canvas := vgsvg.New(chartWidth, chartHeight)
	area := draw.New(canvas)
	area.SetColor(color.White)
	area.Fill(area.Path())
	area = draw.Crop(area, chartMargin, -chartMargin, chartMargin, -chartMargin)

	title := sans(13)
	title.YAlign = draw.YTop
	area.FillText(title, vg.Point{X: area.Min.X, Y: area.Max.Y}, c.title)
	area.Max.Y -= 2 * title.Font.Size
	area.Max.Y -= c.legend(area)

	c.plot().Draw(area)
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	_, err := w.Write(bytes.ReplaceAll(svg.Bytes(), []byte(fontName), []byte(fontName+", Arial, Helvetica, sans-serif")))
	return err
}

// legend draws the names in lines, and returns their height.
func (c *chart) legend(area draw.Canvas) vg.Length {
	style := sans(10.5)
	style.YAlign = draw.YCenter
	line := 1.7 * style.Font.Size
	x, y := area.Min.X, area.Max.Y-line/2
	for _, name := range c.names {
		width := legendSwatch + 5 + style.Width(name)
		if x > area.Min.X && x+width > area.Max.X {
			x, y = area.Min.X, y-line
		}
		fillBox(area, colourOf(name), x, y-legendSwatch/2, x+legendSwatch, y+legendSwatch/2)
		area.FillText(style, vg.Point{X: x + legendSwatch + 5, Y: y}, name)
		x += width + legendGap
	}
	return area.Max.Y - y + line
}

func (c *chart) plot() *plot.Plot {
	p := plot.New()
	p.NominalX(c.broken()...)
	p.X.Min, p.X.Max = -0.5, float64(len(c.groups))-0.5
	p.X.Tick.Label.Font = sans(10.5).Font
	p.X.Padding = 0
	p.X.Tick.Length, p.X.Tick.Width, p.X.Tick.Color = tickGap, 1, color.White
	p.Y.Label.Text = c.unit
	p.Y.Label.TextStyle.Font = sans(10.5).Font
	p.Y.Tick.Label.Font = sans(10).Font
	p.Y.Padding = 0
	p.Y.Tick.Length, p.Y.Tick.Color = tickGap, color.White
	p.Y.Min, p.Y.Max = c.bounds()
	ticks := linearTicks
	if c.log {
		p.Y.Scale, ticks = plot.LogScale{}, logTicks
	}
	p.Y.Tick.Marker = plot.TickerFunc(func(least, most float64) []plot.Tick {
		list := ticks(least, most)
		for i := range list {
			list[i].Label = trimmed(list[i].Value)
			if c.times {
				list[i].Label = duration(list[i].Value)
			}
		}
		return list
	})
	p.Add(c)
	return p
}

// broken are the groups' names, each in lines that fit below its group.
func (c *chart) broken() []string {
	style := sans(10.5)
	room := chartWidth * axisShare / vg.Length(len(c.groups))
	names := make([]string, len(c.groups))
	for i, name := range c.groups {
		line := ""
		for _, word := range strings.Fields(name) {
			if joined := strings.TrimSpace(line + " " + word); line == "" || style.Width(joined) <= room {
				line = joined
				continue
			}
			names[i] += line + "\n"
			line = word
		}
		names[i] += line
	}
	return names
}

// axisShare is the part of the width that the groups have, less some air between their
// names.
const axisShare = 0.86

// bounds are the ends of the vertical axis: from zero on a linear scale, around the
// figures on a logarithmic one.
func (c *chart) bounds() (least, most float64) {
	least = math.Inf(1)
	for _, marks := range c.marks {
		for _, m := range marks {
			for _, v := range []float64{m.low, m.mid, m.high} {
				if v > 0 {
					least, most = min(least, v), max(most, v)
				}
			}
		}
	}
	switch {
	case c.log:
		return least / 1.5, most * 2.5 // for the figure above the highest mark
	case c.most > 0:
		most = min(most, c.most)
	}
	return 0, most * 1.15 // for the figure above the longest bar
}

// Plot draws everything within the axes. It is the method of plot.Plotter.
func (c *chart) Plot(area draw.Canvas, p *plot.Plot) {
	toX, toY := p.Transforms(&area)
	grid := draw.LineStyle{Color: color.Gray{0xdd}, Width: 0.5}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if y := toY(t.Value); area.ContainsY(y) {
			area.StrokeLine2(grid, area.Min.X, y, area.Max.X, y)
		}
	}
	for g := 1; g < len(c.groups); g++ {
		x := toX(float64(g) - 0.5)
		area.StrokeLine2(grid, x, area.Min.Y, x, area.Max.Y)
	}
	if c.even > 0 {
		dashes := draw.LineStyle{Color: color.Black, Width: 0.8, Dashes: []vg.Length{4, 3}}
		area.StrokeLine2(dashes, area.Min.X, toY(c.even), area.Max.X, toY(c.even))
	}
	for g := range c.groups {
		var present []string
		for _, name := range c.names {
			if c.marks[name][g].mid > 0 {
				present = append(present, name)
			}
		}
		pitch := groupFill / float64(max(len(present), minPlaces))
		for i, name := range present {
			x := float64(g) + (float64(i)-float64(len(present)-1)/2)*pitch
			half := (toX(pitch) - toX(0)) * barFill / 2
			if c.spans {
				c.span(area, toY, toX(x), name, c.marks[name][g])
			} else {
				c.bar(area, toY, toX(x), half, p.Y.Max, name, c.marks[name][g].mid)
			}
		}
	}
}

// minPlaces keeps the bars of a small group from growing fat.
const minPlaces = 4

// bar draws a bar with its figure above it, or in its head when it is cut.
func (c *chart) bar(area draw.Canvas, toY func(float64) vg.Length, x, half vg.Length, top float64, name string, v float64) {
	cut := v > top/1.15 && c.most > 0 && v > c.most
	end := toY(min(v, top))
	fillBox(area, colourOf(name), x-half, area.Min.Y, x+half, end)
	if cut {
		label := upright()
		label.Color, label.XAlign = color.White, draw.XRight
		area.FillText(label, vg.Point{X: x, Y: end - labelGap}, number(v))
		return
	}
	writeAbove(area, x, end, number(v))
}

func upright() text.Style {
	s := sans(8.5)
	s.Rotation, s.YAlign = math.Pi/2, draw.YCenter
	return s
}

// writeAbove writes a figure upwards, on a white ground that covers what lies behind it.
func writeAbove(area draw.Canvas, x, y vg.Length, figure string) {
	style := upright()
	level := style
	level.Rotation = 0
	half := level.Height(figure) / 2
	fillBox(area, color.White, x-half, y+labelGap, x+half, y+labelGap+level.Width(figure))
	area.FillText(style, vg.Point{X: x, Y: y + labelGap}, figure)
}

// span draws a line from low to high, a ring at low, a disc at mid and a bar across at
// high. A disc that stands alone has its figure above it.
func (c *chart) span(area draw.Canvas, toY func(float64) vg.Length, x vg.Length, name string, m mark) {
	colour := colourOf(name)
	line := draw.LineStyle{Color: colour, Width: 1.6}
	if m.high == 0 {
		writeAbove(area, x, toY(m.mid)+dotRadius, number(m.mid))
	} else {
		area.StrokeLine2(line, x, toY(m.low), x, toY(m.high))
		area.StrokeLine2(line, x-dotRadius, toY(m.high), x+dotRadius, toY(m.high))
		area.DrawGlyphNoClip(draw.GlyphStyle{Color: color.White, Radius: dotRadius, Shape: draw.CircleGlyph{}}, vg.Point{X: x, Y: toY(m.low)})
		area.DrawGlyphNoClip(draw.GlyphStyle{Color: colour, Radius: dotRadius, Shape: draw.RingGlyph{}}, vg.Point{X: x, Y: toY(m.low)})
	}
	area.DrawGlyphNoClip(draw.GlyphStyle{Color: colour, Radius: dotRadius, Shape: draw.CircleGlyph{}}, vg.Point{X: x, Y: toY(m.mid)})
}

func fillBox(area draw.Canvas, colour color.Color, x0, y0, x1, y1 vg.Length) {
	area.SetColor(colour)
	area.Fill(vg.Rectangle{Min: vg.Point{X: x0, Y: y0}, Max: vg.Point{X: x1, Y: y1}}.Path())
}

// linearTicks divides the axis into at most ten round steps.
func linearTicks(_, most float64) []plot.Tick {
	step := math.Pow(10, math.Floor(math.Log10(most/2)))
	for _, factor := range []float64{2, 2.5, 2} {
		if most/step <= 10 {
			break
		}
		step *= factor
	}
	var ticks []plot.Tick
	for i := 0; float64(i)*step <= most; i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) * step})
	}
	return ticks
}

// logTicks are 1, 2 and 5 of every power of ten, or the powers alone where they are many.
func logTicks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	digits := []float64{1, 2, 5}
	if most/least > 3000 {
		digits = digits[:1]
	}
	for power := math.Floor(math.Log10(least)); power <= math.Log10(most); power++ {
		for _, digit := range digits {
			if v := digit * math.Pow(10, power); v >= least && v <= most {
				ticks = append(ticks, plot.Tick{Value: v})
			}
		}
	}
	return ticks
}
