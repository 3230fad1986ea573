package netconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// connToNet is a conn in a task, and its peer of package net.
func connToNet(t *testing.T, ctx context.Context, opts ...asyncio.ConnectOption) (net.Conn, *net.TCPConn) {
	t.Helper()
	r, w, peer := testkit.StreamToNet(t, ctx, opts...)
	conn := asyncio.NetConn(r, w)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, peer
}

// inTask runs body in a task, on each driver.
func inTask(t *testing.T, body func(t *testing.T, ctx context.Context)) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) { body(t, ctx) })
		rec.None(t)
	})
}

// inGoroutine runs fn in a goroutine while the task waits.
func inGoroutine[T any](t *testing.T, ctx context.Context, fn func() T) T {
	t.Helper()
	v, err := asyncio.ToThread(ctx, func(context.Context) (T, error) { return fn(), nil })
	require.NoError(t, err)
	return v
}

type outcome struct {
	data string
	err  error
}

func readOnce(c net.Conn, n int) outcome {
	p := make([]byte, n)
	n, err := c.Read(p)
	return outcome{string(p[:n]), err}
}

// worlds runs fn in the task, and in a goroutine for which the task waits.
func worlds(t *testing.T, body func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome)) {
	t.Run("task", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			body(t, ctx, func(fn func() outcome) outcome { return fn() })
		})
	})
	t.Run("goroutine", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context) {
			body(t, ctx, func(fn func() outcome) outcome { return inGoroutine(t, ctx, fn) })
		})
	})
}

func requireTimeout(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var failed net.Error
	require.ErrorAs(t, err, &failed)
	require.True(t, failed.Timeout())
}

func TestRead(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		conn, peer := connToNet(t, ctx)
		_, err := peer.Write([]byte("hello"))
		require.NoError(t, err)
		require.Equal(t, outcome{"he", nil}, do(func() outcome { return readOnce(conn, 2) }))
		require.Equal(t, outcome{"llo", nil}, do(func() outcome { return readOnce(conn, 10) }))
		require.Equal(t, outcome{"", nil}, do(func() outcome { return readOnce(conn, 0) }))
		require.NoError(t, peer.CloseWrite())
		require.Equal(t, outcome{"", io.EOF}, do(func() outcome { return readOnce(conn, 10) }))
		require.Equal(t, outcome{"", io.EOF}, do(func() outcome { return readOnce(conn, 10) }))
		require.NoError(t, conn.Close())
		require.ErrorIs(t, do(func() outcome { return readOnce(conn, 10) }).err, net.ErrClosed)
		require.ErrorIs(t, conn.Close(), net.ErrClosed)
		require.ErrorIs(t, conn.SetDeadline(time.Now()), net.ErrClosed)
	})
}

func TestWrite(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		conn, peer := connToNet(t, ctx)
		write := func(text string) outcome {
			return do(func() outcome {
				n, err := conn.Write([]byte(text))
				return outcome{text[:n], err}
			})
		}
		require.Equal(t, outcome{"hello ", nil}, write("hello "))
		require.Equal(t, outcome{"world", nil}, write("world"))
		require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
		require.Equal(t, "hello world", string(testkit.ReadAll(t, ctx, peer)))
		require.ErrorIs(t, write("more").err, asyncio.ErrInvalidState)
		require.NoError(t, conn.Close())
		require.ErrorIs(t, write("more").err, net.ErrClosed)
	})
}

func TestReadDeadline(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		conn, peer := connToNet(t, ctx)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(-time.Second)))
		requireTimeout(t, do(func() outcome { return readOnce(conn, 1) }).err)
		testkit.Took(t, 20*time.Millisecond, func() {
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
			requireTimeout(t, do(func() outcome { return readOnce(conn, 1) }).err)
		})
		requireTimeout(t, do(func() outcome { return readOnce(conn, 1) }).err)
		require.NoError(t, conn.SetReadDeadline(time.Time{}))
		_, err := peer.Write([]byte("x"))
		require.NoError(t, err)
		require.Equal(t, outcome{"x", nil}, do(func() outcome { return readOnce(conn, 1) }))
	})
}

