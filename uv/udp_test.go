//go:build cgo

package uv_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

var noAddr netip.AddrPort

func newUDP(t testing.TB, l *uv.Loop, opt uv.UDPOptions) *uv.UDP {
	t.Helper()
	u, err := l.NewUDP(opt)
	require.NoError(t, err)
	return u
}

// boundUDP is a socket on a free port of the loopback interface.
func boundUDP(t testing.TB, l *uv.Loop, opt uv.UDPOptions) (*uv.UDP, netip.AddrPort) {
	t.Helper()
	u := newUDP(t, l, opt)
	require.NoError(t, u.Bind(loopback, 0))
	return u, localUDP(t, u)
}

func localUDP(t testing.TB, u *uv.UDP) netip.AddrPort {
	t.Helper()
	addr, err := u.LocalAddr()
	require.NoError(t, err)
	return addr
}

// closedUDP is an address at which nobody receives.
func closedUDP(t testing.TB) netip.AddrPort {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	require.NoError(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).AddrPort()
}

// inbox is what a socket has received.
type inbox struct {
	got    []string
	from   []netip.AddrPort
	errs   []error
	partly int
}

func (in *inbox) take(d uv.Datagram, err error) {
	if err != nil {
		in.errs = append(in.errs, err)
		return
	}
	in.got = append(in.got, string(d.Data))
	in.from = append(in.from, d.Addr)
	if d.Partial {
		in.partly++
	}
}

func receive(t testing.TB, u *uv.UDP) *inbox {
	t.Helper()
	in := new(inbox)
	require.NoError(t, u.RecvStart(in.take))
	return in
}

// ways are the ways to receive.
var ways = map[string]uv.UDPOptions{"recvmsg": {}, "recvmmsg": {Recvmmsg: true}}

func TestUDPSizes(t *testing.T) {
	for name, opt := range ways {
		t.Run("UV-091/"+name, func(t *testing.T) {
			l := newLoop(t, uv.WithChecks())
			u, addr := boundUDP(t, l, opt)
			in := receive(t, u)
			c := newUDP(t, l, uv.UDPOptions{})
			sizes := []int{1, 1472, 1984, 1985, 16_383, 16_384, 65_507}
			for i, n := range sizes {
				called := 0
				require.NoError(t, c.Send(pattern(n), addr, func(err error) {
					require.NoError(t, err)
					called++
				}))
				require.Zero(t, called, "a callback came inside its call")
				until(t, l, "a datagram", func() bool { return len(in.got) > i && called == 1 })
				require.Equal(t, string(pattern(n)), in.got[i])
				require.Equal(t, localUDP(t, c).Port(), in.from[i].Port())
				n, err := c.TrySend(pattern(n), addr)
				require.NoError(t, err)
				require.Equal(t, sizes[i], n)
				until(t, l, "a datagram", func() bool { return len(in.got) > i+1 })
				in.got, in.from = in.got[:i+1], in.from[:i+1]
			}
			var failed error
			require.NoError(t, c.Send(pattern(65_508), addr, func(err error) { failed = err }))
			require.NoError(t, failed)
			until(t, l, "the failure", func() bool { return failed != nil })
			require.ErrorIs(t, failed, uv.EMSGSIZE)
			require.ErrorContains(t, failed, addr.String())
			_, err := c.TrySend(pattern(65_508), addr)
			require.ErrorIs(t, err, syscall.EMSGSIZE)
			require.Empty(t, in.errs)
			require.Zero(t, in.partly)
		})
	}
}

func TestUDPEmpty(t *testing.T) {
	for name, opt := range ways {
		t.Run("UV-092/"+name, func(t *testing.T) {
			l := newLoop(t)
			u, addr := boundUDP(t, l, opt)
			in := receive(t, u)
			for range 5 {
				require.NoError(t, l.Poll(0))
			}
			c := newUDP(t, l, uv.UDPOptions{})
			require.NoError(t, c.Send(nil, addr, nil))
			require.NoError(t, c.SendV([][]byte{{}, {}}, addr, nil))
			require.NoError(t, c.SendV(nil, addr, nil))
			n, err := c.TrySend([]byte{}, addr)
			require.ErrorIs(t, err, uv.EAGAIN, "others are gathered")
			require.Zero(t, n)
			until(t, l, "empty datagrams", func() bool { return len(in.got) == 3 })
			_, err = c.TrySend([]byte{}, addr)
			require.NoError(t, err)
			until(t, l, "another", func() bool { return len(in.got) == 4 })
			require.Equal(t, []string{"", "", "", ""}, in.got)
			require.Equal(t, localUDP(t, c).Port(), in.from[3].Port())
			require.Empty(t, in.errs)
			require.Equal(t, 4, len(in.from))
		})
	}
}

