package result

import (
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var echo10 = Work{Kind: Echo, Bytes: 1 << 10, Connections: 10}

// cpuRow has a control with two samples a round, and a contender with one.
func cpuRow() Row {
	row := Row{Work: echo10, Control: LibuvC}
	add := func(name string, round int, us float64) {
		row.Add(name, round, map[Metric]float64{CPU: us, P99: us * 10})
	}
	for round, us := range [][3]float64{{10, 30, 12}, {9, 10, 11}, {10, 12, 10}} {
		add(LibuvC, round, us[0])
		add(GoNet, round, us[1])
		add(LibuvC, round, us[2])
	}
	row.Summarise()
	return row
}

func TestSummarise(t *testing.T) {
	row := cpuRow()
	require.Equal(t, []string{LibuvC, GoNet}, []string{row.Results[0].Name, row.Results[1].Name})
	require.InDelta(t, 0.3, row.ControlSpread, 1e-9)
	f, ok := row.Figure(GoNet, CPU)
	require.True(t, ok)
	require.InDelta(t, 12, f.Median, 1e-9)
	require.InDelta(t, 20./12, f.Spread, 1e-9)
	require.InDelta(t, 1.2, f.Ratio, 1e-9, "ratios of the rounds: 30/11, 10/10, 12/10")
	require.InDelta(t, (30./11-1)/1.2, f.RatioSpread, 1e-9)
	f, _ = row.Figure(LibuvC, CPU)
	require.InDelta(t, 1, f.Ratio, 0.01)
	_, ok = row.Figure(Uvloop, CPU)
	require.False(t, ok)
	_, ok = row.Figure(GoNet, Bytes)
	require.False(t, ok)

	q, ok := row.Between(LibuvC, GoNet, CPU)
	require.True(t, ok)
	require.InDelta(t, 10./12, q, 1e-9, "10/30, 12/30, 10/12, 10/12, 9/10, 11/10")
	_, ok = row.Between(GoNet, Uvloop, CPU)
	require.False(t, ok)
}

func TestWithoutControl(t *testing.T) {
	row := Row{Work: Work{Kind: Idle, Connections: 5}, Control: LibuvC}
	row.Add(Protocol, 1, map[Metric]float64{Wakeups: 0, BytesFreed: 700})
	row.Summarise()
	require.Zero(t, row.ControlSpread)
	f, ok := row.Figure(Protocol, Wakeups)
	require.True(t, ok)
	require.Zero(t, f)
}

func TestValuesThatWereNotMeasured(t *testing.T) {
	row := Row{Work: echo10}
	row.Add(LibuvC, 1, map[Metric]float64{CPU: math.NaN(), Busy: math.Inf(1), Rate: 7})
	row.Add(LibuvC, 2, map[Metric]float64{CPU: 5, Rate: 7})
	row.Summarise()
	f, ok := row.Figure(LibuvC, CPU)
	require.True(t, ok)
	require.InDelta(t, 5, f.Median, 1e-9)
	_, ok = row.Figure(LibuvC, Busy)
	require.False(t, ok)
	require.NoError(t, (&Report{Rows: []Row{row}}).WriteFile(filepath.Join(t.TempDir(), "r.json")))
}

func TestMedian(t *testing.T) {
	list := []float64{9, 1, 5}
	require.InDelta(t, 5, Median(list), 1e-9)
	require.Equal(t, []float64{9, 1, 5}, list)
	require.InDelta(t, 3, Median([]float64{1, 5}), 1e-9)
	require.InDelta(t, 1.6, Spread(list), 1e-9)
	require.Zero(t, Spread([]float64{0, 0}))
}

func TestFile(t *testing.T) {
	r := &Report{Go: "go1.26", Time: time.Unix(1, 0).UTC(), Rows: []Row{cpuRow(), {Work: Work{Kind: Cost, Name: "Switch"}}},
		Absent: []Absent{{Uvloop, "not there"}}}
	name := filepath.Join(t.TempDir(), "folder", "r.json")
	require.NoError(t, r.WriteFile(name))
	back, err := ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, r, back)
	require.Len(t, back.Kind(Echo), 1)
	f, ok := back.Figure(echo10, GoNet, P99)
	require.True(t, ok)
	require.InDelta(t, 120, f.Median, 1e-9)
	_, ok = back.Figure(Work{Kind: Echo}, GoNet, P99)
	require.False(t, ok)

	_, err = ReadFile("result_test.go")
	require.ErrorContains(t, err, "not a saved report")
}

func TestNames(t *testing.T) {
	for want, w := range map[string]Work{
		"echo 1 KiB, 10 connections":                              echo10,
		"echo 100 B, 1 connection":                                {Kind: Echo, Bytes: 100, Connections: 1},
		"pipeline 16 x 64 B, 10 connections":                      {Kind: Pipeline, Bytes: 64, Depth: 16, Connections: 10},
		"open loop 1 KiB, 100 connections, 70 % load":             {Kind: Open, Bytes: 1 << 10, Connections: 100, Load: 0.7},
		"echo 1 KiB, 10 connections, beside 2 busy, GOMAXPROCS 1": {Kind: Beside, Bytes: 1 << 10, Connections: 10, Busy: 2, Procs: 1},
		"UDP echo 1400 B, 10 sockets":                             {Kind: UDP, Bytes: 1400, Connections: 10},
		"Unix echo 1 KiB, 1 connection":                           {Kind: Unix, Bytes: 1 << 10, Connections: 1},
		"connect, echo 1 B, close, 10 at a time":                  {Kind: Accept, Bytes: 1, Connections: 10},
		"sendfile 100 MiB, 1 connection":                          {Kind: Sendfile, Bytes: 100 << 20, Connections: 1},
		"echo 1 KiB, 10 connections, on loops, GOMAXPROCS 2":      {Kind: Loops, Bytes: 1 << 10, Connections: 10, Procs: 2},
		"5000 idle connections":                                   {Kind: Idle, Connections: 5000},
		"Switch":                                                  {Kind: Cost, Name: "Switch"},
	} {
		require.Equal(t, want, w.String())
	}
}
