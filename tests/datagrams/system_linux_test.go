package datagrams_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

func requireBroadcast(t *testing.T, tr *asyncio.DatagramTransport, on bool) {
	t.Helper()
	fd := tr.ExtraInfo("socket").(asyncio.TransportSocket).FD()
	got, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_BROADCAST)
	require.NoError(t, err)
	require.Equal(t, on, got != 0)
}
