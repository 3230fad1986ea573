package datagrams_test

// The conformance kit of DatagramEndpoint: it takes a way to make two ends that are
// connected to each other, and shows that they carry datagrams as they shall.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// end is one of two ends.
type end struct {
	*asyncio.DatagramEndpoint
	to net.Addr // what SendTo is given: nil if the end is connected
}

func (e *end) send(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, e.SendTo([]byte(text), e.to))
}

func (e *end) receive(t *testing.T, ctx context.Context) string {
	t.Helper()
	data, _, err := e.Receive(ctx)
	require.NoError(t, err)
	return string(data)
}

func (e *end) close(t *testing.T, ctx context.Context) {
	t.Helper()
	require.NoError(t, e.Close())
	require.NoError(t, e.WaitClosed(ctx))
}

// kind is a way to make two ends. opts are the second end's.
type kind struct {
	network   string
	longest   int // a datagram that the system carries
	underWay  int // small datagrams that may surely be under way at once
	makeEnds  func(t *testing.T, ctx context.Context, opts ...asyncio.DatagramOption) (a, b *end)
	unixNames bool
}

// connectedEnds is an end that anybody may send to, and one that is connected to it.
func connectedEnds(network string) func(*testing.T, context.Context, ...asyncio.DatagramOption) (a, b *end) {
	return func(t *testing.T, ctx context.Context, opts ...asyncio.DatagramOption) (a, b *end) {
		needs(t, network)
		first, err := asyncio.OpenDatagram(ctx, network, freeAddr(t, network))
		require.NoError(t, err)
		opts = append(opts, asyncio.WithRemoteAddr(first.LocalAddr().String()))
		second, err := asyncio.OpenDatagram(ctx, network, freeAddr(t, network), opts...)
		require.NoError(t, err)
		return &end{first, second.LocalAddr()}, &end{second, nil}
	}
}

func TestEndpointConforms(t *testing.T) {
	for _, k := range []kind{
		{network: "udp4", longest: 65507, underWay: 50, makeEnds: connectedEnds("udp4")},
		{network: "udp6", longest: 65527, underWay: 50, makeEnds: connectedEnds("udp6")},
		{network: "unixgram", longest: 150_000, underWay: 8, makeEnds: connectedEnds("unixgram"), unixNames: true},
	} {
		t.Run(k.network, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) { conform(t, k, opts) })
		})
	}
}

