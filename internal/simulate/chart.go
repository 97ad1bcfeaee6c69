package simulate

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"

	"github.com/certpace/certpace/internal/printable"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 960
	panelHeight = 180
	chartMargin = 60
	mostPoints  = 960 // a curve has at most as many points as pixels; an hour that matters isn't lost, see thin
)

// panel is one curve over the run's hours. Of several hours that share a pixel the highest, or the lowest, is shown.
type panel struct {
	title  string
	colour string
	value  func(Hour) float64
	lowest bool
	floor  float64 // the least that the axis reaches up to
}

var panels = []panel{
	{title: "orders per hour", colour: "#2563eb", value: func(h Hour) float64 { return float64(h.Orders) }, floor: 1},
	{title: "new orders left, % of the account's burst", colour: "#059669", value: func(h Hour) float64 { return 100 * h.AccountLeft }, lowest: true, floor: 100},
	{title: "certificates left, % of the most crowded registered domain's burst", colour: "#7c3aed", value: func(h Hour) float64 { return 100 * h.DomainLeft }, lowest: true, floor: 100},
	{title: "least days left", colour: "#dc2626", value: func(h Hour) float64 { return h.LeastDaysLeft }, lowest: true, floor: 1},
}

// WriteChart writes a run as one HTML page that needs nothing else: SVG, no script, no network.
func WriteChart(w io.Writer, title string, s Scenario, r Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>%[1]s</title>\n"+
		"<body style=\"font:14px sans-serif;margin:24px\"><h1 style=\"font-size:18px\">%[1]s</h1>\n", html.EscapeString(printable.Line(title)))
	m := r.Summary
	fmt.Fprintf(&b, "<p>%s to %s: %d issued, %d orders, <b>%d denied</b>, <b>%d expired</b> beyond %d lost causes. Times are UTC.</p>\n",
		stamp(s.Start), stamp(s.End()), m.Issued, m.Orders, m.Denied, m.Expired, m.LostCauses)
	for _, p := range panels {
		p.draw(&b, r.Hours)
	}
	b.WriteString("</body></html>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the chart: %w", err)
	}
	return nil
}

func (p panel) draw(b *strings.Builder, hours []Hour) {
	points := p.thin(hours)
	top := p.floor
	for _, v := range points {
		if v > top { // never true of NaN
			top = v
		}
	}
	top = round(top)
	fmt.Fprintf(b, "<h2 style=\"font-size:14px;margin:16px 0 4px\">%s</h2>\n<svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s\">\n",
		html.EscapeString(p.title), chartWidth+2*chartMargin, panelHeight+30, html.EscapeString(p.title))
	for i := range 3 {
		share := float64(i) / 2
		y := panelHeight - share*(panelHeight-10)
		fmt.Fprintf(b, "<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" font-size=\"11\">%.4g</text>\n",
			chartMargin, chartMargin+chartWidth, y, y, chartMargin-6, y+4, share*top)
	}
	fmt.Fprintf(b, "<path d=\"%s\" fill=\"none\" stroke=\"%s\"/>\n", path(points, top), p.colour)
	ticks(b, hours)
	b.WriteString("</svg>\n")
}

// thin is at most mostPoints values: of the hours that fall together, the extreme.
func (p panel) thin(hours []Hour) []float64 {
	n := min(len(hours), mostPoints)
	points := make([]float64, n)
	for i := range points {
		points[i] = math.NaN()
	}
	for i, h := range hours {
		at, v := i*n/len(hours), p.value(h)
		if old := points[at]; math.IsNaN(old) || v > old != p.lowest && v != old && !math.IsNaN(v) {
			points[at] = v
		}
	}
	return points
}

// path is the curve; where there is no value it has a gap.
func path(points []float64, top float64) string {
	var b strings.Builder
	pen := "M"
	for i, v := range points {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		x := chartMargin + float64(i)*chartWidth/float64(max(1, len(points)-1))
		y := panelHeight - max(0, v)/top*(panelHeight-10)
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, x, y)
		pen = "L"
	}
	return b.String()
}

// round is the next number above that an axis can end at: 1, 2, 4, 5, 6 or 8 times a power of ten.
func round(top float64) float64 {
	ten := math.Pow(10, math.Floor(math.Log10(top)))
	for _, n := range []float64{1, 2, 4, 5, 6, 8} {
		if n*ten >= top {
			return n * ten
		}
	}
	return 10 * ten
}

// ticks writes the dates under the curve, and the time too where they are less than a week apart.
func ticks(b *strings.Builder, hours []Hour) {
	layout := time.DateOnly
	if len(hours) < 4*7*24 {
		layout = "2006-01-02 15:04"
	}
	for i := range 5 {
		at := i * (len(hours) - 1) / 4
		x := chartMargin + i*chartWidth/4
		fmt.Fprintf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"11\">%s</text>\n", x, panelHeight+20, hours[at].At.Format(layout))
	}
}
