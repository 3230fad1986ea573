package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// Every measurement starts its server anew, so that one contender's state cannot weigh on
// another's.

// on starts a server for the length of fn.
func (c contender) on(cpus string, fn func(srv *server) error) error {
	srv, err := startServer(c, cpus)
	if err != nil {
		return err
	}
	defer srv.stop()
	return fn(srv)
}

// echoJob is a closed loop of echoes over TCP.
func (m *meter) echoJob(w result.Work, servers []contender) job {
	return m.closedJob(w, result.LibuvC, whoTakesPart(w, servers), load{depth: w.Depth})
}

// closedJob is one load, a closed loop unless l has a rate: l says which. The rest of it follows from the work.
func (m *meter) closedJob(w result.Work, control string, contenders []contender, l load) job {
	rounds, seconds, warmup := m.effort(w)
	l.bytes, l.connections, l.seconds, l.warmup = w.Bytes, w.Connections, seconds, warmup
	var serverCPU string
	l.cpus, serverCPU = m.cpusOf(w)
	return job{
		name: w.String(), control: control, contenders: contenders, rounds: rounds, seconds: seconds + warmup + overheadSeconds,
		measure: func(c contender) (list []measurement, err error) {
			err = c.on(serverCPU, func(srv *server) error {
				s, err := l.run(cmp.Or(l.client, m.client), srv)
				list = []measurement{{w, c.name, s.values()}}
				return err
			})
			return list, err
		},
	}
}

// openJob finds a server's greatest rate in a closed loop, and then asks for a share of
// it at a fixed pace.
func (m *meter) openJob(w result.Work, servers []contender) job {
	rounds, seconds, warmup := m.effort(w)
	peak := load{bytes: w.Bytes, connections: w.Connections, seconds: seconds / 2, warmup: warmup, cpus: m.clientCPU}
	return job{
		name: w.String(), control: result.LibuvC, contenders: whoTakesPart(w, servers), rounds: rounds,
		seconds: 1.5*seconds + 2*warmup + overheadSeconds,
		measure: func(c contender) (list []measurement, err error) {
			err = c.on(m.serverCPU, func(srv *server) error {
				top, err := peak.run(m.client, srv)
				if err != nil {
					return err
				}
				paced := peak
				paced.seconds, paced.rate, paced.depth = seconds, top.Rate*w.Load, tailDepth
				s, err := paced.run(m.client, srv)
				list = []measurement{{w, c.name, s.values()}}
				if err == nil {
					list[0].values[result.Offered] = paced.rate
				}
				return err
			})
			return list, err
		},
	}
}

// steadyJob is the same rate for all.
func (m *meter) steadyJob(w result.Work, servers []contender) job {
	return m.closedJob(w, result.LibuvC, whoTakesPart(w, servers), load{depth: tailDepth, rate: w.Rate})
}

// goServers are those that can have goroutines beside them, what all are compared with
// first.
var goServers = []string{result.GoNet, result.Netpoll, result.Gnet, result.Nbio, result.Protocol, result.Streams, result.PureGo}

// besideJob is a server in a process that computes as well. All get the same rate. CPU
// time is left out: it is not the server's alone.
func (m *meter) besideJob(w result.Work, servers []contender) job {
	var contenders []contender
	for _, name := range goServers {
		if i := slices.IndexFunc(servers, func(c contender) bool { return c.name == name }); i >= 0 {
			contenders = append(contenders, servers[i].besideBusy(w.Busy, w.Procs))
		}
	}
	rounds, seconds, warmup := m.effort(w)
	l := load{bytes: w.Bytes, connections: w.Connections, depth: tailDepth, rate: besideRate, seconds: seconds, warmup: warmup}
	var serverCPU string
	l.cpus, serverCPU = m.cpusOf(w)
	return job{
		name: w.String(), control: result.GoNet, contenders: contenders, rounds: rounds,
		seconds: seconds + warmup + overheadSeconds,
		measure: func(c contender) (list []measurement, err error) {
			err = c.on(serverCPU, func(srv *server) error {
				s, err := l.run(m.client, srv)
				values := s.values()
				delete(values, result.CPU)
				delete(values, result.Busy)
				values[result.Offered] = besideRate
				list = []measurement{{w, c.name, values}}
				return err
			})
			return list, err
		},
	}
}

// cpusOf are the processors of client and server: one each, or two that they share.
func (m *meter) cpusOf(w result.Work) (client, server string) {
	if w.Procs < 2 || m.clientCPU == "" || m.serverCPU == "" {
		return m.clientCPU, m.serverCPU
	}
	both := m.clientCPU + "," + m.serverCPU
	return both, both
}

// besideBusy is the contender with goroutines that only compute.
func (c contender) besideBusy(busy, procs int) contender {
	c.env = append(slices.Clone(c.env), fmt.Sprintf("BUSY=%d", busy), fmt.Sprintf("GOMAXPROCS=%d", procs))
	return c
}
