//go:build cgo

package uv

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A program that closes a stream's descriptor behind its back makes libuv refuse the next
// connection that gets its number.
func TestAcceptOfANumberThatIsWatchedStill(t *testing.T) {
	l := newBulkLoop(t)
	s, err := l.NewTCP()
	require.NoError(t, err)
	require.NoError(t, s.Bind(netip.MustParseAddrPort("127.0.0.1:0"), 0))
	var failed error
	accepted := 0
	require.NoError(t, s.Listen(10, func(c *TCP, err error) {
		accepted++
		if failed = err; err == nil {
			c.Close()
		}
	}))
	address, err := s.LocalAddr()
	require.NoError(t, err)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(fds[1])
	p, err := l.NewPipe()
	require.NoError(t, err)
	require.NoError(t, p.OpenFD(uintptr(fds[0])))
	require.NoError(t, p.ReadStart(func([]byte, error) {}))
	require.NoError(t, l.Poll(0))
	peer, err := net.Dial("tcp", address.String())
	require.NoError(t, err)
	defer peer.Close()
	require.NoError(t, syscall.Close(fds[0]))
	for start := time.Now(); accepted == 0; {
		require.Less(t, time.Since(start), patience)
		require.NoError(t, l.Poll(time.Millisecond))
	}
	require.ErrorIs(t, failed, syscall.EEXIST)
	require.NoError(t, l.Poll(0))
	p.Close()
}
