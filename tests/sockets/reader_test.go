//go:build linux || darwin

package sockets_test

// AddReader, AddWriter and the removal of what they were given.

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// settle gives what must not happen its chance.
func settle(t *testing.T, ctx context.Context, l *asyncio.Loop) {
	t.Helper()
	a, b := pair(t)
	heard := 0
	require.NoError(t, l.AddReader(a, func() { heard++; read(t, a) }))
	for i := range 3 {
		write(t, b, "x")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return heard > i }))
	}
	require.True(t, l.RemoveReader(a))
	closeFD(t, a, b)
}

func TestAddReader(t *testing.T) {
	t.Run("RDR-01", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			first, second, writes := 0, 0, 0
			require.NoError(t, l.AddReader(a, func() { first++ }))
			require.NoError(t, l.AddReader(a, func() { second++ }))
			require.Equal(t, 1, watches(l))
			write(t, b, "x")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return second > 0 }))
			require.Zero(t, first)
			require.NoError(t, l.AddWriter(a, func() { writes-- }))
			require.NoError(t, l.AddWriter(a, func() { writes++ }))
			require.NoError(t, asynciotest.Until(ctx, func() bool { return writes > 2 }))
			require.True(t, l.RemoveReader(a))
			require.True(t, l.RemoveWriter(a))
			require.Zero(t, watches(l))
		})
	})
	t.Run("RDR-01, a callback that waits already", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			c, d := pair(t)
			var trace asynciotest.Trace
			for fd, other := range map[int]int{a: c, c: a} {
				require.NoError(t, l.AddReader(fd, func() {
					trace.Add("first")
					require.NoError(t, l.AddReader(other, trace.Mark("second")))
					l.RemoveReader(fd)
				}))
			}
			write(t, b, "x")
			write(t, d, "x")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return trace.Count("second") > 1 }))
			require.Equal(t, 1, trace.Count("first"))
			require.True(t, l.RemoveReader(a) != l.RemoveReader(c))
		})
	})
	t.Run("RDR-02", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			a, b := pair(t)
			require.False(t, l.RemoveReader(a))
			require.False(t, l.RemoveWriter(a))
			require.False(t, l.RemoveReader(-1))
			require.NoError(t, l.AddReader(a, func() {}))
			require.NoError(t, l.AddWriter(b, func() {}))
			require.False(t, l.RemoveWriter(a))
			require.True(t, l.RemoveReader(a))
			require.False(t, l.RemoveReader(a))
			require.NoError(t, l.Close())
			require.False(t, l.RemoveReader(a))
			require.False(t, l.RemoveWriter(b))
			require.ErrorIs(t, l.AddReader(a, func() {}), asyncio.ErrLoopClosed)
			require.ErrorIs(t, l.AddWriter(a, func() {}), asyncio.ErrLoopClosed)
		})
	})
	t.Run("RDR-03", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			server, err := l.CreateServer(ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} }, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			transport, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { return asyncio.NullProtocol{} }, "tcp", testkit.ServerAddr(t, server))
			require.NoError(t, err)
			fd := transport.ExtraInfo("socket").(asyncio.TransportSocket).FD()
			for fd, user := range map[int]string{fd: "transport <tcp transport 127.0.0.1", server.Sockets()[0].FD(): "<server on 127.0.0.1"} {
				for _, err := range []error{l.AddReader(fd, func() {}), l.AddWriter(fd, func() {})} {
					require.ErrorIs(t, err, asyncio.ErrInvalidState)
					require.ErrorContains(t, err, "File descriptor "+strconv.Itoa(fd)+" is used by "+user)
				}
				require.False(t, l.RemoveReader(fd))
				require.False(t, l.RemoveWriter(fd))
			}
			transport.Abort()
			server.Close()
			server.CloseClients()
			require.NoError(t, server.WaitClosed(ctx))
			again, _ := pair(t)
			require.NoError(t, l.AddWriter(again, func() {}), "whatever number it has")
			l.RemoveWriter(again)
		})
	})
	t.Run("RDR-04", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			old, next := 0, 0
			require.NoError(t, l.AddReader(a, func() { old++ }))
			write(t, b, "x")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return old > 0 }))
			kept := dup(t, a)
			require.True(t, l.RemoveReader(a))
			closeFD(t, a)
			require.Zero(t, watches(l))
			c, d := pair(t)
			require.Equal(t, a, c, "the number comes back")
			require.NoError(t, l.AddReader(c, func() { next++; read(t, c) }))
			old = 0
			settle(t, ctx, l)
			require.Zero(t, old+next, "the old socket can be read, and nobody watches it")
			write(t, d, "y")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return next > 0 }))
			require.True(t, l.RemoveReader(c))
			require.Equal(t, "x", read(t, kept))
		})
	})
	t.Run("RDR-05", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			called := asyncio.NewFuture[int](l)
			n := 0
			require.NoError(t, l.AddReader(a, func() {
				n++
				require.True(t, l.RemoveReader(a))
				require.NoError(t, called.SetResult(n))
			}))
			write(t, b, "x")
			v, err := called.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, v)
			settle(t, ctx, l)
			require.Equal(t, 1, n)
		})
	})
	t.Run("RDR-06", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
			a, b := pair(t)
			reads, writes := 0, 0
			require.NoError(t, l.AddReader(a, func() { reads++ }))
			require.NoError(t, l.AddWriter(a, func() { writes++ }))
			require.Equal(t, 1, watches(l), "one descriptor")
			write(t, b, "x")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return reads > 2 && writes > 2 }))
			require.True(t, l.RemoveReader(a))
			r, w := reads, writes
			require.NoError(t, asynciotest.Until(ctx, func() bool { return writes > w+2 }))
			require.Equal(t, r, reads)
			require.NoError(t, l.AddReader(a, func() { reads++ }))
			require.True(t, l.RemoveWriter(a))
			w = writes
			require.NoError(t, asynciotest.Until(ctx, func() bool { return reads > r+2 }))
			require.Equal(t, w, writes)
			require.True(t, l.RemoveReader(a))
		})
	})
}

