package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// echoTargets are the design's limits of CPU per request, as a ratio to C.
var echoTargets = []struct {
	name               string
	bytes, connections int
	reach              float64
}{
	{result.Protocol, 1 << 10, 10, 1.15},
	{result.Protocol, 1 << 10, 100, 1.08},
	{result.Streams, 1 << 10, 10, 1.25},
	{result.Streams, 1 << 10, 100, 1.20},
	{result.Protocol, 100 << 10, 10, 1.30},
	{result.Protocol, 100 << 10, 100, 1.30},
}

// rivals are whom each of ours is to undercut in every echo row.
var rivals = [][2]string{
	{result.Protocol, result.Uvloop}, {result.Protocol, result.NodeNet}, {result.Protocol, result.GoNet},
	{result.Streams, result.UvloopStreams}, {result.Streams, result.NodeNet}, {result.Streams, result.GoNet},
}

// networkRivals are whom ours are to undercut in every row of a kind.
var networkRivals = []struct {
	kind  result.Kind
	title string
	pairs [][2]string
}{
	{result.UDP, "every UDP row", [][2]string{{result.Protocol, result.Uvloop}, {result.Protocol, result.GoNet}}},
	{result.Unix, "every Unix row", [][2]string{{result.Protocol, result.Uvloop}, {result.Protocol, result.GoNet},
		{result.Streams, result.UvloopStreams}, {result.Streams, result.GoNet}}},
	{result.TLS, "every TLS row", [][2]string{{result.Protocol, result.GoNet}, {result.Protocol, result.Uvloop}, {result.Streams, result.GoNet}}},
	{result.Accept, "connect, echo, close", [][2]string{{result.Protocol, result.Uvloop}, {result.Protocol, result.GoNet}}},
}

// judge holds a report against the design's table. A row whose work was not measured says
// so.
func judge(r *result.Report) []result.Target {
	var rows []result.Target
	for _, t := range echoTargets {
		w := result.Work{Kind: result.Echo, Bytes: t.bytes, Connections: t.connections}
		row := result.Target{Work: fmt.Sprintf("%v, %s / C", w, t.name), Reach: fmt.Sprintf("<= %.2f", t.reach)}
		if f, ok := r.Figure(w, t.name, result.CPU); ok && f.Ratio > 0 {
			row.Measured, row.Met = fmt.Sprintf("%.2f", f.Ratio), f.Ratio <= t.reach
		}
		rows = append(rows, row)
	}
	for _, pair := range rivals {
		rows = append(rows, undercut(r, result.Echo, "every echo row", pair))
	}
	tail := result.Target{Work: fmt.Sprintf("p99 at a fixed rate, %s / %s", result.Protocol, result.GoNet), Reach: "<= 1.00"}
	var ratio float64
	ratio, tail.Measured = worst(r.Kind(result.Open), result.Protocol, result.GoNet, result.P99)
	tail.Met = tail.Measured != "" && ratio <= 1
	twins := result.Target{Work: fmt.Sprintf("every benchmark of libuv's, %s / C", result.UV), Reach: "<= 1.20"}
	ratio, twins.Measured = worst(r.Kind(result.Twins), result.UV, result.LibuvC, result.NS)
	twins.Met = twins.Measured != "" && ratio <= 1.2
	return slices.Concat(append(rows, tail, twins), judgeNetwork(r), judgeCosts(r), judgeIdle(r))
}

// undercut is the goal to need less CPU time than another contender in every row of a
// kind.
func undercut(r *result.Report, k result.Kind, title string, pair [2]string) result.Target {
	row := result.Target{Work: fmt.Sprintf("%s, %s / %s", title, pair[0], pair[1]), Reach: "< 1.00"}
	var ratio float64
	ratio, row.Measured = worst(r.Kind(k), pair[0], pair[1], result.CPU)
	row.Met = row.Measured != "" && ratio < 1
	return row
}

func judgeNetwork(r *result.Report) []result.Target {
	var rows []result.Target
	for _, n := range networkRivals {
		for _, pair := range n.pairs {
			rows = append(rows, undercut(r, n.kind, n.title, pair))
		}
	}
	file := result.Target{Work: fmt.Sprintf("download of %s, %s / C", result.Size(fileBytes), result.Streams), Reach: "<= 1.10"}
	var ratio float64
	ratio, file.Measured = worst(r.Kind(result.Sendfile), result.Streams, result.EpollC, result.CPU)
	file.Met = file.Measured != "" && ratio <= 1.1
	loops := result.Target{Work: "capacity of two loops / one", Reach: ">= 1.80"}
	for _, row := range r.Kind(result.Loops) {
		if q, ok := row.Between(result.TwoLoops, result.OneLoop, result.Capacity); ok {
			loops.Measured, loops.Met = fmt.Sprintf("%.2f", q), q >= 1.8
		}
	}
	for _, kind := range []result.Kind{result.HTTP, result.HTTPS} {
		row := result.Target{Work: fmt.Sprintf("every %s row, %s / %s", strings.ToUpper(string(kind)), result.HTTPTasks, result.NetHTTP), Reach: "<= 0.80"}
		ratio, row.Measured = worst(r.Kind(kind), result.HTTPTasks, result.NetHTTP, result.CPU)
		row.Met = row.Measured != "" && ratio <= 0.8
		rows = append(rows, row)
	}
	return append(rows, file, loops)
}

