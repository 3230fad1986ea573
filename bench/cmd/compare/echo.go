package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// meter measures contenders and gathers the results.
type meter struct {
	settings
	client     string
	contenders []contender
	report     *result.Report
	progress   *progress
}

// sample is what the client prints: one measurement.
type sample struct {
	Requests  int64   `json:"requests"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"rate"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	ClientCPU float64 `json:"client_cpu"` // seconds
	ServerCPU float64 `json:"server_cpu"`
}

// values is the sample as a row keeps it.
func (s sample) values() map[result.Metric]float64 {
	return map[result.Metric]float64{
		result.Requests: float64(s.Requests),
		result.Seconds:  s.Seconds,
		result.Rate:     s.Rate,
		result.CPU:      s.ServerCPU / float64(s.Requests) * 1e6,
		result.P50:      s.P50,
		result.P99:      s.P99,
		result.P999:     s.P999,
		result.Busy:     s.ServerCPU / s.Seconds,
	}
}

// echoWork are the rows of the table.
var echoWork = []result.Work{
	{Kind: result.Echo, Bytes: 1 << 10, Connections: 10},
	{Kind: result.Echo, Bytes: 1 << 10, Connections: 100},
	{Kind: result.Echo, Bytes: 100 << 10, Connections: 10},
	{Kind: result.Echo, Bytes: 100 << 10, Connections: 100},
}

func (m *meter) echoRows() {
	m.progress.expect(len(echoWork) * m.rounds * (len(m.contenders) + 1))
	for _, work := range echoWork {
		row := result.Row{Work: work, Control: result.LibuvC}
		for round := 1; round <= m.rounds; round++ {
			m.echoRound(&row, round)
		}
		row.Summarise()
		m.report.Rows = append(m.report.Rows, row)
		m.progress.clear()
		printEcho(os.Stdout, row)
	}
}

// echoRound measures every contender once, and the control once more at the end. Who fails takes no further part.
func (m *meter) echoRound(row *result.Row, round int) {
	for _, c := range append(slices.Clone(m.contenders), m.contenders[0]) {
		m.progress.step(fmt.Sprintf("%v, round %d of %d: %s", row, round, m.rounds, c.name))
		s, err := m.echoOnce(c, row.Work)
		if err != nil {
			m.drop(c, row.String(), err)
			continue
		}
		row.Add(c.name, round, s.values())
	}
}

// drop reports a failure of c, and measures it no more, unless it is the control, without which nothing can be compared.
func (m *meter) drop(c contender, work string, err error) {
	m.report.Failed = append(m.report.Failed, result.Failed{Name: c.name, Work: work, Error: err.Error()})
	m.contenders = slices.DeleteFunc(m.contenders, func(o contender) bool { return o.name == c.name && o.name != result.LibuvC })
}

// echoOnce starts the server anew, so that one contender's state cannot weigh on another's measurement.
func (m *meter) echoOnce(c contender, w result.Work) (sample, error) {
	srv, err := startServer(c, m.serverCPU)
	if err != nil {
		return sample{}, err
	}
	defer srv.stop()
	out, err := m.runClient("127.0.0.1", srv.port, strconv.Itoa(w.Bytes), strconv.Itoa(w.Connections),
		fmt.Sprint(m.seconds), fmt.Sprint(m.warmup), srv.pid())
	if err != nil {
		return sample{}, err
	}
	var s sample
	if err := json.Unmarshal(out, &s); err != nil {
		return sample{}, fmt.Errorf("the client printed %q: %w", out, err)
	}
	return s, nil
}

func printEcho(w io.Writer, row result.Row) {
	fmt.Fprintf(w, "\n%v (the control's own figures spread over %.0f %%)\n", row, row.ControlSpread*100)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\trequests/s\tCPU us/request\tto C\tp50 us\tp99 us\tserver busy\t")
	for _, r := range row.Results {
		of := func(m result.Metric) float64 { return r.Figures[m].Median }
		fmt.Fprintf(tw, "%-16s\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f %%\t\n", r.Name, of(result.Rate), of(result.CPU),
			r.Figures[result.CPU].Ratio, of(result.P50), of(result.P99), of(result.Busy)*100)
	}
	tw.Flush()
}