func dup(t *testing.T, fd int) int {
	t.Helper()
	d, err := syscall.Dup(fd)
	require.NoError(t, err)
	return own(t, d)
}

// As asyncio: the reader's callback comes before the writer's, each of them once in a
// turn, and behind what was ready before.
func TestReaderOrder(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, b := pair(t)
		write(t, b, "x")
		var trace asynciotest.Trace
		done := asyncio.NewFuture[asyncio.None](l)
		require.NoError(t, l.AddWriter(a, func() {
			trace.Add("writer")
			l.RemoveWriter(a)
			l.CallSoon(func() { _ = done.SetResult(asyncio.None{}) })
		}))
		require.NoError(t, l.AddReader(a, func() {
			trace.Add("reader")
			l.RemoveReader(a)
		}))
		l.CallSoon(trace.Mark("callback"))
		_, err := done.Await(ctx)
		require.NoError(t, err)
		trace.Equal(t, "callback", "reader", "writer")
	})
}

// test_reader_callback and test_writer_callback of CPython: a pipe is read to its end,
// and filled.
func TestPipes(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		r, w := pipe(t)
		var got []byte
		ended := false
		require.NoError(t, l.AddReader(r, func() {
			buf := make([]byte, 4096)
			n, err := syscall.Read(r, buf)
			if errors.Is(err, syscall.EAGAIN) {
				return
			}
			require.NoError(t, err)
			got = append(got, buf[:n]...)
			if n == 0 {
				ended = true
				require.True(t, l.RemoveReader(r))
			}
		}))
		left := 1 << 20
		require.NoError(t, l.AddWriter(w, func() {
			n, err := syscall.Write(w, make([]byte, min(left, 1<<16)))
			if !errors.Is(err, syscall.EAGAIN) {
				require.NoError(t, err)
				left -= n
			}
			if left == 0 {
				require.True(t, l.RemoveWriter(w))
				closeFD(t, w)
			}
		}))
		require.NoError(t, asynciotest.Until(ctx, func() bool { return ended }))
		require.Len(t, got, 1<<20)
	})
}