func judgeCosts(r *result.Report) []result.Target {
	cost := func(name string) result.Work { return result.Work{Kind: result.Cost, Name: name} }
	ratio := func(work, name string, reach float64) result.Target {
		t := result.Target{Work: work, Reach: fmt.Sprintf("<= %.1f", reach)}
		ours, ok := r.Figure(cost(name), result.Asyncio, result.NS)
		bare, okBare := r.Figure(cost(name), result.Bare, result.NS)
		if ok && okBare {
			t.Measured = fmt.Sprintf("%.2f (%.0f ns / %.0f ns)", ours.Ratio, ours.Median, bare.Median)
			t.Met = ours.Ratio <= reach
		}
		return t
	}
	rows := []result.Target{
		ratio("switch / bare iter.Pull round trip", "Switch", 1.5),
		ratio("spawn and await a task / goroutine and channel", "Spawn", 0.8),
	}
	callSoon := result.Target{Work: "CallSoon per callback, batch of 1,000", Reach: "<= 25 ns, 0 allocations"}
	if ns, ok := r.Figure(cost("CallSoon"), result.Asyncio, result.NS); ok {
		allocs, _ := r.Figure(cost("CallSoon"), result.Asyncio, result.Allocs)
		callSoon.Measured = fmt.Sprintf("%.1f ns, %.3g allocations", ns.Median, allocs.Median)
		callSoon.Met = ns.Median <= 25 && allocs.Median < 0.01 // what a batch has is the loop's own, however many callbacks it runs
	}
	timer := result.Target{Work: "timer add and cancel", Reach: ">= 10 M/s"}
	if ns, ok := r.Figure(cost("TimerAddCancel"), result.Asyncio, result.NS); ok {
		timer.Measured = fmt.Sprintf("%.1f M/s", 1e3/ns.Median)
		timer.Met = ns.Median <= 100
		if at, ok := r.Figure(cost("TimerAtAddCancel"), result.Asyncio, result.NS); ok {
			timer.Measured += fmt.Sprintf(" (CallAt: %.1f M/s)", 1e3/at.Median)
		}
	}
	return append(rows, callSoon, timer)
}

// judgeIdle looks at the row with the most connections: the memory of the process itself
// weighs least there.
func judgeIdle(r *result.Report) []result.Target {
	var row result.Row
	for _, i := range r.Kind(result.Idle) {
		if i.Name == "" && i.Connections > row.Connections {
			row = i
		}
	}
	var rows []result.Target
	for _, t := range []struct {
		name  string
		reach float64
	}{{result.Protocol, 700}, {result.Streams, 5 << 10}} {
		target := result.Target{Work: "memory per idle connection, " + t.name, Reach: fmt.Sprintf("<= %.0f B", t.reach)}
		if f, ok := row.Figure(t.name, result.BytesFreed); ok {
			target.Measured, target.Met = fmt.Sprintf("%.0f B", f.Median), f.Median <= t.reach
		}
		rows = append(rows, target)
	}
	secure := result.Target{Work: fmt.Sprintf("memory per idle TLS connection, %s / %s", result.Protocol, result.GoNet), Reach: "<= 0.50"}
	var ratio float64
	ratio, secure.Measured = worst(slices.DeleteFunc(r.Kind(result.Idle), func(i result.Row) bool { return i.Name != "TLS" }),
		result.Protocol, result.GoNet, result.BytesFreed)
	secure.Met = secure.Measured != "" && ratio <= 0.5
	rows = append(rows, secure)
	still := result.Target{Work: "idle loop", Reach: "0 wake-ups/s, 0 % CPU"}
	if w, ok := row.Figure(result.Protocol, result.Wakeups); ok {
		cpu, _ := row.Figure(result.Protocol, result.IdleCPU)
		still.Measured = fmt.Sprintf("%.1f wake-ups/s, %.2f %% CPU", w.Median, cpu.Median*100)
		still.Met = w.Median == 0 && cpu.Median < 0.00005
	}
	return append(rows, still)
}

// worst is the largest ratio between two contenders over some rows, and where it was. A
// row that lacks either of them leaves the answer empty.
func worst(rows []result.Row, ours, other string, m result.Metric) (ratio float64, measured string) {
	for _, row := range rows {
		q, ok := row.Between(ours, other, m)
		if !ok {
			return 0, ""
		}
		if q > ratio {
			ratio, measured = q, fmt.Sprintf("%.2f (%v)", q, row)
		}
	}
	return ratio, measured
}

func printTargets(w io.Writer, rows []result.Target) {
	fmt.Fprintln(w, "\nSpeeds to reach")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, t := range rows {
		measured, verdict := t.Measured, "missed"
		if t.Met {
			verdict = "met"
		}
		if measured == "" {
			measured, verdict = "not measured", ""
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", t.Work, t.Reach, measured, verdict)
	}
	tw.Flush()
}
