//go:build cgo

package uv_test

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// What is asked of a socket behind a Send comes behind the datagram too, although that is
// gathered.
func TestUDPSendComesFirst(t *testing.T) {
	l := newLoop(t)
	send := func(t *testing.T, u *uv.UDP, addr netip.AddrPort) (errs *[]error) {
		errs = new([]error)
		require.NoError(t, u.Send([]byte("x"), addr, func(err error) { *errs = append(*errs, err) }))
		return errs
	}
	left := func(t *testing.T, u *uv.UDP, errs *[]error) {
		assert.Zero(t, u.SendQueueCount())
		until(t, l, "the end of the send", func() bool { return len(*errs) > 0 })
		assert.Equal(t, []error{nil}, *errs)
		u.Close()
	}
	t.Run("options", func(t *testing.T) {
		u, _ := boundUDP(t, l, uv.UDPOptions{})
		require.NoError(t, u.SetBroadcast(true))
		errs := send(t, u, netip.MustParseAddrPort("127.255.255.255:9"))
		require.NoError(t, u.SetBroadcast(false))
		left(t, u, errs)
	})
	t.Run("the interface", func(t *testing.T) {
		u, addr := boundUDP(t, l, uv.UDPOptions{})
		errs := send(t, u, addr)
		require.NoError(t, u.SetMulticastInterface(loopback.Addr()))
		left(t, u, errs)
	})
	t.Run("groups", func(t *testing.T) {
		u, addr := boundUDP(t, l, uv.UDPOptions{})
		group := netip.MustParseAddr("239.1.2.3")
		require.NoError(t, u.Join(group, loopback.Addr()))
		errs := send(t, u, addr)
		require.NoError(t, u.Leave(group, loopback.Addr()))
		left(t, u, errs)
	})
	t.Run("names", func(t *testing.T) {
		_, addr := boundUDP(t, l, uv.UDPOptions{})
		u := newUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET})
		errs := send(t, u, addr)
		assert.NotZero(t, localUDP(t, u).Port(), "to send binds")
		left(t, u, errs)
	})
	t.Run("binding", func(t *testing.T) {
		_, addr := boundUDP(t, l, uv.UDPOptions{})
		u := newUDP(t, l, uv.UDPOptions{Family: syscall.AF_INET})
		errs := send(t, u, addr)
		require.ErrorIs(t, u.Bind(loopback, 0), uv.EINVAL)
		left(t, u, errs)
	})
}

// Numbers that do not fit the system's are no others.
func TestLargeNumbers(t *testing.T) {
	l := newLoop(t)
	const more = 1 << 32
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	u := newUDP(t, l, uv.UDPOptions{})
	assert.ErrorIs(t, u.OpenFD(uintptr(fd)+more), uv.EBADF)
	u.Close()
	require.NoError(t, syscall.Close(fd))

	fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	tcp := newTCP(t, l)
	assert.ErrorIs(t, tcp.OpenFD(uintptr(fd)+more), uv.EBADF)
	tcp.Close()
	require.NoError(t, syscall.Close(fd))

	_, err = l.NewUDP(uv.UDPOptions{Family: more + syscall.AF_INET})
	assert.ErrorIs(t, err, uv.EINVAL)
	u, _ = boundUDP(t, l, uv.UDPOptions{})
	before, err := u.RecvBufferSize()
	require.NoError(t, err)
	require.NoError(t, u.SetRecvBufferSize(more+1))
	after, err := u.RecvBufferSize()
	require.NoError(t, err)
	assert.GreaterOrEqual(t, after, before)
	_, err = l.NewTCPFamily(more + syscall.AF_INET)
	assert.ErrorIs(t, err, uv.EINVAL)
	tcp, err = l.NewTCPFamily(syscall.AF_INET)
	require.NoError(t, err)
	assert.Error(t, tcp.SetKeepAlive(true, 1<<63-1))
}
