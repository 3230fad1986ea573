package interop_test

// Other programs as peers: CPython's asyncio at either end, and netcat.

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A client that sends a megabyte in pieces, ends its half, and wants it all back in upper
// case.
const pythonClient = `
import asyncio, sys

async def main():
    r, w = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    data = bytes(97 + i * i % 26 for i in range(1 << 20))
    async def send():
        for i in range(0, len(data), 10_000):
            w.write(data[i:i + 10_000])
            await w.drain()
        w.write_eof()
    got, _ = await asyncio.gather(r.read(), send())
    w.close()
    await w.wait_closed()
    print("same" if got == data.upper() else f"{len(got)} bytes")

asyncio.run(main())
`

// A server that answers one connection in upper case.
const pythonServer = `
import asyncio

async def main():
    served = asyncio.Event()
    async def serve(r, w):
        while data := await r.read(10_000):
            w.write(data.upper())
            await w.drain()
        w.close()
        await w.wait_closed()
        served.set()
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as s:
        print(s.sockets[0].getsockname()[1], flush=True)
        await served.wait()

asyncio.run(main())
`

// installed is the path of a program; the test is skipped where there is none that runs.
func installed(t *testing.T, name string, tryArgs ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil && tryArgs != nil {
		err = exec.Command(path, tryArgs...).Run()
	}
	if err != nil {
		t.Skipf("%s is not installed: %v", name, err)
	}
	return path
}

func TestPeerIsPythonClient(t *testing.T) {
	python := installed(t, "python3", "-c", "import asyncio")
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := asyncio.StartServer(ctx, testkit.Shout, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			_, port, err := net.SplitHostPort(testkit.ServerAddr(t, s))
			require.NoError(t, err)
			out, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
				return exec.Command(python, "-c", pythonClient, port).CombinedOutput()
			})
			require.NoError(t, err, "%s", out)
			require.Equal(t, "same", strings.TrimSpace(string(out)))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
		rec.None(t)
	})
}

func TestPeerIsPythonServer(t *testing.T) {
	python := installed(t, "python3", "-c", "import asyncio")
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			cmd := exec.Command(python, "-c", pythonServer)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { _ = cmd.Process.Kill() })
			port, err := asyncio.ToThread(ctx, func(context.Context) (string, error) { return bufio.NewReader(out).ReadString('\n') })
			require.NoError(t, err)

			r, w, err := asyncio.OpenConnection(ctx, "tcp", "127.0.0.1:"+strings.TrimSpace(port))
			require.NoError(t, err)
			data := bytes.Repeat([]byte("shout it out loud\n"), 50_000)
			sends := testkit.Start(ctx, func(ctx context.Context) error {
				for piece := range slices.Chunk(data, 30_000) {
					if _, err := w.Write(piece); err != nil {
						return err
					}
					if err := w.Drain(ctx); err != nil {
						return err
					}
				}
				return w.WriteEOF()
			})
			got, err := r.ReadAll(ctx)
			require.NoError(t, err)
			require.True(t, bytes.Equal(bytes.ToUpper(data), got), "%d bytes", len(got))
			_, err = sends.Await(ctx)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) { return asyncio.None{}, cmd.Wait() })
			require.NoError(t, err)
		})
	})
}

func TestPeerIsNetcat(t *testing.T) {
	nc := installed(t, "nc")
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				defer w.Close()
				line, err := r.ReadLine(ctx)
				if err != nil {
					return err
				}
				_, err = w.Write(append([]byte("you said: "), line...))
				return err
			}, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			host, port, err := net.SplitHostPort(testkit.ServerAddr(t, s))
			require.NoError(t, err)
			out, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
				cmd := exec.Command(nc, host, port)
				cmd.Stdin = strings.NewReader("hello from nc\n")
				return cmd.CombinedOutput()
			})
			require.NoError(t, err, "%s", out)
			require.Equal(t, "you said: hello from nc\n", string(out))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
		rec.None(t)
	})
}
