package asyncio_test

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
)

// eachConnection runs test in a task on each driver, with a tap that is connected to a
// peer of package net.
func eachConnection(t *testing.T, test func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn)) {
	t.Helper()
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, opts...)
		inTask(t, l, func(ctx context.Context) {
			p := newTap(l)
			_, peer := connectToNet(t, ctx, p.factory)
			test(t, ctx, p, peer)
			p.transport.Abort()
			p.end(t, ctx)
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
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			tr := p.transport
			fill(t, tr)
			high := tr.WriteBufferSize() + 1000
			tr.SetWriteBufferLimits(high, 0)
			_, err := tr.Write(make([]byte, 1000))
			require.NoError(t, err)
			require.Equal(t, high, tr.WriteBufferSize())
			p.equal(t, "made")
			for range 3 {
				require.NoError(t, tr.WriteV([][]byte{{'x'}}))
				p.equal(t, "made", "pause")
			}
		})
	})
	t.Run("TRN-05", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			tr := p.transport
			n := fill(t, tr)
			tr.SetWriteBufferLimits(0, 0)
			p.equal(t, "made", "pause")
			resumed := asyncio.NewFuture[int](loopOf(ctx))
			p.onResume = func() { _ = resumed.SetResult(tr.WriteBufferSize()) }
			readFull(t, ctx, peer, n)
			left, err := resumed.Await(ctx)
			require.NoError(t, err)
			require.Zero(t, left)
			yield(t, ctx, 3)
			p.equal(t, "made", "pause", "resume")
		})
	})
	t.Run("TRN-06", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			rec := recordErrors(loopOf(ctx))
			p.onPause = func() { panic(errBoom) }
			resumed := asyncio.NewFuture[asyncio.None](loopOf(ctx))
			p.onResume = func() {
				_ = resumed.SetResult(asyncio.None{})
				panic(errBoom)
			}
			n := fill(t, p.transport)
			p.transport.SetWriteBufferLimits(0, 0)
			got := rec.one(t)
			require.Equal(t, "protocol.pause_writing() failed", got.Message)
			require.ErrorIs(t, got.Exception, errBoom)
			require.Equal(t, p.transport, got.Transport)
			require.Equal(t, p, got.Protocol)
			readFull(t, ctx, peer, n)
			_, err := resumed.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, "protocol.resume_writing() failed", rec.got[1].Message)
			_, err = peer.Write([]byte("still there"))
			require.NoError(t, err)
			p.receive(t, ctx, 11)
		})
	})
	t.Run("limits", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			for _, c := range []struct{ high, low, wantLow, wantHigh int }{
				{-1, -1, 16 << 10, 64 << 10}, {-1, 1000, 1000, 4000}, {1000, -1, 250, 1000}, {10, 10, 10, 10}, {0, 0, 0, 0},
			} {
				p.transport.SetWriteBufferLimits(c.high, c.low)
				low, high := p.transport.WriteBufferLimits()
				require.Equal(t, []int{c.wantLow, c.wantHigh}, []int{low, high}, "%+v", c)
			}
			panicsWith(t, asyncio.ErrInvalidState, func() { p.transport.SetWriteBufferLimits(1, 2) })
			panicsWith(t, asyncio.ErrInvalidState, func() { p.transport.SetWriteBufferLimits(1, -2) })
			low, _ := p.transport.WriteBufferLimits()
			require.Zero(t, low)
		})
	})
	t.Run("small writes do not count as buffered", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			p.transport.SetWriteBufferLimits(100, 10)
			for range 1000 {
				_, err := p.transport.Write([]byte("small"))
				require.NoError(t, err)
			}
			require.Zero(t, p.transport.WriteBufferSize())
			p.equal(t, "made")
			require.Equal(t, bytes.Repeat([]byte("small"), 1000), readFull(t, ctx, peer, 5000))
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
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			inTask(t, newLoop(t, opts...), func(ctx context.Context) {
				_, w, peer := streamToNet(t, ctx)
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
			eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := newLoop(t, opts...)
				rec := recordErrors(l)
				inTask(t, l, func(ctx context.Context) { exchangeMegabytes(t, ctx, clients) })
				rec.none(t)
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
		r, w, err := asyncio.OpenConnection(ctx, "tcp", serverAddr(t, server))
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
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			require.True(t, p.transport.CanWriteEOF())
			_, err := p.transport.Write([]byte("last"))
			require.NoError(t, err)
			require.NoError(t, p.transport.WriteEOF())
			require.NoError(t, p.transport.WriteEOF())
			_, err = p.transport.Write([]byte("late"))
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.ErrorIs(t, p.transport.WriteV([][]byte{nil}), asyncio.ErrInvalidState)
			require.Equal(t, "last", string(readAll(t, ctx, peer)))
			_, err = peer.Write([]byte("back"))
			require.NoError(t, err)
			p.receive(t, ctx, 4)
		})
	})
	t.Run("TRN-11", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logTo := recordLog()
			l := newLoop(t, append(opts, logTo)...)
			inTask(t, l, func(ctx context.Context) {
				p := newTap(l)
				connectToNet(t, ctx, p.factory)
				p.transport.Abort()
				for i := range 6 {
					if i == 2 {
						p.end(t, ctx)
					}
					n, err := p.transport.Write([]byte("x"))
					require.ErrorIs(t, err, net.ErrClosed)
					require.Zero(t, n)
					require.Len(t, log.matching("connection that is lost"), max(0, i-3), "after write %d", i+1)
				}
				n, err := p.transport.Write(nil)
				require.NoError(t, err)
				require.Zero(t, n)
				require.NoError(t, p.transport.WriteV(nil))
				require.Len(t, log.matching("connection that is lost"), 2)
			})
		})
	})
	t.Run("TRN-14", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			p.transport.Close()
			p.transport.Close()
			p.transport.Abort()
			p.equal(t, "made")
			require.True(t, p.transport.IsClosing())
			require.NoError(t, p.end(t, ctx))
			p.transport.Abort()
			p.transport.PauseReading()
			p.transport.ResumeReading()
			require.NoError(t, p.transport.WriteEOF())
			require.Zero(t, p.transport.WriteBufferSize())
			require.False(t, p.transport.IsReading())
			yield(t, ctx, 3)
			p.equal(t, "made", "lost")
			require.Empty(t, readAll(t, ctx, peer))
		})
	})
	t.Run("Close flushes first, and writing goes on meanwhile", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			n := fill(t, p.transport)
			p.transport.Close()
			_, err := p.transport.Write([]byte("the end"))
			require.NoError(t, err)
			yield(t, ctx, 2)
			p.equal(t, "made")
			got := readAll(t, ctx, peer)
			require.Len(t, got, n+7)
			require.Equal(t, "the end", string(got[n:]))
			require.NoError(t, p.end(t, ctx))
		})
	})
	t.Run("Abort drops", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			n := fill(t, p.transport)
			left := p.transport.WriteBufferSize()
			p.transport.Abort()
			require.NoError(t, p.end(t, ctx))
			require.Len(t, readAll(t, ctx, peer), n-left)
		})
	})
	t.Run("a write that fails is told although Close follows at once", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			p.transport.PauseReading() // or reading would find the reset
			reset(t, peer)
			_, err := p.transport.Write([]byte("lost"))
			require.NoError(t, err)
			p.transport.Close()
			requireReset(t, p.end(t, ctx))
		})
	})
	t.Run("a small write just before Abort is dropped too", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			_, err := p.transport.Write([]byte("no"))
			require.NoError(t, err)
			p.transport.Abort()
			require.Empty(t, readAll(t, ctx, peer))
		})
	})
	t.Run("TRN-26", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			rec := recordErrors(loopOf(ctx))
			p.keepOpen = true
			require.NoError(t, peer.Close())
			for p.count("eof") == 0 {
				yield(t, ctx, 1)
			}
			for !p.transport.IsClosing() {
				_, err := p.transport.Write([]byte("anybody there?"))
				require.NoError(t, err)
				yield(t, ctx, 1)
			}
			requireReset(t, p.end(t, ctx))
			yield(t, ctx, 3)
			p.equal(t, "made", "eof", "lost")
			rec.none(t)
		})
	})
	t.Run("TRN-29", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			_, err := peer.Write([]byte("data"))
			require.NoError(t, err)
			require.NoError(t, peer.Close())
			require.NoError(t, p.end(t, ctx))
			require.Equal(t, "data", string(p.received))
			yield(t, ctx, 3)
			p.equal(t, "made", "data", "eof", "lost")
		})
	})
	t.Run("a reset is told by ConnectionLost alone", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			rec := recordErrors(loopOf(ctx))
			reset(t, peer)
			require.ErrorIs(t, p.end(t, ctx), syscall.ECONNRESET)
			p.equal(t, "made", "lost")
			rec.none(t)
		})
	})
}