func TestUDPPartial(t *testing.T) {
	for _, size := range []int{1, 10, 1984, 5000, 65_536, 100_000} {
		for name, opt := range ways {
			t.Run(fmt.Sprintf("UV-093/%s/%d", name, size), func(t *testing.T) {
				l := newLoop(t)
				opt.RecvSize = size
				u, addr := boundUDP(t, l, opt)
				in := receive(t, u)
				c := newUDP(t, l, uv.UDPOptions{})
				for _, n := range []int{size - 1, size, size + 1, size + 3000} {
					n = min(n, 65_507)
					in.got, in.partly = nil, 0
					require.NoError(t, c.Send(pattern(n), addr, nil))
					until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
					require.Equal(t, string(pattern(n)[:min(n, size)]), in.got[0])
					require.Equal(t, n > size, in.partly == 1)
				}
			})
		}
	}
}

func TestUDPRefused(t *testing.T) {
	for name, opt := range ways {
		t.Run("UV-095/"+name, func(t *testing.T) {
			l := newLoop(t)
			u := newUDP(t, l, opt)
			gone := closedUDP(t)
			require.NoError(t, u.Connect(gone))
			in := receive(t, u)
			var results []error
			for range 2 {
				require.NoError(t, u.Send([]byte("hello"), noAddr, func(err error) { results = append(results, err) }))
				until(t, l, "the send", func() bool { return len(results) > 0 })
			}
			refused := func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
			until(t, l, "the refusal", func() bool {
				return slices.ContainsFunc(in.errs, refused) || slices.ContainsFunc(results, refused)
			})
			until(t, l, "the sends", func() bool { return len(results) == 2 })
			peer, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(gone))
			require.NoError(t, err)
			defer peer.Close()
			_, err = peer.WriteToUDPAddrPort([]byte("still there"), localUDP(t, u))
			require.NoError(t, err)
			until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
			require.Equal(t, "still there", in.got[0])
			require.Equal(t, gone, in.from[0])
		})
	}
}

// fill sends n numbered datagrams to addr, which must fit its buffer.
func fill(t testing.TB, addr netip.AddrPort, n int) {
	t.Helper()
	fillFrom(t, addr, 0, n)
}

// fillFrom sends those with the numbers from `from` on.
func fillFrom(t testing.TB, addr netip.AddrPort, from, n int) {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	require.NoError(t, err)
	defer c.Close()
	for i := from; i < from+n; i++ {
		_, err := c.Write(binary.BigEndian.AppendUint32(nil, uint32(i)))
		require.NoError(t, err)
	}
}

func requireNumbers(t testing.TB, got []string, n int) {
	t.Helper()
	require.Len(t, got, n)
	for i, s := range got {
		require.Equal(t, uint32(i), binary.BigEndian.Uint32([]byte(s)))
	}
}

// batch is how many datagrams come by one system call.
const batch = 8

func TestUDPQueued(t *testing.T) {
	for name, opt := range ways {
		t.Run("UV-096/"+name, func(t *testing.T) {
			l := newLoop(t)
			u, addr := boundUDP(t, l, opt)
			n := 1000
			require.NoError(t, u.SetRecvBufferSize(4<<20))
			if size, err := u.RecvBufferSize(); err != nil || size < 2<<20 {
				n = 250 // fits the smallest buffer
			}
			for round := 1; round <= 4; round++ {
				fill(t, addr, n)
				before := l.Metrics().RecvCalls
				in := receive(t, u)
				until(t, l, "all datagrams", func() bool { return len(in.got) >= n })
				requireNumbers(t, in.got, n)
				calls := l.Metrics().RecvCalls - before
				if u.UsingRecvmmsg() {
					require.LessOrEqual(t, calls, uint64(n/batch+2))
				} else {
					require.GreaterOrEqual(t, calls, uint64(n))
				}
				require.NoError(t, u.RecvStop())
			}
			require.Equal(t, opt.Recvmmsg, u.UsingRecvmmsg())
			require.Zero(t, l.Metrics().ReadsPutOff)
		})
	}
}

