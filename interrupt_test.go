// Ctrl-C. What a signal does to a process is seen from outside: the programs below run in
// processes of their own, which are this test binary again. They run before its tests do,
// in the goroutine in which main.main would run.
package asyncio_test

import (
	"bufio"
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func init() { testkit.RunChild(interruptPrograms) }

// untilCancelled is a main that waits to be cancelled, and then does cleanup.
func untilCancelled(cleanup func(ctx context.Context, err error) (int, error)) asyncio.Coro[int] {
	return func(ctx context.Context) (int, error) {
		f := asyncio.NewFuture[int](testkit.LoopOf(ctx))
		testkit.LoopOf(ctx).CallSoon(func() { testkit.Say("ready") })
		_, err := f.Await(ctx)
		testkit.Say("future cancelled=%v", f.Cancelled())
		return cleanup(ctx, err)
	}
}

func giveUp(_ context.Context, err error) (int, error) { return 0, err }

// yieldOn lets the loop look at the outside world a few times, and panics if that is
// interrupted.
func yieldOn(ctx context.Context) {
	for range 10 {
		if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
			panic(err)
		}
	}
}

// standStill waits in a main that nobody cancels, until a line comes from the parent.
func standStill(ctx context.Context) (int, error) {
	return asyncio.ToThread(ctx, func(context.Context) (int, error) {
		testkit.Say("ready")
		_, err := bufio.NewReader(os.Stdin).ReadString('\n')
		return 5, err
	})
}

var interruptPrograms = map[string]func(opts ...asyncio.Option){
	"main waits": func(opts ...asyncio.Option) { testkit.SayEnd(asyncio.Run(untilCancelled(giveUp), opts...)) },
	"main goes on": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(untilCancelled(func(context.Context, error) (int, error) { return 5, nil }), opts...))
	},
	"main has fought back": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(untilCancelled(func(ctx context.Context, err error) (int, error) {
			asyncio.CurrentTask(ctx).Uncancel()
			return 0, err
		}), opts...))
	},
	"cancelled twice": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(untilCancelled(func(ctx context.Context, err error) (int, error) {
			asyncio.CurrentTask(ctx).Cancel()
			return 0, err
		}), opts...))
	},
	"main is busy": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(func(ctx context.Context) (int, error) {
			testkit.Say("ready")
			_, err := bufio.NewReader(os.Stdin).ReadString('\n') // the loop stands still
			if err != nil {
				return 0, err
			}
			return 0, asyncio.Sleep(ctx, time.Hour)
		}, opts...))
	},
	"cleanup waits": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(untilCancelled(func(ctx context.Context, _ error) (int, error) {
			testkit.Say("cleanup")
			return 0, asyncio.Sleep(ctx, time.Hour)
		}), opts...))
	},
	"cleanup is busy": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(untilCancelled(func(context.Context, error) (int, error) {
			testkit.Say("cleanup")
			//lint:ignore SA5002 the second interrupt has to end a task that never suspends
			for {
			}
		}), opts...))
	},
	"ignored": func(opts ...asyncio.Option) {
		signal.Ignore(os.Interrupt)
		testkit.SayEnd(asyncio.Run(standStill, opts...))
		testkit.Say("ignored=%v", signal.Ignored(os.Interrupt))
	},
	"own context": func(opts ...asyncio.Option) {
		ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt)
		defer restore()
		testkit.SayEnd(asyncio.Run(untilCancelled(func(ctx context.Context, err error) (int, error) {
			testkit.Say("cause %v, asked %d", err, asyncio.CurrentTask(ctx).Cancelling())
			yieldOn(ctx)
			return 5, nil
		}), append(opts, asyncio.WithContext(ctx))...))
	},
	"own handler": func(opts ...asyncio.Option) { ownHandler(standStill, append(opts, asyncio.WithInterrupt(false))...) },
	"both": func(opts ...asyncio.Option) {
		ownHandler(untilCancelled(func(ctx context.Context, _ error) (int, error) {
			testkit.Say("cleanup")
			return standStill(ctx)
		}), opts...)
	},
	"another goroutine": func(opts ...asyncio.Option) {
		testkit.OnGoroutine(func() { testkit.SayEnd(asyncio.Run(standStill, opts...)) })
	},
	"another goroutine that asks for it": func(opts ...asyncio.Option) {
		testkit.OnGoroutine(func() {
			testkit.SayEnd(asyncio.Run(untilCancelled(giveUp), append(opts, asyncio.WithInterrupt(true))...))
		})
	},
	"loops": func(opts ...asyncio.Option) {
		interruptLoops(func(ctx context.Context, err error) error { return err }, opts...)
	},
	"loops that go on": func(opts ...asyncio.Option) {
		interruptLoops(func(context.Context, error) error { return nil }, opts...)
	},
	"loops whose cleanup waits": func(opts ...asyncio.Option) {
		interruptLoops(func(ctx context.Context, _ error) error {
			testkit.Say("cleanup")
			return asyncio.Sleep(ctx, time.Hour)
		}, opts...)
	},
	"two runs": func(opts ...asyncio.Option) {
		r := asyncio.NewRunner(opts...)
		for range 2 {
			testkit.SayEnd(asyncio.RunIn(r, untilCancelled(giveUp)))
		}
		testkit.Say("close %v", r.Close())
	},
	"after a run": func(opts ...asyncio.Option) {
		testkit.SayEnd(asyncio.Run(func(context.Context) (int, error) { return 5, nil }, opts...))
		testkit.Say("ready")
		select {}
	},
}

