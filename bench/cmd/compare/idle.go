package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

const (
	idleMessage = 64          // bytes that every connection echoes once before it idles: it has lived
	idleWarmup  = 10          // connections opened and closed before, so that code and pools are in memory
	idleSettle  = time.Second // after the last request, for a runtime to come to rest
	idleWindow  = 2 * time.Second
	dialTimeout = 5 * time.Second
)

func (m *meter) idleConnections() {
	row := result.Row{Work: result.Work{Kind: result.Idle, Connections: m.idle}, Control: result.LibuvC}
	m.progress.expect(len(m.contenders))
	for _, c := range slices.Clone(m.contenders) {
		m.progress.step(fmt.Sprintf("%v: %s", row, c.name))
		values, err := m.idleOnce(c)
		if err != nil {
			m.drop(c, row.String(), err)
			continue
		}
		row.Add(c.name, 1, values)
	}
	row.Summarise()
	m.report.Rows = append(m.report.Rows, row)
	m.progress.clear()
	printIdle(os.Stdout, row)
}

func (m *meter) idleOnce(c contender) (map[result.Metric]float64, error) {
	srv, err := startServer(c, m.serverCPU)
	if err != nil {
		return nil, err
	}
	defer srv.stop()
	warm, err := openIdle(srv.addr, idleWarmup)
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
	conns, err := openIdle(srv.addr, m.idle)
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
	wakeups, cpu, err := activity(srv.pid())
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

// openIdle opens n connections and echoes a message on each, so that all are accepted. On an error it returns those that
// are open.
func openIdle(addr string, n int) ([]net.Conn, error) {
	conns := make([]net.Conn, 0, n)
	buf := make([]byte, idleMessage)
	for range n {
		conn, err := net.DialTimeout("tcp", addr, dialTimeout)
		if err != nil {
			return conns, err
		}
		conns = append(conns, conn)
		if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
			return conns, err
		}
		if _, err := conn.Write(buf); err != nil {
			return conns, err
		}
		if _, err := io.ReadFull(conn, buf); err != nil {
			return conns, fmt.Errorf("connection %d was not answered: %w", len(conns), err)
		}
	}
	return conns, nil
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

// resident is the memory of a process that is in RAM, in bytes. smaps_rollup counts pages; the cheaper counters of
// /proc/PID/status may lag behind by some.
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

// activity lets a process come to rest, watches it for idleWindow, and returns its context switches per second and its
// share of a processor.
func activity(pid string) (switches, cpu float64, err error) {
	time.Sleep(idleSettle)
	s0, c0, err := scheduled(pid)
	if err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	time.Sleep(idleWindow)
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

func printIdle(w io.Writer, row result.Row) {
	fmt.Fprintf(w, "\n%v\n", row)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tbytes each\tafter freeing\twake-ups/s\tCPU\t")
	for _, r := range row.Results {
		of := func(m result.Metric) float64 { return r.Figures[m].Median }
		fmt.Fprintf(tw, "%-16s\t%.0f\t%.0f\t%.1f\t%.2f %%\t\n", r.Name, of(result.Bytes), of(result.BytesFreed), of(result.Wakeups),
			of(result.IdleCPU)*100)
	}
	tw.Flush()
}