// A call that waits is ended at once by what another task or goroutine does.
func TestWaitingReadIsEnded(t *testing.T) {
	ends := map[string]func(t *testing.T, conn net.Conn, err error){
		"past deadline": func(t *testing.T, conn net.Conn, err error) { requireTimeout(t, err) },
		"close":         func(t *testing.T, conn net.Conn, err error) { require.ErrorIs(t, err, net.ErrClosed) },
	}
	acts := map[string]func(conn net.Conn) error{
		"past deadline": func(conn net.Conn) error { return conn.SetReadDeadline(time.Unix(1, 0)) },
		"close":         func(conn net.Conn) error { return conn.Close() },
	}
	for name, check := range ends {
		for _, reader := range []string{"task", "goroutine"} {
			for _, actor := range []string{"task", "goroutine"} {
				t.Run(name+" by a "+actor+" for a "+reader, func(t *testing.T) {
					inTask(t, func(t *testing.T, ctx context.Context) {
						conn, _ := connToNet(t, ctx)
						require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Hour)))
						read := asyncio.CreateTask(ctx, func(ctx context.Context) (outcome, error) {
							if reader == "task" {
								return readOnce(conn, 1), nil
							}
							return inGoroutine(t, ctx, func() outcome { return readOnce(conn, 1) }), nil
						})
						asynciotest.Yield(t, ctx, 3)
						if actor == "task" {
							require.NoError(t, acts[name](conn))
						} else {
							require.NoError(t, inGoroutine(t, ctx, func() error { return acts[name](conn) }))
						}
						got, err := read.Await(ctx)
						require.NoError(t, err)
						check(t, conn, got.err)
					})
				})
			}
		}
	}
}

func TestCancelledReadConsumesNothing(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		r, w, _ := testkit.StreamToNet(t, ctx)
		conn := asyncio.NetConn(r, w)
		read := func() *asyncio.Task[outcome] {
			return asyncio.CreateTask(ctx, func(context.Context) (outcome, error) {
				got := readOnce(conn, 3)
				return got, got.err
			})
		}
		first, second := read(), read()
		asynciotest.Yield(t, ctx, 1)
		r.FeedData([]byte("abcdefg")) // which gives first its bytes, and wakes it
		first.Cancel()
		_, err := first.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		got, err := second.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, "abc", got.data, "nobody has read what comes after them")
		require.Equal(t, outcome{"defg", nil}, readOnce(conn, 10))
		waits := read()
		asynciotest.Yield(t, ctx, 1)
		waits.Cancel()
		_, err = waits.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		r.FeedData([]byte("h"))
		require.Equal(t, outcome{"h", nil}, readOnce(conn, 10))
		require.NoError(t, conn.Close())
	})
}

func TestSeveralReadersAreServedInTurn(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		conn, peer := connToNet(t, ctx)
		var reads []*asyncio.Task[outcome]
		for i := range 6 {
			reads = append(reads, asyncio.CreateTask(ctx, func(ctx context.Context) (outcome, error) {
				if i%2 == 0 {
					return readOnce(conn, 2), nil
				}
				return inGoroutine(t, ctx, func() outcome { return readOnce(conn, 2) }), nil
			}))
		}
		asynciotest.Yield(t, ctx, 2)
		_, err := peer.Write([]byte("aabbccddeeff"))
		require.NoError(t, err)
		seen := make(map[string]bool)
		for _, read := range reads {
			got, err := read.Await(ctx)
			require.NoError(t, err)
			require.NoError(t, got.err)
			require.Len(t, got.data, 2)
			require.Equal(t, got.data[0], got.data[1])
			seen[got.data] = true
		}
		require.Len(t, seen, 6)
	})
}

