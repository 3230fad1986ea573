//go:build cgo

package uv_test

// Sends for which the kernel has no room. The queue of a Unix socket is short and waits
// for its reader, so it is what these tests fill; a UDP socket never stays full.

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// unixgram is a datagram socket of the Unix domain, bound to name unless that is "".
func unixgram(t testing.TB, l *uv.Loop, name string, opt uv.UDPOptions) *uv.UDP {
	t.Helper()
	fd := unixgramFD(t, name)
	u := newUDP(t, l, opt)
	require.NoError(t, u.OpenFD(uintptr(fd)))
	return u
}

func unixgramFD(t testing.TB, name string) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	if name != "" {
		require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: name}))
	}
	return fd
}

// unixPair is two sockets that are connected, the second of which is not the loop's.
func unixPair(t testing.TB, l *uv.Loop) (*uv.UDP, *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	u := newUDP(t, l, uv.UDPOptions{Recvmmsg: true})
	require.NoError(t, u.OpenFD(uintptr(fds[0])))
	peer := os.NewFile(uintptr(fds[1]), "peer")
	t.Cleanup(func() { peer.Close() })
	return u, peer
}

// read reads one datagram of the peer.
func read(t testing.TB, peer *os.File) string {
	t.Helper()
	buf := make([]byte, 70_000)
	n, err := peer.Read(buf)
	require.NoError(t, err)
	return string(buf[:n])
}

func TestUDPSendQueue(t *testing.T) {
	t.Run("until there is room", func(t *testing.T) {
		l := newLoop(t)
		u, peer := unixPair(t, l)
		const n = 1000
		done := 0
		for i := range n {
			require.NoError(t, u.Send(fmt.Appendf(nil, "%d", i), noAddr, func(err error) {
				require.NoError(t, err)
				require.Equal(t, i, done)
				done++
			}))
		}
		require.Zero(t, done)
		require.NoError(t, l.Poll(0))
		require.Equal(t, n-done, u.SendQueueCount())
		require.Positive(t, u.SendQueueCount())
		require.True(t, u.IsActive())
		_, err := u.TrySend([]byte("x"), noAddr)
		require.ErrorIs(t, err, uv.EAGAIN)
		queued := u.SendQueueCount()
		for i := range 250 {
			require.Equal(t, fmt.Sprint(i), read(t, peer))
		}
		until(t, l, "room", func() bool { return u.SendQueueCount() < queued })
		require.Less(t, u.SendQueueCount(), queued-100, "one for each turn")
		for i := 250; i < n; i++ {
			for u.SendQueueCount() > 0 && done < min(i+1, n) {
				require.NoError(t, l.Poll(0))
			}
			require.Equal(t, fmt.Sprint(i), read(t, peer))
		}
		until(t, l, "the callbacks", func() bool { return done == n })
		require.Zero(t, u.SendQueueCount())
		require.Zero(t, u.SendQueueSize())
		require.False(t, u.IsActive())
	})
	t.Run("counts after a flush", func(t *testing.T) {
		l := newLoop(t)
		u, _ := unixPair(t, l)
		for range 1000 {
			require.NoError(t, u.Send([]byte("0123456789"), noAddr, nil))
		}
		count := u.SendQueueCount()
		require.Greater(t, count, 100)
		require.Equal(t, 10*count, u.SendQueueSize())
		require.NoError(t, u.Send(make([]byte, 100_000), noAddr, nil)) // offered at once, behind the others
		require.Equal(t, count+1, u.SendQueueCount())
		require.Equal(t, 10*count+100_000, u.SendQueueSize())
		require.NoError(t, l.Poll(0))
		require.Equal(t, count+1, u.SendQueueCount())
	})
	t.Run("close", func(t *testing.T) {
		l := newLoop(t)
		u, peer := unixPair(t, l)
		var order []string
		sent, canceled := 0, 0
		for range 1000 {
			require.NoError(t, u.Send([]byte("x"), noAddr, func(err error) {
				if err == nil {
					require.Zero(t, canceled)
					sent++
				} else {
					require.ErrorIs(t, err, uv.ECANCELED)
					canceled++
				}
				order = append(order, "send")
			}))
		}
		u.CloseWith(func() { order = append(order, "closed") })
		require.Empty(t, order)
		require.ErrorIs(t, u.Send(nil, noAddr, nil), uv.ErrClosed)
		until(t, l, "the end", func() bool { return len(order) == 1001 })
		require.Equal(t, "closed", order[1000])
		require.Positive(t, canceled)
		for range sent {
			require.Equal(t, "x", read(t, peer))
		}
		require.Zero(t, u.SendQueueCount())
	})
	t.Run("the peer goes", func(t *testing.T) {
		l := newLoop(t)
		u, peer := unixPair(t, l)
		var failed, sent int
		for range 1000 {
			require.NoError(t, u.Send([]byte("x"), noAddr, func(err error) {
				if err != nil {
					failed++
				} else {
					sent++
				}
			}))
		}
		require.NoError(t, l.Poll(0))
		require.NoError(t, peer.Close())
		until(t, l, "the failures", func() bool { return failed+sent == 1000 })
		require.Positive(t, failed)
		require.Positive(t, sent)
	})
	t.Run("a panic in a callback", func(t *testing.T) {
		l := newLoop(t)
		u, peer := unixPair(t, l)
		called := 0
		for range 6 {
			require.NoError(t, u.Send([]byte("x"), noAddr, func(error) {
				if called++; called%2 == 1 {
					panic("in a callback")
				}
			}))
		}
		for called < 6 {
			func() {
				defer func() { recover() }()
				l.Poll(0)
			}()
		}
		require.Equal(t, "x", read(t, peer))
	})
	t.Run("a panic, and the end", func(t *testing.T) {
		l := newLoop(t)
		u, _ := unixPair(t, l)
		var results []error
		for range 3 {
			require.NoError(t, u.Send([]byte("x"), noAddr, func(err error) {
				if results = append(results, err); len(results) == 1 {
					panic("in a callback")
				}
			}))
		}
		u.Close()
		for len(results) < 3 {
			func() {
				defer func() { recover() }()
				l.Poll(0)
			}()
		}
		require.Equal(t, []error{nil, nil, nil}, results, "all have left")
	})
}