// interruptLoops runs two loops, whose mains wait to be cancelled and then do cleanup.
func interruptLoops(cleanup func(ctx context.Context, err error) error, opts ...asyncio.Option) {
	var waits atomic.Int32
	testkit.SayEnd(0, asyncio.RunLoops(2, func(ctx context.Context, i int) error {
		testkit.LoopOf(ctx).CallSoon(func() {
			if waits.Add(1) == 2 {
				testkit.Say("ready")
			}
		})
		return cleanup(ctx, asyncio.Sleep(ctx, time.Hour))
	}, opts...))
}

// ownHandler runs main in a program that hears of SIGINT itself.
func ownHandler(main asyncio.Coro[int], opts ...asyncio.Option) {
	own := make(chan os.Signal, 1)
	signal.Notify(own, os.Interrupt)
	go func() {
		for range own {
			testkit.Say("own handler")
		}
	}()
	testkit.SayEnd(asyncio.Run(main, opts...))
}

func TestInterrupt(t *testing.T) {
	const interrupted, cancelled = "end 0 interrupted=true cancelled=false", "end 0 interrupted=false cancelled=true"
	testkit.EachDriverOfChildren(t, interruptPrograms, func(t *testing.T, start func(t *testing.T, program string) *testkit.Child) {
		t.Run("RUN-09", func(t *testing.T) {
			start(t, "main waits").Says("ready").Signal(os.Interrupt).Says("future cancelled=true", interrupted).Exits()
		})
		t.Run("RUN-12", func(t *testing.T) {
			for _, program := range []string{"cleanup waits", "cleanup is busy"} {
				start(t, program).Says("ready").Signal(os.Interrupt).Says("future cancelled=true", "cleanup").Signal(os.Interrupt).Dies(syscall.SIGINT)
			}
		})
		t.Run("RUN-13", func(t *testing.T) {
			start(t, "ignored").Says("ready").Signal(os.Interrupt).GoOn().Says("end 5 interrupted=false cancelled=false", "ignored=true").Exits()
			start(t, "own handler").Says("ready").Signal(os.Interrupt).Says("own handler").GoOn().
				Says("end 5 interrupted=false cancelled=false").Exits()
			start(t, "own context").Says("ready").Signal(os.Interrupt).
				Says("future cancelled=true", "cause asyncio: cancelled: interrupt signal received, asked 1", "end 5 interrupted=false cancelled=false").Exits()
		})
		t.Run("a handler of the program hears of every SIGINT, the run of the first", func(t *testing.T) {
			c := start(t, "both").Says("ready").Signal(os.Interrupt)
			said := map[string]bool{<-c.Lines: true, <-c.Lines: true, <-c.Lines: true, <-c.Lines: true}
			require.Equal(t, map[string]bool{"own handler": true, "future cancelled=true": true, "cleanup": true, "ready": true}, said)
			c.Signal(os.Interrupt).Says("own handler").GoOn().Says("end 5 interrupted=false cancelled=false").Exits()
		})
		t.Run("a main that goes on has not been interrupted", func(t *testing.T) {
			start(t, "main goes on").Says("ready").Signal(os.Interrupt).Says("future cancelled=true", "end 5 interrupted=false cancelled=false").Exits()
		})
		t.Run("who has asked main to end", func(t *testing.T) {
			start(t, "main has fought back").Says("ready").Signal(os.Interrupt).Says("future cancelled=true", interrupted).Exits()
			start(t, "cancelled twice").Says("ready").Signal(os.Interrupt).Says("future cancelled=true", cancelled).Exits()
		})
		t.Run("a main that holds the loop hears of it when it awaits", func(t *testing.T) {
			start(t, "main is busy").Says("ready").Signal(os.Interrupt).GoOn().Says(interrupted).Exits()
		})
		t.Run("goroutines that are not main's", func(t *testing.T) {
			start(t, "another goroutine").Says("ready").Signal(os.Interrupt).Dies(syscall.SIGINT)
			start(t, "another goroutine that asks for it").Says("ready").Signal(os.Interrupt).Says("future cancelled=true", interrupted).Exits()
		})
		t.Run("several loops", func(t *testing.T) {
			start(t, "loops").Says("ready").Signal(os.Interrupt).Says("end 0 interrupted=true cancelled=true").Exits()
			start(t, "loops that go on").Says("ready").Signal(os.Interrupt).Says("end 0 interrupted=false cancelled=false").Exits()
			start(t, "loops whose cleanup waits").Says("ready").Signal(os.Interrupt).Says("cleanup", "cleanup").Signal(os.Interrupt).Dies(syscall.SIGINT)
		})
		t.Run("every run of a Runner", func(t *testing.T) {
			c := start(t, "two runs")
			for range 2 {
				c.Says("ready").Signal(os.Interrupt).Says("future cancelled=true", interrupted)
			}
			c.Says("close <nil>").Exits()
		})
		t.Run("after a run", func(t *testing.T) {
			start(t, "after a run").Says("end 5 interrupted=false cancelled=false", "ready").Signal(os.Interrupt).Dies(syscall.SIGINT)
		})
	})
}