func TestAddReaderRefuses(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		f, err := os.Open("reader_test.go")
		require.NoError(t, err)
		defer f.Close()
		require.ErrorIs(t, l.AddReader(int(f.Fd()), func() {}), syscall.EPERM)
		require.ErrorContains(t, l.AddWriter(int(f.Fd()), func() {}), "always ready")
		require.ErrorIs(t, l.AddReader(-1, func() {}), syscall.EBADF)
		require.ErrorIs(t, l.AddReader(1<<20, func() {}), syscall.EBADF)
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _ = l.AddReader(0, nil) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _ = l.AddWriter(0, nil) })
		require.Zero(t, watches(l))
	})
}

// A callback that panics is reported, and called again.
func TestReaderPanics(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		reports := asynciotest.RecordReports(l)
		a, b := pair(t)
		n := 0
		require.NoError(t, l.AddReader(a, func() {
			if n++; n == 1 {
				panic(testkit.ErrBoom)
			}
		}))
		write(t, b, "x")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return n > 1 }))
		require.True(t, l.RemoveReader(a))
		report := reports.One(t)
		require.ErrorIs(t, report.Exception, testkit.ErrBoom)
		require.Contains(t, report.Message, "TestReaderPanics")
	})
}

// In debug mode another goroutine is caught, and a slow callback is named.
func TestReaderDebug(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		log, logged := testkit.RecordLog()
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(true), logged)...)
		l.SetSlowCallbackDuration(1)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			a, b := pair(t)
			testkit.OnGoroutine(func() {
				testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { _ = l.AddReader(a, func() {}) })
				testkit.PanicsWith(t, asyncio.ErrWrongLoop, func() { l.RemoveWriter(a) })
			})
			n := 0
			require.NoError(t, l.AddReader(a, func() { n++ }))
			write(t, b, "x")
			require.NoError(t, asynciotest.Until(ctx, func() bool { return n > 0 }))
			require.True(t, l.RemoveReader(a))
			require.NotEmpty(t, log.Matching("Executing callback github.com/seed-a026a017/asyncio/tests/sockets_test.TestReaderDebug"))
		})
	})
}

// The owner has closed the descriptor, and not called RemoveReader: another file that
// gets the number is not taken for the old one.
func TestReaderOfClosedDescriptor(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		a, b := pair(t)
		old, next := 0, 0
		require.NoError(t, l.AddReader(a, func() { old++ }))
		require.NoError(t, l.AddWriter(b, func() { old++ }))
		closeFD(t, a)
		c, d := pair(t)
		require.Equal(t, a, c)
		write(t, b, "x")
		write(t, d, "y")
		require.True(t, l.RemoveWriter(b))
		settle(t, ctx, l)
		require.Zero(t, old)
		require.Zero(t, watches(l), "the end of the old file was noticed")
		require.NoError(t, l.AddReader(c, func() { next++; read(t, c) }))
		require.NoError(t, asynciotest.Until(ctx, func() bool { return next > 0 }))
		closeFD(t, c)
		e, f := pair(t)
		require.Equal(t, c, e)
		write(t, f, "z")
		require.NoError(t, l.AddWriter(e, func() { next = -1; l.RemoveWriter(e) }), "at once, another file")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return next < 0 }))
		require.False(t, l.RemoveReader(e), "it was the old file's")
	})
}

// What is left when the loop closes is closed with it.
func TestCloseWithReaders(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		a, b := pair(t)
		require.NoError(t, l.AddReader(a, func() { t.Error("on a closed loop") }))
		require.NoError(t, l.AddWriter(a, func() { t.Error("on a closed loop") }))
		require.Equal(t, 1, l.Stats().Handles)
		write(t, b, "x")
		require.NoError(t, l.Close())
		require.Zero(t, l.Stats().Handles)
	})
}

// A listener of package net's, watched beside its own poller.
func TestReaderOfForeignListener(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop) {
		ln := testkit.ListenNet(t)
		raw, err := ln.SyscallConn()
		require.NoError(t, err)
		fd := -1
		require.NoError(t, raw.Control(func(n uintptr) { fd = int(n) }))
		var accepted net.Conn
		require.NoError(t, l.AddReader(fd, func() {
			require.True(t, l.RemoveReader(fd))
			accepted, err = ln.Accept()
			require.NoError(t, err)
		}))
		c, err := net.Dial("tcp", ln.Addr().String())
		require.NoError(t, err)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return accepted != nil }))
		require.NoError(t, c.Close())
		require.NoError(t, accepted.Close())
	})
}
