package streams_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// eachConnection runs test in a task on each driver, with a tap that is connected to a
// peer of package net.
func eachConnection(t *testing.T, test func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p := testkit.NewTap(l)
			_, peer := testkit.ConnectToNet(t, ctx, p.Factory)
			test(t, ctx, p, peer)
			p.Transport.Abort()
			p.End(t, ctx)
		})
	})
}

// reset ends the connection of a peer the hard way.
func reset(t *testing.T, peer *net.TCPConn) {
	t.Helper()
	require.NoError(t, peer.SetLinger(0))
	require.NoError(t, peer.Close())
}

func TestTransportFlowControl(t *testing.T) {
	t.Run("TRN-04", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			tr := p.Transport
			testkit.Fill(t, tr)
			high := tr.WriteBufferSize() + 1000
			tr.SetWriteBufferLimits(high, 0)
			_, err := tr.Write(make([]byte, 1000))
			require.NoError(t, err)
			require.Equal(t, high, tr.WriteBufferSize())
			p.Equal(t, "made")
			for range 3 {
				require.NoError(t, tr.WriteV([][]byte{{'x'}}))
				p.Equal(t, "made", "pause")
			}
		})
	})
	t.Run("TRN-05", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			tr := p.Transport
			n := testkit.Fill(t, tr)
			tr.SetWriteBufferLimits(0, 0)
			p.Equal(t, "made", "pause")
			resumed := asyncio.NewFuture[int](testkit.LoopOf(ctx))
			p.OnResume = func() { _ = resumed.SetResult(tr.WriteBufferSize()) }
			testkit.ReadFull(t, ctx, peer, n)
			left, err := resumed.Await(ctx)
			require.NoError(t, err)
			require.Zero(t, left)
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t, "made", "pause", "resume")
		})
	})
	t.Run("TRN-06", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			rec := asynciotest.RecordReports(testkit.LoopOf(ctx))
			p.OnPause = func() { panic(testkit.ErrBoom) }
			resumed := asyncio.NewFuture[asyncio.None](testkit.LoopOf(ctx))
			p.OnResume = func() {
				_ = resumed.SetResult(asyncio.None{})
				panic(testkit.ErrBoom)
			}
			n := testkit.Fill(t, p.Transport)
			p.Transport.SetWriteBufferLimits(0, 0)
			got := rec.One(t)
			require.Equal(t, "protocol.pause_writing() failed", got.Message)
			require.ErrorIs(t, got.Exception, testkit.ErrBoom)
			require.Equal(t, p.Transport, got.Transport)
			require.Equal(t, p, got.Protocol)
			testkit.ReadFull(t, ctx, peer, n)
			_, err := resumed.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "protocol.resume_writing() failed", rec.All()[1].Message)
			_, err = peer.Write([]byte("still there"))
			require.NoError(t, err)
			p.Receive(t, ctx, 11)
		})
	})
	t.Run("limits", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			for _, c := range []struct{ high, low, wantLow, wantHigh int }{
				{-1, -1, 16 << 10, 64 << 10}, {-1, 1000, 1000, 4000}, {1000, -1, 250, 1000}, {10, 10, 10, 10}, {0, 0, 0, 0},
			} {
				p.Transport.SetWriteBufferLimits(c.high, c.low)
				low, high := p.Transport.WriteBufferLimits()
				require.Equal(t, []int{c.wantLow, c.wantHigh}, []int{low, high}, "%+v", c)
			}
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { p.Transport.SetWriteBufferLimits(1, 2) })
			testkit.PanicsWith(t, asyncio.ErrInvalidState, func() { p.Transport.SetWriteBufferLimits(1, -2) })
			low, _ := p.Transport.WriteBufferLimits()
			require.Zero(t, low)
		})
	})
	t.Run("small writes do not count as buffered", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			p.Transport.SetWriteBufferLimits(100, 10)
			for range 1000 {
				_, err := p.Transport.Write([]byte("small"))
				require.NoError(t, err)
			}
			require.Zero(t, p.Transport.WriteBufferSize())
			p.Equal(t, "made")
			require.Equal(t, bytes.Repeat([]byte("small"), 1000), testkit.ReadFull(t, ctx, peer, 5000))
		})
	})
}

