package interop_test

// Other programs at the other end of streams, each way round, over TCP and over Unix
// sockets: CPython's asyncio, package net, socat and netcat. Several connections at once
// carry bytes of every kind, which have to come back as they were.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

const (
	connectionsAtOnce = 4
	bytesEachWay      = 1 << 20
)

// A client that sends its standard input in pieces and ends its half, while it prints
// what comes back. Its arguments are network and address, of TCP the port.
const pythonClient = `
import asyncio, sys

async def main():
    network, address = sys.argv[1:]
    if network == "unix":
        r, w = await asyncio.open_unix_connection(address)
    else:
        r, w = await asyncio.open_connection("127.0.0.1", int(address))
    data = sys.stdin.buffer.read()
    async def send():
        for i in range(0, len(data), 10_000):
            w.write(data[i:i + 10_000])
            await w.drain()
        w.write_eof()
    got, _ = await asyncio.gather(r.read(), send())
    w.close()
    await w.wait_closed()
    sys.stdout.buffer.write(got)

asyncio.run(main())
`

// A server that echoes for as long as it lives.
const pythonServer = `
import asyncio, sys

async def serve(r, w):
    while data := await r.read(10_000):
        w.write(data)
        await w.drain()
    w.close()
    await w.wait_closed()

async def main():
    network, address = sys.argv[1:]
    if network == "unix":
        s = await asyncio.start_unix_server(serve, address)
    else:
        s = await asyncio.start_server(serve, "127.0.0.1", int(address))
    await s.serve_forever()

asyncio.run(main())
`

// program is another program as a client, which sends its standard input and prints what
// comes back, and as a server, which echoes.
type program struct {
	name    string
	tryArgs []string // with which it ends well, where it runs
	client  func(network, address string) []string
	server  func(network, address string) []string // nil: it serves one connection, see below
}

var programs = []program{
	{
		name: "python3", tryArgs: []string{"-c", "import asyncio"},
		client: func(network, address string) []string { return []string{"-c", pythonClient, network, address} },
		server: func(network, address string) []string { return []string{"-c", pythonServer, network, address} },
	},
	{
		name: "socat", tryArgs: []string{"-V"},
		client: func(network, address string) []string {
			to := map[string]string{"tcp": "TCP:127.0.0.1:", "unix": "UNIX-CONNECT:"}[network]
			return []string{"-t", "60", "-", to + address}
		},
		server: func(network, address string) []string {
			at := map[string]string{"tcp": "TCP-LISTEN:" + address + ",bind=127.0.0.1", "unix": "UNIX-LISTEN:" + address}[network]
			return []string{"-t", "60", at + ",fork", "EXEC:cat"}
		},
	},
	{
		name: "nc", tryArgs: []string{"-N", "-h"}, // OpenBSD's: others have no -N
		client: func(network, address string) []string {
			if network == "unix" {
				return []string{"-N", "-U", address}
			}
			return []string{"-N", "127.0.0.1", address}
		},
	},
}

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

// eachNetwork runs test in a task on each driver, for TCP and for Unix. The address is
// what programs are given: a port on which nobody listens, or a path.
func eachNetwork(t *testing.T, test func(t *testing.T, ctx context.Context, network, address string)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(network, func(t *testing.T) {
				address := strconv.Itoa(testkit.UnusedPort(t))
				if network == "unix" {
					address = filepath.Join(t.TempDir(), "s")
				}
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, network, address) })
				rec.None(t)
			})
		}
	})
}

// dialable is the address as this library and package net take it.
func dialable(network, address string) string {
	if network == "unix" {
		return address
	}
	return net.JoinHostPort("127.0.0.1", address)
}

// randomBytes are those of connection i.
func randomBytes(i int) []byte {
	b := make([]byte, bytesEachWay)
	_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(b)
	return b
}

// atOnce runs body for each connection, all at the same time. The body runs in a task.
func atOnce(t *testing.T, ctx context.Context, body func(ctx context.Context, data []byte) ([]byte, error)) {
	t.Helper()
	var all []asyncio.Awaitable[[]byte]
	for i := range connectionsAtOnce {
		all = append(all, asyncio.Coro[[]byte](func(ctx context.Context) ([]byte, error) { return body(ctx, randomBytes(i)) }))
	}
	got, err := asyncio.Gather(ctx, all...).Await(ctx)
	require.NoError(t, err)
	for i, b := range got {
		require.True(t, bytes.Equal(randomBytes(i), b), "connection %d: %d bytes came back", i, len(b))
	}
}

// echo is a handler that sends everything back.
func echo(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
	defer w.Close()
	for p := make([]byte, 10_000); ; {
		n, err := r.Read(ctx, p)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		if err := w.Drain(ctx); err != nil {
			return err
		}
	}
}

