package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// cast are contenders and what a request costs them as a multiple of C.
var cast = []struct {
	name  string
	times float64
}{
	{result.LibuvC, 1}, {result.Protocol, 1.07}, {result.Streams, 1.18}, {result.GoNet, 1.27}, {result.Uvloop, 1.1}, {result.NodeNet, 5.4}, {"another", 1.5},
}

// written is a report with every kind of row. Its figures follow from cast.
func written() *result.Report {
	r := &result.Report{
		Go: "go1.26", CPU: "A processor", CPUs: 2, Kernel: "Linux 6.1", Commit: "abc1234", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Versions: map[string]string{"uvloop": "0.17", "libuv": "1.44.2", "node": "18.1"}, Rounds: 3, Seconds: 2,
		Targets: []result.Target{{Work: "echo", Reach: "<= 1.15", Measured: "1.07", Met: true}, {Work: "timer", Reach: ">= 10 M/s", Measured: "8.0 M/s"},
			{Work: "sums", Reach: "< 1"}},
		Absent: []result.Absent{{Name: "bun", Reason: "there is none"}},
		Failed: []result.Failed{{Name: "deno", Work: "echo 1 KiB, 10 connections", Error: "refused"}},
	}
	add := func(w result.Work, control string, values func(times float64) map[result.Metric]float64) {
		row := result.Row{Work: w, Control: control}
		for round := range 3 {
			for _, c := range cast {
				row.Add(c.name, round, values(c.times*(1+0.02*float64(round)*(c.times-0.5))))
			}
		}
		row.Summarise()
		r.Rows = append(r.Rows, row)
	}
	echo := func(us float64) func(times float64) map[result.Metric]float64 {
		return func(times float64) map[result.Metric]float64 {
			return map[result.Metric]float64{result.CPU: us * times, result.Rate: 1e6 / us / times, result.P50: 9 * us * times, result.P99: 20 * us * times,
				result.P999: 50 * us * times * times, result.Busy: 0.9}
		}
	}
	for _, connections := range []int{1, 10, 1000} {
		add(result.Work{Kind: result.Echo, Bytes: 1 << 10, Connections: connections}, result.LibuvC, echo(4))
	}
	add(result.Work{Kind: result.Echo, Bytes: 100 << 10, Connections: 10}, result.LibuvC, echo(100))
	add(result.Work{Kind: result.Pipeline, Bytes: 64, Depth: 16, Connections: 10}, result.LibuvC, echo(1))
	add(result.Work{Kind: result.Open, Bytes: 1 << 10, Connections: 100, Load: 0.7}, result.LibuvC, echo(100))
	add(result.Work{Kind: result.Steady, Bytes: 1 << 10, Connections: 10, Rate: 40_000}, result.LibuvC, echo(8))
	for _, procs := range []int{1, 2} {
		for busy := range 2 {
			add(result.Work{Kind: result.Beside, Bytes: 1 << 10, Connections: 10, Busy: busy, Procs: procs}, "", echo(float64(1+1000*busy/procs)))
		}
	}
	for _, connections := range []int{1, 10} {
		add(result.Work{Kind: result.UDP, Bytes: 1400, Connections: connections}, result.LibuvC, func(times float64) map[result.Metric]float64 {
			values := echo(2)(times)
			if times > 1.2 {
				values[result.Resent] = 7
			}
			return values
		})
		add(result.Work{Kind: result.Unix, Bytes: 1 << 10, Connections: connections}, result.LibuvC, echo(3))
		add(result.Work{Kind: result.Accept, Bytes: 1, Connections: 10 * connections}, result.LibuvC, echo(20))
	}
	add(result.Work{Kind: result.Sendfile, Bytes: 100 << 20, Connections: 1}, result.LibuvC, echo(15_000))
	loops := result.Row{Work: result.Work{Kind: result.Loops, Bytes: 1 << 10, Connections: 100, Procs: 2}, Control: result.OneLoop}
	for i, name := range []string{result.OneLoop, result.TwoLoops} {
		values := echo(4 + 0.2*float64(i))(1)
		values[result.Capacity] = float64(1+i) * 1e6 / values[result.CPU]
		loops.Add(name, 1, values)
	}
	loops.Summarise()
	r.Rows = append(r.Rows, loops)
	add(result.Work{Kind: result.TLS, Bytes: 1 << 10, Connections: 10}, result.GoNet, echo(8))
	add(result.Work{Kind: result.Shake, Bytes: 1, Connections: 10}, result.GoNet, echo(300))
	for _, name := range []string{"hello", "json"} {
		add(result.Work{Kind: result.HTTP, Name: name, Connections: 100}, result.GoNet, echo(15))
	}
	add(result.Work{Kind: result.HTTPS, Name: "hello", Connections: 100}, result.GoNet, echo(16))
	add(result.Work{Kind: result.Idle, Name: "TLS", Connections: 5000}, result.GoNet, func(times float64) map[result.Metric]float64 {
		return map[result.Metric]float64{result.BytesFreed: 9000 * times}
	})
	add(result.Work{Kind: result.Idle, Connections: 5000}, result.LibuvC, func(times float64) map[result.Metric]float64 {
		return map[result.Metric]float64{result.Bytes: 900 * times, result.BytesFreed: 300 * times * times, result.Wakeups: 0, result.IdleCPU: 0.001 * times}
	})
	for i, name := range []string{"Switch", "Spawn", "Clock", "TimerAddCancel"} {
		row := result.Row{Work: result.Work{Kind: result.Cost, Name: name}, Control: result.Bare}
		row.Add(result.Asyncio, 1, map[result.Metric]float64{result.NS: 75 * float64(1+i), result.Allocs: float64(i % 2)})
		if i < 2 {
			row.Add(result.Bare, 1, map[result.Metric]float64{result.NS: 100, result.Allocs: 1})
		}
		row.Summarise()
		r.Rows = append(r.Rows, row)
	}
	for i, name := range []string{"call_soon", "call_later and cancel", "sleep(0)", "create_task and await", "gather of 1,000, each", "call_soon_threadsafe"} {
		row := result.Row{Work: result.Work{Kind: result.Cost, Name: name}, Control: result.Asyncio}
		for j, who := range []string{result.Asyncio, result.Bare, result.PureGo, result.Goja, result.UvloopLoop, result.PythonLoop,
			result.Node, result.NodeMicrotasks} {
			if (i+j)%4 != 1 {
				row.Add(who, 1, map[result.Metric]float64{result.NS: 30 * float64(1+i) * float64(1+j*j*j)})
			}
		}
		row.Summarise()
		r.Rows = append(r.Rows, row)
	}
	return r
}

