// Command compare measures asyncio against others: C on the same libuv, package net,
// cloudwego/netpoll, tokio, goja_nodejs, net/http, fasthttp, uvloop, Python's asyncio and Node. Run it inside
// bench/, or with make compare.
//
// What it measures is listed in plan.go: the costs of the loop's operations, echo in a
// closed loop, at a fixed rate, and beside goroutines that compute, over UDP and Unix
// sockets, TLS, on several loops and over connections that do not stay, downloads, HTTP, and
// what an idle connection costs. At the end it holds the figures against those that the design
// asks for.
//
// What counts is the ratio to a control, because absolute times differ between machines
// and, on a shared one, between minutes. So every round measures all contenders in turn,
// with the control before and after them, and a contender's ratio is taken within its
// round. Server and client are pinned to a processor each. The spread of the control's
// own figures is printed as the measure of the noise.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-a026a017/asyncio/bench/internal/report"
	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// settings say how much is measured, and where.
type settings struct {
	quick     bool // a selection of the rows
	rounds    int
	seconds   float64       // of one measurement
	warmup    float64       // seconds before it
	idle      int           // connections held open
	settle    time.Duration // after opening them, for a runtime to come to rest
	window    time.Duration // of watching them
	serverCPU string        // taskset's notation; empty: not pinned
	clientCPU string
	only      []string // parts of names; empty: all
	work      []string // kinds; empty: all
}

// outputs say what is done with the results; empty: nothing.
type outputs struct {
	from  string // file of an earlier run, which is taken instead of a new one
	json  string // file
	saved string // file
	docs  string // folder
}

func main() {
	s, out := parseFlags()
	rep, err := out.measure(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
	if len(rep.Failed) > 0 {
		os.Exit(1)
	}
}

// defaults take about an hour, or a little over three.
func defaults(quick bool) settings {
	if quick {
		return settings{quick: true, rounds: 1, seconds: 0.25, warmup: 0.1, idle: 1000,
			settle: 400 * time.Millisecond, window: 600 * time.Millisecond}
	}
	return settings{rounds: 5, seconds: 1.2, warmup: 0.4, idle: 5000, settle: time.Second, window: 2 * time.Second}
}

func parseFlags() (settings, outputs) {
	s := defaults(os.Getenv("QUICK") != "")
	if runtime.NumCPU() > 1 {
		s.clientCPU, s.serverCPU = "0", "1"
	}
	flag.BoolVar(&s.quick, "quick", s.quick, "measure a selection of the rows; the environment's QUICK=1 makes it short, too")
	flag.IntVar(&s.rounds, "rounds", s.rounds, "rounds over all contenders, for the rows that the design sets limits for")
	flag.Float64Var(&s.seconds, "seconds", s.seconds, "length of one measurement of such a row")
	flag.Float64Var(&s.warmup, "warmup", s.warmup, "seconds before each measurement")
	flag.IntVar(&s.idle, "idle", s.idle, "idle connections")
	flag.StringVar(&s.serverCPU, "servercpu", s.serverCPU, "processors of the server, as taskset writes them; empty: any")
	flag.StringVar(&s.clientCPU, "clientcpu", s.clientCPU, "processors of the client")
	only := flag.String("only", os.Getenv("ONLY"), "contenders whose names contain one of these, by comma")
	work := flag.String("work", os.Getenv("WORK"), "kinds of work, by comma: cost, twins, system, echo, pipeline, open, steady, beside, udp, unix, accept, sendfile, loops, tls, shake, http, https, idle")
	var out outputs
	flag.StringVar(&out.from, "from", "", "measure nothing: take the run that -json wrote to `file`")
	flag.StringVar(&out.json, "json", "", "write every sample to `file`")
	flag.StringVar(&out.saved, "saved", "", "tell what has changed since the run that -json wrote to `file`")
	flag.StringVar(&out.docs, "docs", "", "write benchmarks.md and its charts into `folder`")
	flag.Parse()
	s.only, s.work = list(*only), list(*work)
	return s, out
}

// measure reads the saved run before it begins: a wrong name should not cost half an
// hour.
func (o outputs) measure(s settings) (*result.Report, error) {
	var saved *result.Report
	var err error
	if o.saved != "" {
		if saved, err = result.ReadFile(o.saved); err != nil {
			return nil, err
		}
	}
	rep, err := o.results(s)
	if err != nil {
		return nil, err
	}
	if o.json != "" {
		err = rep.WriteFile(o.json)
	}
	if o.docs != "" {
		err = errors.Join(err, report.Write(o.docs, rep))
	}
	if saved != nil {
		report.Compare(os.Stdout, saved, rep)
	}
	return rep, err
}

// results are measured, or those of an earlier run, judged anew.
func (o outputs) results(s settings) (*result.Report, error) {
	if o.from == "" {
		return measure(s)
	}
	rep, err := result.ReadFile(o.from)
	if err == nil {
		rep.Targets = judge(rep)
		printTargets(os.Stdout, rep.Targets)
	}
	return rep, err
}

func list(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// wants reports whether ONLY admits a contender.
func (s settings) wants(name string) bool {
	return len(s.only) == 0 || slices.ContainsFunc(s.only, func(part string) bool { return strings.Contains(name, part) })
}

// wantsWork reports whether WORK admits a kind.
func (s settings) wantsWork(k result.Kind) bool {
	return len(s.work) == 0 || slices.Contains(s.work, string(k))
}

// measure builds all contenders first, so that no compiler runs beside a measurement.
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
	removeWhenInterrupted(tmp)

	rep := &result.Report{Go: runtime.Version(), CPU: cpuModel(), CPUs: runtime.NumCPU(), Kernel: kernel(),
		Commit: commit(dirs.root), Versions: versions(), Time: time.Now().UTC(), Rounds: s.rounds, Seconds: s.seconds}
	fmt.Printf("%s, %d processors, %s\n", rep.CPU, rep.CPUs, rep.Go)
	fmt.Fprintln(os.Stderr, "building the contenders")
	b := builder{dirs: dirs, out: tmp}
	m := &meter{settings: s, folder: tmp, out: os.Stdout, report: rep, progress: newProgress(os.Stderr)}
	if m.client, err = b.cc("client"); err != nil {
		return nil, err
	}
	programs, err := b.prepare(s, rep)
	if err != nil {
		return nil, err
	}
	printFailures(os.Stdout, rep)
	jobs := m.plan(programs)
	if len(jobs) == 0 {
		return nil, fmt.Errorf("nothing to measure: no contender's name contains one of %q, or no work is one of %q", s.only, s.work)
	}
	m.progress.expect(jobs)
	fmt.Fprintf(os.Stderr, "%d measurements, about %v\n", m.progress.total, m.progress.left())
	for _, j := range jobs {
		m.run(j)
	}
	rep.Targets = judge(rep)
	printTargets(os.Stdout, rep.Targets)
	printFailures(os.Stdout, rep)
	return rep, nil
}

// removeWhenInterrupted leaves nothing behind when the measurement is ended early. The
// servers end with this process.
func removeWhenInterrupted(folder string) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		_ = os.RemoveAll(folder) // there is nobody to tell
		os.Exit(1)
	}()
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

// raiseFileLimit lets this process and its servers hold as many descriptors as the system
// allows. Set explicitly, the limit is inherited; the one that the Go runtime raises by
// itself is not.
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
