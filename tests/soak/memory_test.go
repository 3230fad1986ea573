//go:build unix && !race && !asan

package soak_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// What an idle connection may cost in Go's heap and stacks. libuv's own memory, some 300
// bytes, comes on top. A stream has a task, whose stack is 2 KiB as long as the handler's
// frames are usual ones, also while the task stands in for the loop; one of 4 KiB would
// miss the limit.
const (
	idleProtocolBytesMax = 400
	idleStreamBytesMax   = 4200
)

// memoryInUse is Go's heap and stacks after a collection.
func memoryInUse() int64 {
	runtime.GC()
	runtime.GC() // the first one queues finalizers and frees pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// idleConnections opens n connections to s that cost no memory of Go's at this end. Each
// sends one byte and reads nothing.
func idleConnections(t *testing.T, s *asyncio.Server, n int) []int {
	t.Helper()
	to := &syscall.SockaddrInet4{Port: s.Addrs()[0].(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	fds := make([]int, n)
	t.Cleanup(func() {
		for _, fd := range fds {
			require.NoError(t, syscall.Close(fd))
		}
	})
	for i := range fds {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		require.NoError(t, err)
		fds[i] = fd
		require.NoError(t, syscall.Connect(fd, to))
		sendByte(t, fd)
	}
	return fds
}

func sendByte(t *testing.T, fd int) {
	_, err := syscall.Write(fd, []byte{'x'})
	require.NoError(t, err)
}

// echoBytes is the loop of a handler that has a function for it, as handlers do: a stack
// of 2 KiB has room for that.
func echoBytes(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter, echoed func()) error {
	b := make([]byte, 16)
	for {
		n, err := r.Read(ctx, b)
		if err != nil {
			return err
		}
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
		echoed()
	}
}

// countedEchoes tells of each echo.
type countedEchoes struct {
	testkit.Echoes
	served func()
}

func (e *countedEchoes) DataReceived(b []byte) {
	e.Echoes.DataReceived(b)
	e.served()
}

func TestIdleConnectionMemory(t *testing.T) {
	if asyncio.LibuvVersion() == "" {
		t.Skip("the pure-Go driver has a goroutine for every connection")
	}
	const connections = 400
	measure := func(t *testing.T, max int64, serve func(ctx context.Context, served func()) (*asyncio.Server, error)) {
		// Debug mode keeps where tasks were made.
		l := asynciotest.New(t, asyncio.WithDriver(asyncio.Libuv), asyncio.WithDebug(false))
		asynciotest.InTask(t, l, func(ctx context.Context) {
			var all *asyncio.Future[int] // of those that are to be served
			left := 0
			s, err := serve(ctx, func() {
				if left--; left == 0 {
					require.NoError(t, all.SetResult(0))
				}
			})
			require.NoError(t, err)
			serving := func(n int, cause func()) {
				left, all = n, asyncio.NewFuture[int](l)
				cause()
				_, err := all.Await(ctx)
				require.NoError(t, err)
				asynciotest.Yield(t, ctx, 3)
			}
			var fds []int
			open := func() { serving(connections, func() { fds = idleConnections(t, s, connections) }) }
			open() // so that tables and pools have grown
			before := memoryInUse()
			open()
			// Two in one turn: the first to wait again stands in for the loop, the other
			// is above it.
			for i := 1; i < connections; i++ {
				serving(2, func() { sendByte(t, fds[i-1]); sendByte(t, fds[i]) })
			}
			each := (memoryInUse() - before) / connections
			t.Logf("%d bytes a connection", each)
			assert.LessOrEqual(t, each, max)
			s.Close()
			s.AbortClients()
			require.NoError(t, s.WaitClosed(ctx))
		})
	}
	t.Run("Protocol", func(t *testing.T) {
		measure(t, idleProtocolBytesMax, func(ctx context.Context, served func()) (*asyncio.Server, error) {
			return testkit.LoopOf(ctx).CreateServer(ctx, func() asyncio.Protocol { return &countedEchoes{served: served} }, "tcp", "127.0.0.1:0", asyncio.WithBacklog(connections))
		})
	})
	t.Run("task with stream", func(t *testing.T) {
		measure(t, idleStreamBytesMax, func(ctx context.Context, served func()) (*asyncio.Server, error) {
			return asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				defer w.Close()
				require.ErrorIs(t, echoBytes(ctx, r, w, func() { served() }), io.EOF)
				return nil
			}, "tcp", "127.0.0.1:0", asyncio.WithBacklog(connections))
		})
	})
}
