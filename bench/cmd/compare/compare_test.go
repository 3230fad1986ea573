package main

import (
	"net"
	"syscall"
	"testing"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
	"github.com/stretchr/testify/require"
)

func TestMeasuresTheControl(t *testing.T) {
	m := newMeter(t)
	require.Equal(t, result.LibuvC, m.contenders[0].name)

	row := result.Row{Work: result.Work{Kind: result.Echo, Bytes: 1024, Connections: 3}, Control: result.LibuvC}
	m.echoRound(&row, 1)
	require.Empty(t, m.report.Failed)
	r, ok := row.Result(result.LibuvC)
	require.True(t, ok)
	require.Len(t, r.Samples, 2, "once at each end of the round")
	row.Summarise()
	f, ok := row.Figure(result.LibuvC, result.CPU)
	require.True(t, ok)
	require.Positive(t, f.Median)
	require.InDelta(t, 1, f.Ratio, 1e-9)

	idle, err := m.idleOnce(m.contenders[0])
	require.NoError(t, err)
	require.Positive(t, idle[result.Bytes])
	require.Less(t, idle[result.IdleCPU], 0.01)
}

func TestWhoFailsIsDropped(t *testing.T) {
	m := newMeter(t)
	m.contenders = append(m.contenders, contender{name: result.GoNet, command: []string{"false"}})
	row := result.Row{Work: result.Work{Kind: result.Echo, Bytes: 1024, Connections: 1}}
	for round := range 2 {
		m.echoRound(&row, round)
	}
	require.Len(t, row.Results, 1)
	require.Len(t, row.Results[0].Samples, 4)
	require.Len(t, m.contenders, 1)
	require.Len(t, m.report.Failed, 1)
	require.Equal(t, result.GoNet, m.report.Failed[0].Name)
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
	require.True(t, settings{}.wants(result.Uvloop))
	only := settings{only: []string{"node", "uvl"}}
	require.True(t, only.wants(result.Uvloop))
	require.False(t, only.wants("go-net"))
}

func TestMicro(t *testing.T) {
	var rows []result.Row
	for round, ns := range []string{"120.0", "100.0", "130.0"} {
		var err error
		rows, err = addMicro(rows, round, `goos: linux
BenchmarkSwitch-2   	 1000000	       `+ns+` ns/op	       0 B/op	       0 allocs/op
BenchmarkSwitchBare 	 1000000	       100 ns/op	       0 B/op	       0 allocs/op
BenchmarkCallSoon 	   50000	     23000 ns/op	        23.0 ns/callback	       3 B/op	       2 allocs/op
PASS
ok  	example	1.2s
`)
		require.NoError(t, err)
	}
	require.Len(t, rows, 2)
	for i := range rows {
		rows[i].Summarise()
	}
	require.Equal(t, result.Work{Kind: result.Cost, Name: "Switch"}, rows[0].Work)
	f, ok := rows[0].Figure(result.Asyncio, result.NS)
	require.True(t, ok)
	require.InDelta(t, 120, f.Median, 1e-9)
	require.InDelta(t, 1.2, f.Ratio, 1e-9)
	f, _ = rows[1].Figure(result.Asyncio, result.NS)
	require.InDelta(t, 23, f.Median, 1e-9)
	f, _ = rows[1].Figure(result.Asyncio, result.Allocs)
	require.InDelta(t, 0.002, f.Median, 1e-9)

	_, err := addMicro(nil, 1, "BenchmarkX-2  100  many ns/op\n")
	require.ErrorContains(t, err, "not understood")
}