func TestTransportReading(t *testing.T) {
	t.Run("TRN-16", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			const size = 1 << 20
			p.transport.PauseReading()
			p.transport.PauseReading()
			require.False(t, p.transport.IsReading())
			sent := make(chan error, 1)
			go func() {
				_, err := peer.Write(make([]byte, size))
				sent <- err
			}()
			require.NoError(t, asyncio.Sleep(ctx, 20e6))
			require.Empty(t, p.received)
			p.transport.ResumeReading()
			p.transport.ResumeReading()
			p.receive(t, ctx, size)
			require.NoError(t, <-sent)
			require.Len(t, p.received, size)
		})
	})
	t.Run("TRN-17", func(t *testing.T) {
		for _, end := range []func(asyncio.Transport){asyncio.Transport.Abort, asyncio.Transport.Close} {
			eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := newLoop(t, opts...)
				inTask(t, l, func(ctx context.Context) {
					client := newTap(l)
					client.onMade = func() { end(client.transport) }
					_, peer := connectToNet(t, ctx, client.factory)
					_, _ = peer.Write([]byte("data"))
					require.NoError(t, client.end(t, ctx))

					accepted := newTap(l)
					accepted.onMade = func() { end(accepted.transport) }
					server, err := l.CreateServer(ctx, accepted.factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
					_, _ = dialNet(t, server).Write([]byte("data"))
					require.NoError(t, accepted.end(t, ctx))
					server.Close()
					yield(t, ctx, 3)
					client.equal(t, "made", "lost")
					accepted.equal(t, "made", "lost")
				})
			})
		}
	})
	t.Run("TRN-21", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			p.keepOpen = true
			require.NoError(t, peer.CloseWrite())
			for p.count("eof") == 0 {
				yield(t, ctx, 1)
			}
			require.False(t, p.transport.IsClosing())
			_, err := p.transport.Write([]byte("still open"))
			require.NoError(t, err)
			require.Equal(t, "still open", string(readFull(t, ctx, peer, 10)))
			p.transport.Close()
			require.NoError(t, p.end(t, ctx))
			p.equal(t, "made", "eof", "lost")
		})
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			require.NoError(t, peer.CloseWrite())
			require.NoError(t, p.end(t, ctx))
			require.Empty(t, readAll(t, ctx, peer))
			p.equal(t, "made", "eof", "lost")
		})
	})
	t.Run("TRN-23", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			buffered := &bufferedTap{tap: newTap(loopOf(ctx)), size: 3}
			p.onData = func() { p.transport.SetProtocol(buffered) }
			_, err := peer.Write([]byte("plain"))
			require.NoError(t, err)
			p.receive(t, ctx, 5)
			require.Equal(t, buffered, p.transport.Protocol())
			_, err = peer.Write([]byte("to the buffer"))
			require.NoError(t, err)
			buffered.receive(t, ctx, 13)
			require.Equal(t, "to the buffer", string(buffered.received))
			require.Equal(t, "plain", string(p.received))

			// And back, in the middle of what one read has brought.
			after := newTap(loopOf(ctx))
			buffered.onUpdated = func() {
				p.transport.PauseReading()
				p.transport.SetProtocol(after)
			}
			_, err = peer.Write([]byte("123456"))
			require.NoError(t, err)
			buffered.receive(t, ctx, 16)
			yield(t, ctx, 3)
			require.Empty(t, after.received)
			p.transport.ResumeReading()
			p.transport.ResumeReading()
			after.receive(t, ctx, 3)
			require.Equal(t, "456", string(after.received))
			_, err = peer.Write([]byte("789"))
			require.NoError(t, err)
			after.receive(t, ctx, 6)
			p.transport.SetProtocol(p) // which the caller waits for
		})
	})
	t.Run("an empty buffer is fatal", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			rec := recordErrors(l)
			inTask(t, l, func(ctx context.Context) {
				p := &bufferedTap{tap: newTap(l)}
				_, peer := connectToNet(t, ctx, p.factory)
				_, err := peer.Write([]byte("data"))
				require.NoError(t, err)
				require.ErrorIs(t, p.end(t, ctx), asyncio.ErrInvalidState)
				p.equal(t, "made", "lost")
			})
			require.Equal(t, "Fatal error: protocol.get_buffer() call failed.", rec.one(t).Message)
		})
	})
}

