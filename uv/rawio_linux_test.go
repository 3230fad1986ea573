//go:build cgo && !386 && !s390x

package uv

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A system call that waits, and that the runtime does not hear of, would hold up the
// whole process.
func TestRawIONeverWaits(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0) // both ends block
	require.NoError(t, err)
	defer syscall.Close(fds[0])
	defer syscall.Close(fds[1])
	require.True(t, rawIO(fds[0]))
	require.Equal(t, int(EAGAIN), rawRead(fds[0], make([]byte, 1)))
	n := 0
	for n >= 0 {
		n = rawWrite(fds[0], make([]byte, 1<<20))
	}
	require.Equal(t, int(EAGAIN), n)
	require.Positive(t, rawRead(fds[1], make([]byte, 1<<20)))
}

func TestRawIOIsForSockets(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	require.False(t, rawIO(int(r.Fd())))
	require.False(t, rawIO(int(w.Fd())))
}
