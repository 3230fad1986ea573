package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"text/tabwriter"
)

// meter measures contenders and gathers the results.
type meter struct {
	settings
	client     string
	contenders []contender
	report     *report
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
	Ratio     float64 `json:"ratio"` // CPU per request, to the control's in the same round
}

// cpu is the server's CPU time per request in microseconds.
func (s sample) cpu() float64 { return s.ServerCPU / float64(s.Requests) * 1e6 }

// echoRow is one kind of work, done by all contenders.
type echoRow struct {
	Bytes         int          `json:"bytes"`
	Connections   int          `json:"connections"`
	ControlSpread float64      `json:"control_spread"` // (largest - smallest) / median of the control's CPU per request
	Results       []echoResult `json:"results"`
}

// echoResult holds medians over the rounds.
type echoResult struct {
	Name    string   `json:"name"`
	Rate    float64  `json:"rate"`
	CPU     float64  `json:"cpu_us"` // per request
	Ratio   float64  `json:"ratio"`  // to the control
	P50     float64  `json:"p50_us"`
	P99     float64  `json:"p99_us"`
	Busy    float64  `json:"busy"` // share of one processor that the server used
	Samples []sample `json:"samples"`
}

func (r echoRow) String() string {
	return fmt.Sprintf("echo %s, %d connections", kib(r.Bytes), r.Connections)
}

func kib(bytes int) string { return fmt.Sprintf("%d KiB", bytes>>10) }

func (r echoRow) result(name string) (echoResult, bool) {
	i := slices.IndexFunc(r.Results, func(e echoResult) bool { return e.Name == name })
	if i < 0 {
		return echoResult{}, false
	}
	return r.Results[i], true
}

// echoWork are the rows of the table.
var echoWork = []echoRow{
	{Bytes: 1 << 10, Connections: 10},
	{Bytes: 1 << 10, Connections: 100},
	{Bytes: 100 << 10, Connections: 10},
	{Bytes: 100 << 10, Connections: 100},
}

func (m *meter) echoRows() {
	m.progress.expect(len(echoWork) * m.rounds * (len(m.contenders) + 1))
	for _, row := range echoWork {
		samples := map[string][]sample{}
		for round := 1; round <= m.rounds; round++ {
			for name, list := range m.echoRound(row, round) {
				samples[name] = append(samples[name], list...)
			}
		}
		row.summarise(m.contenders, samples)
		m.report.Echo = append(m.report.Echo, row)
		m.progress.clear()
		printEcho(os.Stdout, row)
	}
}

// echoRound measures every contender once, and the control once more at the end. Who fails takes no further part.
func (m *meter) echoRound(row echoRow, round int) map[string][]sample {
	samples := map[string][]sample{}
	for _, c := range append(slices.Clone(m.contenders), m.contenders[0]) {
		m.progress.step(fmt.Sprintf("%v, round %d of %d: %s", row, round, m.rounds, c.name))
		s, err := m.echoOnce(c, row)
		if err != nil {
			m.drop(c, row.String(), err)
			continue
		}
		samples[c.name] = append(samples[c.name], s)
	}
	var sum float64
	for _, s := range samples[control] {
		sum += s.cpu()
	}
	if mean := sum / float64(len(samples[control])); mean > 0 {
		for _, list := range samples {
			for i := range list {
				list[i].Ratio = list[i].cpu() / mean
			}
		}
	}
	return samples
}

// drop reports a failure of c, and measures it no more, unless it is the control, without which nothing can be compared.
func (m *meter) drop(c contender, work string, err error) {
	m.report.Failed = append(m.report.Failed, failedMeasure{c.name, work, err.Error()})
	m.contenders = slices.DeleteFunc(m.contenders, func(o contender) bool { return o.name == c.name && o.name != control })
}

// echoOnce starts the server anew, so that one contender's state cannot weigh on another's measurement.
func (m *meter) echoOnce(c contender, row echoRow) (sample, error) {
	srv, err := startServer(c, m.serverCPU)
	if err != nil {
		return sample{}, err
	}
	defer srv.stop()
	out, err := m.runClient("127.0.0.1", srv.port, strconv.Itoa(row.Bytes), strconv.Itoa(row.Connections),
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

// summarise fills in the medians, in the contenders' order.
func (r *echoRow) summarise(contenders []contender, samples map[string][]sample) {
	r.Results = nil
	for _, c := range contenders {
		list := samples[c.name]
		if len(list) == 0 {
			continue
		}
		of := func(field func(sample) float64) float64 { return median(list, field) }
		r.Results = append(r.Results, echoResult{
			Name:    c.name,
			Rate:    of(func(s sample) float64 { return s.Rate }),
			CPU:     of(sample.cpu),
			Ratio:   of(func(s sample) float64 { return s.Ratio }),
			P50:     of(func(s sample) float64 { return s.P50 }),
			P99:     of(func(s sample) float64 { return s.P99 }),
			Busy:    of(func(s sample) float64 { return s.ServerCPU / s.Seconds }),
			Samples: list,
		})
	}
	if list := samples[control]; len(list) > 0 {
		least, most := list[0].cpu(), list[0].cpu()
		for _, s := range list {
			least, most = min(least, s.cpu()), max(most, s.cpu())
		}
		r.ControlSpread = (most - least) / median(list, sample.cpu)
	}
}

// median of a field over a list that is not empty.
func median(list []sample, field func(sample) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = field(s)
	}
	return medianOf(values)
}

func medianOf(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func printEcho(w io.Writer, row echoRow) {
	fmt.Fprintf(w, "\n%v (the control's own figures spread over %.0f %%)\n", row, row.ControlSpread*100)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\trequests/s\tCPU us/request\tto C\tp50 us\tp99 us\tserver busy\t")
	for _, r := range row.Results {
		fmt.Fprintf(tw, "%-16s\t%.0f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f %%\t\n", r.Name, r.Rate, r.CPU, r.Ratio, r.P50, r.P99, r.Busy*100)
	}
	tw.Flush()
}
