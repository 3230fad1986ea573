package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// column is one column of a table on the terminal.
type column struct {
	head   string
	metric result.Metric
	format string
	scale  float64
	ratio  bool // to the control, instead of the figure itself
}

const percent = 100

// columnsOf are the columns for a kind of work.
func columnsOf(k result.Kind) []column {
	tail := []column{
		{"p50 us", result.P50, "%.0f", 1, false}, {"p99 us", result.P99, "%.0f", 1, false}, {"p99.9 us", result.P999, "%.0f", 1, false},
	}
	switch k {
	case result.Open, result.Beside:
		head := []column{{"requests/s", result.Rate, "%.0f", 1, false}}
		return append(append(head, tail...), column{"p99 to control", result.P99, "%.2f", 1, true})
	case result.Idle:
		return []column{
			{"bytes each", result.Bytes, "%.0f", 1, false}, {"after freeing", result.BytesFreed, "%.0f", 1, false},
			{"wake-ups/s", result.Wakeups, "%.1f", 1, false}, {"CPU %", result.IdleCPU, "%.2f", percent, false},
		}
	case result.Cost, result.System, result.Twins:
		return []column{
			{"ns", result.NS, "%.1f", 1, false}, {"allocations", result.Allocs, "%.3g", 1, false},
			{"to control", result.NS, "%.2f", 1, true},
		}
	default:
		head := []column{
			{"requests/s", result.Rate, "%.0f", 1, false}, {"CPU us/request", result.CPU, "%.2f", 1, false},
			{"to control", result.CPU, "%.2f", 1, true},
		}
		if k == result.Loops {
			head = append(head, column{"capacity/s", result.Capacity, "%.0f", 1, false})
		}
		if k == result.UDP {
			tail = append(tail, column{"sent again", result.Resent, "%.0f", 1, false})
		}
		return append(append(head, tail...), column{"server busy %", result.Busy, "%.0f", percent, false})
	}
}

// cell is a figure as it is printed, or "" if it was not measured.
func (c column) cell(r result.Result) string {
	f, ok := r.Figures[c.metric]
	v := f.Median * c.scale
	if c.ratio {
		v, ok = f.Ratio, f.Ratio > 0
	}
	if !ok {
		return ""
	}
	return fmt.Sprintf(c.format, v)
}

// printRows prints a table for each row; works that have a name are one table.
func printRows(w io.Writer, rows []result.Row) {
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[0].Name != "" && rows[n].Kind == rows[0].Kind && rows[n].Control == rows[0].Control {
			n++
		}
		printTable(w, rows[:n])
		rows = rows[n:]
	}
}

// printTable prints rows of one kind. If they are several, each line names its work.
func printTable(w io.Writer, rows []result.Row) {
	columns := columnsOf(rows[0].Kind)
	title, noise := rows[0].String(), ""
	if len(rows) > 1 {
		title = string(rows[0].Kind)
	} else if f, ok := rows[0].Figure(rows[0].Control, rows[0].Kind.Main()); ok {
		noise = fmt.Sprintf(", whose %s spread over %.0f %%", rows[0].Kind.Main(), f.Spread*percent)
	}
	fmt.Fprintf(w, "\n%s (control: %s%s)\n", title, rows[0].Control, noise)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range columns {
		fmt.Fprint(tw, "\t", c.head)
	}
	fmt.Fprintln(tw, "\t")
	for _, row := range rows {
		for _, r := range row.Results {
			name := fmt.Sprintf("%-22s", r.Name)
			if len(rows) > 1 {
				name = fmt.Sprintf("%-22s %-16s", row.Name, r.Name)
			}
			fmt.Fprint(tw, name)
			for _, c := range columns {
				fmt.Fprint(tw, "\t", c.cell(r))
			}
			fmt.Fprintln(tw, "\t")
		}
	}
	tw.Flush()
}

func printFailures(w io.Writer, rep *result.Report) {
	for _, a := range rep.Absent {
		fmt.Fprintf(w, "left out: %s: %s\n", a.Name, a.Reason)
	}
	for _, f := range rep.Failed {
		fmt.Fprintf(w, "FAILED: %s, %s: %s\n", f.Name, f.Work, f.Error)
	}
}
