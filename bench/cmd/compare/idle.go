package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

const (
	idleMessage = 64   // bytes that are echoed
	idleWarmup  = 10   // connections opened and closed before, so that code and pools are in memory
	idleSeconds = 2e-4 // what one takes to open, about
	dialTimeout = 5 * time.Second
)

// greeting is what a connection says and hears before it idles, so that it has lived; it
// returns the connection to keep.
type greeting func(conn net.Conn) (net.Conn, error)

// idleJobs are one for each kind of connection.
func (m *meter) idleJobs(p programs) []job {
	if !m.wantsWork(result.Idle) {
		return nil
	}
	jobs := []job{m.idleJob("", result.LibuvC, p.servers, echoOnce)}
	if !m.quick {
		jobs = append(jobs, m.idleJob("TLS", result.GoNet, p.tls, secureOnce), m.idleJob("HTTP", result.NetHTTP, p.http, askOnce))
	}
	return jobs
}

// idleJob looks at each server once: what it finds is not a matter of speed.
func (m *meter) idleJob(name, control string, servers []contender, greet greeting) job {
	w := result.Work{Kind: result.Idle, Name: name, Connections: m.idle}
	return job{
		name: w.String(), control: control, contenders: whoTakesPart(w, servers), rounds: 1,
		seconds: (m.settle + m.window).Seconds() + overheadSeconds + float64(m.idle)*idleSeconds,
		measure: func(c contender) ([]measurement, error) {
			values, err := m.idleOnce(c, greet)
			return []measurement{{w, c.name, values}}, err
		},
	}
}

func (m *meter) idleOnce(c contender, greet greeting) (map[result.Metric]float64, error) {
	srv, err := startServer(c, m.serverCPU)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	warm, err := openIdle(srv.addr, idleWarmup, greet)
	closeAll(warm)
	if err != nil {
		return nil, err
	}
	if err := srv.freeMemory(); err != nil {
		return nil, err
	}
	before, err := resident(srv.pid())
	if err != nil {
		return nil, err
	}
	conns, err := openIdle(srv.addr, m.idle, greet)
	defer closeAll(conns)
	if err != nil {
		return nil, err
	}
	full, err := resident(srv.pid())
	if err != nil {
		return nil, err
	}
	if err := srv.freeMemory(); err != nil {
		return nil, err
	}
	freed, err := resident(srv.pid())
	if err != nil {
		return nil, err
	}
	wakeups, cpu, err := m.activity(srv.pid())
	if err != nil {
		return nil, err
	}
	return map[result.Metric]float64{
		result.Bytes:      float64(full-before) / float64(m.idle),
		result.BytesFreed: float64(freed-before) / float64(m.idle),
		result.Wakeups:    wakeups,
		result.IdleCPU:    cpu,
	}, nil
}

// openIdle opens n connections and greets on each, so that all are accepted. On an error
// it returns those that are open.
func openIdle(addr string, n int, greet greeting) ([]net.Conn, error) {
	conns := make([]net.Conn, 0, n)
	for range n {
		conn, err := net.DialTimeout("tcp", addr, dialTimeout)
		if err != nil {
			return conns, err
		}
		conns = append(conns, conn)
		if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
			return conns, err
		}
		if conns[len(conns)-1], err = greet(conn); err != nil {
			return conns, fmt.Errorf("connection %d was not answered: %w", len(conns), err)
		}
	}
	return conns, nil
}

// echoOnce has a message echoed.
func echoOnce(conn net.Conn) (net.Conn, error) {
	buf := make([]byte, idleMessage)
	if _, err := conn.Write(buf); err != nil {
		return conn, err
	}
	_, err := io.ReadFull(conn, buf)
	return conn, err
}

// secureOnce has a message echoed over TLS.
func secureOnce(conn net.Conn) (net.Conn, error) { return echoOnce(overTLS(conn)) }

// askOnce asks for the text over HTTP.
func askOnce(conn net.Conn) (net.Conn, error) {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return conn, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return conn, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return conn, err
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

// resident is the memory of a process that is in RAM, in bytes. smaps_rollup counts
// pages; the cheaper counters of /proc/PID/status may lag behind by some.
func resident(pid string) (int64, error) {
	b, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "Rss:" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			return n << 10, err
		}
	}
	return 0, errors.New("smaps_rollup has no line Rss")
}

// activity lets a process come to rest, watches it for a while, and returns its context
// switches per second and its share of a processor.
func (m *meter) activity(pid string) (switches, cpu float64, err error) {
	time.Sleep(m.settle)
	s0, c0, err := scheduled(pid)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	time.Sleep(m.window)
	s1, c1, err := scheduled(pid)
	if err != nil {
		return 0, 0, err
	}
	took := time.Since(begin)
	return float64(s1-s0) / took.Seconds(), float64(c1-c0) / float64(took), nil
}

// scheduled sums context switches and CPU time over the threads of a process.
func scheduled(pid string) (switches int64, cpu time.Duration, err error) {
	threads, err := filepath.Glob("/proc/" + pid + "/task/*")
	if err != nil || len(threads) == 0 {
		return 0, 0, fmt.Errorf("process %s has no threads: %w", pid, err)
	}
	for _, t := range threads {
		b, err := os.ReadFile(t + "/schedstat")
		if err != nil {
			return 0, 0, err
		}
		var ran, waited, slices int64
		if _, err := fmt.Sscan(string(b), &ran, &waited, &slices); err != nil {
			return 0, 0, err
		}
		switches += slices
		cpu += time.Duration(ran)
	}
	return switches, cpu, nil
}
