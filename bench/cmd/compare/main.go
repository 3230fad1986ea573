// Command compare measures echo servers on asyncio against others: C on the same libuv, package net, uvloop, Python's
// asyncio and Node. Run it inside bench/, or with make bench.
//
// It has three parts: the costs of the loop itself (the benchmarks of the root package), echo of small and of large
// messages, and what an idle connection costs. At the end it holds the figures against those that the design asks for.
//
// What counts is the ratio to the C server, because absolute times differ between machines and, on a shared one, between
// minutes. So every round measures all contenders in turn, with the C server before and after them, and a contender's
// ratio is taken within its round. Server and client are pinned to a processor each. The spread of the C server's own
// figures is printed as the measure of the noise.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// settings say how much is measured, and where.
type settings struct {
	rounds    int
	seconds   float64 // of one measurement
	warmup    float64 // seconds before it
	idle      int     // connections held open
	serverCPU string  // taskset's notation; empty: not pinned
	clientCPU string
	only      []string // parts of names; empty: all
}

func main() {
	jsonFile := flag.String("json", "", "also write the results to `file`")
	s := flagSettings()
	rep, err := measure(s)
	if err == nil && *jsonFile != "" {
		err = rep.WriteFile(*jsonFile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	if len(rep.Failed) > 0 {
		os.Exit(1)
	}
}

func flagSettings() settings {
	s := settings{rounds: 5, seconds: 2, warmup: 0.7, idle: 5000}
	if os.Getenv("QUICK") != "" {
		s.rounds, s.seconds, s.warmup, s.idle = 2, 1, 0.4, 1000
	}
	if runtime.NumCPU() > 1 {
		s.clientCPU, s.serverCPU = "0", "1"
	}
	flag.IntVar(&s.rounds, "rounds", s.rounds, "rounds over all contenders")
	flag.Float64Var(&s.seconds, "seconds", s.seconds, "length of one measurement")
	flag.Float64Var(&s.warmup, "warmup", s.warmup, "seconds before each measurement")
	flag.IntVar(&s.idle, "idle", s.idle, "idle connections")
	flag.StringVar(&s.serverCPU, "servercpu", s.serverCPU, "processors of the server, as taskset writes them; empty: any")
	flag.StringVar(&s.clientCPU, "clientcpu", s.clientCPU, "processors of the client")
	only := flag.String("only", os.Getenv("ONLY"), "contenders whose names contain one of these, by comma; micro: the loop's own costs")
	flag.Parse()
	if *only != "" {
		s.only = strings.Split(*only, ",")
	}
	return s
}

// wants tells whether ONLY admits name.
func (s settings) wants(name string) bool {
	for _, part := range s.only {
		if strings.Contains(name, part) {
			return true
		}
	}
	return len(s.only) == 0
}

func measure(s settings) (*result.Report, error) {
	dirs, err := findDirs()
	if err != nil {
		return nil, err
	}
	if err := raiseFileLimit(); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "asyncio-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)

	rep := &result.Report{Go: runtime.Version(), CPU: cpuModel(), CPUs: runtime.NumCPU(), Time: time.Now().UTC(),
		Rounds: s.rounds, Seconds: s.seconds}
	fmt.Printf("%s, %d processors, %s\n", rep.CPU, rep.CPUs, rep.Go)
	if s.wants("micro") {
		if rep.Rows, err = runMicro(dirs.root, tmp, s); err != nil {
			rep.Failed = append(rep.Failed, result.Failed{Name: "micro", Work: "go test -bench", Error: err.Error()})
		}
		printMicro(os.Stdout, rep.Rows)
	}
	b := builder{dirs: dirs, out: tmp}
	m := &meter{settings: s, report: rep, progress: newProgress()}
	if m.client, err = b.cc("client", "client/client.c"); err != nil {
		return nil, err
	}
	if m.contenders, err = prepare(b, s, rep); err != nil {
		return nil, err
	}
	if len(m.contenders) > 0 {
		m.echoRows()
		m.idleConnections()
	}
	rep.Targets = judge(rep)
	printTargets(os.Stdout, rep.Targets)
	printFailures(os.Stdout, rep)
	return rep, nil
}

// dirs are the folders of the two modules.
type dirs struct{ root, bench string }

func findDirs() (dirs, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/seed-a026a017/asyncio", "github.com/seed-a026a017/asyncio/bench").Output()
	folders := strings.Fields(string(out))
	if err != nil || len(folders) != 2 {
		return dirs{}, fmt.Errorf("cannot find the modules (%v): run this inside bench/", err)
	}
	return dirs{root: folders[0], bench: folders[1]}, nil
}

// raiseFileLimit lets this process and its servers hold as many descriptors as the system allows. Set explicitly, the
// limit is inherited; the one that the Go runtime raises by itself is not.
func raiseFileLimit() error {
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	lim.Cur = lim.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("limit of open files: %w", err)
	}
	return nil
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

func printFailures(w io.Writer, rep *result.Report) {
	for _, a := range rep.Absent {
		fmt.Fprintf(w, "left out: %s: %s\n", a.Name, a.Reason)
	}
	for _, f := range rep.Failed {
		fmt.Fprintf(w, "FAILED: %s, %s: %s\n", f.Name, f.Work, f.Error)
	}
}
