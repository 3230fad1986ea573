//go:build unix

package signals_test

// What a signal does to a process is seen from outside: the programs below run in
// processes of their own.

import (
	"context"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func init() { testkit.RunChild(programs) }

// add adds a handler in a program.
func add(ctx context.Context, sig syscall.Signal, fn func()) {
	if err := testkit.LoopOf(ctx).AddSignalHandler(sig, fn); err != nil {
		panic(err)
	}
}

func run(opts []asyncio.Option, main func(ctx context.Context) error) {
	_, err := asyncio.Run(asyncio.Do(main), opts...)
	testkit.SayEnd(0, err)
}

// ready says so from the loop.
func ready(ctx context.Context) { testkit.LoopOf(ctx).CallSoon(func() { testkit.Say("ready") }) }

var programs = map[string]func(opts ...asyncio.Option){
	"no handler": func(opts ...asyncio.Option) {
		run(opts, func(ctx context.Context) error {
			ready(ctx)
			return asyncio.Sleep(ctx, time.Hour)
		})
	},
	"hup and int": func(opts ...asyncio.Option) {
		run(opts, func(ctx context.Context) error {
			over := asyncio.NewEvent()
			add(ctx, syscall.SIGHUP, func() { testkit.Say("!s-hup!") })
			add(ctx, syscall.SIGINT, func() {
				testkit.Say("!s-int!")
				over.Set()
			})
			ready(ctx)
			return over.Wait(ctx)
		})
	},
	"a server": func(opts ...asyncio.Option) {
		r := asyncio.NewRunner(opts...)
		var s *asyncio.Server
		_, err := asyncio.RunIn(r, asyncio.Do(func(ctx context.Context) (err error) {
			l := testkit.LoopOf(ctx)
			s, err = l.CreateServer(ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} }, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			ready(ctx)
			return s.ServeForever(ctx)
		}))
		testkit.SayEnd(0, err)
		_, err = asyncio.RunIn(r, asyncio.Do(func(ctx context.Context) error {
			s.Close()
			return s.WaitClosed(ctx)
		}))
		testkit.Say("again %v", err)
		testkit.Say("close %v", r.Close())
	},
	"removed": func(opts ...asyncio.Option) {
		run(opts, func(ctx context.Context) error {
			l := testkit.LoopOf(ctx)
			add(ctx, syscall.SIGINT, func() {
				testkit.Say("handled, removed=%v", l.RemoveSignalHandler(syscall.SIGINT))
			})
			ready(ctx)
			return asyncio.Sleep(ctx, time.Hour)
		})
	},
	"removed term": func(opts ...asyncio.Option) {
		run(opts, func(ctx context.Context) error {
			l := testkit.LoopOf(ctx)
			add(ctx, syscall.SIGTERM, func() {
				testkit.Say("handled, removed=%v", l.RemoveSignalHandler(syscall.SIGTERM))
			})
			ready(ctx)
			return asyncio.Sleep(ctx, time.Hour)
		})
	},
	"of a run before": func(opts ...asyncio.Option) {
		run(opts, func(ctx context.Context) error {
			add(ctx, syscall.SIGINT, func() {})
			return nil
		})
		run(opts, func(ctx context.Context) error {
			ready(ctx)
			return asyncio.Sleep(ctx, time.Hour)
		})
	},
	"another loop": func(opts ...asyncio.Option) {
		heard := make(chan struct{}, 10)
		added := make(chan struct{})
		go func() {
			_, _ = asyncio.Run(asyncio.Do(func(ctx context.Context) error {
				add(ctx, syscall.SIGINT, func() { heard <- struct{}{} })
				close(added)
				return asyncio.Sleep(ctx, time.Hour)
			}), opts...)
		}()
		<-added
		run(opts, func(ctx context.Context) error {
			ready(ctx)
			_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) {
				<-heard
				return 0, nil
			})
			return err
		})
	},
	"loops": func(opts ...asyncio.Option) {
		var waits atomic.Int32
		testkit.SayEnd(0, asyncio.RunLoops(2, func(ctx context.Context, i int) error {
			over := asyncio.NewEvent()
			add(ctx, syscall.SIGINT, over.Set)
			testkit.LoopOf(ctx).CallSoon(func() {
				if waits.Add(1) == 2 {
					testkit.Say("ready")
				}
			})
			return over.Wait(ctx)
		}, opts...))
	},
	"loops that have removed it": func(opts ...asyncio.Option) {
		var waits atomic.Int32
		testkit.SayEnd(0, asyncio.RunLoops(2, func(ctx context.Context, i int) error {
			l := testkit.LoopOf(ctx)
			add(ctx, syscall.SIGINT, func() {})
			l.RemoveSignalHandler(syscall.SIGINT)
			l.CallSoon(func() {
				if waits.Add(1) == 2 {
					testkit.Say("ready")
				}
			})
			return asyncio.Sleep(ctx, time.Hour)
		}, opts...))
	},
}

func TestProcess(t *testing.T) {
	const normal, interrupted = "end 0 interrupted=false cancelled=false", "end 0 interrupted=true cancelled=false"
	testkit.EachDriverOfChildren(t, programs, func(t *testing.T, start func(t *testing.T, program string) *testkit.Child) {
		t.Run("SIG-04", func(t *testing.T) {
			start(t, "no handler").Says("ready").Signal(os.Interrupt).Says(interrupted).Exits()
		})
		t.Run("SIG-07", func(t *testing.T) {
			start(t, "hup and int").Says("ready").Signal(syscall.SIGHUP).Says("!s-hup!").
				Signal(syscall.SIGHUP).Says("!s-hup!").Signal(os.Interrupt).Says("!s-int!", normal).Exits()
			// Two that are sent at once may be handled by two threads, in any order.
		})
		t.Run("SIG-08", func(t *testing.T) {
			start(t, "a server").Says("ready").Signal(os.Interrupt).Says(interrupted, "again <nil>", "close <nil>").Exits()
		})
		t.Run("a handler that is removed gives SIGINT back to the run", func(t *testing.T) {
			start(t, "removed").Says("ready").Signal(os.Interrupt).Says("handled, removed=true").
				Signal(os.Interrupt).Says(interrupted).Exits()
		})
		t.Run("and SIGTERM to the process", func(t *testing.T) {
			start(t, "removed term").Says("ready").Signal(syscall.SIGTERM).Says("handled, removed=true").
				Signal(syscall.SIGTERM).Dies(syscall.SIGTERM)
		})
		t.Run("the end of a loop does too", func(t *testing.T) {
			start(t, "of a run before").Says(normal, "ready").Signal(os.Interrupt).Says(interrupted).Exits()
		})
		t.Run("a handler of another loop", func(t *testing.T) {
			start(t, "another loop").Says("ready").Signal(os.Interrupt).Says(normal).Exits()
		})
		t.Run("RunLoops", func(t *testing.T) {
			start(t, "loops").Says("ready").Signal(os.Interrupt).Says(normal).Exits()
			start(t, "loops that have removed it").Says("ready").Signal(os.Interrupt).
				Says("end 0 interrupted=true cancelled=true").Exits()
		})
	})
}
