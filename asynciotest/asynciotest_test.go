package asynciotest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

func TestMain(m *testing.M) { asynciotest.VerifyTestMain(m) }

// spy is a test inside a test: it keeps what fails it, and its cleanups run when it ends.
type spy struct {
	testing.TB
	failures []string
	cleanups []func()
}

func (s *spy) Helper()             {}
func (s *spy) Output() io.Writer   { return io.Discard }
func (s *spy) Cleanup(fn func())   { s.cleanups = append(s.cleanups, fn) }
func (s *spy) Logf(string, ...any) {}
func (s *spy) Errorf(format string, args ...any) {
	s.failures = append(s.failures, fmt.Sprintf(format, args...))
}
func (s *spy) Fatalf(format string, args ...any) { s.Errorf(format, args...); runtime.Goexit() }
func (s *spy) Fatal(args ...any)                 { s.Fatalf("%s", fmt.Sprint(args...)) }

// failuresOf runs test as a test of its own and returns what failed it.
func failuresOf(t *testing.T, test func(t testing.TB)) []string {
	s := &spy{TB: t}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			for _, fn := range slices.Backward(s.cleanups) {
				fn()
			}
		}()
		test(s)
	}()
	<-ended
	return s.failures
}

// requireFailure fails unless exactly one failure is there, and has all these words in
// it.
func requireFailure(t *testing.T, failures []string, words ...string) {
	t.Helper()
	require.Len(t, failures, 1)
	for _, w := range words {
		require.Contains(t, failures[0], w)
	}
}

func TestRun(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asynciotest.Option) {
		run := func(body func(ctx context.Context) error) []string {
			return failuresOf(t, func(t testing.TB) { asynciotest.Run(t, body, opts...) })
		}
		t.Run("a body that ends well", func(t *testing.T) {
			require.Empty(t, run(func(ctx context.Context) error { return asyncio.Sleep(ctx, 0) }))
		})
		t.Run("an error", func(t *testing.T) {
			requireFailure(t, run(func(context.Context) error { return errors.New("boom") }), "boom")
		})
		t.Run("a panic", func(t *testing.T) {
			requireFailure(t, run(func(context.Context) error { panic("boom") }), "boom")
		})
		t.Run("a body that ends the test", func(t *testing.T) {
			var failures []string
			failures = failuresOf(t, func(t testing.TB) {
				asynciotest.Run(t, func(context.Context) error { t.Fatal("enough"); return nil }, opts...)
				failures = append(failures, "it went on")
			})
			requireFailure(t, failures, "enough")
		})
		t.Run("a task that is left", func(t *testing.T) {
			defer asynciotest.SettleSoon()()
			failures := run(func(ctx context.Context) error {
				asyncio.CreateTask(ctx, asyncio.Do(asyncio.NewEvent().Wait), asyncio.WithName("forgotten"))
				return nil
			})
			requireFailure(t, failures, "1 tasks", "forgotten")
		})
		t.Run("a task that ends by itself", func(t *testing.T) {
			require.Empty(t, run(func(ctx context.Context) error {
				asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error { return asyncio.Sleep(ctx, 1) }))
				return nil
			}))
		})
		t.Run("a server that is left", func(t *testing.T) {
			defer asynciotest.SettleSoon()()
			failures := run(func(ctx context.Context) error {
				_, err := asyncio.StartServer(ctx, ignore, "tcp", "127.0.0.1:0")
				return err
			})
			require.Len(t, failures, 2, "after the body, and at the end of the test")
			require.Contains(t, failures[0], "1 open connections, servers and watched descriptors")
			require.Contains(t, failures[1], "1 open connections, servers and watched descriptors")
		})
		t.Run("a server that was closed", func(t *testing.T) {
			require.Empty(t, run(func(ctx context.Context) error {
				s, err := asyncio.StartServer(ctx, ignore, "tcp", "127.0.0.1:0")
				s.Close()
				return err
			}))
		})
		t.Run("a loop that cannot be made", func(t *testing.T) {
			requireFailure(t, failuresOf(t, func(t testing.TB) { asynciotest.New(t, asyncio.WithDriver(7)) }), "there is no driver 7")
		})
	})
}