func TestPage(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, Write(folder, written()))
	got, err := os.ReadFile(filepath.Join(folder, pageName))
	require.NoError(t, err)
	golden := filepath.Join("testdata", pageName)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, got, 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))

	charts := 0
	for line := range strings.Lines(string(got)) {
		if _, link, ok := strings.Cut(line, "]("+chartsFolder+"/"); ok {
			charts++
			require.FileExists(t, filepath.Join(folder, chartsFolder, strings.TrimSuffix(link, ")\n")))
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, chartsFolder, "*.svg"))
	require.NoError(t, err)
	require.Len(t, files, charts, "every chart stands on the page")
}

func TestWritesTheSameAgain(t *testing.T) {
	folders := []string{t.TempDir(), t.TempDir()}
	left := filepath.Join(folders[1], chartsFolder, "of-an-old-run.svg")
	require.NoError(t, os.MkdirAll(filepath.Dir(left), 0o755))
	require.NoError(t, os.WriteFile(left, nil, 0o644))
	for _, f := range folders {
		require.NoError(t, Write(f, written()))
	}
	require.NoFileExists(t, left)
	for _, c := range chartsOf(written()) {
		a, err := os.ReadFile(filepath.Join(folders[0], chartsFolder, c.file))
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(folders[1], chartsFolder, c.file))
		require.NoError(t, err)
		require.True(t, bytes.Equal(a, b), c.file)
	}
}

func TestCharts(t *testing.T) {
	charts := chartsOf(written())
	require.Len(t, charts, 19)
	for _, c := range charts {
		t.Run(c.file, func(t *testing.T) {
			var svg bytes.Buffer
			require.NoError(t, c.svg(&svg))
			texts := textsOf(t, &svg)
			require.Contains(t, texts, c.title)
			require.Contains(t, texts, c.unit)
			for _, name := range c.names {
				require.Contains(t, texts, name)
			}
			for _, name := range c.broken() {
				for line := range strings.Lines(name) {
					require.Contains(t, texts, strings.TrimSpace(line))
				}
			}
		})
	}
}

// textsOf are the texts of an SVG, which is read to its end.
func textsOf(t *testing.T, svg io.Reader) []string {
	t.Helper()
	var texts []string
	in := false
	for d := xml.NewDecoder(svg); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			in = token.Name.Local == "text"
		case xml.CharData:
			if in {
				texts = append(texts, string(token))
			}
		case xml.EndElement:
			in = false
		}
	}
}

func TestEmptyReport(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, Write(folder, &result.Report{}))
	files, err := filepath.Glob(filepath.Join(folder, chartsFolder, "*"))
	require.NoError(t, err)
	require.Empty(t, files)
	b, err := os.ReadFile(filepath.Join(folder, pageName))
	require.NoError(t, err)
	require.NotContains(t, string(b), "## ")
}

func TestNumber(t *testing.T) {
	for want, v := range map[string]float64{"0": 0, "0.003": 0.003, "0.12": 0.123, "1.00": 1, "9.99": 9.99, "10.0": 9.996, "99.9": 99.9, "100": 99.96, "999": 999.4,
		"1,000": 999.6, "1,234,568": 1234567.8} {
		require.Equal(t, want, number(v))
	}
	for want, v := range map[string]float64{"0.2": 0.2, "20": 20, "5,000": 5000} {
		require.Equal(t, want, trimmed(v))
	}
	for want, us := range map[string]float64{"0.5 us": 0.5, "500 us": 500, "2 ms": 2000, "10 s": 1e7} {
		require.Equal(t, want, duration(us))
	}
}

func TestTicks(t *testing.T) {
	for _, most := range []float64{0.3, 1.2, 4, 7, 1500, 99999} {
		ticks := linearTicks(0, most)
		require.GreaterOrEqual(t, len(ticks), 3, most)
		require.LessOrEqual(t, len(ticks), 11, most)
		require.LessOrEqual(t, ticks[len(ticks)-1].Value, most)
	}
	var labels []string
	for _, tick := range logTicks(0.3, 25) {
		labels = append(labels, trimmed(tick.Value))
	}
	require.Equal(t, []string{"0.5", "1", "2", "5", "10", "20"}, labels)
}

func TestColours(t *testing.T) {
	require.Equal(t, colourOf(result.Protocol), colourOf(result.Asyncio))
	require.Equal(t, colourOf("a stranger"), colourOf("a stranger"))
	require.NotEqual(t, colourOf(result.GoNet), colourOf(result.NodeNet))
}