func TestUDPWhatComesMeanwhile(t *testing.T) {
	// echo answers each datagram by one to itself, for ever. It returns how many come in
	// each turn that brings some.
	echo := func(t *testing.T, count, turns int) (perTurn []int) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		fill(t, addr, count)
		n := 0
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			require.NoError(t, err)
			n++
			require.NoError(t, u.Send(d.Data, addr, nil))
		}))
		for len(perTurn) < turns {
			n = 0
			require.NoError(t, l.Poll(10*time.Millisecond))
			if n > 0 {
				perTurn = append(perTurn, n)
			}
		}
		return perTurn
	}
	t.Run("of several it is told at once, up to a limit", func(t *testing.T) {
		for _, n := range echo(t, 3*batch, 5) {
			require.Greater(t, n, 3*batch)
			require.LessOrEqual(t, n, 64+batch)
		}
	})
	t.Run("of one it is told by the next turn", func(t *testing.T) {
		for _, n := range echo(t, 1, 5) {
			require.Equal(t, 1, n)
		}
	})
	t.Run("another socket waits no longer for that", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		other, otherAddr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		fill(t, addr, 3*batch)
		fill(t, otherAddr, 1)
		n, others := 0, 0
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			n++
			require.NoError(t, u.Send(d.Data, addr, nil))
		}))
		require.NoError(t, other.RecvStart(func(uv.Datagram, error) { others++ }))
		until(t, l, "the other's", func() bool { return others == 1 })
		require.LessOrEqual(t, n, 64+batch)
	})
	t.Run("a callback that panics loses none", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		fill(t, addr, 4*batch)
		var got []string
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			got = append(got, string(d.Data))
			if len(got)%3 == 0 {
				panic("a third")
			}
		}))
		for len(got) < 4*batch {
			func() {
				defer func() { _ = recover() }()
				until(t, l, "all", func() bool { return len(got) == 4*batch })
			}()
		}
		requireNumbers(t, got, 4*batch)
	})
}

func TestUDPFlush(t *testing.T) {
	l := newLoop(t, uv.WithChecks())
	u := newUDP(t, l, uv.UDPOptions{})
	require.NoError(t, u.Flush(), "of nothing")
	peer, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(loopback))
	require.NoError(t, err)
	defer peer.Close()
	dones := 0
	for _, p := range []string{"a", "b"} {
		require.NoError(t, u.Send([]byte(p), peer.LocalAddr().(*net.UDPAddr).AddrPort(), func(error) { dones++ }))
	}
	require.Equal(t, 2, u.SendQueueCount())
	require.NoError(t, u.Flush())
	require.Zero(t, u.SendQueueCount())
	require.Zero(t, dones)
	buf := make([]byte, 10)
	for _, want := range []string{"a", "b"} {
		n, err := peer.Read(buf)
		require.NoError(t, err)
		require.Equal(t, want, string(buf[:n]))
	}
	_, err = l.Run(uv.RunNoWait)
	require.NoError(t, err)
	require.Equal(t, 2, dones)
	u.Close()
	require.ErrorIs(t, u.Flush(), uv.ErrClosed)
}

func TestUDPRecvStop(t *testing.T) {
	for name, opt := range ways {
		t.Run("UV-097/"+name, func(t *testing.T) {
			l := newLoop(t, uv.WithChecks())
			u, addr := boundUDP(t, l, opt)
			fill(t, addr, 11)
			var got []string
			stop := func(d uv.Datagram, err error) {
				require.NoError(t, err)
				got = append(got, string(d.Data))
				require.NoError(t, u.RecvStop())
			}
			require.NoError(t, u.RecvStart(stop))
			until(t, l, "a datagram", func() bool { return len(got) == 1 })
			for range 5 {
				require.NoError(t, l.Poll(0))
			}
			require.Len(t, got, 1, "received after RecvStop")
			require.NoError(t, u.RecvStart(stop)) // what was kept comes one by one, and no call is missed
			require.Len(t, got, 1, "received inside RecvStart")
			until(t, l, "a datagram", func() bool { return len(got) == 2 })
			require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
				require.NoError(t, err)
				got = append(got, string(d.Data))
			}))
			fill(t, addr, 1)
			until(t, l, "the rest", func() bool { return len(got) == 12 })
			requireNumbers(t, got[:11], 11)
		})
	}
	t.Run("and on with another callback", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		fill(t, addr, 10)
		var first, second []string
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			if first = append(first, string(d.Data)); len(first) == 3 {
				require.NoError(t, u.RecvStop())
				require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) { second = append(second, string(d.Data)) }))
			}
		}))
		until(t, l, "all", func() bool { return len(first)+len(second) == 10 })
		requireNumbers(t, append(first, second...), 10)
		require.Len(t, first, 3)
	})
	t.Run("nothing more is received before what was kept is delivered", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		fill(t, addr, 200)
		var got []string
		stop := func(d uv.Datagram, err error) {
			got = append(got, string(d.Data))
			require.NoError(t, u.RecvStop())
		}
		for n := 1; n <= 50; n++ {
			require.NoError(t, u.RecvStart(stop))
			require.True(t, u.IsActive())
			until(t, l, "a datagram", func() bool { return len(got) == n })
			require.False(t, u.IsActive())
		}
		require.Equal(t, uint64(50/batch+1), l.Metrics().RecvCalls)
		in := receive(t, u)
		until(t, l, "the rest", func() bool { return len(in.got) == 150 })
		requireNumbers(t, append(got, in.got...), 200)
	})
	t.Run("close in a callback", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		fill(t, addr, 10)
		n, closed := 0, false
		require.NoError(t, u.RecvStart(func(uv.Datagram, error) {
			n++
			u.CloseWith(func() { closed = true })
		}))
		until(t, l, "the end", func() bool { return closed })
		require.Equal(t, 1, n)
		require.ErrorIs(t, u.RecvStart(func(uv.Datagram, error) {}), uv.ErrClosed)
		require.ErrorIs(t, u.RecvStop(), uv.ErrClosed)
	})
	t.Run("panic in a callback", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		n := 10
		fill(t, addr, n)
		var got []string
		require.NoError(t, u.RecvStart(func(d uv.Datagram, err error) {
			if got = append(got, string(d.Data)); len(got)%4 == 3 {
				panic("in a callback")
			}
		}))
		for len(got) < n {
			func() {
				defer func() {
					if recover() != nil && n < 100 { // comes behind what is left
						fillFrom(t, addr, n, 10)
						n += 10
					}
				}()
				l.Poll(0)
			}()
		}
		requireNumbers(t, got, 100)
		got = got[:0]
		require.NoError(t, u.RecvStart(func(uv.Datagram, error) { require.NoError(t, u.RecvStop()) }))
		fill(t, addr, 2)
		until(t, l, "a stop", func() bool { return !u.IsActive() })
		require.NoError(t, u.RecvStart(func(uv.Datagram, error) {
			got = append(got, "x")
			if len(got) == 1 { // the last one that was kept
				panic("in a callback")
			}
		}))
		fill(t, addr, 1)
		for len(got) < 2 {
			func() {
				defer func() { recover() }()
				l.Poll(0)
			}()
		}
	})
}

