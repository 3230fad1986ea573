package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// document is the page while it is written.
type document struct{ bytes.Buffer }

func (d *document) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

// table writes rows below a header. The first column is text, the others are figures.
func (d *document) table(header []string, rows [][]string) {
	d.line("")
	d.line("| %s |", strings.Join(header, " | "))
	d.line("|---%s|", strings.Repeat("|---:", len(header)-1))
	for _, row := range rows {
		d.line("| %s |", strings.Join(row, " | "))
	}
	d.line("")
}

// page is the whole page in markdown.
func page(r *result.Report, charts []*chart) []byte {
	d := &document{}
	d.line("# Benchmarks\n")
	d.line("This page is written by `make compare`; [performance.md](performance.md) explains the figures.")
	d.machine(r)
	d.method(r)
	d.targets(r.Targets)
	for _, s := range sections {
		d.section(r, charts, s)
	}
	d.missing(r)
	text := bytes.TrimRight(d.Bytes(), "\n")
	for bytes.Contains(text, []byte("\n\n\n")) {
		text = bytes.ReplaceAll(text, []byte("\n\n\n"), []byte("\n\n"))
	}
	return append(text, '\n')
}

func (d *document) machine(r *result.Report) {
	rows := [][]string{{"processor", fmt.Sprintf("%s, %d of them", r.CPU, r.CPUs)}, {"Go", r.Go}}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	add("kernel", r.Kernel)
	for _, name := range sortedKeys(r.Versions) {
		add(name, r.Versions[name])
	}
	add("commit", r.Commit)
	add("date", r.Time.UTC().Format("2006-01-02 15:04 MST"))
	if r.Rounds > 0 {
		add("measured", fmt.Sprintf("%s of %g s each for the echo rows with goals, more and shorter at a fixed rate, at most that for the others", count(r.Rounds, "round"), r.Seconds))
	}
	d.line("")
	d.line("| | |\n|---|---|")
	for _, row := range rows {
		d.line("| %s | %s |", row[0], row[1])
	}
}

func (d *document) method(r *result.Report) {
	where := "Server and client have a processor each, so a Go server runs with GOMAXPROCS 1 unless a row says otherwise; what counts is the server's\n" +
		"CPU time per request, because it does not depend on how fast the client is."
	if r.CPUs < 2 {
		where = "Server and client share the only processor; what counts is the server's CPU time per request, because it does not depend on how\n" +
			"fast the client is."
	}
	d.line("\nEvery round measures all contenders one after the other with the same client, and the control, which is `%s` wherever it can take part,\n"+
		"first and last; a ratio is taken within its round.", result.LibuvC)
	d.line("%s", where)
	d.line("The tables hold medians over the rounds, ± is half the distance between the least and the greatest, and a difference smaller than the noise\n" +
		"of the control, the first line of a table, says nothing.")
}

func (d *document) targets(targets []result.Target) {
	if len(targets) == 0 {
		return
	}
	met, measured := 0, 0
	var rows [][]string
	for _, t := range targets {
		row := []string{t.Work, t.Reach, t.Measured, "missed"}
		switch {
		case t.Measured == "":
			row[2], row[3] = "not measured", ""
		case t.Met:
			row[3] = "met"
			met++
			fallthrough
		default:
			measured++
		}
		if row[3] == "missed" {
			row[3] = "**missed**"
		}
		rows = append(rows, row)
	}
	d.line("\n## Goals\n")
	d.line("%d of %d met.", met, measured)
	d.table([]string{"work", "goal", "measured", ""}, rows)
}

func (d *document) missing(r *result.Report) {
	if len(r.Absent) > 0 {
		d.line("\n## Not installed\n")
		for _, a := range r.Absent {
			d.line("- `%s`: %s", a.Name, a.Reason)
		}
	}
	if len(r.Failed) > 0 {
		d.line("\n## Failed\n")
		for _, f := range r.Failed {
			d.line("- `%s`, %s: %s", f.Name, f.Work, f.Error)
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