// One that fails fails alone, at every place among others.
func TestUDPSendFailures(t *testing.T) {
	l := newLoop(t)
	u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
	in := receive(t, u)
	large := make([]byte, 65_508)
	want, results := []string{}, map[int]error{}
	for i := range 60 {
		p := fmt.Appendf(nil, "%d", i)
		if bad := i%7 == 0 || i%7 == 1 || i == 59; bad {
			p = nil
			if i%2 == 0 {
				p = large
			}
		} else {
			want = append(want, string(p))
		}
		to := addr
		if len(p) == 0 { // nothing goes to port 0
			to = netip.AddrPortFrom(addr.Addr(), 0)
		}
		var done func(error)
		if i%3 != 0 {
			done = func(err error) { results[i] = err }
		}
		require.NoError(t, u.Send(p, to, done))
	}
	until(t, l, "the datagrams", func() bool { return len(in.got) == len(want) && len(results) == 40 })
	require.Equal(t, want, in.got)
	for i, err := range results {
		switch bad := i%7 == 0 || i%7 == 1 || i == 59; {
		case !bad:
			require.NoError(t, err, i)
		case i%2 == 0:
			require.ErrorIs(t, err, uv.EMSGSIZE, i)
		default:
			require.ErrorIs(t, err, uv.EINVAL, i)
		}
	}
}

// All datagrams of a socket leave by one system call, also where others send in between.
func TestUDPSendCalls(t *testing.T) {
	l := newLoop(t)
	u, addr := boundUDP(t, l, uv.UDPOptions{Recvmmsg: true})
	in := receive(t, u)
	var from [4]*uv.UDP
	for i := range from {
		from[i], _ = boundUDP(t, l, uv.UDPOptions{})
	}
	for i := range 40 {
		require.NoError(t, from[i%len(from)].Send([]byte{byte(i)}, addr, nil))
	}
	require.NoError(t, l.Poll(0))
	require.Equal(t, uint64(len(from)), l.Metrics().SendCalls)
	until(t, l, "the datagrams", func() bool { return len(in.got) == 40 })
	before := l.Metrics()
	require.NoError(t, from[0].Send([]byte("alone"), addr, nil))
	until(t, l, "a datagram", func() bool { return len(in.got) == 41 })
	require.Equal(t, uint64(1), l.Metrics().SendCalls-before.SendCalls)
	require.Equal(t, uint64(1), l.Metrics().RecvCalls-before.RecvCalls)
}

