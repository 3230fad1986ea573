package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// operations are what the programs of bench/loops time, under asyncio's names.
var operations = []string{
	"call_soon", "call_later and cancel", "sleep(0)", "create_task and await", "gather of 1,000, each", "call_soon_threadsafe",
}

// twins are the works of the programs of bench/twins, under the names that libuv gives
// its benchmarks.
var twins = []string{
	"ping_pongs", "tcp_pump, 64 KiB", "pipe_pump, 64 KiB", "tcp_write_batch", "udp_pummel, 1 to 1", "udp_pummel, 10 to 10",
	"async", "million_timers", "loop_count", "fs_stat", "spawn",
}

// system are the works of the programs of bench/system.
var system = []string{"a child", "a child of ten at once", "64 KiB from a child", "a file of 4 KiB", "a file of 1 MiB"}

// Shares of a measurement's seconds that one operation or one benchmark gets: there are
// many.
const (
	operationShare = 1.0 / 6
	benchmarkShare = 1.0 / 8
)

// benchmarksAbout is how many benchmarks there are, about, for the progress line.
const benchmarksAbout = 20

// A program that times operations takes about two or three measurements' seconds. It is
// killed beyond costSlack of them and costGrace, which pays for what it does beside
// timing.
const (
	costSlack = 10
	costGrace = 2 * time.Minute
)

func (m *meter) costLimit() time.Duration {
	return time.Duration(costSlack*m.seconds*float64(time.Second)) + costGrace
}

// costJobs are the benchmarks of the root package, which go into more detail, the
// operations that other loops have too, and what programs do with them.
func (m *meter) costJobs(p programs) []job {
	var jobs []job
	if m.wantsWork(result.Cost) {
		jobs = append(jobs, job{
			name: "the loop's own costs", control: result.Bare, contenders: p.benchmarks, rounds: m.rounds,
			seconds: benchmarksAbout * m.seconds * benchmarkShare,
			measure: m.runBenchmarks,
		})
	}
	for _, t := range []struct {
		kind       result.Kind
		name       string
		control    string
		contenders []contender
		operations []string
	}{
		{result.Cost, "the costs of loops", result.Asyncio, p.loops, operations},
		{result.Twins, "what libuv's own benchmarks do", result.LibuvC, p.twins, twins},
		{result.System, "children and files", result.Bare, p.system, system},
	} {
		if !m.wantsWork(t.kind) {
			continue
		}
		jobs = append(jobs, job{
			name: t.name, control: t.control, contenders: t.contenders, rounds: max(1, int(float64(m.rounds)*lesserRounds)),
			seconds: 2 * float64(len(t.operations)) * m.seconds * operationShare, // 2: n doubles until it takes long enough
			measure: func(c contender) ([]measurement, error) { return m.timeOperations(c, t.kind, t.operations) },
		})
	}
	return jobs
}

// runBenchmarks runs the benchmarks of the root package once.
func (m *meter) runBenchmarks(c contender) ([]measurement, error) {
	out, err := output(m.costLimit(), c.environ(), append(slices.Clone(c.command), "-test.run", "^$", "-test.bench", ".",
		"-test.benchmem", "-test.benchtime", fmt.Sprintf("%gs", m.seconds*benchmarkShare)))
	if err != nil {
		return nil, err
	}
	return parseBenchmarks(string(out))
}

// timeOperations runs a program that times operations.
func (m *meter) timeOperations(c contender, k result.Kind, operations []string) ([]measurement, error) {
	argv := append(slices.Clone(c.command), fmt.Sprint(m.seconds*operationShare))
	out, err := output(m.costLimit(), c.environ(), pinned(m.serverCPU, append(argv, c.args...)))
	if err != nil {
		return nil, err
	}
	var costs map[string]float64
	if err := json.Unmarshal(out, &costs); err != nil {
		return nil, fmt.Errorf("%s printed %q: %w", c.name, out, err)
	}
	var list []measurement
	for _, op := range operations {
		if ns, ok := costs[op]; ok {
			list = append(list, measurement{result.Work{Kind: k, Name: op}, c.name, map[result.Metric]float64{result.NS: ns}})
			delete(costs, op)
		}
	}
	if len(costs) > 0 {
		return nil, fmt.Errorf("%s timed operations that nobody knows: %v", c.name, costs)
	}
	return list, nil
}

// output is what a command prints, which is killed when it takes longer than limit.
func output(limit time.Duration, environ, argv []string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environ
	cmd.WaitDelay = time.Second // children that it leaves behind may hold its output open
	out, err := cmd.Output()
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%s: not ended after %v", strings.Join(argv, " "), limit)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil, fmt.Errorf("%w: %s", err, beginning(exit.Stderr))
	}
	return out, err
}

// bareSuffix marks the benchmark of what the operation before it would cost without a
// loop.
const bareSuffix = "Bare"

// parseBenchmarks reads what go test -bench prints, "BenchmarkX-2  N  12.3 ns/op  0 B/op
// ...". A benchmark that times a batch reports ns/callback: that is then the operation.
func parseBenchmarks(out string) ([]measurement, error) {
	var list []measurement
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		units := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("a line of go test -bench that is not understood: %q", line)
			}
			units[f[i+1]] = v
		}
		values := map[result.Metric]float64{result.NS: units["ns/op"], result.Allocs: units["allocs/op"]}
		if ns, ok := units["ns/callback"]; ok {
			batch := math.Round(units["ns/op"] / ns)
			values[result.NS], values[result.Allocs] = ns, units["allocs/op"]/batch
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(f[0], "Benchmark"), "-")
		who := result.Asyncio
		if bare, ok := strings.CutSuffix(name, bareSuffix); ok {
			name, who = bare, result.Bare
		}
		list = append(list, measurement{result.Work{Kind: result.Cost, Name: name}, who, values})
	}
	return list, nil
}
