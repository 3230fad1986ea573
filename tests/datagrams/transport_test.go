package datagrams_test

// DatagramTransport and DatagramProtocol.

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestTransportCarries(t *testing.T) {
	t.Run("there and back", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network))
			p.Equal(t, "made")
			require.NoError(t, p.transport.SendTo([]byte("ping"), c.LocalAddr()))
			text, from := readFrom(t, ctx, c)
			require.Equal(t, "ping", text)
			require.Equal(t, p.transport.LocalAddr(), from)
			writeTo(t, c, "pong", from)
			p.receives(t, ctx, 1)
			require.Equal(t, []string{"pong"}, p.received)
			require.Equal(t, []net.Addr{c.LocalAddr()}, p.from)
			p.end(t, ctx)
			p.Equal(t, "made", "lost")
			require.Empty(t, p.errs)
		})
	})
	t.Run("UDP-04", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network))
			for _, empty := range [][]byte{nil, {}} {
				require.NoError(t, p.transport.SendTo(empty, c.LocalAddr()))
				text, from := readFrom(t, ctx, c)
				require.Empty(t, text)
				writeTo(t, c, "", from)
			}
			p.receives(t, ctx, 2)
			require.Equal(t, []string{"", ""}, p.received)
			require.Equal(t, []net.Addr{c.LocalAddr(), c.LocalAddr()}, p.from)
			p.end(t, ctx)
		})
	})
	t.Run("the datagrams of one turn leave before the next", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network))
			for i := range 5 {
				require.NoError(t, p.transport.SendTo([]byte{byte(i)}, c.LocalAddr()))
			}
			require.NoError(t, asyncio.Sleep(ctx, 0))
			for i := range 5 {
				require.NoError(t, c.SetReadDeadline(time.Now().Add(asynciotest.HangLimit)))
				b := make([]byte, 10)
				n, _, err := c.ReadFrom(b) // without the loop
				require.NoError(t, err)
				require.Equal(t, []byte{byte(i)}, b[:n])
			}
			p.end(t, ctx)
		})
	})
	t.Run("a sender without a name", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			p := open(t, ctx, "unixgram", freeAddr(t, "unixgram"))
			nameless := open(t, ctx, "unixgram", "", asyncio.WithRemoteAddr(p.transport.LocalAddr().String()))
			require.NoError(t, nameless.transport.SendTo([]byte("me"), nil))
			p.receives(t, ctx, 1)
			require.Equal(t, []net.Addr{nil}, p.from)
			p.end(t, ctx)
			nameless.end(t, ctx)
		})
	})
}

