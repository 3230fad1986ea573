//go:build cgo

package uv_test

// The part of TestPeers that is Linux's: it asks an epoll of its own.

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func TestPeersOfPolls(t *testing.T) {
	t.Run("tcp_oob", func(t *testing.T) { // a reader hears what is in band, and nothing else
		l := newLoop(t)
		s, peer := peerOf(t, l)
		got, end := collect(t, s)
		_, err := peer.Write([]byte("a"))
		require.NoError(t, err)
		sendUrgent(t, peer)
		_, err = peer.Write([]byte("b"))
		require.NoError(t, err)
		until(t, l, "the bytes in band", func() bool { return got.String() == "ab" })
		require.NoError(t, l.Poll(0))
		require.NoError(t, *end)
		require.False(t, readable(t, backend(t, l), 0), "the loop rests")
	})
	t.Run("poll_oob", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		raw, err := peer.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			p, heard := newPoll(t, l, int(fd)), new(seen)
			require.NoError(t, p.Start(uv.Prioritized, heard.tell))
			require.NoError(t, l.Poll(0))
			require.Zero(t, heard.n)
			own, err := s.Fd()
			require.NoError(t, err)
			require.NoError(t, syscall.Sendto(int(own), []byte("!"), syscall.MSG_OOB, nil))
			until(t, l, "the urgent byte", func() bool { return heard.n > 0 })
			require.Equal(t, uv.Prioritized, heard.events)
			p.Close()
		}))
	})
	t.Run("poll_nested_epoll", func(t *testing.T) {
		l := newLoop(t)
		ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		require.NoError(t, err)
		a, b := socketPair(t)
		defer closeFD(t, ep, a, b)
		require.NoError(t, syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, a, &syscall.EpollEvent{Events: syscall.EPOLLIN}))
		p, heard := newPoll(t, l, ep), new(seen)
		require.NoError(t, p.Start(uv.Readable, heard.tell))
		require.NoError(t, l.Poll(0))
		require.Zero(t, heard.n)
		writeTo(t, b, "x")
		until(t, l, "the set", func() bool { return heard.n > 0 })
		require.Equal(t, uv.Readable, heard.events)
		p.Close()
	})
}
