package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// ratioMost is where the axis of ratios to C ends: what costs more than that is cut, so
// that the others can be told apart.
const ratioMost = 4

// chartsOf are the charts of a report, in the order of the page's sections.
func chartsOf(r *result.Report) []*chart {
	var charts []*chart
	for _, kind := range []result.Kind{result.Echo, result.Pipeline, result.Steady, result.UDP, result.Unix, result.Accept, result.Sendfile, result.Loops, result.TLS, result.Shake, result.HTTP, result.HTTPS} {
		for _, f := range families(r.Kind(kind)) {
			c := &chart{file: f.file(), title: "CPU per request as a multiple of " + whose(kind) + "'s: " + f.title(), unit: "multiple of " + whose(kind), even: 1, most: ratioMost}
			c.fill(f.rows, f.labels(), func(res result.Result) mark { return mark{mid: res.Figures[result.CPU].Ratio} })
			charts = append(charts, c)
		}
	}
	for _, kind := range []result.Kind{result.Open, result.Beside} {
		for _, f := range families(r.Kind(kind)) {
			c := &chart{file: f.file(), title: "Latency, p50 (ring), p99 (disc), p99.9 (bar): " + f.title(), unit: "latency", log: true, times: true, spans: true}
			c.fill(f.rows, f.labels(), func(res result.Result) mark {
				return mark{res.Figures[result.P50].Median, res.Figures[result.P99].Median, res.Figures[result.P999].Median}
			})
			charts = append(charts, c)
		}
	}
	for _, f := range families(r.Kind(result.Idle)) {
		c := &chart{file: f.file(), title: "Memory of an idle connection, free memory given back", unit: "bytes"}
		c.fill(f.rows, f.labels(), func(res result.Result) mark { return mark{mid: res.Figures[result.BytesFreed].Median} })
		charts = append(charts, c)
	}
	for _, f := range slices.Concat(families(r.Kind(result.Cost)), families(r.Kind(result.System)), families(r.Kind(result.Twins))) {
		if !f.compares() {
			continue
		}
		c := &chart{file: f.file(), title: "What an operation costs", unit: "nanoseconds", log: true, spans: true}
		c.fill(f.rows, f.labels(), func(res result.Result) mark { return mark{mid: res.Figures[result.NS].Median} })
		charts = append(charts, c)
	}
	return slices.DeleteFunc(charts, func(c *chart) bool { return len(c.names) == 0 })
}

// whose figures are the unit of a kind.
func whose(k result.Kind) string {
	switch k {
	case result.Loops:
		return "one loop"
	case result.TLS, result.Shake:
		return result.GoNet
	case result.HTTP, result.HTTPS:
		return result.NetHTTP
	default:
		return "C"
	}
}

// fill takes the marks of all contenders that have any.
func (c *chart) fill(rows []result.Row, labels []string, of func(result.Result) mark) {
	c.groups = labels
	c.marks = map[string][]mark{}
	for i, row := range rows {
		for _, res := range row.Results {
			m := of(res)
			if m.mid <= 0 {
				continue
			}
			if c.marks[res.Name] == nil {
				c.marks[res.Name] = make([]mark, len(rows))
				c.names = append(c.names, res.Name)
			}
			c.marks[res.Name][i] = m
		}
	}
}

// family is the rows of one table: they differ in one parameter.
type family struct {
	result.Work // without that parameter
	control     string
	rows        []result.Row
}

// compares reports whether most rows have several contenders: otherwise a chart of them
// says nothing.
func (f family) compares() bool {
	several := 0
	for _, row := range f.rows {
		if len(row.Results) > 1 {
			several++
		}
	}
	return 2*several > len(f.rows)
}

