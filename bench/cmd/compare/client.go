package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// load is what the client does to a server. Over TCP or a Unix socket requests are echoed,
// unless the answer is a file; to a server of datagrams they are datagrams.
type load struct {
	bytes, connections int
	file               string  // each answer is the contents of this file
	fresh              bool    // a connection for each request
	depth              int     // requests in flight on a connection
	rate               float64 // requests per second; 0: closed loop
	seconds, warmup    float64
	cpus               string // of the client
	client             string // its program; empty: the one in C
}

// clientGrace is what the client needs beyond its seconds at most: it ends by itself much
// sooner, with an error.
const clientGrace = time.Minute

// sample is what the client prints: one measurement.
type sample struct {
	Requests  int64   `json:"requests"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"rate"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	P999      float64 `json:"p999_us"`
	Max       float64 `json:"max_us"`
	Resent    int64   `json:"resent"`     // datagrams that were not answered in time
	ClientCPU float64 `json:"client_cpu"` // seconds
	ServerCPU float64 `json:"server_cpu"`
}

// values is the sample as a row keeps it.
func (s sample) values() map[result.Metric]float64 {
	values := map[result.Metric]float64{
		result.Requests: float64(s.Requests),
		result.Seconds:  s.Seconds,
		result.Rate:     s.Rate,
		result.CPU:      s.ServerCPU / float64(s.Requests) * 1e6,
		result.P50:      s.P50,
		result.P99:      s.P99,
		result.Busy:     s.ServerCPU / s.Seconds,
	}
	if s.P999 > 0 {
		values[result.P999] = s.P999
	}
	if s.Resent > 0 {
		values[result.Resent] = float64(s.Resent)
	}
	return values
}

// limit is how long the client may take.
func (l load) limit() time.Duration {
	return time.Duration((l.seconds+l.warmup)*float64(time.Second)) + clientGrace
}

// run puts a load on a server.
func (l load) run(client string, srv *server) (sample, error) {
	args := []string{"-s", strconv.Itoa(l.bytes), "-c", strconv.Itoa(l.connections), "-d", strconv.Itoa(max(l.depth, 1)),
		"-t", fmt.Sprint(l.seconds), "-w", fmt.Sprint(l.warmup), "-p", srv.pid()}
	if l.rate > 0 {
		args = append(args, "-r", fmt.Sprint(l.rate))
	}
	if l.file != "" {
		args = append(args, "-f", l.file)
	}
	if l.fresh {
		args = append(args, "-x")
	}
	if srv.datagrams {
		args = append(args, "-u")
	}
	if srv.path != "" {
		args = append(args, srv.path)
	} else {
		args = append(args, "127.0.0.1", srv.port)
	}
	out, err := runClient(l.limit(), client, l.cpus, args...)
	if err != nil {
		return sample{}, err
	}
	var s sample
	if err := json.Unmarshal(out, &s); err != nil {
		return sample{}, fmt.Errorf("the client printed %q: %w", out, err)
	}
	return s, nil
}

// runClient returns the line that the client prints.
func runClient(limit time.Duration, client, cpus string, args ...string) ([]byte, error) {
	return output(limit, os.Environ(), pinned(cpus, append([]string{client}, args...)))
}