func TestCallsThatWouldHoldALoopUp(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			conn, peer := connToNet(t, ctx)
			called := asyncio.NewFuture[outcome](l)
			l.CallSoon(func() { _ = called.SetResult(readOnce(conn, 1)) })
			got, err := called.Await(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, got.err, asyncio.ErrNotCurrentTask)
			require.ErrorContains(t, got.err, "create a task")

			got = inGoroutine(t, ctx, func() outcome {
				got, _ := asyncio.Run(func(context.Context) (outcome, error) { return readOnce(conn, 1), nil }, opts...)
				return got
			})
			require.ErrorIs(t, got.err, asyncio.ErrWrongLoop)
			require.ErrorContains(t, got.err, "ToThread")

			_, err = peer.Write([]byte("ab"))
			require.NoError(t, err)
			require.Equal(t, "a", readOnce(conn, 1).data)
			called = asyncio.NewFuture[outcome](l)
			l.CallSoon(func() { _ = called.SetResult(readOnce(conn, 1)) })
			got, err = called.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, outcome{"b", nil}, got)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
			requireTimeout(t, readOnce(conn, 1).err)
		})
	})
}

// The writer is held back by a peer that does not read, and goes on when it does.
func TestBackPressure(t *testing.T) {
	worlds(t, func(t *testing.T, ctx context.Context, do func(fn func() outcome) outcome) {
		conn, peer := connToNet(t, ctx)
		require.NoError(t, conn.SetWriteDeadline(time.Now().Add(50*time.Millisecond)))
		piece := make([]byte, 32<<10)
		written := 0
		got := do(func() outcome {
			for {
				n, err := conn.Write(piece)
				written += n
				if err != nil {
					return outcome{err: err}
				}
			}
		})
		requireTimeout(t, got.err)
		require.Less(t, written, 64<<20)
		require.NoError(t, conn.SetWriteDeadline(time.Time{}))
		all := asyncio.CreateTask(ctx, func(ctx context.Context) (int, error) {
			return len(testkit.ReadAll(t, ctx, peer)), nil
		})
		for range 50 {
			require.NoError(t, do(func() outcome {
				n, err := conn.Write(piece)
				written += n
				return outcome{err: err}
			}).err)
		}
		require.NoError(t, conn.Close())
		n, err := all.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, written, n)
	})
}

// A task does not wait in Write if another one has written since.
func TestWriteBesidesAnotherTaskDoesNotWait(t *testing.T) {
	inTask(t, func(t *testing.T, ctx context.Context) {
		r, w, peer := testkit.StreamToNet(t, ctx)
		conn := asyncio.NetConn(r, w)
		testkit.WriteUntilPaused(t, w)
		_, err := asyncio.CreateTask(ctx, func(context.Context) (int, error) { return conn.Write([]byte("a")) }).Await(ctx)
		require.NoError(t, err)
		_, err = conn.Write([]byte("b"))
		require.NoError(t, err)
		waits := asyncio.CreateTask(ctx, func(context.Context) (int, error) {
			if _, err := conn.Write([]byte("c")); err != nil {
				return 0, err
			}
			return conn.Write([]byte("d"))
		})
		asynciotest.Yield(t, ctx, 5)
		require.False(t, waits.Done())
		waits.Cancel()
		_, err = waits.Await(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, conn.Close())
		all := testkit.ReadAll(t, ctx, peer)
		require.Equal(t, "abc", string(all[len(all)-3:]))
	})
}

func TestLoopClosedEndsGoroutines(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		ended := make(chan outcome, 1)
		var conn net.Conn
		_, err = asyncio.RunUntilComplete(l, asyncio.Do(func(ctx context.Context) error {
			conn, _ = connToNet(t, ctx)
			go func() { ended <- readOnce(conn, 1) }()
			return nil
		}))
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.ErrorIs(t, asynciotest.Eventually(t, ended).err, asyncio.ErrLoopClosed)
		require.ErrorIs(t, readOnce(conn, 1).err, asyncio.ErrLoopClosed)
		_, err = conn.Write([]byte("x"))
		require.ErrorIs(t, err, asyncio.ErrLoopClosed)
		require.NoError(t, conn.Close())
		require.True(t, errors.Is(conn.Close(), net.ErrClosed))
	})
}