const bulkSize = 102_400

// pattern is random, so that bytes which are lost, doubled or in the wrong place show.
var pattern = func() []byte {
	b := make([]byte, 2*bulkSize)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

// bulk is the i-th of the chunks that tests send.
func bulk(i int) []byte { return pattern[i : i+bulkSize] }

func TestTransportCarriesMuch(t *testing.T) {
	t.Run("TRN-07", func(t *testing.T) {
		const chunks = 300
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
				_, w, peer := testkit.StreamToNet(t, ctx)
				got := make(chan error, 1)
				go func() {
					want, b := 0, make([]byte, bulkSize)
					for ; want < 2*chunks; want++ {
						if _, err := io.ReadFull(peer, b); err != nil || !bytes.Equal(b, bulk(want)) {
							got <- fmt.Errorf("chunk %d is wrong: %w", want, err)
							return
						}
					}
					got <- nil
				}()
				for i := range 2 * chunks {
					_, err := w.Write(bulk(i))
					require.NoError(t, err)
					if i >= chunks {
						require.NoError(t, w.Drain(ctx))
					}
				}
				_, err := asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) { return asyncio.None{}, <-got })
				require.NoError(t, err)
				require.NoError(t, w.Close())
			})
		})
	})
	for _, clients := range []int{25, 100} {
		t.Run(fmt.Sprintf("TRN-08/%d", clients), func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) { exchangeMegabytes(t, ctx, clients) })
				rec.None(t)
			})
		})
	}
}

// exchangeMegabytes has clients send a megabyte, wait for an answer, and send another
// one.
func exchangeMegabytes(t *testing.T, ctx context.Context, clients int) {
	const size = 1 << 20
	steps := []struct{ fill, answer string }{{"A", "OK"}, {"B", "SPAM"}}
	server, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
		defer w.Close()
		for _, s := range steps {
			b, err := r.ReadExactly(ctx, size)
			if err != nil || !bytes.Equal(b, bytes.Repeat([]byte(s.fill), size)) {
				return fmt.Errorf("not a megabyte of %s: %w", s.fill, err)
			}
			if _, err := w.Write([]byte(s.answer)); err != nil {
				return err
			}
		}
		return nil
	}, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	client := asyncio.Do(func(ctx context.Context) error {
		r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, server))
		if err != nil {
			return err
		}
		defer w.Close()
		for _, s := range steps {
			if _, err := w.Write(bytes.Repeat([]byte(s.fill), size)); err != nil {
				return err
			}
			answer, err := r.ReadExactly(ctx, len(s.answer))
			if err != nil || string(answer) != s.answer {
				return fmt.Errorf("answer %q instead of %q: %w", answer, s.answer, err)
			}
		}
		return nil
	})
	var tasks []asyncio.Awaitable[asyncio.None]
	for range clients {
		tasks = append(tasks, client)
	}
	_, err = asyncio.Gather(ctx, tasks...).Await(ctx)
	require.NoError(t, err)
	server.Close()
	require.NoError(t, server.WaitClosed(ctx))
}

