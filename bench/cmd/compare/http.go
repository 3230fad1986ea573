package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/cputime"
	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// HTTP is asked for by wrk, a closed loop of requests on connections that stay. What it
// asks for is a text or a small object in JSON.

// The answers.
const (
	hello  = "hello"
	object = "json"
)

// httpPaths is what to ask for.
var httpPaths = map[string]string{hello: "/", object: "/json"}

// httpServers are the contenders, the control first.
func (b builder) httpServers() []entry {
	return b.needWrk([]entry{
		{result.NetHTTP, b.goProgram("servers/nethttp")},
		{result.HTTPTasks, b.goProgram("servers/asyncio_http", "tasks")},
		{result.HTTPPureGo, pureGo(b.goProgram("servers/asyncio_http", "tasks"))},
		{result.HTTPListen, b.goProgram("servers/asyncio_http", "listen")},
		{result.FastHTTP, b.goProgram("servers/fasthttp")},
		{result.NodeHTTP, b.node("servers/http_node.js")},
	})
}

// httpsServers are the same over TLS.
func (b builder) httpsServers() []entry {
	cert, key := b.certificate()
	return b.needWrk([]entry{
		{result.NetHTTP, b.secured(b.goProgram("servers/nethttp", cert, key))},
		{result.HTTPTasks, b.goProgram("servers/asyncio_http", "tasks", cert, key)},
		{result.HTTPPureGo, pureGo(b.goProgram("servers/asyncio_http", "tasks", cert, key))},
		{result.HTTPListen, b.goProgram("servers/asyncio_http", "listen", cert, key)},
		{result.NodeHTTP, b.node("servers/http_node.js", cert, key)},
	})
}

// needWrk leaves all out where there is no wrk.
func (b builder) needWrk(entries []entry) []entry {
	if _, err := exec.LookPath("wrk"); err == nil {
		return entries
	}
	for i := range entries {
		entries[i].make = func() (contender, error) {
			return contender{}, errAbsent{"there is no wrk to ask it: apt-get install wrk"}
		}
	}
	return entries
}

// httpJob is the job of one work over HTTP.
func (m *meter) httpJob(w result.Work, p programs) job {
	contenders, scheme := p.http, "http"
	if w.Kind == result.HTTPS {
		contenders, scheme = p.https, "https"
	}
	rounds, seconds, warmup := m.effort(w)
	l := wrkLoad{path: httpPaths[w.Name], scheme: scheme, connections: w.Connections, seconds: wholeSeconds(seconds), cpus: m.clientCPU}
	return job{
		name: w.String(), control: result.NetHTTP, contenders: contenders, rounds: rounds,
		seconds: float64(l.seconds) + math.Max(1, warmup) + overheadSeconds,
		measure: func(c contender) (list []measurement, err error) {
			err = c.on(m.serverCPU, func(srv *server) error {
				warm := l
				warm.seconds = wholeSeconds(warmup)
				if _, err := warm.run(srv); err != nil {
					return err
				}
				s, err := l.run(srv)
				list = []measurement{{w, c.name, s.values()}}
				return err
			})
			return list, err
		},
	}
}

// wholeSeconds is what wrk takes: it counts no parts of a second.
func wholeSeconds(seconds float64) int { return max(1, int(math.Ceil(seconds))) }

// wrkLoad is what wrk does to a server.
type wrkLoad struct {
	scheme, path         string
	connections, seconds int
	cpus                 string
}

// run has wrk put the load on a server. The server's CPU time counts from before wrk
// connects until it has ended.
func (l wrkLoad) run(srv *server) (sample, error) {
	pid := srv.cmd.Process.Pid
	before, err := cputime.Of(pid)
	if err != nil {
		return sample{}, err
	}
	url := fmt.Sprintf("%s://%s%s", l.scheme, srv.addr, l.path)
	argv := pinned(l.cpus, []string{"wrk", "-t1", "-c" + strconv.Itoa(l.connections), "-d" + strconv.Itoa(l.seconds) + "s", "--latency", url})
	out, err := output(time.Duration(l.seconds)*time.Second+clientGrace, os.Environ(), argv)
	if err != nil {
		return sample{}, err
	}
	after, err := cputime.Of(pid)
	if err != nil {
		return sample{}, err
	}
	s, err := readWrk(out)
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w: %s", err, beginning(out))
	}
	s.ServerCPU = (after - before).Seconds()
	return s, nil
}

var (
	errNoRequests = errors.New("it counted no requests")
	errAnswers    = errors.New("some requests failed")
)

// readWrk takes the figures out of what wrk prints.
func readWrk(out []byte) (s sample, err error) {
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) >= 5 && f[1] == "requests" && f[2] == "in":
			if s.Requests, err = strconv.ParseInt(f[0], 10, 64); err != nil {
				return s, err
			}
			took, err := time.ParseDuration(strings.TrimSuffix(f[3], ","))
			if err != nil {
				return s, err
			}
			s.Seconds = took.Seconds()
		case strings.HasPrefix(strings.TrimSpace(lines.Text()), "Socket errors") || len(f) > 0 && f[0] == "Non-2xx":
			return s, fmt.Errorf("%w: %s", errAnswers, strings.TrimSpace(lines.Text()))
		case len(f) == 2 && f[0] == "50%":
			s.P50, err = microseconds(f[1])
		case len(f) == 2 && f[0] == "99%":
			s.P99, err = microseconds(f[1])
		}
		if err != nil {
			return s, err
		}
	}
	if s.Requests == 0 || s.Seconds == 0 {
		return s, errNoRequests
	}
	s.Rate = float64(s.Requests) / s.Seconds
	return s, nil
}

// microseconds reads a time as wrk writes it, such as 1.25ms.
func microseconds(text string) (float64, error) {
	d, err := time.ParseDuration(text)
	return float64(d) / float64(time.Microsecond), err
}