func TestUDPTrySend(t *testing.T) {
	t.Run("UV-099", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
		c := newUDP(t, l, uv.UDPOptions{})
		in := receive(t, u)
		sent := 0
		for i := range 10_000 {
			n, err := c.TrySend([]byte("small"), addr)
			if err != nil {
				require.ErrorIs(t, err, uv.EAGAIN)
			} else {
				require.Equal(t, 5, n)
				sent++
			}
			if i%100 == 99 { // before the receiver's buffer is full
				until(t, l, "the datagrams", func() bool { return len(in.got) == sent })
			}
		}
		require.Equal(t, sent, len(in.got))
		ps := slices.Repeat([][]byte{[]byte("small"), {}, bytes.Repeat([]byte("large"), 4000)}, 3)
		addrs := slices.Repeat([]netip.AddrPort{addr}, len(ps))
		in.got = nil
		for at := 0; at < len(ps); {
			n, err := c.TrySendBatch(ps[at:], addrs[at:])
			require.NoError(t, err)
			require.Positive(t, n)
			at += n
			require.NoError(t, l.Poll(0))
		}
		until(t, l, "the batch", func() bool { return len(in.got) == len(ps) })
		for i, p := range ps {
			require.Equal(t, string(p), in.got[i])
		}
	})
	t.Run("in order", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{})
		in := receive(t, u)
		require.NoError(t, u.Send([]byte("first"), addr, nil))
		_, err := u.TrySend([]byte("second"), addr)
		require.ErrorIs(t, err, uv.EAGAIN)
		_, err = u.TrySendBatch([][]byte{[]byte("second")}, []netip.AddrPort{addr})
		require.ErrorIs(t, err, uv.EAGAIN)
		until(t, l, "a datagram", func() bool { return len(in.got) == 1 })
		n, err := u.TrySendBatch([][]byte{[]byte("second")}, []netip.AddrPort{addr})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		until(t, l, "the second", func() bool { return len(in.got) == 2 })
		require.Equal(t, []string{"first", "second"}, in.got)
	})
	t.Run("what cannot be sent", func(t *testing.T) {
		l := newLoop(t)
		u, addr := boundUDP(t, l, uv.UDPOptions{})
		six := netip.MustParseAddrPort("[::1]:9")
		ps := [][]byte{{1}, {2}}
		n, err := u.TrySendBatch(ps, []netip.AddrPort{addr, six})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = u.TrySendBatch(ps, []netip.AddrPort{six, addr})
		require.ErrorIs(t, err, uv.EINVAL)
		_, err = u.TrySendBatch(ps, []netip.AddrPort{addr})
		require.ErrorIs(t, err, uv.EINVAL)
		_, err = u.TrySendBatch(ps, nil)
		require.ErrorIs(t, err, uv.EDESTADDRREQ)
		n, err = u.TrySendBatch(nil, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		u.Close()
		_, err = u.TrySendBatch(ps, nil)
		assert.ErrorIs(t, err, uv.ErrClosed)
		_, err = u.TrySend(ps[0], addr)
		assert.ErrorIs(t, err, uv.ErrClosed)
	})
}