func TestTransportEnds(t *testing.T) {
	t.Run("TRN-09", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			require.True(t, p.Transport.CanWriteEOF())
			_, err := p.Transport.Write([]byte("last"))
			require.NoError(t, err)
			require.NoError(t, p.Transport.WriteEOF())
			require.NoError(t, p.Transport.WriteEOF())
			_, err = p.Transport.Write([]byte("late"))
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.ErrorIs(t, p.Transport.WriteV([][]byte{nil}), asyncio.ErrInvalidState)
			require.Equal(t, "last", string(testkit.ReadAll(t, ctx, peer)))
			_, err = peer.Write([]byte("back"))
			require.NoError(t, err)
			p.Receive(t, ctx, 4)
		})
	})
	t.Run("TRN-11", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logTo := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logTo)...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := testkit.NewTap(l)
				testkit.ConnectToNet(t, ctx, p.Factory)
				p.Transport.Abort()
				for i := range 6 {
					if i == 2 {
						p.End(t, ctx)
					}
					n, err := p.Transport.Write([]byte("x"))
					require.ErrorIs(t, err, net.ErrClosed)
					require.Zero(t, n)
					require.Len(t, log.Matching("connection that is lost"), max(0, i-3), "after write %d", i+1)
				}
				n, err := p.Transport.Write(nil)
				require.NoError(t, err)
				require.Zero(t, n)
				require.NoError(t, p.Transport.WriteV(nil))
				require.Len(t, log.Matching("connection that is lost"), 2)
			})
		})
	})
	t.Run("TRN-14", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			p.Transport.Close()
			p.Transport.Close()
			p.Transport.Abort()
			p.Equal(t, "made")
			require.True(t, p.Transport.IsClosing())
			require.NoError(t, p.End(t, ctx))
			p.Transport.Abort()
			p.Transport.PauseReading()
			p.Transport.ResumeReading()
			require.NoError(t, p.Transport.WriteEOF())
			require.Zero(t, p.Transport.WriteBufferSize())
			require.False(t, p.Transport.IsReading())
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t, "made", "lost")
			require.Empty(t, testkit.ReadAll(t, ctx, peer))
		})
	})
	t.Run("Close flushes first, and writing goes on meanwhile", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			n := testkit.Fill(t, p.Transport)
			p.Transport.Close()
			_, err := p.Transport.Write([]byte("the end"))
			require.NoError(t, err)
			asynciotest.Yield(t, ctx, 2)
			p.Equal(t, "made")
			got := testkit.ReadAll(t, ctx, peer)
			require.Len(t, got, n+7)
			require.Equal(t, "the end", string(got[n:]))
			require.NoError(t, p.End(t, ctx))
		})
	})
	t.Run("Abort drops", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			n := testkit.Fill(t, p.Transport)
			left := p.Transport.WriteBufferSize()
			p.Transport.Abort()
			require.NoError(t, p.End(t, ctx))
			require.Len(t, testkit.ReadAll(t, ctx, peer), n-left)
		})
	})
	t.Run("a write that fails is told although Close follows at once", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			p.Transport.PauseReading() // or reading would find the reset
			reset(t, peer)
			_, err := p.Transport.Write([]byte("lost"))
			require.NoError(t, err)
			p.Transport.Close()
			requireReset(t, p.End(t, ctx))
		})
	})
	t.Run("a small write just before Abort is dropped too", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			_, err := p.Transport.Write([]byte("no"))
			require.NoError(t, err)
			p.Transport.Abort()
			require.Empty(t, testkit.ReadAll(t, ctx, peer))
		})
	})
	t.Run("TRN-26", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			rec := asynciotest.RecordReports(testkit.LoopOf(ctx))
			p.KeepOpen = true
			require.NoError(t, peer.Close())
			for p.Count("eof") == 0 {
				asynciotest.Yield(t, ctx, 1)
			}
			for !p.Transport.IsClosing() {
				_, err := p.Transport.Write([]byte("anybody there?"))
				require.NoError(t, err)
				asynciotest.Yield(t, ctx, 1)
			}
			requireReset(t, p.End(t, ctx))
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t, "made", "eof", "lost")
			rec.None(t)
		})
	})
	t.Run("TRN-29", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			_, err := peer.Write([]byte("data"))
			require.NoError(t, err)
			require.NoError(t, peer.Close())
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, "data", string(p.Received))
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t, "made", "data", "eof", "lost")
		})
	})
	t.Run("a reset is told by ConnectionLost alone", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			rec := asynciotest.RecordReports(testkit.LoopOf(ctx))
			reset(t, peer)
			require.ErrorIs(t, p.End(t, ctx), syscall.ECONNRESET)
			p.Equal(t, "made", "lost")
			rec.None(t)
		})
	})
}

