package report

import (
	"fmt"
	"slices"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// section is the part of the page about one kind of work.
type section struct {
	kind  result.Kind
	title string
	text  string
	write func(*document, family)
}

var sections = []section{
	{result.Echo, "Echo", "Every connection sends a message, waits until it is back, and sends again. CPU time of the server per request; the control's line\n" +
		"is in microseconds, the others are multiples of it.", (*document).ratios},
	{result.Pipeline, "Small writes in a pipeline", "Every connection has several small messages in flight, so a server that joins its writes gains.", (*document).ratios},
	{result.Open, "Latency at a fixed rate", "Requests leave at a fixed rate, however late the answers are: that share of what the same server has just reached in a closed loop.\n" +
		"A latency counts from when its request was due. Microseconds.",
		(*document).latencies},
	{result.Steady, "CPU at a fixed rate", "Requests leave at the same fixed rate for all: what servers do most of the day. A turn of the loop then carries about one message.", (*document).ratios},
	{result.Beside, "Latency beside goroutines that compute", "The server's process also runs goroutines that never rest, while requests come at a low, fixed rate. Microseconds, p50 / p99.", (*document).beside},
	{result.UDP, "Datagrams", "Every socket of the client sends a datagram, waits until it is back, and sends again; one that is lost is sent again after 50 ms. CPU\n" +
		"per datagram. `" + result.LibuvC + "` receives many with one system call (recvmmsg), `" + result.LibuvCPlain + "` one with each.", (*document).ratios},
	{result.Unix, "Unix sockets", "As the echo above, over a Unix socket.", (*document).ratios},
	{result.Accept, "Connections that do not stay", "The client connects, sends a byte, waits until it is back, and closes. CPU per connection.", (*document).ratios},
	{result.Sendfile, "Downloads", "A connection asks for a file, which is in the page cache, gets all of it, and asks again. CPU per file. `" + result.EpollC + "` is sendfile(2) and\n" +
		"epoll in C, `" + result.Python + "` loop.sendfile of Python's own loop, since uvloop has none; Node has no sendfile and reads and writes.", (*document).ratios},
	{result.Loops, "Several loops", "Two loops, each with a listening socket of its own on the same port, against one. The client needs a processor, so two loops cannot show\n" +
		"here what they could do on two of their own. It follows from CPU per request: the capacity is that of as many processors as there are\n" +
		"loops, if each has its share of the connections.", (*document).ratios},
	{result.TLS, "TLS", "As the echo above, over TLS 1.3; `" + result.GoNet + "` is crypto/tls on package net. Go's servers and Node choose AES with 128 bits here,\n" +
		"Python's 256.", (*document).ratios},
	{result.Shake, "TLS handshakes", "The client connects, shakes hands without a session to resume, sends a byte, waits until it is back, and closes. The certificate is ECDSA\n" +
		"on P-256. CPU per connection.", (*document).ratios},
	{result.HTTP, "HTTP", "wrk asks for a text of 13 bytes, or for a JSON object that is made and encoded for each request. CPU per request. `" + result.HTTPTasks + "` is\n" +
		"asynchttp.Server, `" + result.HTTPListen + "` net/http's own server on connections of the loop.", (*document).ratios},
	{result.HTTPS, "HTTPS", "The same over TLS 1.3.", (*document).ratios},
	{result.Idle, "Idle connections", "Each has been answered once before: a small message echoed, or a text over HTTP. Bytes are resident memory per connection.", (*document).idle},
	{result.Cost, "Costs of the loop itself", "Nanoseconds per operation, without network; in brackets the multiple of the control's. `" + result.Bare + "` is the nearest thing\n" +
		"that Go has without a loop.",
		(*document).costs},
	{result.System, "Children and files", "Nanoseconds of CPU time of the parent per operation; in brackets the multiple of the control's. `" + result.Bare + "` is os/exec, and\n" +
		"os.ReadFile in goroutines. Python reads files in threads. Ten read a file at a time.",
		(*document).costs},
	{result.Twins, "What libuv's own benchmarks do", "On package uv and in C: nanoseconds of CPU time per operation, all threads together; in brackets the multiple of C's. An operation is\n" +
		"a message there and back, 64 KiB, a write of 100 bytes, a datagram of 64 bytes, a wake-up of each of two loops, a timer, a turn, a stat, a child.",
		(*document).costs},
}

// section writes all families of a kind, each with its chart.
func (d *document) section(r *result.Report, charts []*chart, s section) {
	list := families(r.Kind(s.kind))
	if len(list) == 0 {
		return
	}
	d.line("\n## %s\n\n%s", s.title, s.text)
	for _, f := range list {
		if len(list) > 1 {
			d.line("\n### %s", capital(f.title()))
		}
		for _, c := range charts {
			if c.file == f.file() {
				d.line("\n![%s](%s/%s)", c.title, chartsFolder, c.file)
			}
		}
		s.write(d, f)
	}
}

func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }

// names are the contenders of some rows, in the order in which they appear.
func names(rows []result.Row) []string {
	var list []string
	seen := map[string]bool{}
	for _, row := range rows {
		for _, res := range row.Results {
			if !seen[res.Name] {
				seen[res.Name] = true
				list = append(list, res.Name)
			}
		}
	}
	return list
}