func TestUnixDatagrams(t *testing.T) {
	dir := t.TempDir()
	long := filepath.Join("/tmp", strings.Repeat("x", 107-5))
	os.Remove(long)
	t.Cleanup(func() { os.Remove(long) })
	for _, name := range []string{filepath.Join(dir, "server"), fmt.Sprintf("@uv-unixgram-%d", os.Getpid()), long} {
		t.Run(name[:5], func(t *testing.T) {
			l := newLoop(t, uv.WithChecks())
			server, client := unixgram(t, l, name, uv.UDPOptions{Recvmmsg: true}), unixgram(t, l, filepath.Join(t.TempDir(), "client"), uv.UDPOptions{})
			nameless := unixgram(t, l, "", uv.UDPOptions{})
			type message struct{ text, from string }
			var got, back []message
			require.NoError(t, server.RecvStartUnix(func(d uv.Datagram, from string, err error) {
				require.NoError(t, err)
				got = append(got, message{string(d.Data), from})
				if from != "" {
					require.NoError(t, server.SendUnix([]byte("answer"), from, nil))
				}
			}))
			require.NoError(t, client.RecvStartUnix(func(d uv.Datagram, from string, err error) {
				back = append(back, message{string(d.Data), from})
			}))
			require.NoError(t, client.SendUnix([]byte("hello"), name, func(err error) { require.NoError(t, err) }))
			until(t, l, "a datagram", func() bool { return len(got) == 1 })
			require.NoError(t, nameless.SendUnix(bytes.Repeat([]byte("x"), 60_000), name, nil))
			until(t, l, "the answer", func() bool { return len(back) == 1 && len(got) == 2 })
			require.Equal(t, "hello", got[0].text)
			require.True(t, strings.HasSuffix(got[0].from, "client"))
			require.Equal(t, message{strings.Repeat("x", 60_000), ""}, got[1])
			require.Equal(t, message{"answer", name}, back[0])
			// More than the receiver has room for: kept, and offered again.
			require.NoError(t, server.RecvStop())
			got = nil
			done := 0
			for i := range 100 {
				require.NoError(t, nameless.SendUnix([]byte{byte(i)}, name, func(err error) {
					require.NoError(t, err)
					done++
				}))
			}
			for range 5 {
				require.NoError(t, l.Poll(0))
			}
			require.Positive(t, nameless.SendQueueCount())
			require.True(t, nameless.IsActive())
			require.NoError(t, server.RecvStartUnix(func(d uv.Datagram, from string, err error) {
				got = append(got, message{string(d.Data), from})
			}))
			until(t, l, "the rest", func() bool { return done == 100 && len(got) == 100 })
			for i, m := range got {
				require.Equal(t, string([]byte{byte(i)}), m.text)
			}
			require.False(t, nameless.IsActive())
		})
	}
	t.Run("what is refused", func(t *testing.T) {
		l := newLoop(t)
		u := unixgram(t, l, "", uv.UDPOptions{})
		nobody := filepath.Join(dir, "nobody")
		var failed error
		require.NoError(t, u.SendUnix([]byte("x"), nobody, func(err error) { failed = err }))
		until(t, l, "the failure", func() bool { return failed != nil })
		require.ErrorIs(t, failed, uv.ENOENT)
		require.ErrorContains(t, failed, nobody)
		require.ErrorIs(t, u.SendUnix(nil, "", nil), uv.EDESTADDRREQ)
		require.ErrorIs(t, u.SendUnix(nil, "a\x00b", nil), uv.EINVAL)
		require.ErrorIs(t, u.SendUnix(nil, strings.Repeat("x", 108), nil), uv.ENAMETOOLONG)
		require.ErrorIs(t, u.SendUnix(nil, "@"+strings.Repeat("x", 108), nil), uv.ENAMETOOLONG)
		require.ErrorIs(t, u.Send(nil, loopback, nil), uv.EINVAL)
		require.ErrorIs(t, u.Connect(loopback), uv.EINVAL)
		require.ErrorIs(t, u.Bind(loopback, 0), uv.EINVAL)
		require.ErrorIs(t, u.SetTTL(3), uv.EINVAL)
		_, err := u.LocalAddr()
		require.ErrorIs(t, err, uv.EAFNOSUPPORT)
		four := newUDP(t, l, uv.UDPOptions{})
		require.ErrorIs(t, four.SendUnix(nil, nobody, nil), uv.EINVAL)
		pair, _ := unixPair(t, l)
		require.ErrorIs(t, pair.SendUnix(nil, nobody, nil), uv.EISCONN)
		require.NoError(t, pair.SendUnix(nil, "", nil))
	})
	t.Run("close while stuck", func(t *testing.T) {
		l := newLoop(t)
		name := filepath.Join(dir, "full")
		unixgram(t, l, name, uv.UDPOptions{})
		u := unixgram(t, l, "", uv.UDPOptions{})
		canceled := 0
		for range 100 {
			require.NoError(t, u.SendUnix([]byte("x"), name, func(err error) {
				if err != nil {
					require.ErrorIs(t, err, uv.ECANCELED)
					canceled++
				}
			}))
		}
		require.NoError(t, l.Poll(0))
		require.NoError(t, l.Poll(0))
		u.Close()
		until(t, l, "the cancellations", func() bool { return canceled > 0 })
	})
}