func TestTransportBuffers(t *testing.T) {
	t.Run("UDP-05", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			c := peer(t, "unixgram")
			p := open(t, ctx, "unixgram", freeAddr(t, "unixgram"))
			const count, size = 100, 1000
			left := fill(t, p.transport, c.LocalAddr()) + 1
			pausedAt := 0
			sent := 0
			p.onPause = func() { pausedAt = sent }
			for sent = 1; sent <= count; sent++ {
				require.NoError(t, p.transport.SendTo(make([]byte, size), c.LocalAddr()))
				want := sent*(size+8) + 4 + 8 // and the one that was left behind
				require.Equal(t, want, p.transport.WriteBufferSize())
				if want > 64<<10 {
					p.Equal(t, "made", "pause")
				} else {
					p.Equal(t, "made")
				}
			}
			require.Equal(t, 66, pausedAt, "in the call that exceeds 64 KiB")
			var sizeAtResume int
			p.onResume = func() { sizeAtResume = p.transport.WriteBufferSize() }
			for i := range left + count {
				text, _ := readFrom(t, ctx, c)
				if i < left {
					require.Equal(t, "fill", text)
				} else {
					require.Len(t, text, size)
				}
			}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.transport.WriteBufferSize() == 0 }))
			p.Equal(t, "made", "pause", "resume")
			require.LessOrEqual(t, sizeAtResume, 16<<10)
			require.Empty(t, p.errs)
			p.end(t, ctx)
		})
	})
	t.Run("limits", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			c := peer(t, "unixgram")
			p := open(t, ctx, "unixgram", freeAddr(t, "unixgram"))
			tr := p.transport
			for _, l := range []struct{ high, low, wantLow, wantHigh int }{
				{-1, -1, 16 << 10, 64 << 10}, {-1, 1000, 1000, 4000}, {1000, -1, 250, 1000}, {0, 0, 0, 0}, {100, 12, 12, 100},
			} {
				tr.SetWriteBufferLimits(l.high, l.low)
				low, high := tr.WriteBufferLimits()
				require.Equal(t, []int{l.wantLow, l.wantHigh}, []int{low, high}, "%+v", l)
			}
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { tr.SetWriteBufferLimits(1, 2) })
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { tr.SetWriteBufferLimits(1, -2) })
			fill(t, tr, c.LocalAddr())
			require.NoError(t, tr.SendTo(make([]byte, 100-12-8), c.LocalAddr()))
			require.Equal(t, 100, tr.WriteBufferSize())
			p.Equal(t, "made")
			tr.SetWriteBufferLimits(99, 0)
			p.Equal(t, "made", "pause")
			p.end(t, ctx)
			tr.SetWriteBufferLimits(0, 0)
			require.Zero(t, tr.WriteBufferSize())
			p.Equal(t, "made", "pause", "lost")
		})
	})
	t.Run("Close flushes first, and sending goes on meanwhile", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			c := peer(t, "unixgram")
			p := open(t, ctx, "unixgram", freeAddr(t, "unixgram"))
			left := fill(t, p.transport, c.LocalAddr()) + 1
			p.transport.Close()
			require.True(t, p.transport.IsClosing())
			require.NoError(t, p.transport.SendTo([]byte("the end"), c.LocalAddr()))
			writeTo(t, c, "unheard", p.transport.LocalAddr())
			asynciotest.Yield(t, ctx, 3)
			p.Equal(t, "made")
			for range left {
				text, _ := readFrom(t, ctx, c)
				require.Equal(t, "fill", text)
			}
			text, _ := readFrom(t, ctx, c)
			require.Equal(t, "the end", text)
			lost, err := p.lost.Await(ctx)
			require.NoError(t, errors.Join(lost, err))
			require.Empty(t, p.received)
		})
	})
	t.Run("Abort drops", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			c := peer(t, "unixgram")
			p := open(t, ctx, "unixgram", freeAddr(t, "unixgram"))
			taken := fill(t, p.transport, c.LocalAddr())
			p.end(t, ctx)
			for range taken {
				readFrom(t, ctx, c)
			}
			require.NoError(t, c.SetReadDeadline(time.Now()))
			_, _, err := c.ReadFrom(nil)
			require.Error(t, err)
		})
	})
}

