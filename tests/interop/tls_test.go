package interop_test

// Other programs at the other end of TLS, each way round: Python's ssl and asyncio,
// openssl, Go's crypto/tls. Several connections at once carry bytes of every kind, which
// have to come back as they were.

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// A client that sends its standard input while it reads as much, and prints that. Its
// arguments are the port, and a file with who is trusted.
const pythonTLSClient = `
import asyncio, ssl, sys

async def main():
    port, authority = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    r, w = await asyncio.open_connection("localhost", int(port), ssl=context)
    data = sys.stdin.buffer.read()
    async def send():
        for i in range(0, len(data), 10_000):
            w.write(data[i:i + 10_000])
            await w.drain()
    got, _ = await asyncio.gather(r.readexactly(len(data)), send())
    w.close()
    await w.wait_closed()
    sys.stdout.buffer.write(got)

asyncio.run(main())
`

// The same with the module ssl alone.
const pythonSSLClient = `
import socket, ssl, sys, threading

port, authority = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
with context.wrap_socket(socket.create_connection(("localhost", int(port))), server_hostname="localhost") as s:
    data = sys.stdin.buffer.read()
    got = b""
    for i in range(0, len(data), 10_000):
        s.sendall(data[i:i + 10_000])
        while len(got) < min(i + 10_000, len(data)):
            got += s.recv(100_000)
    s.unwrap()
sys.stdout.buffer.write(got)
`

// A server that echoes for as long as it lives. Its arguments are the port, a certificate
// and its key.
const pythonTLSServer = `
import asyncio, ssl, sys

async def serve(r, w):
    while data := await r.read(10_000):
        w.write(data)
        await w.drain()
    w.close()

async def main():
    port, cert, key = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    s = await asyncio.start_server(serve, "127.0.0.1", int(port), ssl=context)
    await s.serve_forever()

asyncio.run(main())
`

// eachTLS runs test in a task on each driver.
func eachTLS(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx) })
		rec.None(t)
	})
}

// withTLSEchoes runs body with the port of a server of streams, and again with that of
// one of protocols.
func withTLSEchoes(t *testing.T, ctx context.Context, body func(port string)) {
	t.Helper()
	secured := asyncio.WithTLS(testkit.Certs().ServerConfig())
	serve := func(s *asyncio.Server, err error) {
		require.NoError(t, err)
		_, port, err := net.SplitHostPort(testkit.ServerAddr(t, s))
		require.NoError(t, err)
		body(port)
		s.Close()
		require.NoError(t, s.WaitClosed(ctx))
	}
	serve(asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", secured))
	serve(testkit.LoopOf(ctx).CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0", secured))
}

func TestTLSClients(t *testing.T) {
	for name, program := range map[string]string{"Python's asyncio": pythonTLSClient, "Python's ssl": pythonSSLClient} {
		t.Run(name, func(t *testing.T) {
			path := installed(t, "python3", "-c", "import asyncio, ssl")
			authority := testkit.Certs().Files(t).Authority
			eachTLS(t, func(t *testing.T, ctx context.Context) {
				withTLSEchoes(t, ctx, func(port string) {
					atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
						return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
							cmd := exec.Command(path, "-c", program, port, authority)
							cmd.Stdin = bytes.NewReader(data)
							return output(cmd)
						})
					})
				})
			})
		})
	}
	t.Run("openssl", func(t *testing.T) {
		path := installed(t, "openssl", "version")
		files := testkit.Certs().Files(t)
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			eachTLS(t, func(t *testing.T, ctx context.Context) {
				server := testkit.Certs().MutualServerConfig()
				s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
					defer w.Close()
					b, err := r.ReadExactly(ctx, bytesEachWay)
					if err != nil {
						return err
					}
					_, err = w.Write(b)
					return err
				}, "tcp", "127.0.0.1:0", asyncio.WithTLS(server))
				require.NoError(t, err)
				atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
					return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
						cmd := exec.Command(path, "s_client", "-quiet", version, "-connect", testkit.ServerAddr(t, s), "-CAfile", files.Authority,
							"-cert", files.ClientCert, "-key", files.ClientKey, "-verify_return_error", "-verify_hostname", "localhost")
						cmd.Stdin = bytes.NewReader(data)
						return output(cmd)
					})
				})
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))
			})
		}
	})
	t.Run("crypto tls", func(t *testing.T) {
		eachTLS(t, func(t *testing.T, ctx context.Context) {
			withTLSEchoes(t, ctx, func(port string) {
				atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) {
					return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
						c, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", port), testkit.Certs().ClientConfig())
						if err != nil {
							return nil, err
						}
						sent := make(chan error, 1)
						go func() {
							_, err := c.Write(data)
							sent <- err
						}()
						got := make([]byte, len(data))
						_, err = io.ReadFull(c, got)
						return got, errors.Join(err, <-sent, c.Close())
					})
				})
			})
		})
	})
}