// withEchoes runs body with the address of a server of streams, and again with that of
// one of protocols.
func withEchoes(t *testing.T, ctx context.Context, network, address string, body func(address string)) {
	t.Helper()
	if network == "tcp" {
		address = "0" // whichever is free
	}
	serve := func(s *asyncio.Server, err error) {
		require.NoError(t, err)
		at := testkit.ServerAddr(t, s)
		if network == "tcp" {
			_, at, err = net.SplitHostPort(at)
			require.NoError(t, err)
		}
		body(at)
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	}
	serve(asyncio.StartServer(ctx, echo, network, dialable(network, address)))
	serve(testkit.LoopOf(ctx).CreateServer(ctx, testkit.NewEchoes, network, dialable(network, address)))
}

func TestProgramsAsClients(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			path := installed(t, p.name, p.tryArgs...)
			eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
				withEchoes(t, ctx, network, address, func(address string) {
					atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
						return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
							cmd := exec.Command(path, p.client(network, address)...)
							cmd.Stdin = bytes.NewReader(data)
							return cmd.Output()
						})
					})
				})
			})
		})
	}
}

func TestPackageNetAsClient(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		withEchoes(t, ctx, network, address, func(address string) {
			atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
				return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
					c, err := net.Dial(network, dialable(network, address))
					if err != nil {
						return nil, err
					}
					defer c.Close()
					sent := make(chan error, 1)
					go func() {
						_, err := c.Write(data)
						sent <- errors.Join(err, c.(interface{ CloseWrite() error }).CloseWrite())
					}()
					got, err := io.ReadAll(c)
					return got, errors.Join(err, <-sent)
				})
			})
		})
	})
}

// started runs a program until the test ends, and returns when that has ended.
func started(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// connect opens a stream to a program that may not listen yet.
func connect(ctx context.Context, network, address string) (r *asyncio.StreamReader, w *asyncio.StreamWriter, err error) {
	err = asyncio.Timeout(ctx, asynciotest.HangLimit, func(ctx context.Context) error {
		for {
			if r, w, err = asyncio.OpenConnection(ctx, network, dialable(network, address)); err == nil {
				return nil
			}
			if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
	})
	return r, w, err
}

// exchange sends data, ends its half, at once or after the peer has, and returns what
// came until the peer's end.
func exchange(ctx context.Context, network, address string, data []byte, lastly bool) ([]byte, error) {
	r, w, err := connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	sends := testkit.Start(ctx, func(ctx context.Context) error {
		for len(data) > 0 {
			n := min(len(data), 30_000)
			if _, err := w.Write(data[:n]); err != nil {
				return err
			}
			if err := w.Drain(ctx); err != nil {
				return err
			}
			data = data[n:]
		}
		if lastly {
			return nil
		}
		return w.WriteEOF()
	})
	got, err := r.ReadAll(ctx)
	_, sendErr := sends.Await(ctx)
	return got, errors.Join(err, sendErr, w.Close(), w.WaitClosed(ctx))
}

func TestProgramsAsServers(t *testing.T) {
	for _, p := range programs {
		if p.server == nil {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			path := installed(t, p.name, p.tryArgs...)
			eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
				started(t, exec.Command(path, p.server(network, address)...))
				atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
					return exchange(ctx, network, address, data, false)
				})
			})
		})
	}
}

func TestPackageNetAsServer(t *testing.T) {
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		ln, err := net.Listen(network, dialable(network, address))
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				}()
			}
		}()
		atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
			return exchange(ctx, network, address, data, false)
		})
		require.NoError(t, ln.Close())
		<-ended
	})
}

// Netcat serves one connection: it sends its standard input and prints what comes. It is
// gone once the other end has ended its half.
func TestNetcatAsServer(t *testing.T) {
	nc := installed(t, "nc", "-N", "-h")
	eachNetwork(t, func(t *testing.T, ctx context.Context, network, address string) {
		args := []string{"-l", "-N", "127.0.0.1", address}
		if network == "unix" {
			args = []string{"-l", "-N", "-U", address}
		}
		theirs, ours := randomBytes(1), randomBytes(2)
		printed := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
			return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
				cmd := exec.Command(nc, args...)
				cmd.Stdin = bytes.NewReader(theirs)
				return cmd.Output()
			})
		})
		got, err := exchange(ctx, network, address, ours, true)
		require.NoError(t, err)
		require.True(t, bytes.Equal(theirs, got), "%d bytes came", len(got))
		out, err := printed.Await(ctx)
		require.NoError(t, err)
		require.True(t, bytes.Equal(ours, out), "%d bytes were printed", len(out))
	})
}
