// Tour runs the other examples in short form, one after another, then an echo server that
// clients of three kinds use at the same time: Go's net, Python's asyncio and nc. In the
// end it measures how many questions a second that server answers, and says what it runs
// on. It takes about ten seconds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/examples/internal/abc"
	"github.com/seed-a026a017/asyncio/examples/internal/calls"
	"github.com/seed-a026a017/asyncio/examples/internal/chat"
	"github.com/seed-a026a017/asyncio/examples/internal/clients"
	"github.com/seed-a026a017/asyncio/examples/internal/debugging"
	"github.com/seed-a026a017/asyncio/examples/internal/echo"
	"github.com/seed-a026a017/asyncio/examples/internal/futures"
	"github.com/seed-a026a017/asyncio/examples/internal/gracefulshutdown"
	"github.com/seed-a026a017/asyncio/examples/internal/hello"
	"github.com/seed-a026a017/asyncio/examples/internal/numbersletters"
	"github.com/seed-a026a017/asyncio/examples/internal/producerconsumer"
	"github.com/seed-a026a017/asyncio/examples/internal/runblocking"
	"github.com/seed-a026a017/asyncio/examples/internal/taskgroup"
	"github.com/seed-a026a017/asyncio/examples/internal/threads"
	"github.com/seed-a026a017/asyncio/examples/internal/timeouts"
	"github.com/seed-a026a017/asyncio/examples/internal/trampoline"
)

// second is how long a second lasts on the tour.
const second = 200 * time.Millisecond

// stops are the programs, in the order of what they need to be understood.
var stops = []struct {
	name, idea string
	demo       func() error
}{
	{"hello", "Run and Sleep", func() error { return hello.Demo(second) }},
	{"abc", "Gather: three tasks at once", func() error { return abc.Demo(second) }},
	{"numbers_letters", "CreateTask and RunUntilComplete", func() error { return numbersletters.Demo(second) }},
	{"calls", "CallSoon, CallLater, CallAt, and the life of a loop", calls.Demo},
	{"trampoline", "a callback that schedules itself", func() error { return trampoline.Demo(5 * second) }},
	{"futures", "results that are made elsewhere", futures.Demo},
	{"timeouts", "WaitFor, Shield, Timeout", timeouts.Demo},
	{"taskgroup", "a crawler whose tasks end together", taskgroup.Demo},
	{"producer_consumer", "Queue, Join, Shutdown", producerconsumer.Demo},
	{"run_blocking", "ToThread and RunInExecutor", runblocking.Demo},
	{"threads", "loops beside other goroutines", threads.Demo},
	{"echo", "Protocol and streams", echo.Demo},
	{"chat", "back-pressure and a graceful end", chat.Demo},
	{"graceful_shutdown", "SIGTERM, a deadline, a report", func() error { return gracefulshutdown.Demo(second) }},
	{"debugging", "slow code, forgotten errors, who awaits whom", debugging.Demo},
}

const (
	exchangeBytes = 1 << 20
	rateConns     = 10
	rateBytes     = 1 << 10
	rateTime      = 2 * time.Second
)

func main() {
	pureGo := flag.Bool("purego", os.Getenv("ASYNCIO_DRIVER") == asyncio.PureGo.String(), "run on the pure-Go driver even if libuv is linked in")
	flag.Parse()
	if err := run(*pureGo); err != nil {
		fmt.Fprintln(os.Stderr, "tour:", err)
		os.Exit(1)
	}
}

func run(pureGo bool) error {
	driver := asyncio.Libuv
	if pureGo || asyncio.LibuvVersion() == "" { // "": built without cgo
		driver = asyncio.PureGo
	}
	asyncio.Install(driver)
	for _, s := range stops {
		fmt.Printf("\n== %s: %s\n", s.name, s.idea)
		if err := s.demo(); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	err := withServer(func(address string) error {
		fmt.Print("\n== real clients at one echo server, all at once\n")
		if err := realClients(address); err != nil {
			return fmt.Errorf("real clients: %w", err)
		}
		fmt.Print("\n== how fast\n")
		if err := rate(address); err != nil {
			return fmt.Errorf("rate: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Print("driver: ", driver)
	if driver == asyncio.Libuv {
		fmt.Print(" ", asyncio.LibuvVersion())
	}
	fmt.Println()
	return nil
}

// withServer runs an echo server in another goroutine, as long as body needs it.
func withServer(body func(address string) error) error {
	stop, end := context.WithCancel(context.Background())
	defer end()
	listening := make(chan net.Addr, 1)
	served := make(chan error, 1)
	go func() {
		served <- echo.Serve(stop, "127.0.0.1:0", echo.Protocol, func(addr net.Addr) { listening <- addr })
	}()
	select {
	case addr := <-listening:
		err := body(addr.String())
		end()
		return errors.Join(err, <-served)
	case err := <-served:
		return err
	}
}

// realClients has clients of all kinds that this machine has talk to the server.
func realClients(address string) error {
	var groups []clients.Group
	for _, g := range []clients.Group{{Kind: clients.Net, Count: 40}, {Kind: clients.Python, Count: 20}, {Kind: clients.Netcat, Count: 5}} {
		if err := g.Kind.Missing(); err != nil {
			fmt.Printf("%s is skipped: %v\n", g.Kind.Name, err)
			continue
		}
		groups = append(groups, g)
	}
	begin := time.Now()
	if err := clients.Together(context.Background(), address, clients.NewPayload(exchangeBytes), groups...); err != nil {
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
func rate(address string) error {
	answers, err := clients.Rate(context.Background(), address, rateConns, rateBytes, rateTime)
	if err != nil {
		return err
	}
	fmt.Printf("%.0f requests/s: %d connections of Go's net, %d bytes there and back, %v\n",
		float64(answers)/rateTime.Seconds(), rateConns, rateBytes, rateTime)
	return nil
}
