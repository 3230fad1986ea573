//go:build cgo

package uv_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

func newTCP(t testing.TB, l *uv.Loop) *uv.TCP {
	t.Helper()
	c, err := l.NewTCP()
	require.NoError(t, err)
	return c
}

func newTimer(t testing.TB, l *uv.Loop) *uv.Timer {
	t.Helper()
	timer, err := l.NewTimer()
	require.NoError(t, err)
	return timer
}

// listen makes a listener on a free port of the loopback interface.
func listen(t testing.TB, l *uv.Loop, f func(*uv.TCP, error)) *uv.TCP {
	t.Helper()
	return listenWith(t, l, uv.ListenOptions{}, f)
}

func listenWith(t testing.TB, l *uv.Loop, opt uv.ListenOptions, f func(*uv.TCP, error)) *uv.TCP {
	t.Helper()
	ln := newTCP(t, l)
	require.NoError(t, ln.Bind(loopback, 0))
	require.NoError(t, ln.ListenWith(128, opt, f))
	return ln
}

func addrOf(t testing.TB, s *uv.TCP) netip.AddrPort {
	t.Helper()
	addr, err := s.LocalAddr()
	require.NoError(t, err)
	return addr
}

// nobody is an address at which nobody listens.
func nobody(t testing.TB, l *uv.Loop) netip.AddrPort {
	t.Helper()
	ln := listen(t, l, func(*uv.TCP, error) {})
	addr := addrOf(t, ln)
	ln.Close()
	return addr
}
