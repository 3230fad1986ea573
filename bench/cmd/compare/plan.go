package main

import (
	"slices"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// What one measurement needs beside its seconds: to start a server and to connect. It
// serves the progress line only, which corrects it by what was seen.
const overheadSeconds = 0.25

// Shares of the rows that the design sets no limits for.
const (
	lesserSeconds = 0.6
	lesserRounds  = 0.6
)

// Loads of the works that vary nothing else.
const (
	pipelineBytes = 64
	pipelineDepth = 32
	tailLoad      = 0.7    // share of the greatest rate
	tailDepth     = 64     // so that a request is sent when it is due, not when the one before is answered
	besideRate    = 2000.0 // requests per second: a small share of a processor
	besideConns   = 100
	steadyRate    = 40_000.0 // requests per second: what all can do
)

// plan is all that is measured, in order.
func (m *meter) plan(p programs) []job {
	jobs := m.costJobs(p)
	for _, w := range m.echoWorks() {
		jobs = append(jobs, m.echoJob(w, p.servers))
	}
	for _, w := range m.openWorks() {
		jobs = append(jobs, m.openJob(w, p.servers))
	}
	for _, w := range m.steadyWorks() {
		jobs = append(jobs, m.steadyJob(w, p.servers))
	}
	for _, w := range m.besideWorks() {
		jobs = append(jobs, m.besideJob(w, p.servers))
	}
	for _, w := range m.networkWorks() {
		jobs = append(jobs, m.networkJob(w, p))
	}
	jobs = append(jobs, m.idleJobs(p)...)
	return slices.DeleteFunc(jobs, func(j job) bool { return len(j.contenders) == 0 })
}

// echoWork are the rows that the design sets limits for: QUICK runs have them, too, and
// other runs measure them longest.
var echoWork = []result.Work{
	{Kind: result.Echo, Bytes: 1 << 10, Connections: 10},
	{Kind: result.Echo, Bytes: 1 << 10, Connections: 100},
	{Kind: result.Echo, Bytes: 100 << 10, Connections: 10},
	{Kind: result.Echo, Bytes: 100 << 10, Connections: 100},
}

// echoWorks are those of a closed loop.
func (m *meter) echoWorks() []result.Work {
	var works []result.Work
	add := func(w result.Work) {
		if m.wantsWork(w.Kind) {
			works = append(works, w)
		}
	}
	for _, kib := range []int{1, 10, 100} {
		for _, conns := range []int{1, 10, 100, 1000} {
			w := result.Work{Kind: result.Echo, Bytes: kib << 10, Connections: conns}
			if !m.quick || slices.Contains(echoWork, w) {
				add(w)
			}
		}
	}
	add(result.Work{Kind: result.Pipeline, Bytes: pipelineBytes, Connections: 10, Depth: pipelineDepth})
	if !m.quick {
		add(result.Work{Kind: result.Pipeline, Bytes: pipelineBytes, Connections: 100, Depth: pipelineDepth})
	}
	return works
}

func (m *meter) openWorks() []result.Work {
	if !m.wantsWork(result.Open) {
		return nil
	}
	works := []result.Work{{Kind: result.Open, Bytes: 1 << 10, Connections: 100, Load: tailLoad}}
	if !m.quick {
		works = append(works, result.Work{Kind: result.Open, Bytes: 1 << 10, Connections: 10, Load: tailLoad})
	}
	return works
}

func (m *meter) steadyWorks() []result.Work {
	if !m.wantsWork(result.Steady) {
		return nil
	}
	works := []result.Work{{Kind: result.Steady, Bytes: 1 << 10, Connections: 100, Rate: steadyRate}}
	if !m.quick {
		works = append(works, result.Work{Kind: result.Steady, Bytes: 1 << 10, Connections: 10, Rate: steadyRate})
	}
	return works
}

// besideWorks are with one processor for the server, and with two that it shares with the
// client.
func (m *meter) besideWorks() []result.Work {
	if !m.wantsWork(result.Beside) {
		return nil
	}
	var works []result.Work
	for _, procs := range []int{1, 2} {
		for busy := range 3 {
			works = append(works, result.Work{Kind: result.Beside, Bytes: 1 << 10, Connections: besideConns, Busy: busy, Procs: procs})
		}
	}
	return works
}

// quickNetwork are the works of network.go that QUICK runs have.
var quickNetwork = []result.Work{
	{Kind: result.UDP, Bytes: 64, Connections: 10},
	{Kind: result.Unix, Bytes: 1 << 10, Connections: 10},
	{Kind: result.Accept, Bytes: 1, Connections: 10},
	{Kind: result.Sendfile, Bytes: fileBytes, Connections: 1},
	{Kind: result.Loops, Bytes: 1 << 10, Connections: 100, Procs: coresProcs},
	{Kind: result.TLS, Bytes: 1 << 10, Connections: 10},
	{Kind: result.HTTP, Name: hello, Connections: 10},
}

// networkWorks are those of network.go.
func (m *meter) networkWorks() []result.Work {
	var works []result.Work
	each := func(w result.Work, connections ...int) {
		for _, conns := range connections {
			w.Connections = conns
			if m.wantsWork(w.Kind) && (!m.quick || slices.Contains(quickNetwork, w)) {
				works = append(works, w)
			}
		}
	}
	add := func(k result.Kind, bytes, procs int, connections ...int) {
		each(result.Work{Kind: k, Bytes: bytes, Procs: procs}, connections...)
	}
	add(result.UDP, 64, 0, 1, 10, 100)
	add(result.UDP, 1400, 0, 1, 10, 100)
	add(result.Unix, 1<<10, 0, 1, 10, 100)
	add(result.Accept, 1, 0, 10, 100)
	add(result.Sendfile, fileBytes, 0, 1)
	add(result.Loops, 1<<10, coresProcs, 100)
	add(result.TLS, 1<<10, 0, 10, 100)
	add(result.TLS, 16<<10, 0, 10, 100)
	add(result.Shake, 1, 0, 10)
	each(result.Work{Kind: result.HTTP, Name: hello}, 10, 100, 1000)
	each(result.Work{Kind: result.HTTP, Name: object}, 10, 100, 1000)
	each(result.Work{Kind: result.HTTPS, Name: hello}, 100)
	return works
}

// manyConnections share what a server can do: the first round of their requests alone may
// take tenths of a second.
const manyConnections = 1000

// effort is how many rounds of how many seconds a work is worth. A stall of the machine
// spoils the tail of the measurement that it falls into, so at a fixed rate many short
// ones tell more than a few long ones.
func (m *meter) effort(w result.Work) (rounds int, seconds, warmup float64) {
	rounds, seconds, warmup = m.rounds, m.seconds, m.warmup
	if m.quick || slices.Contains(echoWork, w) || w.Kind == result.Sendfile || w.Kind == result.Loops {
		return rounds, seconds, warmup
	}
	if w.Kind == result.Open {
		return 2*rounds - 1, seconds * lesserSeconds, warmup * lesserSeconds
	}
	rounds = max(1, int(float64(rounds)*lesserRounds))
	if w.Connections >= manyConnections {
		return rounds, seconds, warmup
	}
	return rounds, seconds * lesserSeconds, warmup * lesserSeconds
}
