// Tour shows all the other examples, and an echo server with clients that know nothing of
// this library.
//
// It builds the examples, runs a few of them at a time, and shows their output in the
// order of what they need to be understood. Then clients of three kinds talk to one
// server at once: Go's net, Python's asyncio and nc. In the end it measures how many
// questions a second that server answers, and says what it runs on. All of it takes about
// ten seconds:
//
//	go run ./examples/tour
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/examples/internal/clients"
)

// stop is an example.
type stop struct{ name, idea string }

// stops are the examples, in the order in which they are shown.
var stops = []stop{
	{"hello", "Run and Sleep"},
	{"abc", "Gather: three tasks at once"},
	{"numbers_letters", "CreateTask and RunUntilComplete"},
	{"calls", "CallSoon, CallLater, CallAt, and the life of a loop"},
	{"trampoline", "a callback that schedules itself"},
	{"futures", "results that are made elsewhere"},
	{"timeouts", "WaitFor, Shield, Timeout"},
	{"taskgroup", "a crawler whose tasks end together"},
	{"producer_consumer", "Queue, Join, Shutdown"},
	{"run_blocking", "ToThread and RunInExecutor"},
	{"subprocess", "a pipeline of three programs"},
	{"files", "a tree copied by many tasks at once"},
	{"watch", "a server that hears of its new configuration"},
	{"threads", "loops beside other goroutines"},
	{"echo_protocol", "server and client in callbacks"},
	{"echo_streams", "server and client as coroutines"},
	{"tls_echo", "the same over TLS"},
	{"unix", "a Unix socket that knows its peer"},
	{"rawsocket", "sockets of the program's own"},
	{"proxy", "back-pressure both ways, half-close"},
	{"happy_eyeballs", "a name with dead addresses"},
	{"multicore", "several loops share a port"},
	{"udp", "datagrams: a name server and its client"},
	{"chat", "back-pressure and a graceful end"},
	{"http_server", "counters without locks, streaming, a graceful stop"},
	{"http_client", "fifty pages at once"},
	{"graceful_shutdown", "SIGTERM, a deadline, a report"},
	{"signals", "SIGHUP reloads, SIGUSR1 reports, SIGTERM ends"},
	{"debugging", "slow code, forgotten errors, who awaits whom"},
}

const (
	packages      = "github.com/seed-a026a017/asyncio/examples/"
	serverProgram = "echo_protocol"

	// runsMax is how many examples run at a time: most of them sleep most of the time.
	runsMax = 4

	exchangeBytes = 1 << 20
	rateConns     = 10
	rateBytes     = 1 << 10
	rateTime      = 2 * time.Second
)