func ignore(context.Context, *asyncio.StreamReader, *asyncio.StreamWriter) error { return nil }

func TestNew(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asynciotest.Option) {
		var l *asyncio.Loop
		require.Empty(t, failuresOf(t, func(t testing.TB) { l = asynciotest.New(t, opts...) }))
		require.True(t, l.IsClosed(), "the test has ended")

		t.Run("a connection that is left", func(t *testing.T) {
			defer asynciotest.SettleSoon()()
			address := listen(t) // outlives the test inside
			failures := failuresOf(t, func(t testing.TB) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					_, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} }, "tcp", address)
					require.NoError(t, err)
				})
			})
			requireFailure(t, failures, "1 open connections, servers and watched descriptors")
		})
		t.Run("a connection whose peer ends late", func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer ln.Close()
			require.Empty(t, failuresOf(t, func(t testing.TB) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					_, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} }, "tcp", ln.Addr().String())
					require.NoError(t, err)
				})
				peer, err := ln.Accept()
				require.NoError(t, err)
				t.Cleanup(func() { time.AfterFunc(20*time.Millisecond, func() { _ = peer.Close() }) })
			}))
		})
		t.Run("a loop that still runs", func(t *testing.T) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(context.Context) {
				again := failuresOf(t, func(t testing.TB) { asynciotest.Turn(t, l) })
				requireFailure(t, again, "the loop does not run")
			})
		})
	})
}

// listen is the address of a listener of package net.
func listen(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().String()
}

func TestInTask(t *testing.T) {
	l := asynciotest.New(t)
	requireFailure(t, failuresOf(t, func(t testing.TB) {
		asynciotest.InTask(t, l, func(context.Context) { panic("boom") })
	}), "boom")
	requireFailure(t, failuresOf(t, func(t testing.TB) {
		asynciotest.InTask(t, l, func(ctx context.Context) {
			asyncio.CurrentTask(ctx).Cancel()
			asynciotest.Yield(t, ctx, 1)
		})
	}), "could not give way")
}

func TestVerifyNoLeaks(t *testing.T) {
	t.Run("nothing", func(t *testing.T) {
		require.Empty(t, failuresOf(t, asynciotest.VerifyNoLeaks))
	})
	t.Run("a goroutine", func(t *testing.T) {
		defer asynciotest.SettleSoon()()
		stop := make(chan struct{})
		failures := failuresOf(t, func(t testing.TB) {
			asynciotest.VerifyNoLeaks(t)
			asynciotest.VerifyNoLeaks(t)
			go lingers(stop)
		})
		close(stop)
		requireFailure(t, failures, "1 goroutines", "asynciotest_test.lingers")
	})
	t.Run("a goroutine that ends late", func(t *testing.T) {
		stop := make(chan struct{})
		require.Empty(t, failuresOf(t, func(t testing.TB) {
			asynciotest.VerifyNoLeaks(t)
			go lingers(stop)
			t.Cleanup(func() { close(stop) })
		}))
	})
	t.Run("a descriptor", func(t *testing.T) {
		if _, err := os.Stat("/proc/self/fd"); err != nil {
			t.Skip("this system does not show descriptors in /proc")
		}
		defer asynciotest.SettleSoon()()
		var file *os.File
		failures := failuresOf(t, func(t testing.TB) {
			asynciotest.VerifyNoLeaks(t)
			file, _ = os.Open(os.DevNull)
		})
		require.NoError(t, file.Close())
		requireFailure(t, failures, "1 descriptors", os.DevNull)
	})
}

//go:noinline
func lingers(stop chan struct{}) { <-stop }