func TestTransportEnds(t *testing.T) {
	t.Run("UDP-10", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			for _, network := range networks {
				t.Run(network, func(t *testing.T) {
					needs(t, network)
					log, logTo := testkit.RecordLog()
					l := asynciotest.New(t, append(opts, logTo)...)
					asynciotest.InTask(t, l, func(ctx context.Context) {
						c := peer(t, network)
						p := open(t, ctx, network, freeAddr(t, network))
						writeTo(t, c, "unheard", p.transport.LocalAddr())
						p.transport.Close()
						p.transport.Close()
						p.transport.Abort()
						require.True(t, p.transport.IsClosing())
						p.Equal(t, "made")
						for i := range 6 {
							if i == 2 {
								require.NoError(t, asyncio.Sleep(ctx, 10*time.Millisecond))
							}
							require.ErrorIs(t, p.transport.SendTo([]byte("unsent"), c.LocalAddr()), net.ErrClosed)
							require.Len(t, log.Matching("transport that is lost"), max(0, i-3), "after datagram %d", i+1)
						}
						require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
						_, _, err := c.ReadFrom(nil)
						require.Error(t, err)
						asynciotest.Yield(t, ctx, 3)
						p.Equal(t, "made", "lost")
						lost, err := p.lost.Await(ctx)
						require.NoError(t, errors.Join(lost, err))
						require.Empty(t, p.received)
						require.Empty(t, p.errs)
					})
				})
			}
		})
	})
	t.Run("what was sent just before the end leaves", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			for _, end := range []func(*asyncio.DatagramTransport){(*asyncio.DatagramTransport).Close, (*asyncio.DatagramTransport).Abort} {
				c := peer(t, network)
				p := open(t, ctx, network, freeAddr(t, network))
				require.NoError(t, p.transport.SendTo([]byte("the last"), c.LocalAddr()))
				end(p.transport)
				text, _ := readFrom(t, ctx, c)
				require.Equal(t, "the last", text)
				_, err := p.lost.Await(ctx)
				require.NoError(t, err)
			}
		})
	})
	t.Run("nothing is received after Close, in the same turn either", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network))
			p.onReceived = func() { p.transport.Close() }
			for range 5 {
				writeTo(t, c, "x", p.transport.LocalAddr())
			}
			_, err := p.lost.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, []string{"x"}, p.received)
		})
	})
	t.Run("the loop closes", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logTo := testkit.RecordLog()
			l, err := asyncio.NewEventLoop(append(opts, logTo, asyncio.WithDebug(true))...)
			require.NoError(t, err)
			var p *tap
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p = open(t, ctx, "udp4", "127.0.0.1:0")
				require.Equal(t, 1, l.Stats().Handles)
			})
			require.NoError(t, l.Close())
			require.True(t, p.transport.IsClosing())
			require.ErrorIs(t, p.transport.SendTo(nil, nil), net.ErrClosed)
			p.Equal(t, "made")
			require.Len(t, log.Matching("unclosed transport"), 1)
		})
	})
}

