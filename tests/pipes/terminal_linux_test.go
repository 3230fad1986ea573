package pipes_test

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
)

// terminal is the two sides of one that passes on what it gets, without an echo.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	ioctl := func(f *os.File, call uintptr, p unsafe.Pointer) {
		raw, err := f.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, fd, call, uintptr(p))
			require.Zero(t, errno)
		}))
	}
	var number, lock int32
	ioctl(master, syscall.TIOCGPTN, unsafe.Pointer(&number))
	ioctl(master, syscall.TIOCSPTLCK, unsafe.Pointer(&lock))
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	var mode syscall.Termios
	ioctl(slave, syscall.TCGETS, unsafe.Pointer(&mode))
	mode.Lflag &^= syscall.ECHO
	mode.Oflag &^= syscall.OPOST
	ioctl(slave, syscall.TCSETS, unsafe.Pointer(&mode))
	own(t, master, slave)
	return master, slave
}

func TestTerminal(t *testing.T) {
	t.Run("read", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
			master, slave := terminal(t)
			in := reads(t, ctx, master)
			for _, s := range []string{"1", "2345"} {
				_, err := slave.WriteString(s)
				require.NoError(t, err)
				in.Receive(t, ctx, len(in.Received)+len(s))
			}
			require.NoError(t, slave.Close())
			require.ErrorIs(t, in.End(t, ctx), syscall.EIO, "as the system tells of the end")
			require.Equal(t, "12345", string(in.Received))
			require.Same(t, master, in.Transport.ExtraInfo("pipe"))
		})
	})
	t.Run("write", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
			master, slave := terminal(t)
			out := writes(t, ctx, slave)
			for _, s := range []string{"1", "2345"} {
				_, err := out.Transport.Write([]byte(s))
				require.NoError(t, err)
				require.Zero(t, out.Transport.WriteBufferSize())
				b := make([]byte, 100)
				n, err := master.Read(b)
				require.NoError(t, err)
				require.Equal(t, s, string(b[:n]))
			}
			require.NoError(t, master.Close())
			require.NoError(t, out.End(t, ctx))
		})
	})
	t.Run("both ways", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
			master, slave := terminal(t)
			var raw *os.File
			conn, err := slave.SyscallConn()
			require.NoError(t, err)
			require.NoError(t, conn.Control(func(fd uintptr) {
				dup, err := syscall.Dup(int(fd))
				require.NoError(t, err)
				raw = os.NewFile(uintptr(dup), "slave")
			}))
			in, out := reads(t, ctx, slave), writes(t, ctx, raw)
			for _, s := range []string{"1\n", "2345\n"} {
				_, err := master.WriteString(s) // by the line
				require.NoError(t, err)
				in.Receive(t, ctx, len(in.Received)+len(s))
				_, err = out.Transport.Write([]byte(s))
				require.NoError(t, err)
				require.Zero(t, out.Transport.WriteBufferSize())
				b := make([]byte, 100)
				n, err := master.Read(b)
				require.NoError(t, err)
				require.Equal(t, s, string(b[:n]))
			}
			require.Equal(t, "1\n2345\n", string(in.Received))
			in.Transport.Close()
			out.Transport.Close()
			require.NoError(t, in.End(t, ctx))
			require.NoError(t, out.End(t, ctx))
		})
	})
}
