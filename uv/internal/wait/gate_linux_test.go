package wait

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// An inner epoll descriptor, as a loop's, with a pipe in it; the gate before it is
// watched by edges, as the runtime does.
func TestGate(t *testing.T) {
	inner := newEpoll(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	require.NoError(t, syscall.EpollCtl(inner, syscall.EPOLL_CTL_ADD, int(r.Fd()), &syscall.EpollEvent{Events: syscall.EPOLLIN}))
	g, err := openGate(inner)
	require.NoError(t, err)
	defer syscall.Close(g.fd)
	outer := newEpoll(t)
	edges := uint32(syscall.EPOLLIN | syscall.EPOLLET&0xffffffff)
	require.NoError(t, syscall.EpollCtl(outer, syscall.EPOLL_CTL_ADD, g.fd, &syscall.EpollEvent{Events: edges}))
	edge := func() bool { return epollReady(t, outer) }
	event := func() {
		_, err := w.Write([]byte("x"))
		require.NoError(t, err)
	}
	handle := func() {
		_, err := r.Read(make([]byte, 10))
		require.NoError(t, err)
		require.False(t, epollReady(t, inner))
	}

	event()
	require.True(t, edge())
	handle()
	event()
	require.True(t, edge(), "each event is an edge")
	handle()

	g.close()
	g.close()
	event()
	require.False(t, edge(), "a closed gate is silent")
	handle()
	event()
	require.True(t, g.reopen(), "what came meanwhile is told")
	handle()
	edge()
	event()
	require.True(t, edge(), "and what comes after is an edge")
	handle()

	g.close()
	require.False(t, g.reopen())
	edge()
	event()
	require.True(t, edge())
	require.False(t, g.reopen(), "it is open")
}
