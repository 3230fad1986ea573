//go:build cgo

package uv

// What a handler may do while it is asked whether it reads bulk itself.

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// bulkHandler is a PullHandler made of functions.
type bulkHandler struct {
	readable func() bool
	read     func(b []byte)
}

func (h *bulkHandler) OnRead(b []byte, _ error) { h.read(b) }
func (h *bulkHandler) OnWritten(int, error)     {}
func (h *bulkHandler) OnClosed()                {}
func (h *bulkHandler) OnReadable() bool         { return h.readable() }

// bulkPair is a pipe that reads bulk, whose handler is asked first, and its peer.
func bulkPair(t *testing.T, l *Loop, h *bulkHandler) (p *Pipe, peer *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	p, err = l.NewPipe()
	require.NoError(t, err)
	require.NoError(t, p.OpenFD(uintptr(fds[0])))
	peer = os.NewFile(uintptr(fds[1]), "peer")
	t.Cleanup(func() { peer.Close() })
	asked := false
	readable, read := h.readable, h.read
	h.read = func([]byte) {}
	h.readable = func() bool { asked = true; return false }
	p.SetHandler(h)
	require.NoError(t, p.ReadStart(nil))
	for start := time.Now(); !asked; {
		require.Less(t, time.Since(start), patience, "the stream does not become one that brings much")
		_, err := peer.Write(make([]byte, 60000))
		require.NoError(t, err)
		_, err = l.Run(RunOnce)
		require.NoError(t, err)
	}
	h.readable, h.read = readable, read
	return p, peer
}

func newBulkLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := NewLoop()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Shutdown(context.Background())) })
	return l
}

func TestPullEndsWithReading(t *testing.T) {
	for name, end := range map[string]func(*Pipe){
		"closed": func(p *Pipe) {
			p.Close()
			// This takes the number over.
			fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			_, err = syscall.Write(fds[0], make([]byte, 60000))
			require.NoError(t, err)
			_, err = syscall.Write(fds[1], make([]byte, 60000))
			require.NoError(t, err)
			t.Cleanup(func() { syscall.Close(fds[0]); syscall.Close(fds[1]) })
		},
		"stopped": func(p *Pipe) { require.NoError(t, p.ReadStop()) },
	} {
		t.Run(name, func(t *testing.T) {
			var p *Pipe
			asked := false
			h := &bulkHandler{read: func(b []byte) { t.Errorf("%d bytes came after the end", len(b)) }}
			h.readable = func() bool { asked = true; end(p); return false }
			l := newBulkLoop(t)
			p, peer := bulkPair(t, l, h)
			_, err := peer.Write(make([]byte, 60000))
			require.NoError(t, err)
			for start := time.Now(); !asked; {
				require.Less(t, time.Since(start), patience)
				require.NoError(t, l.Poll(time.Millisecond))
			}
			require.NoError(t, l.Poll(0))
		})
	}
}

// While a stream's handler is asked, its Pull may read before the records that wait. Not
// after it has panicked.
func TestPullAfterPanic(t *testing.T) {
	l := newBulkLoop(t)
	var p *Pipe
	h := &bulkHandler{read: func([]byte) {}}
	h.readable = func() bool { panic("in OnReadable") }
	p, peer := bulkPair(t, l, h)
	_, err := peer.Write(make([]byte, 60000))
	require.NoError(t, err)
	require.PanicsWithValue(t, "in OnReadable", func() {
		for start := time.Now(); time.Since(start) < patience; {
			_ = l.Poll(time.Millisecond)
		}
	})
	h.readable = func() bool { return false }
	require.NoError(t, l.Poll(0))
	require.Nil(t, l.readable)
	p.Close()
}
