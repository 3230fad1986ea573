//go:build cgo

package uv_test

// A reset that comes behind data, when both are found at once. It is an error, not an
// end, whichever way the stream is read.

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// readAll is a handler that reads to the end.
type readAll struct {
	got int
	end error
}

func (h *readAll) OnRead(b []byte, err error) { h.got += len(b); h.end = err }
func (h *readAll) OnWritten(int, error)       {}
func (h *readAll) OnClosed()                  {}

// pullAll is one that reads bulk itself.
type pullAll struct {
	readAll
	s   *uv.Stream
	buf [64 * 1024]byte
}

func (h *pullAll) OnReadable() bool {
	h.got += h.s.Pull(h.buf[:])
	return true
}

// resetBehind makes the peer send n bytes and a reset behind them, which the loop has
// not seen when it returns.
func resetBehind(t *testing.T, s *uv.TCP, peer *net.TCPConn, n int) {
	t.Helper()
	require.NoError(t, s.Write(make([]byte, 100), nil)) // what the peer leaves unread turns its close into a reset
	require.NoError(t, s.Flush())
	raw, err := peer.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Read(func(fd uintptr) bool { // until the request is there
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err == nil
	}))
	_, err = peer.Write(make([]byte, n))
	require.NoError(t, err)
	require.NoError(t, peer.Close())
	fd, err := s.Fd()
	require.NoError(t, err)
	for end := time.Now().Add(patience); !hungUp(t, fd); {
		require.True(t, time.Now().Before(end), "the reset does not come")
	}
}

func TestResetBehindData(t *testing.T) {
	const large = 60_000 // makes a stream one that brings much
	for name, prepare := range map[string]func(s *uv.TCP) *readAll{
		"callback": func(s *uv.TCP) *readAll {
			h := new(readAll)
			require.NoError(t, s.ReadStart(h.OnRead))
			return h
		},
		"handler": func(s *uv.TCP) *readAll {
			h := new(readAll)
			s.SetHandler(h)
			require.NoError(t, s.ReadStart(nil))
			return h
		},
		"pull": func(s *uv.TCP) *readAll {
			h := &pullAll{s: &s.Stream}
			s.SetHandler(h)
			require.NoError(t, s.ReadStart(nil))
			return &h.readAll
		},
		"through the bridge": func(s *uv.TCP) *readAll {
			h := &pullAll{s: &s.Stream}
			s.SetHandler(h)
			require.NoError(t, s.SetBlocking(false))
			require.NoError(t, s.ReadStart(nil))
			return &h.readAll
		},
	} {
		for _, before := range []int{0, large} {
			for _, n := range []int{100, 5000} {
				t.Run(name, func(t *testing.T) {
					l := newLoop(t)
					s, peer := peerOf(t, l)
					h := prepare(s)
					if before > 0 {
						_, err := peer.Write(make([]byte, before))
						require.NoError(t, err)
						until(t, l, "the first bytes", func() bool { return h.got == before })
					}
					resetBehind(t, s, peer, n)
					until(t, l, "the end", func() bool { return h.end != nil })
					require.Equal(t, before+n, h.got)
					require.ErrorIs(t, h.end, syscall.ECONNRESET)
				})
			}
		}
	}
}

// An end that both sides have is one, also behind data, and so is that of a pipe.
func TestEndBehindData(t *testing.T) {
	t.Run("socket", func(t *testing.T) {
		l := newLoop(t)
		s, peer := peerOf(t, l)
		got, end := collect(t, s)
		require.NoError(t, s.CloseWrite(nil))
		require.NoError(t, l.Poll(0))
		_, err := peer.Write(make([]byte, 5000))
		require.NoError(t, err)
		require.NoError(t, peer.CloseWrite())
		until(t, l, "the end", func() bool { return *end != nil })
		require.Equal(t, 5000, got.Len())
		require.ErrorIs(t, *end, uv.EOF)
	})
	t.Run("Unix socket", func(t *testing.T) { // a read ends with a message that brings a descriptor
		l := newLoop(t)
		fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		p := newPipe(t, l)
		require.NoError(t, p.OpenFD(uintptr(fds[0])))
		for range 3 {
			require.NoError(t, syscall.Sendmsg(fds[1], []byte("abc"), syscall.UnixRights(0), nil, 0))
			_, err = syscall.Write(fds[1], []byte("def"))
			require.NoError(t, err)
		}
		require.NoError(t, syscall.Close(fds[1]))
		h := new(readAll)
		require.NoError(t, p.ReadStart(h.OnRead))
		until(t, l, "the end", func() bool { return h.end != nil })
		require.Equal(t, 18, h.got)
		require.ErrorIs(t, h.end, uv.EOF)
	})
	t.Run("pipe", func(t *testing.T) {
		l := newLoop(t)
		r, w, err := os.Pipe()
		require.NoError(t, err)
		fd, err := syscall.Dup(int(r.Fd()))
		require.NoError(t, err)
		syscall.CloseOnExec(fd)
		require.NoError(t, r.Close())
		p := newPipe(t, l)
		require.NoError(t, p.OpenFD(uintptr(fd)))
		h := new(readAll)
		require.NoError(t, p.ReadStart(h.OnRead))
		_, err = w.Write(make([]byte, 5000))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		until(t, l, "the end", func() bool { return h.end != nil })
		require.Equal(t, 5000, h.got)
		require.ErrorIs(t, h.end, uv.EOF)
	})
}
