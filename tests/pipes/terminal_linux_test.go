package pipes_test

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/internal/terminal"
)

// openTerminal is the two sides of one that passes on what it gets, by the line.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, slave, err := terminal.OpenPlain(true)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	own(t, master, slave)
	return master, slave
}

func TestTerminal(t *testing.T) {
	t.Run("read", func(t *testing.T) {
		inTask(t, func(t *testing.T, ctx context.Context, _ *asyncio.Loop) {
			master, slave := openTerminal(t)
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
			master, slave := openTerminal(t)
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
			master, slave := openTerminal(t)
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