// families divides the rows of one kind.
func families(rows []result.Row) []family {
	var list []family
	for _, row := range rows {
		w := row.Work
		switch w.Kind {
		case result.Beside:
			w.Busy, w.Procs = 0, 0
		case result.Cost, result.System, result.Twins:
			w.Name = ""
		default:
			w.Connections = 0
		}
		i := slices.IndexFunc(list, func(f family) bool { return f.Work == w && f.control == row.Control })
		if i < 0 {
			i = len(list)
			list = append(list, family{Work: w, control: row.Control})
		}
		list[i].rows = append(list[i].rows, row)
	}
	return list
}

// title names what the rows have in common.
func (f family) title() string {
	var s string
	switch f.Kind {
	case result.Echo:
		s = "echo of " + result.Size(f.Bytes)
	case result.Pipeline:
		s = fmt.Sprintf("%d messages of %s in flight", f.Depth, result.Size(f.Bytes))
	case result.Open:
		s = fmt.Sprintf("echo of %s at %.0f %% of the greatest rate", result.Size(f.Bytes), f.Load*100)
	case result.Steady:
		s = fmt.Sprintf("echo of %s at %.0f requests a second", result.Size(f.Bytes), f.Rate)
	case result.Beside:
		s = fmt.Sprintf("echo of %s, %d connections, beside busy goroutines", result.Size(f.Bytes), f.Connections)
	case result.UDP:
		s = "datagrams of " + result.Size(f.Bytes)
	case result.Unix:
		s = fmt.Sprintf("echo of %s over a Unix socket", result.Size(f.Bytes))
	case result.Accept:
		s = fmt.Sprintf("connect, echo of %s, close", result.Size(f.Bytes))
	case result.Sendfile:
		s = "a file of " + result.Size(f.Bytes)
	case result.Loops:
		s = fmt.Sprintf("echo of %s on one loop and on two", result.Size(f.Bytes))
	case result.TLS:
		s = fmt.Sprintf("echo of %s over TLS", result.Size(f.Bytes))
	case result.Shake:
		s = fmt.Sprintf("TLS handshake, echo of %s, close", result.Size(f.Bytes))
	case result.HTTP, result.HTTPS:
		s = fmt.Sprintf("%s, %s", strings.ToUpper(string(f.Kind)), f.Name)
	case result.Idle:
		s = "idle connections"
		if f.Name != "" {
			s = "idle " + f.Name + " connections"
		}
	default:
		s = "loops side by side"
		if f.control == result.Bare {
			s = "the benchmarks of package asyncio"
		}
	}
	if f.Procs > 0 {
		s += fmt.Sprintf(", GOMAXPROCS %d", f.Procs)
	}
	return s
}

// file is the name of the family's chart.
func (f family) file() string {
	parts := []string{string(f.Kind)}
	if f.Kind == result.Cost {
		parts = append(parts, f.control)
	}
	if f.Name != "" {
		parts = append(parts, f.Name)
	}
	if f.Bytes > 0 {
		parts = append(parts, strings.ReplaceAll(result.Size(f.Bytes), " ", ""))
	}
	for _, p := range []struct {
		tag string
		n   int
	}{{"depth", f.Depth}, {"load", int(f.Load*100 + 0.5)}, {"rate", int(f.Rate)}, {"c", f.Connections}, {"procs", f.Procs}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprint(p.tag, p.n))
		}
	}
	return strings.Join(parts, "-") + ".svg"
}

// labels name each row by what it does not share with the others.
func (f family) labels() []string {
	labels := make([]string, len(f.rows))
	for i, row := range f.rows {
		switch f.Kind {
		case result.Beside:
			labels[i] = fmt.Sprintf("%d busy, %s", row.Busy, count(row.Procs, "processor"))
		case result.Cost, result.System, result.Twins:
			labels[i] = row.Name
		case result.UDP:
			labels[i] = count(row.Connections, "socket")
		case result.Accept, result.Shake:
			labels[i] = fmt.Sprintf("%d at a time", row.Connections)
		default:
			labels[i] = count(row.Connections, "connection")
		}
	}
	return labels
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