// output is what a command prints; an error has what it complains of.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errors.Join(err, errors.New(string(exit.Stderr)))
	}
	return out, err
}

// connectTLS opens a stream to a program that may not listen yet.
func connectTLS(ctx context.Context, port string) (r *asyncio.StreamReader, w *asyncio.StreamWriter, err error) {
	for {
		r, w, err = asyncio.OpenConnection(ctx, "tcp", net.JoinHostPort("127.0.0.1", port), asyncio.WithTLS(testkit.Certs().ClientConfig()))
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return r, w, err
		}
		if err := asyncio.Sleep(ctx, 5*time.Millisecond); err != nil {
			return nil, nil, err
		}
	}
}

func TestTLSServers(t *testing.T) {
	exchange := func(ctx context.Context, port string, data []byte) ([]byte, error) {
		r, w, err := connectTLS(ctx, port)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		got, err := r.ReadExactly(ctx, len(data))
		return got, errors.Join(err, w.Close(), w.WaitClosed(ctx))
	}
	t.Run("Python's asyncio", func(t *testing.T) {
		path := installed(t, "python3", "-c", "import asyncio, ssl")
		files := testkit.Certs().Files(t)
		eachTLS(t, func(t *testing.T, ctx context.Context) {
			port := strconv.Itoa(testkit.UnusedPort(t))
			started(t, exec.Command(path, "-c", pythonTLSServer, port, files.ServerCert, files.ServerKey))
			atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) { return exchange(ctx, port, data) })
		})
	})
	t.Run("openssl", func(t *testing.T) {
		path := installed(t, "openssl", "version")
		files := testkit.Certs().Files(t)
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			eachTLS(t, func(t *testing.T, ctx context.Context) {
				port := strconv.Itoa(testkit.UnusedPort(t))
				started(t, exec.Command(path, "s_server", "-quiet", "-rev", version, "-accept", "127.0.0.1:"+port, "-cert", files.ServerCert, "-key", files.ServerKey))
				r, w, err := connectTLS(ctx, port)
				require.NoError(t, err)
				for range 10 {
					_, err = w.Write([]byte(strings.Repeat("forwards", 100) + "\n"))
					require.NoError(t, err)
					line, err := r.ReadLine(ctx)
					require.NoError(t, err)
					require.Equal(t, strings.Repeat("sdrawrof", 100)+"\n", string(line))
				}
				w.Close()
				require.NoError(t, w.WaitClosed(ctx))
			})
		}
	})
	t.Run("crypto tls", func(t *testing.T) {
		eachTLS(t, func(t *testing.T, ctx context.Context) {
			ln := tls.NewListener(testkit.ListenNet(t), testkit.Certs().ServerConfig())
			go func() {
				for {
					c, err := ln.Accept()
					if err != nil {
						return
					}
					go func() {
						_, _ = io.Copy(c, c)
						_ = c.Close()
					}()
				}
			}()
			_, port, err := net.SplitHostPort(ln.Addr().String())
			require.NoError(t, err)
			atOnce(t, ctx, func(ctx context.Context, data []byte) ([]byte, error) { return exchange(ctx, port, data) })
		})
	})
}