func TestTransportReading(t *testing.T) {
	t.Run("TRN-16", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			const size = 1 << 20
			p.Transport.PauseReading()
			p.Transport.PauseReading()
			require.False(t, p.Transport.IsReading())
			sent := make(chan error, 1)
			go func() {
				_, err := peer.Write(make([]byte, size))
				sent <- err
			}()
			require.NoError(t, asyncio.Sleep(ctx, 20e6))
			require.Empty(t, p.Received)
			p.Transport.ResumeReading()
			p.Transport.ResumeReading()
			p.Receive(t, ctx, size)
			require.NoError(t, <-sent)
			require.Len(t, p.Received, size)
		})
	})
	t.Run("TRN-17", func(t *testing.T) {
		for _, end := range []func(asyncio.Transport){asyncio.Transport.Abort, asyncio.Transport.Close} {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					client := testkit.NewTap(l)
					client.OnMade = func() { end(client.Transport) }
					_, peer := testkit.ConnectToNet(t, ctx, client.Factory)
					_, _ = peer.Write([]byte("data"))
					require.NoError(t, client.End(t, ctx))

					accepted := testkit.NewTap(l)
					accepted.OnMade = func() { end(accepted.Transport) }
					server, err := l.CreateServer(ctx, accepted.Factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
					_, _ = testkit.DialNet(t, server).Write([]byte("data"))
					require.NoError(t, accepted.End(t, ctx))
					server.Close()
					asynciotest.Yield(t, ctx, 3)
					client.Equal(t, "made", "lost")
					accepted.Equal(t, "made", "lost")
				})
			})
		}
	})
	t.Run("TRN-21", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			p.KeepOpen = true
			require.NoError(t, peer.CloseWrite())
			for p.Count("eof") == 0 {
				asynciotest.Yield(t, ctx, 1)
			}
			require.False(t, p.Transport.IsClosing())
			_, err := p.Transport.Write([]byte("still open"))
			require.NoError(t, err)
			require.Equal(t, "still open", string(testkit.ReadFull(t, ctx, peer, 10)))
			p.Transport.Close()
			require.NoError(t, p.End(t, ctx))
			p.Equal(t, "made", "eof", "lost")
		})
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			require.NoError(t, peer.CloseWrite())
			require.NoError(t, p.End(t, ctx))
			require.Empty(t, testkit.ReadAll(t, ctx, peer))
			p.Equal(t, "made", "eof", "lost")
		})
	})
	t.Run("TRN-23", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			buffered := &testkit.BufferedTap{Tap: testkit.NewTap(testkit.LoopOf(ctx)), Size: 3}
			p.OnData = func() { p.Transport.SetProtocol(buffered) }
			_, err := peer.Write([]byte("plain"))
			require.NoError(t, err)
			p.Receive(t, ctx, 5)
			require.Equal(t, buffered, p.Transport.Protocol())
			_, err = peer.Write([]byte("to the buffer"))
			require.NoError(t, err)
			buffered.Receive(t, ctx, 13)
			require.Equal(t, "to the buffer", string(buffered.Received))
			require.Equal(t, "plain", string(p.Received))

			// And back, in the middle of what one read has brought.
			after := testkit.NewTap(testkit.LoopOf(ctx))
			buffered.OnUpdated = func() {
				p.Transport.PauseReading()
				p.Transport.SetProtocol(after)
			}
			_, err = peer.Write([]byte("123456"))
			require.NoError(t, err)
			buffered.Receive(t, ctx, 16)
			asynciotest.Yield(t, ctx, 3)
			require.Empty(t, after.Received)
			p.Transport.ResumeReading()
			p.Transport.ResumeReading()
			after.Receive(t, ctx, 3)
			require.Equal(t, "456", string(after.Received))
			_, err = peer.Write([]byte("789"))
			require.NoError(t, err)
			after.Receive(t, ctx, 6)
			p.Transport.SetProtocol(p) // which the caller waits for
		})
	})
	t.Run("an empty buffer is fatal", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := &testkit.BufferedTap{Tap: testkit.NewTap(l)}
				_, peer := testkit.ConnectToNet(t, ctx, p.Factory)
				_, err := peer.Write([]byte("data"))
				require.NoError(t, err)
				require.ErrorIs(t, p.End(t, ctx), asyncio.ErrInvalidState)
				p.Equal(t, "made", "lost")
			})
			require.Equal(t, "Fatal error: protocol.get_buffer() call failed.", rec.One(t).Message)
		})
	})
}

