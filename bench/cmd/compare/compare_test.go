package main

import (
	"bytes"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMeasuresTheControl(t *testing.T) {
	m := newMeter(t)
	require.Equal(t, control, m.contenders[0].name)

	row := echoRow{Bytes: 1024, Connections: 3}
	samples := m.echoRound(row, 1)
	require.Empty(t, m.report.Failed)
	require.Len(t, samples[control], 2, "once at each end of the round")
	require.InDelta(t, 2, samples[control][0].Ratio+samples[control][1].Ratio, 1e-9)
	row.summarise(m.contenders, samples)
	r, ok := row.result(control)
	require.True(t, ok)
	require.Positive(t, r.CPU)
	require.InDelta(t, 1, r.Ratio, 1e-9)

	idle, err := m.idleOnce(m.contenders[0])
	require.NoError(t, err)
	require.Positive(t, idle.Bytes)
	require.Less(t, idle.CPU, 0.01)
}

func TestWhoFailsIsDropped(t *testing.T) {
	m := newMeter(t)
	m.contenders = append(m.contenders, contender{name: goNet, command: []string{"false"}})
	for round := range 2 {
		require.Len(t, m.echoRound(echoRow{Bytes: 1024, Connections: 1}, round)[control], 2)
	}
	require.Len(t, m.contenders, 1)
	require.Len(t, m.report.Failed, 1)
	require.Equal(t, goNet, m.report.Failed[0].Name)
}

func TestServerThatDoesNotStart(t *testing.T) {
	_, err := startServer(contender{command: []string{"sh", "-c", "echo no port today >&2; exit 3"}}, "")
	require.ErrorContains(t, err, "no port today")
	_, err = startServer(contender{command: []string{"/no/such/program"}}, "")
	require.ErrorContains(t, err, "no such file")
}

func TestServerThatDoesNotFree(t *testing.T) {
	m := newMeter(t)
	c := m.contenders[0]
	c.free = syscall.SIGTERM
	s, err := startServer(c, "")
	require.NoError(t, err)
	defer s.stop()
	require.ErrorContains(t, s.freeMemory(), "ended")
}

func TestStoppedServerIsGone(t *testing.T) {
	m := newMeter(t)
	s, err := startServer(m.contenders[0], "")
	require.NoError(t, err)
	s.stop()
	_, err = net.Dial("tcp", s.addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestWants(t *testing.T) {
	require.True(t, settings{}.wants(uvloop))
	only := settings{only: []string{"node", "uvl"}}
	require.True(t, only.wants(uvloop))
	require.False(t, only.wants("go-net"))
}

func TestSummarise(t *testing.T) {
	cost := func(us ...float64) (list []sample) {
		for i, c := range us {
			list = append(list, sample{Requests: 1e6, Seconds: 2, Rate: 5e5, ServerCPU: c, Ratio: c / 10, P99: float64(i)})
		}
		return list
	}
	row := echoRow{Bytes: 1024, Connections: 10}
	row.summarise([]contender{{name: control}, {name: goNet}, {name: uvloop}},
		map[string][]sample{control: cost(10, 9, 11, 10), goNet: cost(30, 10, 12)})

	require.InDelta(t, 0.2, row.ControlSpread, 1e-9)
	require.Len(t, row.Results, 2, "a contender without samples has no row")
	r, ok := row.result(goNet)
	require.True(t, ok)
	require.InDelta(t, 12, r.CPU, 1e-9)
	require.InDelta(t, 1.2, r.Ratio, 1e-9)
	require.InDelta(t, 6, r.Busy, 1e-9)
	require.InDelta(t, 1, r.P99, 1e-9)
}

func TestMicro(t *testing.T) {
	var results []microResult
	for _, ns := range []string{"120.0", "100.0", "130.0"} {
		var err error
		results, err = addMicro(results, `goos: linux
BenchmarkSwitch-2   	 1000000	       `+ns+` ns/op	       0 B/op	       0 allocs/op
BenchmarkCallSoon 	   50000	     23000 ns/op	        23.0 ns/callback	       3 B/op	       0 allocs/op
PASS
ok  	example	1.2s
`)
		require.NoError(t, err)
	}
	require.Len(t, results, 2)
	require.Equal(t, "Switch", results[0].Name)
	require.InDelta(t, 120, results[0].value("ns/op"), 1e-9)
	require.Equal(t, []float64{23, 23, 23}, results[1].Samples["ns/callback"])
	require.Zero(t, results[0].value("ns/callback"))

	slow := microResult{"Slow", map[string][]float64{"ns/op": {240, 300, 650}}}
	require.InDelta(t, 3, microRatio(slow, results[0]), 1e-9)

	_, err := addMicro(nil, "BenchmarkX-2  100  many ns/op\n")
	require.ErrorContains(t, err, "not understood")
}

// fullReport has every figure that the targets ask for, all just good enough.
func fullReport() *report {
	ns := func(name string, v float64) microResult {
		return microResult{name, map[string][]float64{"ns/op": {v}, "ns/callback": {25}, "allocs/op": {0}}}
	}
	r := &report{
		Micro: []microResult{ns("Switch", 150), ns("SwitchBare", 100), ns("Spawn", 80), ns("SpawnBare", 100), ns("CallSoon", 25000),
			ns("TimerAddCancel", 100)},
		Idle: []idleResult{{Name: protocol, BytesFreed: 700}, {Name: streams, BytesFreed: 5120}},
	}
	for _, row := range echoWork {
		row.Results = []echoResult{{Name: protocol, Ratio: 1.08}, {Name: streams, Ratio: 1.09}, {Name: uvloop, Ratio: 1.1}, {Name: uvloopStreams, Ratio: 1.1},
			{Name: nodeNet, Ratio: 1.1}, {Name: goNet, Ratio: 1.1}}
		r.Echo = append(r.Echo, row)
	}
	return r
}

func TestJudge(t *testing.T) {
	for _, row := range judge(fullReport()) {
		require.True(t, row.Met, "%+v", row)
	}
	for _, row := range judge(&report{}) {
		require.False(t, row.Met, "%+v", row)
		require.Empty(t, row.Measured, "%+v", row)
	}
	worse := fullReport()
	for i := range worse.Micro {
		if worse.Micro[i].Name != "SwitchBare" && worse.Micro[i].Name != "SpawnBare" {
			for unit := range worse.Micro[i].Samples {
				worse.Micro[i].Samples[unit][0] += 1000
			}
		}
	}
	for i := range worse.Idle {
		worse.Idle[i].BytesFreed++
		worse.Idle[i].Wakeups = 1
	}
	for i := range worse.Echo {
		worse.Echo[i].Results[0].Ratio = 1.31
		worse.Echo[i].Results[1].Ratio = 1.26
	}
	for _, row := range judge(worse) {
		require.False(t, row.Met, "%+v", row)
		require.NotEmpty(t, row.Measured, "%+v", row)
	}
}

func TestWorst(t *testing.T) {
	r := fullReport()
	r.Echo[2].Results[0].Ratio = 2.2
	ratio, measured := r.worst(protocol, uvloop)
	require.InDelta(t, 2, ratio, 1e-9)
	require.Equal(t, "2.00 (100 KiB, 10)", measured)
	_, measured = r.worst(protocol, "no such contender")
	require.Empty(t, measured)
}

func TestPrinting(t *testing.T) {
	r := fullReport()
	r.Targets = judge(r)
	r.Absent = []absentee{{uvloop, "no Python has uvloop"}}
	r.Failed = []failedMeasure{{nodeNet, "echo", "refused"}}
	var out bytes.Buffer
	printMicro(&out, r.Micro)
	printEcho(&out, r.Echo[0])
	printIdle(&out, r.Idle)
	printTargets(&out, append(r.Targets, targetResult{Work: "sums", Reach: "< 1"}))
	printFailures(&out, r)
	for _, want := range []string{"echo 1 KiB, 10 connections", "1.08", "SwitchBare", "met", "not measured", "left out: uvloop-protocol",
		"FAILED: node-net", fmt.Sprint(5120)} {
		require.Contains(t, out.String(), want)
	}
}