// conform runs the kit.
func conform(t *testing.T, k kind, opts []asyncio.Option) {
	each := func(name string, test func(t *testing.T, ctx context.Context, a, b *end), forB ...asyncio.DatagramOption) {
		t.Run(name, func(t *testing.T) {
			needs(t, k.network)
			inTask(t, opts, func(ctx context.Context) {
				a, b := k.makeEnds(t, ctx, forB...)
				test(t, ctx, a, b)
				a.close(t, ctx)
				b.close(t, ctx)
			})
		})
	}
	bothWays := func(name string, test func(t *testing.T, ctx context.Context, from, to *end)) {
		each(name, func(t *testing.T, ctx context.Context, a, b *end) {
			test(t, ctx, a, b)
			test(t, ctx, b, a)
		})
	}
	bothWays("each way, with the address of the sender", func(t *testing.T, ctx context.Context, from, to *end) {
		from.send(t, "hello")
		data, addr, err := to.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "hello", string(data))
		require.Equal(t, from.LocalAddr().String(), addr.String())
	})
	bothWays("empty", func(t *testing.T, ctx context.Context, from, to *end) {
		for _, text := range []string{"", "x", ""} {
			from.send(t, text)
		}
		for _, text := range []string{"", "x", ""} {
			require.Equal(t, text, to.receive(t, ctx))
		}
	})
	bothWays("the longest", func(t *testing.T, ctx context.Context, from, to *end) {
		long := strings.Repeat("0123456789", k.longest/10+1)[:k.longest]
		from.send(t, long)
		from.send(t, "short")
		require.True(t, long == to.receive(t, ctx))
		require.Equal(t, "short", to.receive(t, ctx))
	})
	bothWays("order", func(t *testing.T, ctx context.Context, from, to *end) {
		for round := range 30 {
			for i := range k.underWay {
				from.send(t, fmt.Sprintf("%d.%d", round, i))
			}
			for i := range k.underWay {
				require.Equal(t, fmt.Sprintf("%d.%d", round, i), to.receive(t, ctx))
			}
		}
	})
	bothWays("what waits is counted", func(t *testing.T, ctx context.Context, from, to *end) {
		held := func() int { read, _ := testkit.LoopOf(ctx).Buffered(); return read }
		require.Zero(t, held())
		from.send(t, "hello")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return held() >= len("hello") }))
		require.Equal(t, "hello", to.receive(t, ctx))
		require.Zero(t, held())
	})
	bothWays("data is the receiver's", func(t *testing.T, ctx context.Context, from, to *end) {
		buf := []byte("first")
		require.NoError(t, from.SendTo(buf, from.to))
		copy(buf, "xxxxx")
		first, _, err := to.Receive(ctx)
		require.NoError(t, err)
		from.send(t, "other")
		require.Equal(t, "other", to.receive(t, ctx))
		require.Equal(t, "first", string(first))
	})
	each("Close wakes those who wait", func(t *testing.T, ctx context.Context, a, b *end) {
		for _, e := range []*end{a, b} {
			var tasks []*asyncio.Task[asyncio.None]
			for range 3 {
				tasks = append(tasks, testkit.Start(ctx, func(ctx context.Context) error {
					_, _, err := e.Receive(ctx)
					return err
				}))
			}
			asynciotest.Yield(t, ctx, 2)
			require.NoError(t, e.Close())
			for _, task := range tasks {
				_, err := task.Await(ctx)
				require.ErrorIs(t, err, net.ErrClosed)
			}
			_, _, err := e.Receive(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, e.SendTo([]byte("x"), e.to), net.ErrClosed)
			require.ErrorIs(t, e.Drain(ctx), net.ErrClosed)
		}
	})
	each("what came before Close is received", func(t *testing.T, ctx context.Context, a, b *end) {
		a.send(t, "one")
		a.send(t, "two")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return strings.Contains(b.String(), "waiting=2") }))
		require.NoError(t, b.Close())
		require.Equal(t, "one", b.receive(t, ctx))
		require.Equal(t, "two", b.receive(t, ctx))
		_, _, err := b.Receive(ctx)
		require.ErrorIs(t, err, net.ErrClosed)
	})
	bothWays("who is cancelled has received nothing", func(t *testing.T, ctx context.Context, from, to *end) {
		receive := func(ctx context.Context) (string, error) {
			data, _, err := to.Receive(ctx)
			return string(data), err
		}
		waits, next := asyncio.CreateTask(ctx, receive), asyncio.CreateTask(ctx, receive)
		asynciotest.Yield(t, ctx, 1)
		from.send(t, "one")
		// A task that only gives way is ahead of one that a poll wakes: so the first is
		// woken, and has not run, when the cancellation comes.
		for !strings.Contains(to.String(), "waiting=1") {
			asynciotest.Yield(t, ctx, 1)
		}
		require.False(t, waits.Done())
		waits.Cancel()
		_, err := waits.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
		got, err := next.Await(ctx)
		require.NoError(t, err)
		require.Equal(t, "one", got)
	})
	each("who waited longest is first", func(t *testing.T, ctx context.Context, a, b *end) {
		var trace asynciotest.Trace
		var tasks []*asyncio.Task[asyncio.None]
		for i := range 4 {
			tasks = append(tasks, testkit.Start(ctx, func(ctx context.Context) error {
				data, _, err := b.Receive(ctx)
				trace.Addf("%d got %s", i, data)
				return err
			}))
		}
		asynciotest.Yield(t, ctx, 1)
		for i := range 4 {
			a.send(t, fmt.Sprint(i))
		}
		for _, task := range tasks {
			_, err := task.Await(ctx)
			require.NoError(t, err)
		}
		trace.Equal(t, "0 got 0", "1 got 1", "2 got 2", "3 got 3")
	})
	each("an error is received in its turn, and the endpoint goes on", func(t *testing.T, ctx context.Context, a, b *end) {
		addr := a.LocalAddr().String()
		a.send(t, "before")
		require.NoError(t, asynciotest.Until(ctx, func() bool { return strings.Contains(b.String(), "waiting=1") }))
		a.close(t, ctx)
		b.send(t, "nobody hears this")
		require.Equal(t, "before", b.receive(t, ctx))
		_, _, err := b.Receive(ctx)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		if k.unixNames {
			return // the connection is to a socket, not to its name
		}
		again, err := asyncio.OpenDatagram(ctx, k.network, addr)
		require.NoError(t, err)
		defer again.Close()
		b.send(t, "again")
		data, from, err := again.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "again", string(data))
		require.NoError(t, again.SendTo([]byte("yes"), from))
		require.Equal(t, "yes", b.receive(t, ctx))
	})
	each("what is over the limit drops the oldest, and is counted", func(t *testing.T, ctx context.Context, a, b *end) {
		const sent, fit = 8, 3
		for i := range sent {
			a.send(t, strings.Repeat(fmt.Sprint(i), 100))
		}
		require.NoError(t, asynciotest.Until(ctx, func() bool { return b.Dropped() == sent-fit }))
		for i := sent - fit; i < sent; i++ {
			require.Equal(t, strings.Repeat(fmt.Sprint(i), 100), b.receive(t, ctx))
		}
		a.send(t, strings.Repeat("long", 1000))
		require.Equal(t, strings.Repeat("long", 1000), b.receive(t, ctx), "one that is alone is kept")
		require.EqualValues(t, sent-fit, b.Dropped())
		require.Zero(t, a.Dropped())
	}, asyncio.WithReceiveLimit(3*(100+64)))
	each("much, each way at once", func(t *testing.T, ctx context.Context, a, b *end) {
		const count = 2000
		echo := testkit.Start(ctx, func(ctx context.Context) error {
			for range count {
				data, from, err := a.Receive(ctx)
				if err == nil {
					err = a.SendTo(bytes.ToUpper(data), from)
				}
				if err = errors.Join(err, a.Drain(ctx)); err != nil {
					return err
				}
			}
			return nil
		})
		window := asyncio.NewSemaphore(k.underWay / 2)
		sends := testkit.Start(ctx, func(ctx context.Context) error {
			for i := range count {
				if err := window.Acquire(ctx); err != nil {
					return err
				}
				b.send(t, strings.Repeat("x", i%1500)+fmt.Sprint(i))
			}
			return nil
		})
		for i := range count {
			require.Equal(t, strings.Repeat("X", i%1500)+fmt.Sprint(i), b.receive(t, ctx))
			window.Release()
		}
		for _, task := range []*asyncio.Task[asyncio.None]{echo, sends} {
			_, err := task.Await(ctx)
			require.NoError(t, err)
		}
		require.Zero(t, a.Dropped()+b.Dropped())
	})
}