func TestTransportInfo(t *testing.T) {
	t.Run("TRN-24", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			tr := p.Transport
			require.Equal(t, peer.RemoteAddr(), tr.ExtraInfo("sockname"))
			require.Equal(t, peer.LocalAddr(), tr.ExtraInfo("peername"))
			require.Equal(t, peer.RemoteAddr(), tr.LocalAddr())
			require.Equal(t, peer.LocalAddr(), tr.RemoteAddr())
			socket := tr.ExtraInfo("socket").(asyncio.TransportSocket)
			require.Positive(t, socket.FD())
			require.Equal(t, tr.LocalAddr(), socket.LocalAddr())
			require.Equal(t, tr.RemoteAddr(), socket.RemoteAddr())
			require.Nil(t, tr.ExtraInfo("sslcontext"))
			require.Equal(t, testkit.LoopOf(ctx), tr.Loop())
			require.Contains(t, fmt.Sprint(tr), peer.LocalAddr().String())
		})
	})
	t.Run("the addresses are known in ConnectionLost and after", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *testkit.Tap, peer *net.TCPConn) {
			local, remote := peer.RemoteAddr(), peer.LocalAddr()
			require.NoError(t, peer.Close())
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, remote, p.Transport.RemoteAddr())
			require.Equal(t, local, p.Transport.LocalAddr())
			require.Equal(t, -1, p.Transport.ExtraInfo("socket").(asyncio.TransportSocket).FD())
			require.Contains(t, fmt.Sprint(p.Transport), "lost")
		})
	})
}

// The addresses of both ends of a connection are each other's. The end of a Unix socket
// that was not bound has no name.
func TestTransportInfoOfBothEnds(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		l := testkit.LoopOf(ctx)
		client, accepted := testkit.NewTap(l), testkit.NewTap(l)
		s, err := l.CreateServer(ctx, accepted.Factory, network, address)
		require.NoError(t, err)
		at := testkit.ServerAddr(t, s)
		tr, _, err := l.CreateConnection(ctx, client.Factory, network, at)
		require.NoError(t, err)
		require.NoError(t, asynciotest.Until(ctx, func() bool { return accepted.Transport != nil }))
		for _, key := range []string{"sockname", "peername"} {
			require.Equal(t, network, tr.ExtraInfo(key).(net.Addr).Network())
			require.Equal(t, network, accepted.Transport.ExtraInfo(key).(net.Addr).Network())
		}
		require.Equal(t, at, tr.RemoteAddr().String())
		require.Equal(t, at, accepted.Transport.LocalAddr().String())
		require.Equal(t, tr.LocalAddr(), accepted.Transport.RemoteAddr())
		if network == "unix" {
			require.Empty(t, tr.LocalAddr().(*net.UnixAddr).Name)
		}
		tr.Close()
		require.NoError(t, client.End(t, ctx))
		require.NoError(t, accepted.End(t, ctx))
		s.Close()
	})
}

