// Random programs with and without a deputy: debug mode has none, and must leave the same
// trace. Tasks make others, eager ones too, wait, cancel, look at each other's stacks,
// panic, and end with Goexit, also from deferred functions. A deputy takes in no guest
// where profiles have labels.
package asyncio_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// Bounds of a program, and how many there are for each driver.
const (
	deputyPrograms  = 150
	deputyRuns      = 6   // of the loop: a Goexit ends one
	deputyTurns     = 25  // of a run
	deputySteps     = 400 // of all tasks
	deputyTaskDepth = 4   // how deep tasks make tasks
)

const deputyCloses = "the loop closes"

func TestRandomDeputy(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		quiet := append(opts, asyncio.WithLogger(slog.New(slog.DiscardHandler)))
		for seed := range uint64(deputyPrograms) {
			run := func(goexits bool, opts ...asyncio.Option) []string {
				return runDeputyProgram(t, seed, goexits, append(opts, quiet...)...)
			}
			without := run(false, asyncio.WithDebug(true))
			require.Equal(t, untilClose(without), untilClose(run(false)), "program %d with guests", seed)
			without = run(true, asyncio.WithDebug(true))
			require.Equal(t, without, run(true, asyncio.WithProfileLabels()), "program %d without guests", seed)
			run(true) // a Goexit of a guest ends its host too
		}
	})
}

// untilClose leaves out the end of a trace: a loop that closes unwinds a guest before its
// host, which may be the older one.
func untilClose(events []string) []string {
	return events[:slices.Index(events, deputyCloses)]
}

// deputyProgram is a program that runs. What its tasks do is drawn while they do it.
type deputyProgram struct {
	asynciotest.Trace
	loop    *asyncio.Loop
	rand    *rand.Rand
	futures [3]*asyncio.Future[int]
	tasks   []asyncio.AnyTask
	steps   int
	goexits bool
}

func (p *deputyProgram) oneIn(n int) bool { return p.rand.IntN(n) == 0 }

func (p *deputyProgram) say(format string, args ...any) {
	p.Addf("turn %d: %s", p.loop.Stats().Turns, fmt.Sprintf(format, args...))
}

// runDeputyProgram returns what happened. The loop is audited before each poll and after
// each run.
func runDeputyProgram(t *testing.T, seed uint64, goexits bool, opts ...asyncio.Option) []string {
	t.Helper()
	l, err := asyncio.NewEventLoop(opts...)
	require.NoError(t, err)
	p := &deputyProgram{loop: l, goexits: goexits, rand: rand.New(rand.NewPCG(seed, 0))}
	for i := range p.futures {
		p.futures[i] = asyncio.NewFuture[int](l)
	}
	l.SetExceptionHandler(func(_ *asyncio.Loop, c asyncio.ErrorContext) {
		if !strings.Contains(c.Message, "never retrieved") { // the collector's time
			p.Addf("%s: %v", c.Message, c.Exception)
		}
	})
	var fault error
	audit := func() {
		if err := asyncio.Audit(l); fault == nil {
			fault = err
		}
	}
	asyncio.VirtualTime(l, audit, func() {
		fault = fmt.Errorf("program %d: nobody is left to end the run", seed)
		l.Stop()
	})
	for run := range deputyRuns {
		testkit.OnGoroutine(func() {
			for i := range 3 {
				p.create(l.Context(), fmt.Sprintf("%d-%d", run, i), 0, false)
			}
			asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				defer l.Stop()
				for range deputyTurns {
					if err := asyncio.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return nil
			}))
			_ = l.RunForever()
		})
		p.say("the run is over")
		audit()
		require.NoError(t, fault)
	}
	p.Addf(deputyCloses)
	testkit.OnGoroutine(func() { err = l.Close() })
	require.NoError(t, err)
	require.Zero(t, asyncio.LiveCoroutines(l))
	return p.Events()
}

func (p *deputyProgram) create(ctx context.Context, name string, depth int, eager bool) asyncio.AnyTask {
	t := asyncio.CreateTask(ctx, p.body(name, depth), asyncio.WithName(name), asyncio.EagerStart(eager))
	p.tasks = append(p.tasks, t)
	return t
}

func (p *deputyProgram) body(name string, depth int) asyncio.Coro[int] {
	return func(ctx context.Context) (_ int, err error) {
		p.say("%s begins", name)
		defer func() { p.say("%s ends: %v", name, err) }()
		switch p.rand.IntN(8) {
		case 0:
			defer func() { panic("deferred in " + name) }()
		case 1:
			defer func() { p.say("%s yields while it ends: %v", name, asyncio.Sleep(ctx, 0)) }()
		}
		for range 2 + p.rand.IntN(15) {
			if p.steps++; p.steps > deputySteps || p.loop.IsClosed() {
				return 0, nil
			}
			if err := p.step(ctx, name, depth); err != nil {
				p.say("%s: %v", name, err)
				if p.oneIn(2) {
					return 0, err
				}
			}
		}
		return 0, nil
	}
}

func (p *deputyProgram) step(ctx context.Context, name string, depth int) error {
	i := p.rand.IntN(len(p.futures))
	other := p.tasks[p.rand.IntN(len(p.tasks))]
	switch n := p.rand.IntN(20); {
	case n < 5:
		return asyncio.Sleep(ctx, 0)
	case n < 9 && depth < deputyTaskDepth:
		child := p.create(ctx, fmt.Sprintf("%s.%d", name, len(p.tasks)), depth+1, p.oneIn(3))
		if p.oneIn(2) {
			_, err := child.(*asyncio.Task[int]).Await(ctx)
			return err
		}
	case n < 11:
		p.say("%s sets %d: %v", name, i, p.futures[i].SetResult(1))
	case n < 13:
		if p.futures[i].Done() {
			p.futures[i] = asyncio.NewFuture[int](p.loop)
		}
		if f := p.futures[i]; p.oneIn(2) {
			p.loop.CallSoon(func() { p.say("a callback sets %d: %v", i, f.SetResult(2)) })
		}
		_, err := asyncio.Shield[int](ctx, p.futures[i]).Await(ctx)
		return err
	case n < 14:
		p.loop.CallSoon(func() {
			p.create(p.loop.Context(), fmt.Sprintf("%s by callback %d", name, len(p.tasks)), depth+1, p.oneIn(2))
		})
	case n < 15:
		p.say("%s cancels %s: %v", name, other.Name(), other.Cancel())
	case n < 18:
		p.say("%s looks at %s: %s", name, other.Name(), other.Stack())
	case n == 18 && p.oneIn(4):
		p.say("%s ends its goroutine", name)
		if p.goexits {
			runtime.Goexit()
		}
	case n == 19 && p.oneIn(3):
		panic("by " + name)
	}
	return nil
}
