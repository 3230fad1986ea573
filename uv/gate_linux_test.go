//go:build cgo

package uv

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An inner epoll descriptor, as libuv's, with a pipe in it; the gate before it is watched
// by edges, as the runtime does.
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
	edges := uint32(syscall.EPOLLIN | -syscall.EPOLLET)
	require.NoError(t, syscall.EpollCtl(outer, syscall.EPOLL_CTL_ADD, g.fd, &syscall.EpollEvent{Events: edges}))
	edge := func() bool { return ready(t, outer) }
	event := func() {
		_, err := w.Write([]byte("x"))
		require.NoError(t, err)
	}
	handle := func() {
		_, err := r.Read(make([]byte, 10))
		require.NoError(t, err)
		require.False(t, ready(t, inner))
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

func newEpoll(t *testing.T) int {
	t.Helper()
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

func ready(t *testing.T, fd int) bool {
	t.Helper()
	var events [1]syscall.EpollEvent
	n, err := syscall.EpollWait(fd, events[:], 0)
	require.NoError(t, err)
	return n > 0
}

// A loop that is busy for some turns and then waits loses no event, whenever it comes.
func TestGateUnderLoad(t *testing.T) {
	l, err := NewLoop()
	require.NoError(t, err)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer syscall.Close(fds[1])
	p, err := l.NewPipe()
	require.NoError(t, err)
	require.NoError(t, p.OpenFD(uintptr(fds[0])))
	got := 0
	require.NoError(t, p.ReadStart(func(b []byte, err error) { got += len(b) }))
	const rounds = 2000
	send := make(chan int)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for delay := range send {
			for start := time.Now(); time.Since(start) < time.Duration(delay); {
			}
			syscall.Write(fds[1], []byte("x"))
		}
	}()
	for i := range rounds {
		send <- i % 50 * 400 // up to 20 us, so that some come while the gate is opened
		for range busyTurns + 1 {
			require.NoError(t, l.Poll(0))
		}
		for start := time.Now(); got <= i; {
			require.Less(t, time.Since(start), 10*time.Second, "an event was lost in round %d", i)
			require.NoError(t, l.Poll(11*time.Second))
		}
	}
	close(send)
	<-stopped
	require.NoError(t, l.Shutdown(t.Context()))
}