func TestHangs(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asynciotest.Option) {
		patient := asynciotest.New(t, opts...)
		defer asynciotest.HangSoon()()
		t.Run("a loop", func(t *testing.T) {
			requireFailure(t, failuresOf(t, func(t testing.TB) {
				l := asynciotest.New(t, opts...)
				_ = l.RunForever()
			}), "the loop still ran")
		})
		t.Run("Until", func(t *testing.T) {
			asynciotest.InTask(t, patient, func(ctx context.Context) {
				require.ErrorContains(t, asynciotest.Until(ctx, func() bool { return false }), "still not so")
			})
		})
		t.Run("Eventually", func(t *testing.T) {
			requireFailure(t, failuresOf(t, func(t testing.TB) {
				asynciotest.Eventually(t, make(chan int))
			}), "nothing has come")
		})
	})
}

func TestUntil(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asynciotest.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			c := asynciotest.CountTurns(l)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return true }))
			require.Zero(t, c.N(), "it need not wait")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return c.N() == 3 }))
			require.NoError(t, asynciotest.Until(ctx, func() bool { return c.N() > 1500 }), "longer than it looks in turn after turn")
			c.Stop()

			asyncio.CurrentTask(ctx).Cancel()
			require.ErrorIs(t, asynciotest.Until(ctx, func() bool { return false }), asyncio.ErrCancelled)
		})
	})
	require.ErrorIs(t, asynciotest.Until(context.Background(), func() bool { return true }), asyncio.ErrNoRunningLoop)
}

func TestEventually(t *testing.T) {
	ch := make(chan int)
	go func() { ch <- 7; close(ch) }()
	require.Equal(t, 7, asynciotest.Eventually(t, ch))
	require.Zero(t, asynciotest.Eventually(t, ch), "it is closed")
}

func TestTurns(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asynciotest.Option) {
		l := asynciotest.New(t, opts...)
		var tr asynciotest.Trace
		c := asynciotest.CountTurns(l)
		l.CallSoon(func() {
			tr.Addf("first in %d", c.N())
			l.CallSoon(func() { tr.Addf("second in %d", c.N()) })
		})
		tr.Equal(t)
		asynciotest.Turn(t, l)
		tr.Equal(t, "first in 1")
		asynciotest.Turns(t, l, 4)
		tr.Equal(t, "first in 1", "second in 2")
		require.Equal(t, 5, c.N())
		c.Stop()
	})
}

func TestTrace(t *testing.T) {
	var tr asynciotest.Trace
	require.Nil(t, tr.Events())
	tr.Add("a")
	tr.Mark("b")()
	tr.Addf("%s", "a")
	require.Equal(t, []string{"a", "b", "a"}, tr.Events())
	require.Equal(t, 2, tr.Count("a"))
	tr.Equal(t, "a", "b", "a")
	failures := failuresOf(t, func(t testing.TB) { tr.Equal(t, "a", "c") })
	requireFailure(t, failures, "from event 2 on", "want: a, c", "got: a, b, a")
	tr.Reset()
	tr.Equal(t)
}

func TestReports(t *testing.T) {
	l := asynciotest.New(t)
	reports := asynciotest.RecordReports(l)
	reports.None(t)
	requireFailure(t, failuresOf(t, func(t testing.TB) { reports.One(t) }), "0 times")
	l.CallExceptionHandler(asyncio.ErrorContext{Message: "told", Exception: io.EOF})
	require.Equal(t, "told", reports.One(t).Message)
	requireFailure(t, failuresOf(t, func(t testing.TB) { reports.None(t) }), "told: EOF")
	l.CallExceptionHandler(asyncio.ErrorContext{Message: "told again"})
	requireFailure(t, failuresOf(t, func(t testing.TB) { reports.One(t) }), "2 times", "told: EOF", "told again")
	require.Len(t, reports.All(), 2)
}

func TestLogGoesToTheTest(t *testing.T) {
	var b strings.Builder
	s := &loud{spy{TB: t}, &b}
	l := asynciotest.New(s)
	l.DefaultExceptionHandler(asyncio.ErrorContext{Message: "told"})
	require.Contains(t, b.String(), "msg=told")
	for _, fn := range slices.Backward(s.cleanups) {
		fn()
	}
	require.Empty(t, s.failures)
}

// loud is a spy whose output is kept.
type loud struct {
	spy
	to io.Writer
}

func (s *loud) Output() io.Writer { return s.to }