// matrix writes a table with a line for each contender and a column for each row of the
// family.
func (d *document) matrix(f family, cell func(row result.Row, res result.Result) string) {
	header := append([]string{""}, f.labels()...)
	var table [][]string
	for _, name := range names(f.rows) {
		line := []string{name}
		for _, row := range f.rows {
			text := ""
			if res, ok := row.Result(name); ok {
				text = cell(row, res)
			}
			line = append(line, text)
		}
		table = append(table, line)
	}
	d.table(header, table)
}

func (d *document) ratios(f family) {
	d.matrix(f, func(row result.Row, res result.Result) string {
		cpu := res.Figures[result.CPU]
		if res.Name == row.Control || cpu.Ratio == 0 {
			return plusMinus(number(cpu.Median), number(cpu.Median*cpu.Spread/2), cpu.Spread) + " us"
		}
		return ratio(cpu)
	})
	d.details("Requests per second, CPU and latencies", f, func(row result.Row) {
		d.figures(row, []column{{"requests/s", result.Rate, 1}, {"CPU us/request", result.CPU, 1}, {"capacity/s", result.Capacity, 1}, {"p50 us", result.P50, 1},
			{"p99 us", result.P99, 1}, {"p99.9 us", result.P999, 1}, {"server busy %", result.Busy, 100}, {"sent again", result.Resent, 1}})
	})
}

func (d *document) latencies(f family) {
	for _, row := range f.rows {
		d.line("\n%v:", row)
		d.figures(row, []column{{"requests/s", result.Offered, 1}, {"answered/s", result.Rate, 1}, {"p50", result.P50, 1}, {"p99", result.P99, 1},
			{"p99.9", result.P999, 1}, {"CPU us/request", result.CPU, 1}, {"server busy %", result.Busy, 100}})
	}
}

func (d *document) beside(f family) {
	d.matrix(f, func(_ result.Row, res result.Result) string {
		return number(res.Figures[result.P50].Median) + " / " + number(res.Figures[result.P99].Median)
	})
	d.details("Requests per second and all latencies", f, func(row result.Row) {
		d.figures(row, []column{{"requests/s", result.Rate, 1}, {"p50 us", result.P50, 1}, {"p99 us", result.P99, 1}, {"p99.9 us", result.P999, 1},
			{"server busy %", result.Busy, 100}})
	})
}

func (d *document) idle(f family) {
	for _, row := range f.rows {
		d.line("\n%v:", row)
		d.figures(row, []column{{"bytes", result.Bytes, 1}, {"after freeing", result.BytesFreed, 1}, {"wake-ups/s", result.Wakeups, 1},
			{"CPU %", result.IdleCPU, 100}})
	}
}

// costs has the operations as lines: there are more of them than contenders.
func (d *document) costs(f family) {
	who := names(f.rows)
	var table [][]string
	for _, row := range f.rows {
		line := []string{row.Name}
		for _, name := range who {
			text := ""
			if ns, ok := row.Figure(name, result.NS); ok {
				text = number(ns.Median)
				if name != row.Control && ns.Ratio > 0 {
					text += fmt.Sprintf(" (%.2f)", ns.Ratio)
				}
			}
			line = append(line, text)
		}
		table = append(table, line)
	}
	d.table(append([]string{""}, who...), table)
	table = nil
	for _, row := range f.rows {
		if a, ok := row.Figure(result.Asyncio, result.Allocs); ok {
			ns, _ := row.Figure(result.Asyncio, result.NS)
			table = append(table, []string{row.Name, number(a.Median), fmt.Sprintf("%.0f", ns.Spread*50)})
		}
	}
	if len(table) > 0 {
		d.line("Of `%s`:", result.Asyncio)
		d.table([]string{"", "allocations", "± % of its time"}, table)
	}
}

// column is a metric in a table, and what it is multiplied with.
type column struct {
	head   string
	metric result.Metric
	factor float64
}

// figures writes one row's contenders with several metrics. A column that nobody has is
// left out, and so is the ratio where the control was not measured.
func (d *document) figures(row result.Row, columns []column) {
	main := row.Kind.Main()
	control, ok := row.Figure(row.Control, main)
	compared := ok && control.Ratio > 0
	var kept []column
	header := []string{""}
	for _, c := range columns {
		has := func(res result.Result) bool { _, ok := res.Figures[c.metric]; return ok }
		if !slices.ContainsFunc(row.Results, has) {
			continue
		}
		kept = append(kept, c)
		header = append(header, c.head)
		if c.metric == main && compared {
			header = append(header, "to "+row.Control)
		}
	}
	var table [][]string
	for _, res := range row.Results {
		line := []string{res.Name}
		for _, c := range kept {
			figure, ok := res.Figures[c.metric]
			text := ""
			if ok {
				text = number(figure.Median * c.factor)
			}
			line = append(line, text)
			if c.metric == main && compared {
				line = append(line, ratio(figure))
			}
		}
		table = append(table, line)
	}
	d.table(header, table)
}

func ratio(f result.Figure) string {
	if f.Ratio == 0 {
		return ""
	}
	return plusMinus(fmt.Sprintf("%.2f", f.Ratio), fmt.Sprintf("%.2f", f.Ratio*f.RatioSpread/2), f.RatioSpread)
}

// plusMinus leaves the second part out when there was only one measurement.
func plusMinus(figure, half string, spread float64) string {
	if spread == 0 {
		return figure
	}
	return figure + " ± " + half
}

// details folds away what most readers do not need.
func (d *document) details(summary string, f family, write func(result.Row)) {
	d.line("<details><summary>%s</summary>", summary)
	for _, row := range f.rows {
		d.line("\n%v:", row)
		write(row)
	}
	d.line("</details>")
}
