package streams_test

// A reset that comes behind data is an error, however late the loop looks.

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// tcpClose is the kernel's TCP_CLOSE, which TCP_INFO has in its first byte.
const tcpClose = 7

// resetBehindData sends n bytes and then a reset: the request in front of them is not
// read. It returns when the whole of it has come, as w's socket shows, and the loop has
// not run meanwhile.
func resetBehindData(t *testing.T, w *asyncio.StreamWriter, peer *net.TCPConn, n int) {
	t.Helper()
	require.NoError(t, peer.SetReadDeadline(time.Now().Add(asynciotest.HangLimit)))
	raw, err := peer.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Read(func(fd uintptr) bool { // until the request is there
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err == nil
	}))
	_, err = peer.Write(make([]byte, n))
	require.NoError(t, err)
	require.NoError(t, peer.Close())
	fd := w.Transport().ExtraInfo("socket").(asyncio.TransportSocket).FD()
	for limit := time.Now().Add(asynciotest.HangLimit); ; {
		value, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_INFO)
		require.NoError(t, err)
		if value&0xff == tcpClose {
			return
		}
		require.True(t, time.Now().Before(limit), "the reset does not come")
	}
}

func TestResetBehindData(t *testing.T) {
	for _, n := range []int{10, 5_000, 200_000} {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ln := testkit.ListenNet(t)
				r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String(), asyncio.WithLimit(1<<20))
				require.NoError(t, err)
				peer, err := ln.AcceptTCP()
				require.NoError(t, err)
				_, err = w.Write([]byte("a request that nobody reads"))
				require.NoError(t, err)
				require.NoError(t, asyncio.Sleep(ctx, 0)) // it leaves
				resetBehindData(t, w, peer, n)
				_, err = r.ReadAll(ctx)
				require.ErrorIs(t, err, syscall.ECONNRESET)
				require.ErrorIs(t, w.WaitClosed(ctx), syscall.ECONNRESET)
			})
		})
	}
}