func TestTransportInfo(t *testing.T) {
	t.Run("TRN-24", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			tr := p.transport
			require.Equal(t, peer.RemoteAddr(), tr.ExtraInfo("sockname"))
			require.Equal(t, peer.LocalAddr(), tr.ExtraInfo("peername"))
			require.Equal(t, peer.RemoteAddr(), tr.LocalAddr())
			require.Equal(t, peer.LocalAddr(), tr.RemoteAddr())
			socket := tr.ExtraInfo("socket").(asyncio.TransportSocket)
			require.Positive(t, socket.FD())
			require.Equal(t, tr.LocalAddr(), socket.LocalAddr())
			require.Equal(t, tr.RemoteAddr(), socket.RemoteAddr())
			require.Nil(t, tr.ExtraInfo("sslcontext"))
			require.Equal(t, loopOf(ctx), tr.Loop())
			require.Contains(t, fmt.Sprint(tr), peer.LocalAddr().String())
		})
	})
	t.Run("the addresses are known in ConnectionLost and after", func(t *testing.T) {
		eachConnection(t, func(t *testing.T, ctx context.Context, p *tap, peer *net.TCPConn) {
			local, remote := peer.RemoteAddr(), peer.LocalAddr()
			require.NoError(t, peer.Close())
			require.NoError(t, p.end(t, ctx))
			require.Equal(t, remote, p.transport.RemoteAddr())
			require.Equal(t, local, p.transport.LocalAddr())
			require.Equal(t, -1, p.transport.ExtraInfo("socket").(asyncio.TransportSocket).FD())
			require.Contains(t, fmt.Sprint(p.transport), "lost")
		})
	})
}