func TestTransportErrors(t *testing.T) {
	t.Run("the endpoint lives", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			c := peer(t, "udp4")
			addr := c.LocalAddr()
			require.NoError(t, c.Close())
			p := open(t, ctx, "udp4", "", asyncio.WithRemoteAddr(addr.String()))
			for i := range 3 {
				require.NoError(t, p.transport.SendTo([]byte("x"), nil))
				p.fails(t, ctx, i+1)
				require.ErrorIs(t, p.errs[i], syscall.ECONNREFUSED)
			}
			c, err := net.ListenPacket("udp4", addr.String())
			require.NoError(t, err)
			defer c.Close()
			require.NoError(t, p.transport.SendTo([]byte("there?"), nil))
			_, from := readFrom(t, ctx, c)
			writeTo(t, c, "yes", from)
			p.receives(t, ctx, 1)
			p.end(t, ctx)
			p.Equal(t, "made", "lost")
		})
	})
	t.Run("nobody listens, and others still come", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			gone := peer(t, "udp4")
			require.NoError(t, gone.Close())
			p, q := open(t, ctx, "udp4", "127.0.0.1:0"), open(t, ctx, "udp4", "127.0.0.1:0")
			require.NoError(t, p.transport.SendTo([]byte("a"), q.transport.LocalAddr()))
			q.receives(t, ctx, 1)
			require.NoError(t, p.transport.SendTo([]byte("nobody"), gone.LocalAddr()))
			asynciotest.Yield(t, ctx, 1)
			require.NoError(t, q.transport.SendTo([]byte("b"), p.transport.LocalAddr()))
			p.receives(t, ctx, 1)
			require.Equal(t, []string{"b"}, p.received)
			p.end(t, ctx)
			q.end(t, ctx)
		})
	})
	t.Run("one that is too long fails alone", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network))
			for _, text := range []string{"before", strings.Repeat("x", 1<<20), "after"} {
				require.NoError(t, p.transport.SendTo([]byte(text), c.LocalAddr()))
			}
			require.Empty(t, p.errs, "no callback runs inside the call")
			p.fails(t, ctx, 1)
			require.ErrorIs(t, p.errs[0], syscall.EMSGSIZE)
			for _, want := range []string{"before", "after"} {
				text, _ := readFrom(t, ctx, c)
				require.Equal(t, want, text)
			}
			p.end(t, ctx)
		})
	})
	t.Run("the address on a connected endpoint", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c, other := peer(t, network), peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network), asyncio.WithRemoteAddr(c.LocalAddr().String()))
			require.Equal(t, c.LocalAddr(), p.transport.RemoteAddr())
			require.NoError(t, p.transport.SendTo([]byte("1"), nil))
			require.NoError(t, p.transport.SendTo([]byte("2"), c.LocalAddr()))
			require.ErrorIs(t, p.transport.SendTo([]byte("3"), other.LocalAddr()), asyncio.ErrInvalidArgument)
			require.ErrorIs(t, p.transport.SendTo([]byte("3"), &net.TCPAddr{}), asyncio.ErrInvalidArgument)
			for _, want := range []string{"1", "2"} {
				text, _ := readFrom(t, ctx, c)
				require.Equal(t, want, text)
			}
			p.end(t, ctx)
			require.Empty(t, p.errs)
		})
	})
	t.Run("the address on one that is not", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			p := open(t, ctx, "udp4", "127.0.0.1:0")
			require.ErrorIs(t, p.transport.SendTo([]byte("x"), nil), syscall.EDESTADDRREQ)
			for _, addr := range []net.Addr{&net.TCPAddr{}, &net.UnixAddr{}, (*net.UDPAddr)(nil)} {
				require.ErrorIs(t, p.transport.SendTo([]byte("x"), addr), asyncio.ErrInvalidArgument, "%T", addr)
			}
			require.NoError(t, p.transport.SendTo([]byte("x"), &net.UDPAddr{IP: net.IPv6loopback, Port: 1}))
			p.fails(t, ctx, 1)
			testkit.ErrorSays(t, p.errs[0], "non-IPv4 address")
			p.end(t, ctx)
		})
	})
	t.Run("callbacks that panic", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			rec := asynciotest.RecordReports(testkit.LoopOf(ctx))
			boom := func() { panic(testkit.ErrBoom) }
			p := newTap(ctx)
			p.onReceived, p.onError = boom, boom
			_, _, err := testkit.LoopOf(ctx).CreateDatagramEndpoint(ctx, p.factory, "udp4", "127.0.0.1:0")
			require.NoError(t, err)
			c := peer(t, "udp4")
			writeTo(t, c, "x", p.transport.LocalAddr())
			p.receives(t, ctx, 1)
			require.NoError(t, p.transport.SendTo(make([]byte, 1<<20), c.LocalAddr()))
			p.fails(t, ctx, 1)
			writeTo(t, c, "still there", p.transport.LocalAddr())
			p.receives(t, ctx, 2)
			var messages []string
			for _, r := range rec.All() {
				require.ErrorIs(t, r.Exception, testkit.ErrBoom)
				require.Equal(t, p.transport, r.Transport)
				require.Equal(t, p, r.Protocol)
				messages = append(messages, r.Message)
			}
			require.Equal(t, []string{
				"protocol.datagram_received() failed", "protocol.error_received() failed", "protocol.datagram_received() failed",
			}, messages)
			p.end(t, ctx)
		})
	})
	t.Run("ConnectionMade and factories that panic", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			l := testkit.LoopOf(ctx)
			rec := asynciotest.RecordReports(l)
			p := newTap(ctx)
			p.onMade = func() { panic(testkit.ErrBoom) }
			tr, _, err := l.CreateDatagramEndpoint(ctx, p.factory, "udp4", "127.0.0.1:0")
			require.NoError(t, err)
			require.True(t, tr.IsClosing())
			lost, err := p.lost.Await(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, lost, testkit.ErrBoom)
			require.ErrorIs(t, rec.One(t).Exception, testkit.ErrBoom)
			testkit.PanicsWith(t, testkit.ErrBoom, func() {
				_, _, _ = l.CreateDatagramEndpoint(ctx, func() asyncio.DatagramProtocol { panic(testkit.ErrBoom) }, "udp4", "127.0.0.1:0")
			})
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
				_, _, _ = l.CreateDatagramEndpoint(ctx, nil, "udp4", "127.0.0.1:0")
			})
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() {
				_, _, _ = l.CreateDatagramEndpoint(ctx, func() asyncio.DatagramProtocol { return nil }, "udp4", "127.0.0.1:0")
			})
			require.Zero(t, l.Stats().Handles)
		})
	})
}