// TestTransportCallbackPanics panics in each callback that is fatal.
func TestTransportCallbackPanics(t *testing.T) {
	boom := func() { panic(testkit.ErrBoom) }
	for _, c := range []struct {
		name    string
		prepare func(p *testkit.BufferedTap) asyncio.Protocol
	}{
		{"connection_made", func(p *testkit.BufferedTap) asyncio.Protocol { p.OnMade = boom; return p.Tap }},
		{"data_received", func(p *testkit.BufferedTap) asyncio.Protocol { p.OnData = boom; return p.Tap }},
		{"eof_received", func(p *testkit.BufferedTap) asyncio.Protocol { return panicsAtEOF{p.Tap} }},
		{"get_buffer", func(p *testkit.BufferedTap) asyncio.Protocol { p.Size = -1; return p }},
		{"buffer_updated", func(p *testkit.BufferedTap) asyncio.Protocol { p.Size = 1; p.OnUpdated = boom; return p }},
	} {
		t.Run(c.name, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					p := &testkit.BufferedTap{Tap: testkit.NewTap(l)}
					protocol := c.prepare(p)
					_, peer := testkit.ConnectToNet(t, ctx, func() asyncio.Protocol { return protocol })
					_, _ = peer.Write([]byte("data"))
					_ = peer.CloseWrite()
					err := p.End(t, ctx)
					var panicked *asyncio.PanicError
					require.ErrorAs(t, err, &panicked)
					require.NotEmpty(t, panicked.Stack)
					got := rec.One(t)
					require.Equal(t, "Fatal error: protocol."+c.name+"() call failed.", got.Message)
					require.Equal(t, err, got.Exception)
					require.Equal(t, p.Transport, got.Transport)
					require.Equal(t, protocol, got.Protocol)
					require.Equal(t, 1, p.Count("lost"))
				})
			})
		})
	}
	t.Run("connection_lost", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				server, err := l.CreateServer(ctx, func() asyncio.Protocol { return panicsWhenLost{} }, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				require.NoError(t, testkit.DialNet(t, server).Close())
				for len(rec.All()) == 0 {
					asynciotest.Yield(t, ctx, 1)
				}
				server.Close()
				require.NoError(t, server.WaitClosed(ctx), "the connection counts as gone")
			})
			require.Equal(t, "Fatal error: protocol.connection_lost() call failed.", rec.One(t).Message)
		})
	})
}

type panicsAtEOF struct{ *testkit.Tap }

func (panicsAtEOF) EOFReceived() bool { panic(testkit.ErrBoom) }

type panicsWhenLost struct{ asyncio.NullProtocol }

func (panicsWhenLost) ConnectionLost(error) { panic(testkit.ErrBoom) }

func TestTransportOutlivesItsLoop(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.VerifyNoLeaks(t)
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		p := testkit.NewTap(l)
		var peer *net.TCPConn
		asynciotest.InTask(t, l, func(ctx context.Context) { _, peer = testkit.ConnectToNet(t, ctx, p.Factory) })
		require.NoError(t, l.Close())
		require.True(t, p.Transport.IsClosing())
		_, err = p.Transport.Write([]byte("late"))
		require.ErrorIs(t, err, net.ErrClosed)
		p.Transport.Close()
		p.Transport.Abort()
		p.Equal(t, "made")
		_, err = peer.Read(make([]byte, 1))
		require.Error(t, err)
		require.False(t, errors.Is(err, net.ErrClosed))
	})
}

func TestTransportInDebugMode(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, append(opts, asyncio.WithDebug(true))...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p := testkit.NewTap(l)
			_, peer := testkit.ConnectToNet(t, ctx, p.Factory)
			tr := p.Transport
			for _, call := range []func(){
				func() { _, _ = tr.Write([]byte("x")) }, func() { _ = tr.WriteV(nil) }, func() { _ = tr.WriteEOF() },
				tr.Close, tr.Abort, tr.PauseReading, tr.ResumeReading,
			} {
				testkit.OnGoroutine(func() { testkit.PanicsWith(t, asyncio.ErrWrongLoop, call) })
			}
			_, err := tr.Write([]byte("a task of the loop may"))
			require.NoError(t, err)
			reset(t, peer)
			require.Error(t, p.End(t, ctx))
			p.Equal(t, "made", "lost")
		})
	})
}

// A socket that was kept names no descriptor once its transport or server has closed it,
// for that may be somebody else's by then.
func TestTransportSocketOfAClosedTransport(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			p := testkit.NewTap(l)
			_, _, err = l.CreateConnection(ctx, p.Factory, "tcp", testkit.ServerAddr(t, s))
			require.NoError(t, err)
			sockets := append(s.Sockets(), p.Transport.ExtraInfo("socket").(asyncio.TransportSocket))
			for _, socket := range sockets {
				require.NotEqual(t, -1, socket.FD())
			}
			p.Transport.Close()
			s.Close()
			for _, socket := range sockets {
				require.Equal(t, -1, socket.FD())
				require.NotNil(t, socket.LocalAddr())
			}
			require.NoError(t, s.WaitClosed(ctx))
			require.Equal(t, -1, (asyncio.TransportSocket{}).FD())
		})
	})
}
