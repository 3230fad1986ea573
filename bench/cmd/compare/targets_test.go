package main

import (
	"bytes"
	"testing"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
	"github.com/stretchr/testify/require"
)

// fullReport has every figure that the targets ask for, all just good enough.
func fullReport() *result.Report {
	r := &result.Report{}
	add := func(w result.Work, control string, m result.Metric, values map[string]float64) {
		row := result.Row{Work: w, Control: control}
		for name, v := range values {
			row.Add(name, 1, map[result.Metric]float64{m: v})
		}
		row.Summarise()
		r.Rows = append(r.Rows, row)
	}
	for _, w := range echoWork {
		add(w, result.LibuvC, result.CPU, map[string]float64{result.LibuvC: 100, result.Protocol: 108, result.Streams: 109,
			result.Uvloop: 110, result.UvloopStreams: 110, result.NodeNet: 110, result.GoNet: 110})
	}
	add(result.Work{Kind: result.Open, Bytes: 1 << 10, Connections: 10, Load: 0.7}, result.LibuvC, result.P99,
		map[string]float64{result.LibuvC: 100, result.Protocol: 150, result.GoNet: 150})
	for _, k := range []result.Kind{result.UDP, result.Unix, result.Accept, result.TLS} {
		add(result.Work{Kind: k, Bytes: 64, Connections: 10}, result.LibuvC, result.CPU, map[string]float64{result.LibuvC: 100, result.Protocol: 109,
			result.Streams: 109, result.Uvloop: 110, result.UvloopStreams: 110, result.GoNet: 110})
	}
	add(result.Work{Kind: result.Sendfile, Bytes: fileBytes, Connections: 1}, result.EpollC, result.CPU,
		map[string]float64{result.EpollC: 100, result.Streams: 110})
	add(result.Work{Kind: result.Loops, Bytes: 1 << 10, Connections: 100, Procs: 2}, result.OneLoop, result.Capacity,
		map[string]float64{result.OneLoop: 100, result.TwoLoops: 180})
	add(result.Work{Kind: result.Twins, Name: "async"}, result.LibuvC, result.NS, map[string]float64{result.LibuvC: 100, result.UV: 120})
	for _, k := range []result.Kind{result.HTTP, result.HTTPS} {
		add(result.Work{Kind: k, Name: hello, Connections: 10}, result.NetHTTP, result.CPU, map[string]float64{result.NetHTTP: 100, result.HTTPTasks: 80})
	}
	add(result.Work{Kind: result.Idle, Name: "TLS", Connections: 5000}, result.GoNet, result.BytesFreed,
		map[string]float64{result.Protocol: 50, result.GoNet: 100})
	add(result.Work{Kind: result.Idle, Connections: 10}, result.LibuvC, result.BytesFreed, map[string]float64{result.Protocol: 9e9})
	add(result.Work{Kind: result.Idle, Connections: 5000}, result.LibuvC, result.BytesFreed,
		map[string]float64{result.Protocol: 700, result.Streams: 5120})
	idle := &r.Rows[len(r.Rows)-1]
	idle.Add(result.Protocol, 1, map[result.Metric]float64{result.Wakeups: 0, result.IdleCPU: 0})
	idle.Summarise()
	for name, ns := range map[string]map[string]float64{
		"Switch": {result.Asyncio: 150, result.Bare: 100}, "Spawn": {result.Asyncio: 80, result.Bare: 100},
		"CallSoon": {result.Asyncio: 25}, "TimerAddCancel": {result.Asyncio: 100}, "TimerAtAddCancel": {result.Asyncio: 50},
	} {
		add(result.Work{Kind: result.Cost, Name: name}, result.Bare, result.NS, ns)
	}
	return r
}

func TestJudge(t *testing.T) {
	for _, row := range judge(fullReport()) {
		require.True(t, row.Met, "%+v", row)
	}
	for _, row := range judge(&result.Report{}) {
		require.False(t, row.Met, "%+v", row)
		require.Empty(t, row.Measured, "%+v", row)
	}
	worse := fullReport()
	for i := range worse.Rows {
		row := &worse.Rows[i]
		for _, res := range row.Results {
			if res.Name == result.TwoLoops {
				res.Samples[0].Values[result.Capacity] = 179
			}
			if res.Name != result.Protocol && res.Name != result.Streams && res.Name != result.Asyncio && res.Name != result.UV && res.Name != result.HTTPTasks {
				continue
			}
			for _, s := range res.Samples {
				for m := range s.Values {
					s.Values[m] = s.Values[m]*1.4 + 1
				}
			}
		}
		row.Summarise()
	}
	for _, row := range judge(worse) {
		require.False(t, row.Met, "%+v", row)
		require.NotEmpty(t, row.Measured, "%+v", row)
	}
}

func TestWorst(t *testing.T) {
	r := fullReport()
	row := &r.Rows[2]
	res, ok := row.Result(result.Protocol)
	require.True(t, ok)
	res.Samples[0].Values[result.CPU] = 220
	ratio, measured := worst(r.Kind(result.Echo), result.Protocol, result.Uvloop, result.CPU)
	require.InDelta(t, 2, ratio, 1e-9)
	require.Equal(t, "2.00 (echo 100 KiB, 10 connections)", measured)
	_, measured = worst(r.Kind(result.Echo), result.Protocol, "no such contender", result.CPU)
	require.Empty(t, measured)
}

func TestPrinting(t *testing.T) {
	r := fullReport()
	r.Targets = judge(r)
	r.Absent = []result.Absent{{Name: result.Uvloop, Reason: "no Python has uvloop"}}
	r.Failed = []result.Failed{{Name: result.NodeNet, Work: "echo", Error: "refused"}}
	var out bytes.Buffer
	printRows(&out, r.Rows)
	printTargets(&out, append(r.Targets, result.Target{Work: "sums", Reach: "< 1"}))
	printFailures(&out, r)
	for _, want := range []string{"echo 1 KiB, 10 connections", "1.08", "Switch", "met", "not measured", "left out: uvloop-protocol",
		"FAILED: node-net", "5120"} {
		require.Contains(t, out.String(), want)
	}
}