func main() {
	pureGo := flag.Bool("purego", os.Getenv("ASYNCIO_DRIVER") == asyncio.PureGo.String(), "run on the pure-Go driver even if libuv is linked in")
	programs := flag.String("programs", "", "the `directory` of the examples' programs; without it the tour builds them")
	flag.Parse()
	if runtime.GOOS == "windows" { // without sockets of the program's own, and most signals
		stops = slices.DeleteFunc(stops, func(s stop) bool { return s.name == "rawsocket" || s.name == "signals" })
	}
	if err := run(*programs, *pureGo); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func run(programs string, pureGo bool) (err error) {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt)
	defer restore()
	if programs == "" {
		if programs, err = os.MkdirTemp("", "tour-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(programs)) }()
		if err := build(ctx, programs); err != nil {
			return err
		}
	}
	driver := asyncio.Libuv
	if pureGo || asyncio.LibuvVersion() == "" { // "": built without cgo
		driver = asyncio.PureGo
	}
	if err := os.Setenv("ASYNCIO_DRIVER", driver.String()); err != nil { // for the programs
		return err
	}
	if err := showAll(ctx, programs); err != nil {
		return err
	}
	if err := withServer(ctx, programs, useServer); err != nil {
		return err
	}
	fmt.Print("driver: ", driver)
	if driver == asyncio.Libuv {
		fmt.Print(" ", asyncio.LibuvVersion())
	}
	fmt.Println()
	return nil
}

// build builds the programs, with cgo if the tour was. Without what debuggers need, -w,
// they are linked in a third of the time.
func build(ctx context.Context, dir string) error {
	fmt.Printf("building %d programs\n", len(stops))
	args := []string{"build", "-ldflags=-w", "-o", dir + string(filepath.Separator)}
	for _, s := range stops {
		args = append(args, packages+s.name)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if asyncio.LibuvVersion() == "" {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build: %w", err)
	}
	return nil
}

// showing is a run of a program, until it is shown.
type showing struct {
	output bytes.Buffer
	ended  chan error
}

// showAll runs all programs and shows what each of them prints when its turn has come.
func showAll(ctx context.Context, dir string) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // after a failure nobody wants the others
	slots := make(chan struct{}, runsMax)
	showings := make([]showing, len(stops))
	for i := range stops {
		showings[i].ended = make(chan error, 1)
	}
	running.Go(func() {
		for i, s := range stops {
			slots <- struct{}{}
			running.Go(func() {
				cmd := exec.CommandContext(ctx, filepath.Join(dir, s.name))
				cmd.Stdout, cmd.Stderr = &showings[i].output, os.Stderr
				showings[i].ended <- cmd.Run()
				<-slots
			})
		}
	})
	for i, s := range stops {
		fmt.Printf("\n== %s: %s\n", s.name, s.idea)
		err := <-showings[i].ended
		fmt.Print(&showings[i].output)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// withServer runs an echo server as long as body needs it.
func withServer(ctx context.Context, dir string, body func(ctx context.Context, address string) error) (err error) {
	server := exec.CommandContext(ctx, filepath.Join(dir, serverProgram), "-listen", "127.0.0.1:0")
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	address, listens := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	switch {
	case err != nil:
		err = fmt.Errorf("read where the server listens: %w", err)
	case !listens:
		err = fmt.Errorf("the server said %q", line)
	default:
		err = body(ctx, address)
	}
	if server.Process.Signal(os.Interrupt) == nil {
		return errors.Join(err, server.Wait())
	}
	// There are systems without such a signal, and the server may have ended by itself.
	killErr := server.Process.Kill()
	_ = server.Wait() // that it was killed is known
	if !errors.Is(killErr, os.ErrProcessDone) {
		err = errors.Join(err, killErr)
	}
	return err
}

func useServer(ctx context.Context, address string) error {
	fmt.Print("\n== real clients at one echo server, all at once\n")
	if err := realClients(ctx, address); err != nil {
		return fmt.Errorf("real clients: %w", err)
	}
	fmt.Print("\n== how fast\n")
	if err := rate(ctx, address); err != nil {
		return fmt.Errorf("rate: %w", err)
	}
	return nil
}

// realClients has clients of all kinds that this machine has talk to the server.
func realClients(ctx context.Context, address string) error {
	var groups []clients.Group
	for _, g := range []clients.Group{{Kind: clients.Net, Count: 40}, {Kind: clients.Python, Count: 20}, {Kind: clients.Netcat, Count: 5}} {
		if err := g.Kind.Missing(); err != nil {
			fmt.Printf("%s is skipped: %v\n", g.Kind.Name, err)
			continue
		}
		groups = append(groups, g)
	}
	begin := time.Now()
	if err := clients.Together(ctx, address, clients.NewPayload(exchangeBytes), groups...); err != nil {
		return err
	}
	for _, g := range groups {
		fmt.Printf("%s: %d connections, %d bytes each way, byte for byte the same\n", g.Kind.Name, g.Count, exchangeBytes)
	}
	fmt.Printf("all of it took %.1f s\n", time.Since(begin).Seconds())
	return nil
}

// rate measures the server with Go's net as the client, on the same machine: the two
// share its cores.
func rate(ctx context.Context, address string) error {
	answers, err := clients.Rate(ctx, address, rateConns, rateBytes, rateTime)
	if err != nil {
		return err
	}
	fmt.Printf("%.0f requests/s: %d connections of Go's net, %d bytes there and back, %v\n",
		float64(answers)/rateTime.Seconds(), rateConns, rateBytes, rateTime)
	return nil
}
