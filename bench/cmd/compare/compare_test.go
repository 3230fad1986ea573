package main

import (
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// newMeter measures for a short time.
func newMeter(t *testing.T) *meter {
	t.Helper()
	s := settings{rounds: 2, seconds: 0.1, warmup: 0.02, idle: 50, settle: 100 * time.Millisecond, window: 100 * time.Millisecond}
	return &meter{settings: s, client: newClient(t), folder: newBuilder(t).out, out: io.Discard, report: &result.Report{}, progress: &progress{out: io.Discard}}
}

// ready are the contenders of these names.
func ready(t *testing.T, entries []entry, names ...string) []contender {
	t.Helper()
	rep := &result.Report{}
	list, err := prepare(entries, names[:1], settings{only: names}, rep)
	require.NoError(t, err)
	require.Empty(t, rep.Failed)
	return list
}

func TestJobMeasuresInTurn(t *testing.T) {
	m := newMeter(t)
	servers := ready(t, newBuilder(t).servers(), result.LibuvC, result.GoNet)
	require.Equal(t, result.LibuvC, servers[0].name)
	w := result.Work{Kind: result.Echo, Bytes: 1024, Connections: 3}
	j := m.echoJob(w, []contender{servers[0], servers[len(servers)-1]})
	j.rounds = 2
	require.Equal(t, 6, j.steps())
	m.run(j)

	require.Empty(t, m.report.Failed)
	require.Len(t, m.report.Rows, 1)
	row := m.report.Rows[0]
	c, ok := row.Result(result.LibuvC)
	require.True(t, ok)
	require.Len(t, c.Samples, 4, "once at each end of a round")
	other, ok := row.Result(result.GoNet)
	require.True(t, ok)
	require.Len(t, other.Samples, 2)
	f, ok := row.Figure(result.LibuvC, result.CPU)
	require.True(t, ok)
	require.Positive(t, f.Median)
	require.InDelta(t, 1, f.Ratio, 1e-9)
}

// Every server that is installed does every kind of work.
func TestServersServe(t *testing.T) {
	m := newMeter(t)
	rep := &result.Report{}
	servers, err := prepare(newBuilder(t).servers(), []string{result.LibuvC}, settings{}, rep)
	require.NoError(t, err)
	require.Empty(t, rep.Failed)
	for _, c := range servers {
		t.Run(c.name, func(t *testing.T) {
			err := c.on("", func(srv *server) error {
				for _, l := range []load{
					{bytes: 300 << 10, connections: 3, seconds: 0.05},
					{bytes: 64, connections: 3, depth: 8, seconds: 0.05},
					{bytes: 1 << 10, connections: 3, depth: 8, seconds: 0.05, rate: 500},
				} {
					s, err := l.run(m.client, srv)
					require.NoError(t, err)
					require.Positive(t, s.ServerCPU)
				}
				return nil
			})
			require.NoError(t, err)
			values, err := m.idleOnce(c, echoOnce)
			require.NoError(t, err)
			require.Contains(t, values, result.Bytes) // a few connections of a server in C may take no page more
		})
	}
}

func TestOpenLoopAsksForAShareOfTheGreatestRate(t *testing.T) {
	m := newMeter(t)
	m.seconds = 0.3
	j := m.openJob(result.Work{Kind: result.Open, Bytes: 1 << 10, Connections: 3, Load: 0.1}, nil)
	list, err := j.measure(ready(t, newBuilder(t).servers(), result.LibuvC)[0])
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.InEpsilon(t, list[0].values[result.Offered], list[0].values[result.Rate], 0.2)
}

func TestServersBesideBusyGoroutines(t *testing.T) {
	m := newMeter(t)
	m.seconds = 0.1
	w := result.Work{Kind: result.Beside, Bytes: 1 << 10, Connections: 2, Busy: 1, Procs: 2}
	j := m.besideJob(w, ready(t, newBuilder(t).servers(), result.LibuvC, result.GoNet, result.Protocol))
	require.Len(t, j.contenders, 2, "C has no goroutines")
	require.Equal(t, j.control, j.contenders[0].name)
	for _, c := range j.contenders {
		list, err := j.measure(c)
		require.NoError(t, err)
		require.Positive(t, list[0].values[result.P99])
		require.NotContains(t, list[0].values, result.CPU)
		err = c.on("", func(srv *server) error {
			_, cpu, err := m.activity(srv.pid())
			require.Greater(t, cpu, 0.1, "a goroutine computes")
			return err
		})
		require.NoError(t, err)
	}
}

func TestProcessorsBesideBusyGoroutines(t *testing.T) {
	for _, c := range []struct {
		client, server         string
		procs                  int
		wantClient, wantServer string
	}{
		{"0", "1", 1, "0", "1"},
		{"0", "1", 2, "0,1", "0,1"},
		{"", "", 2, "", ""},
	} {
		m := &meter{settings: settings{clientCPU: c.client, serverCPU: c.server}}
		client, server := m.cpusOf(result.Work{Kind: result.Beside, Procs: c.procs})
		require.Equal(t, []string{c.wantClient, c.wantServer}, []string{client, server}, "%+v", c)
	}
}

func TestControlsAlwaysTakePart(t *testing.T) {
	b := newBuilder(t)
	names := func(only, work string) (names []string) {
		p, err := b.prepare(settings{only: list(only), work: list(work)}, &result.Report{})
		require.NoError(t, err)
		for _, c := range p.servers {
			names = append(names, c.name)
		}
		return names
	}
	require.Equal(t, []string{result.LibuvC, result.Protocol, result.GoNet}, names(result.Protocol, "beside"))
	require.Equal(t, []string{result.LibuvC, result.Protocol}, names(result.Protocol, "echo"))
	require.Equal(t, []string{result.LibuvC, result.LibuvC256}, names(result.LibuvC256, "beside"), "C has no goroutines")
}

func TestLoopThatHangs(t *testing.T) {
	begin := time.Now()
	_, err := output(100*time.Millisecond, nil, []string{"sh", "-c", "sleep 20 & wait"})
	require.ErrorContains(t, err, "not ended after 100ms")
	require.Less(t, time.Since(begin), 10*time.Second, "nobody waits for its children")
	m := &meter{settings: settings{seconds: 30}}
	require.Equal(t, 5*time.Minute+costGrace, m.costLimit(), "ten times its seconds and more")
}

// Every loop that is installed times the operations under the names that are known.
func TestLoopsAreTimed(t *testing.T) {
	m := newMeter(t)
	m.seconds = 0.001
	rep := &result.Report{}
	loops, err := prepare(newBuilder(t).loops(), []string{result.Asyncio}, settings{}, rep)
	require.NoError(t, err)
	require.Empty(t, rep.Failed)
	for _, c := range loops {
		list, err := m.timeOperations(c, result.Cost, operations)
		require.NoError(t, err, c.name)
		require.NotEmpty(t, list, c.name)
		for _, one := range list {
			require.Positive(t, one.values[result.NS], "%s: %v", c.name, one.work)
		}
		if c.name == result.Asyncio {
			require.Len(t, list, len(operations))
		}
	}
}

func TestWhoFailsIsLeftOut(t *testing.T) {
	m := newMeter(t)
	good := contender{name: "good"}
	bad := contender{name: "bad"}
	contenders := []contender{good, bad}
	turns := map[string]int{}
	j := job{name: "some work", control: "good", contenders: contenders, rounds: 3}
	j.measure = func(c contender) ([]measurement, error) {
		turns[c.name]++
		if c.name == "bad" {
			return nil, fmt.Errorf("no good")
		}
		return []measurement{{result.Work{Kind: result.Echo}, c.name, map[result.Metric]float64{result.CPU: 1}}}, nil
	}
	m.run(j)
	require.Equal(t, map[string]int{"good": 6, "bad": 1}, turns)
	require.Equal(t, []result.Failed{{Name: "bad", Work: "some work", Error: "no good"}}, m.report.Failed)
	require.Equal(t, []contender{good, bad}, contenders, "it takes part in the next job")
}

func TestServerThatDoesNotStart(t *testing.T) {
	_, err := startServer(contender{command: []string{"sh", "-c", "echo no port today >&2; exit 3"}}, "")
	require.ErrorContains(t, err, "no port today")
	_, err = startServer(contender{command: []string{"/no/such/program"}}, "")
	require.ErrorContains(t, err, "no such file")
}

func TestLeftoverServerIsNotMeasured(t *testing.T) {
	port := serve(t, echo)
	_, err := startServerOn(port, contender{command: []string{"sleep", "60"}}, "")
	require.ErrorContains(t, err, "another process listens on port "+port)

	sockets, err := listeners("tcp", port)
	require.NoError(t, err)
	require.Len(t, sockets, 1)
	free, err := freePort("tcp")
	require.NoError(t, err)
	sockets, err = listeners("tcp", free)
	require.NoError(t, err)
	require.Empty(t, sockets)
}

func TestServerThatDoesNotFree(t *testing.T) {
	c := ready(t, newBuilder(t).servers(), result.LibuvC)[0]
	c.free = syscall.SIGTERM
	s, err := startServer(c, "")
	require.NoError(t, err)
	defer s.stop()
	require.ErrorContains(t, s.freeMemory(), "ended")
}

func TestStoppedServerIsGone(t *testing.T) {
	s, err := startServer(ready(t, newBuilder(t).servers(), result.LibuvC)[0], "")
	require.NoError(t, err)
	s.stop()
	_, err = net.Dial("tcp", s.addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestWants(t *testing.T) {
	require.True(t, settings{}.wants(result.Uvloop))
	require.True(t, settings{}.wantsWork(result.Idle))
	s := settings{only: list("node,uvl"), work: list("idle")}
	require.True(t, s.wants(result.Uvloop))
	require.False(t, s.wants(result.GoNet))
	require.True(t, s.wantsWork(result.Idle))
	require.False(t, s.wantsWork(result.Echo))
}

func TestPlan(t *testing.T) {
	some := programs{servers: []contender{{name: result.LibuvC}, {name: result.GoNet}}, loops: []contender{{name: result.Asyncio}}}
	names := func(m *meter) (names []string) {
		for _, j := range m.plan(some) {
			names = append(names, j.name)
		}
		return names
	}
	full := names(&meter{settings: settings{rounds: 5, seconds: 1}})
	quick := names(&meter{settings: settings{rounds: 1, quick: true, seconds: 1}})
	require.Subset(t, full, quick)
	require.Less(t, len(quick), len(full))
	for _, w := range echoWork {
		require.Contains(t, quick, w.String())
	}
	for _, w := range quickNetwork {
		require.Equal(t, w.Kind == result.Unix || w.Kind == result.Accept, slices.Contains(quick, w.String()), "%v", w)
	}
	require.Contains(t, full, "echo 10 KiB, 1000 connections")
	require.NotContains(t, full, "the loop's own costs", "nobody does it")
	require.Len(t, names(&meter{settings: settings{rounds: 1, idle: 7, work: []string{"idle"}}}), 1)
}

func TestPlanIsShort(t *testing.T) {
	b := newBuilder(t)
	all := func(entries []entry) (list []contender) {
		for _, e := range entries {
			list = append(list, contender{name: e.name})
		}
		return list
	}
	everybody := programs{servers: all(b.servers()), datagrams: all(b.datagrams()), files: all(b.files()), cores: all(b.cores()),
		tls: all(b.tlsServers()), http: all(b.httpServers()), https: all(b.httpsServers()),
		loops: all(b.loops()), benchmarks: make([]contender, 1)}
	for _, quick := range []bool{false, true} {
		m := &meter{settings: defaults(quick)}
		p := &progress{out: io.Discard}
		p.expect(m.plan(everybody))
		require.Less(t, p.left(), map[bool]time.Duration{false: 65 * time.Minute, true: 200 * time.Second}[quick], "building comes on top")
		t.Logf("quick %v: %d measurements, %v", quick, p.total, p.left())
	}
}

func TestEffort(t *testing.T) {
	m := &meter{settings: settings{rounds: 5, seconds: 1, warmup: 1}}
	rounds, seconds, _ := m.effort(echoWork[0])
	require.Equal(t, 5, rounds)
	require.InDelta(t, 1, seconds, 1e-9)
	rounds, seconds, _ = m.effort(result.Work{Kind: result.Pipeline})
	require.Equal(t, 3, rounds)
	require.InDelta(t, 0.6, seconds, 1e-9)
	rounds, seconds, _ = m.effort(result.Work{Kind: result.Open, Connections: 10})
	require.Equal(t, 9, rounds)
	require.InDelta(t, 0.6, seconds, 1e-9)
	rounds, seconds, _ = m.effort(result.Work{Kind: result.Echo, Connections: 1000})
	require.Equal(t, 3, rounds)
	require.InDelta(t, 1, seconds, 1e-9)
}

func TestProgressCorrectsItsGuess(t *testing.T) {
	p := &progress{out: io.Discard}
	p.expect([]job{{control: "none", contenders: make([]contender, 2), rounds: 5, seconds: 1}})
	require.Equal(t, 10*time.Second, p.left())
	p.step("first", 1)
	p.begin = time.Now().Add(-3 * time.Second) // it took thrice as long
	p.step("second", 1)
	require.Equal(t, 27*time.Second, p.left())
}

func TestParseBenchmarks(t *testing.T) {
	list, err := parseBenchmarks(`goos: linux
BenchmarkSwitch-2   	 1000000	       120 ns/op	       0 B/op	       0 allocs/op
BenchmarkSwitchBare 	 1000000	       100 ns/op	       0 B/op	       0 allocs/op
BenchmarkCallSoon 	   50000	     23000 ns/op	        23.0 ns/callback	       3 B/op	       2 allocs/op
PASS
ok  	example	1.2s
`)
	require.NoError(t, err)
	of := func(name, who string, ns, allocs float64) measurement {
		values := map[result.Metric]float64{result.NS: ns, result.Allocs: allocs}
		return measurement{result.Work{Kind: result.Cost, Name: name}, who, values}
	}
	require.Equal(t, []measurement{of("Switch", result.Asyncio, 120, 0), of("Switch", result.Bare, 100, 0),
		of("CallSoon", result.Asyncio, 23, 0.002)}, list)

	_, err = parseBenchmarks("BenchmarkX-2  100  many ns/op\n")
	require.ErrorContains(t, err, "not understood")
}
