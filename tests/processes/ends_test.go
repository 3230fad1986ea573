//go:build unix

package processes_test

// How children end that nobody waits for: cancelled starts, closed loops.

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A start is cancelled at every moment that it has, one after the other.
func TestCancelledStart(t *testing.T) {
	t.Run("CreateSubprocess", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			for turns := 0; ; turns++ {
				task := asyncio.CreateTask(ctx, asyncio.Coro[*asyncio.Process](func(ctx context.Context) (*asyncio.Process, error) {
					return asyncio.CreateSubprocess(ctx, piped("sleep", "3600"))
				}))
				for range turns {
					asynciotest.Yield(t, ctx, 1)
					if turns > 100 { // it takes as many as the kernel lets it
						require.NoError(t, asynciotest.Until(ctx, task.Done))
					}
				}
				if task.Done() {
					p, err := task.Result()
					require.NoError(t, err)
					require.NoError(t, p.Kill())
					ends(t, ctx, p, -int(syscall.SIGKILL))
					return
				}
				task.Cancel()
				_, err := task.Await(ctx)
				testkit.WantCancelled(t, err, nil)
			}
		})
	})
	t.Run("SubprocessExec", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			// Cancelled inside ConnectionMade: the start is over, and the task has not
			// run.
			p := newTap(ctx)
			var task *asyncio.Task[asyncio.None]
			p.onEvent = func(event string) {
				if event == "made" {
					task.Cancel()
				}
			}
			task = testkit.Start(ctx, func(ctx context.Context) error {
				_, _, err := p.loop.SubprocessExec(ctx, func() asyncio.SubprocessProtocol { return p }, piped("sleep", "3600"))
				return err
			})
			_, err := task.Await(ctx)
			testkit.WantCancelled(t, err, nil)
			require.NoError(t, gives(t, ctx, p.lost))
			requireOrder(t, p)
		})
	})
	t.Run("and the caller's file is closed", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			r, w := osPipe(t)
			opts := shell("read x <&3; exit 3")
			opts.ExtraFiles = []*os.File{r}
			task := asyncio.CreateTask(ctx, asyncio.Coro[*asyncio.Process](func(ctx context.Context) (*asyncio.Process, error) {
				return asyncio.CreateSubprocess(ctx, opts)
			}))
			asynciotest.Yield(t, ctx, 1)
			require.NoError(t, r.Close(), "before the child has started")
			p, err := task.Await(ctx)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			ends(t, ctx, p, 3)
			_, _, err = p.Communicate(ctx, nil)
			require.NoError(t, err)
		})
	})
}

// A child runs, or starts, when its loop is closed.
func TestLoopClosesWithAChild(t *testing.T) {
	for name, started := range map[string]bool{"running": true, "starting": false} {
		t.Run(name, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				asynciotest.VerifyNoLeaks(t)
				log, logged := testkit.RecordLog()
				l, err := asyncio.NewEventLoop(append(opts, logged, asyncio.WithDebug(true))...)
				require.NoError(t, err)
				var p *asyncio.Process
				l.SetExceptionHandler(func(*asyncio.Loop, asyncio.ErrorContext) {})
				testkit.Start(l.Context(), func(ctx context.Context) error {
					var err error
					if p, err = asyncio.CreateSubprocess(ctx, piped("sleep", "3600")); err == nil {
						l.Stop()
						err = testkit.SleepsLong(ctx)
					}
					return err
				})
				if started {
					require.NoError(t, l.RunForever())
				} else {
					asynciotest.Turns(t, l, 1)
				}
				require.NoError(t, l.Close())
				requireNoChildren(t)
				if started {
					require.Len(t, log.Matching("unclosed subprocess"), 1)
					require.ErrorIs(t, p.Kill(), asyncio.ErrLoopClosed)
					_, exited := p.ReturnCode()
					require.False(t, exited)
					require.Contains(t, log.Matching("unclosed subprocess")[0], itoa(p.PID()))
				}
			})
		})
	}
	t.Run("one that was waited for is no warning", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logged := testkit.RecordLog()
			asynciotest.Run(t, func(ctx context.Context) error {
				ends(t, ctx, start(t, ctx, asyncio.ProcessOptions{Shell: "exit 1"}), 1)
				return nil
			}, append(opts, logged, asyncio.WithDebug(true))...)
			require.Empty(t, log.Matching("unclosed"))
		})
	})
}

// A child that was killed while nobody read what it had written leaves nothing open.
func TestKilledWhileItWrites(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		opts := shell("while echo line; do :; done")
		opts.Limit = 100
		p := start(t, ctx, opts)
		says(t, ctx, p.Stdout, "line")
		l := testkit.LoopOf(ctx)
		require.NoError(t, asynciotest.Until(ctx, func() bool {
			read, _ := l.Buffered()
			return read > 2*opts.Limit
		}))
		require.NoError(t, p.Kill())
		ends(t, ctx, p, -int(syscall.SIGKILL))
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
		says(t, ctx, p.Stdout, "line")
	})
}

// A grandchild that has the child's input keeps nothing open here.
func TestGrandchildKeepsTheInput(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		p := start(t, ctx, shell("exec 3<&0; cat <&3 >/dev/null 2>&1 & exit 3"))
		ends(t, ctx, p, 3)
		l := testkit.LoopOf(ctx)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 }))
		require.True(t, p.Stdin.IsClosing())
	})
}

// The kernel forgets children whose parent ignores their ends.
func TestEndThatIsNotKnown(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		signal.Ignore(syscall.SIGCHLD)
		defer func() { // Reset would leave it ignored
			c := make(chan os.Signal, 1)
			signal.Notify(c, syscall.SIGCHLD)
			signal.Stop(c)
		}()
		log, logged := testkit.RecordLog()
		asynciotest.Run(t, func(ctx context.Context) error {
			ends(t, ctx, start(t, ctx, asyncio.ProcessOptions{Shell: "exit 3"}), 255)
			return nil
		}, append(opts, logged)...)
		require.Len(t, log.Matching("return code is not known"), 1)
	})
}
