package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// targetResult is one row of the design's table of speeds to reach.
type targetResult struct {
	Work     string `json:"work"`
	Reach    string `json:"reach"`
	Measured string `json:"measured"` // "" if a part of it was not measured
	Met      bool   `json:"met"`
}

// judge holds a report against the design's table. A row whose work was not measured says so.
func judge(r *report) []targetResult {
	var rows []targetResult
	add := func(work, reach, measured string, met bool) {
		rows = append(rows, targetResult{work, reach, measured, met && measured != ""})
	}
	for _, t := range []struct {
		name               string
		bytes, connections int
		reach              float64
	}{
		{protocol, 1 << 10, 10, 1.15},
		{protocol, 1 << 10, 100, 1.08},
		{streams, 1 << 10, 10, 1.25},
		{streams, 1 << 10, 100, 1.20},
		{protocol, 100 << 10, 10, 1.30},
		{protocol, 100 << 10, 100, 1.30},
	} {
		measured, met := "", false
		if row, ok := r.echo(t.bytes, t.connections); ok {
			if e, ok := row.result(t.name); ok {
				measured, met = fmt.Sprintf("%.2f", e.Ratio), e.Ratio <= t.reach
			}
		}
		work := fmt.Sprintf("echo %s, %d connections, %s / C", kib(t.bytes), t.connections, t.name)
		add(work, fmt.Sprintf("<= %.2f", t.reach), measured, met)
	}
	for _, pair := range [][2]string{
		{protocol, uvloop}, {protocol, nodeNet}, {protocol, goNet}, {streams, uvloopStreams}, {streams, nodeNet}, {streams, goNet},
	} {
		worst, measured := r.worst(pair[0], pair[1])
		add(fmt.Sprintf("every echo row, %s / %s", pair[0], pair[1]), "< 1.00", measured, worst < 1)
	}
	return append(rows, append(judgeMicro(r), judgeIdle(r)...)...)
}

func judgeMicro(r *report) []targetResult {
	ratio := func(work, a, b string, reach float64) targetResult {
		t := targetResult{Work: work, Reach: fmt.Sprintf("<= %.1f", reach)}
		over, ok := r.micro(a, "ns/op")
		under, ok2 := r.micro(b, "ns/op")
		if ok && ok2 {
			q := microRatio(over, under)
			t.Measured = fmt.Sprintf("%.2f (%.0f ns / %.0f ns)", q, over.value("ns/op"), under.value("ns/op"))
			t.Met = q <= reach
		}
		return t
	}
	rows := []targetResult{
		ratio("switch / bare iter.Pull round trip", "Switch", "SwitchBare", 1.5),
		ratio("spawn and await a task / goroutine and channel", "Spawn", "SpawnBare", 0.8),
	}
	callSoon := targetResult{Work: "CallSoon per callback, batch of 1,000", Reach: "<= 25 ns, 0 allocations"}
	if m, ok := r.micro("CallSoon", "ns/callback"); ok {
		ns, allocs := m.value("ns/callback"), m.value("allocs/op")
		callSoon.Measured = fmt.Sprintf("%.1f ns, %.3g allocations", ns, allocs/1000)
		callSoon.Met = ns <= 25 && allocs < 10 // of a batch: the loop's own, however many callbacks it runs
	}
	timer := targetResult{Work: "timer add and cancel", Reach: ">= 10 M/s"}
	if m, ok := r.micro("TimerAddCancel", "ns/op"); ok {
		timer.Measured = fmt.Sprintf("%.1f M/s", 1e3/m.value("ns/op"))
		timer.Met = m.value("ns/op") <= 100
		if at, ok := r.micro("TimerAtAddCancel", "ns/op"); ok {
			timer.Measured += fmt.Sprintf(" (CallAt: %.1f M/s)", 1e3/at.value("ns/op"))
		}
	}
	return append(rows, callSoon, timer)
}

func judgeIdle(r *report) []targetResult {
	var rows []targetResult
	for _, t := range []struct {
		name  string
		reach float64
	}{{protocol, 700}, {streams, 5 << 10}} {
		row := targetResult{Work: "memory per idle connection, " + t.name, Reach: fmt.Sprintf("<= %.0f B", t.reach)}
		if i := r.idle(t.name); i != nil {
			row.Measured = fmt.Sprintf("%.0f B", i.BytesFreed)
			row.Met = i.BytesFreed <= t.reach
		}
		rows = append(rows, row)
	}
	still := targetResult{Work: "idle loop", Reach: "0 wake-ups/s, 0 % CPU"}
	if i := r.idle(protocol); i != nil {
		still.Measured = fmt.Sprintf("%.1f wake-ups/s, %.2f %% CPU", i.Wakeups, i.CPU*100)
		still.Met = i.Wakeups == 0 && i.CPU < 0.00005
	}
	return append(rows, still)
}

func (r *report) echo(bytes, connections int) (echoRow, bool) {
	i := slices.IndexFunc(r.Echo, func(e echoRow) bool { return e.Bytes == bytes && e.Connections == connections })
	if i < 0 {
		return echoRow{}, false
	}
	return r.Echo[i], true
}

func (r *report) idle(name string) *idleResult {
	for i := range r.Idle {
		if r.Idle[i].Name == name {
			return &r.Idle[i]
		}
	}
	return nil
}

// worst is the largest ratio of CPU per request between two contenders over the echo rows, and where it was. A row that
// lacks either of them leaves the answer empty.
func (r *report) worst(ours, other string) (ratio float64, measured string) {
	for _, row := range r.Echo {
		a, ok := row.result(ours)
		b, ok2 := row.result(other)
		if !ok || !ok2 {
			return 0, ""
		}
		if q := a.Ratio / b.Ratio; q > ratio {
			ratio, measured = q, fmt.Sprintf("%.2f (%s, %d)", q, kib(row.Bytes), row.Connections)
		}
	}
	return ratio, measured
}

func printTargets(w io.Writer, rows []targetResult) {
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