// Contexts do not change in Go: what a protocol sees is what its factory, a closure, was
// made with.
func TestContexts(t *testing.T) {
	type key struct{}
	t.Run("CTX-01", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			seen := func(ctx context.Context) *asyncio.Task[*tap] {
				return asyncio.CreateTask(ctx, func(ctx context.Context) (*tap, error) {
					p := newTap(ctx)
					note := func() { p.Addf("%v", ctx.Value(key{})) }
					p.onMade, p.onReceived, p.onError = note, note, note
					_, _, err := testkit.LoopOf(ctx).CreateDatagramEndpoint(ctx, p.factory, "udp4", "127.0.0.1:0")
					return p, err
				})
			}
			one, err := seen(context.WithValue(ctx, key{}, "one")).Await(ctx)
			require.NoError(t, err)
			two, err := seen(context.WithValue(ctx, key{}, "two")).Await(ctx)
			require.NoError(t, err)
			require.NoError(t, one.transport.SendTo([]byte("x"), two.transport.LocalAddr()))
			two.receives(t, ctx, 1)
			require.NoError(t, two.transport.SendTo(make([]byte, 1<<20), one.transport.LocalAddr()))
			two.fails(t, ctx, 1)
			one.Equal(t, "made", "one")
			two.Equal(t, "made", "two", "two", "two")
			one.end(t, ctx)
			two.end(t, ctx)
		})
	})
	t.Run("CTX-02", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			var inFactory any
			ctx = context.WithValue(ctx, key{}, "creator")
			p := newTap(ctx)
			_, _, err := testkit.LoopOf(ctx).CreateDatagramEndpoint(ctx, func() asyncio.DatagramProtocol {
				inFactory = ctx.Value(key{})
				require.NotNil(t, asyncio.CurrentTask(ctx), "the factory runs in the task that creates")
				return p
			}, "udp4", "127.0.0.1:0")
			require.NoError(t, err)
			require.Equal(t, "creator", inFactory)
			p.end(t, ctx)
		})
	})
	t.Run("CTX-03", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			needs(t, "unixgram")
			c := peer(t, "unixgram")
			ctx = context.WithValue(ctx, key{}, "creator")
			p := newTap(ctx)
			note := func() { p.Addf("%v", ctx.Value(key{})) }
			p.onMade, p.onPause, p.onResume = note, note, note
			_, _, err := testkit.LoopOf(ctx).CreateDatagramEndpoint(ctx, p.factory, "unixgram", freeAddr(t, "unixgram"))
			require.NoError(t, err)
			n := fill(t, p.transport, c.LocalAddr()) + 1
			p.transport.SetWriteBufferLimits(0, 0)
			for range n {
				readFrom(t, ctx, c)
			}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Count("resume") == 1 }))
			p.end(t, ctx)
			p.Equal(t, "made", "creator", "pause", "creator", "resume", "creator", "lost")
		})
	})
}