// TestTransportCallbackPanics panics in each callback that is fatal.
func TestTransportCallbackPanics(t *testing.T) {
	boom := func() { panic(errBoom) }
	for _, c := range []struct {
		name    string
		prepare func(p *bufferedTap) asyncio.Protocol
	}{
		{"connection_made", func(p *bufferedTap) asyncio.Protocol { p.onMade = boom; return p.tap }},
		{"data_received", func(p *bufferedTap) asyncio.Protocol { p.onData = boom; return p.tap }},
		{"eof_received", func(p *bufferedTap) asyncio.Protocol { return panicsAtEOF{p.tap} }},
		{"get_buffer", func(p *bufferedTap) asyncio.Protocol { p.size = -1; return p }},
		{"buffer_updated", func(p *bufferedTap) asyncio.Protocol { p.size = 1; p.onUpdated = boom; return p }},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := newLoop(t, opts...)
				rec := recordErrors(l)
				inTask(t, l, func(ctx context.Context) {
					p := &bufferedTap{tap: newTap(l)}
					protocol := c.prepare(p)
					_, peer := connectToNet(t, ctx, func() asyncio.Protocol { return protocol })
					_, _ = peer.Write([]byte("data"))
					_ = peer.CloseWrite()
					err := p.end(t, ctx)
					var panicked *asyncio.PanicError
					require.ErrorAs(t, err, &panicked)
					require.NotEmpty(t, panicked.Stack)
					got := rec.one(t)
					require.Equal(t, "Fatal error: protocol."+c.name+"() call failed.", got.Message)
					require.Equal(t, err, got.Exception)
					require.Equal(t, p.transport, got.Transport)
					require.Equal(t, protocol, got.Protocol)
					require.Equal(t, 1, p.count("lost"))
				})
			})
		})
	}
	t.Run("connection_lost", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := newLoop(t, opts...)
			rec := recordErrors(l)
			inTask(t, l, func(ctx context.Context) {
				server, err := l.CreateServer(ctx, func() asyncio.Protocol { return panicsWhenLost{} }, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				require.NoError(t, dialNet(t, server).Close())
				for len(rec.got) == 0 {
					yield(t, ctx, 1)
				}
				server.Close()
				require.NoError(t, server.WaitClosed(ctx), "the connection counts as gone")
			})
			require.Equal(t, "Fatal error: protocol.connection_lost() call failed.", rec.one(t).Message)
		})
	})
}

type panicsAtEOF struct{ *tap }

func (panicsAtEOF) EOFReceived() bool { panic(errBoom) }

type panicsWhenLost struct{ asyncio.NullProtocol }

func (panicsWhenLost) ConnectionLost(error) { panic(errBoom) }

func TestTransportOutlivesItsLoop(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		noLeaks(t)
		l, err := asyncio.NewEventLoop(opts...)
		require.NoError(t, err)
		p := newTap(l)
		var peer *net.TCPConn
		inTask(t, l, func(ctx context.Context) { _, peer = connectToNet(t, ctx, p.factory) })
		require.NoError(t, l.Close())
		require.True(t, p.transport.IsClosing())
		_, err = p.transport.Write([]byte("late"))
		require.ErrorIs(t, err, net.ErrClosed)
		p.transport.Close()
		p.transport.Abort()
		p.equal(t, "made")
		_, err = peer.Read(make([]byte, 1))
		require.Error(t, err)
		require.False(t, errors.Is(err, net.ErrClosed))
	})
}

func TestTransportInDebugMode(t *testing.T) {
	eachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := newLoop(t, append(opts, asyncio.WithDebug(true))...)
		inTask(t, l, func(ctx context.Context) {
			p := newTap(l)
			_, peer := connectToNet(t, ctx, p.factory)
			tr := p.transport
			for _, call := range []func(){
				func() { _, _ = tr.Write([]byte("x")) }, func() { _ = tr.WriteV(nil) }, func() { _ = tr.WriteEOF() },
				tr.Close, tr.Abort, tr.PauseReading, tr.ResumeReading,
			} {
				onGoroutine(func() { panicsWith(t, asyncio.ErrWrongLoop, call) })
			}
			_, err := tr.Write([]byte("a task of the loop may"))
			require.NoError(t, err)
			reset(t, peer)
			require.Error(t, p.end(t, ctx))
			p.equal(t, "made", "lost")
		})
	})
}