func TestTransportTells(t *testing.T) {
	t.Run("addresses and extra info", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			c := peer(t, network)
			p := open(t, ctx, network, freeAddr(t, network))
			q := open(t, ctx, network, freeAddr(t, network), asyncio.WithRemoteAddr(c.LocalAddr().String()))
			require.Nil(t, p.transport.RemoteAddr())
			require.Nil(t, p.transport.ExtraInfo("peername"))
			require.Nil(t, p.transport.ExtraInfo("no such thing"))
			for _, tr := range []*asyncio.DatagramTransport{p.transport, q.transport} {
				require.Equal(t, tr.LocalAddr(), tr.ExtraInfo("sockname"))
				socket := tr.ExtraInfo("socket").(asyncio.TransportSocket)
				require.Equal(t, tr.LocalAddr(), socket.LocalAddr())
				if runtime.GOOS == "linux" {
					require.Positive(t, socket.FD())
				}
			}
			require.Equal(t, c.LocalAddr(), q.transport.ExtraInfo("peername"))
			require.Equal(t, c.LocalAddr(), q.transport.RemoteAddr())
			require.Equal(t, testkit.LoopOf(ctx), p.transport.Loop())
			kindOf := strings.TrimRight(network, "46")
			require.Equal(t, fmt.Sprintf("<%s transport %v->* bufsize=0>", kindOf, p.transport.LocalAddr()), p.transport.String())
			require.Equal(t, fmt.Sprintf("<%s transport %v->%v bufsize=0>", kindOf, q.transport.LocalAddr(), c.LocalAddr()), q.transport.String())
			p.end(t, ctx)
			require.Equal(t, -1, p.transport.ExtraInfo("socket").(asyncio.TransportSocket).FD())
			require.Contains(t, p.transport.String(), " lost ")
			q.end(t, ctx)
		})
	})
	t.Run("another protocol", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			c := peer(t, "udp4")
			p, q := open(t, ctx, "udp4", "127.0.0.1:0"), newTap(ctx)
			p.transport.SetProtocol(q)
			require.Equal(t, asyncio.DatagramProtocol(q), p.transport.Protocol())
			writeTo(t, c, "x", p.transport.LocalAddr())
			q.receives(t, ctx, 1)
			testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { p.transport.SetProtocol(nil) })
			p.transport.SetProtocol(asyncio.NullDatagramProtocol{})
			writeTo(t, c, "y", p.transport.LocalAddr())
			p.transport.SetProtocol(p)
			p.end(t, ctx)
		})
	})
	t.Run("debug mode", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			log, logTo := testkit.RecordLog()
			l := asynciotest.New(t, append(opts, logTo, asyncio.WithDebug(true))...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				c := peer(t, "udp4")
				p := open(t, ctx, "udp4", "127.0.0.1:0")
				l.SetSlowCallbackDuration(0)
				writeTo(t, c, "x", p.transport.LocalAddr())
				p.receives(t, ctx, 1)
				require.NoError(t, p.transport.SendTo(make([]byte, 1<<20), c.LocalAddr()))
				p.fails(t, ctx, 1)
				l.SetSlowCallbackDuration(time.Hour)
				require.NotEmpty(t, log.Matching("tap.DatagramReceived took"))
				require.NotEmpty(t, log.Matching("tap.ErrorReceived took"))
				for name, call := range map[string]func(){
					"SendTo":               func() { _ = p.transport.SendTo(nil, c.LocalAddr()) },
					"Close":                p.transport.Close,
					"Abort":                p.transport.Abort,
					"SetProtocol":          func() { p.transport.SetProtocol(p) },
					"SetWriteBufferLimits": func() { p.transport.SetWriteBufferLimits(-1, -1) },
				} {
					testkit.OnGoroutine(func() {
						testkit.PanicsWith(t, asyncio.ErrWrongLoop, call)
					})
					require.False(t, p.transport.IsClosing(), name)
				}
				p.end(t, ctx)
			})
		})
	})
}
