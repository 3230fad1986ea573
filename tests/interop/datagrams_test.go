package interop_test

// Other programs at the other end of datagrams, each way round, over UDP and over Unix
// sockets.

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
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

// Datagrams of these sizes go to and fro; 65,507 bytes are the most that UDP carries.
var datagramSizes = []int{0, 1, 100, 1472, 1473, 9000, 65_507}

// pythonDatagramSizes are without the empty one, which older versions do not send.
var pythonDatagramSizes = datagramSizes[1:]

// A client that sends datagrams of the sizes that it is given, each when the one before
// has come back.
const pythonDatagramClient = `
import asyncio, sys

class Client(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.got = asyncio.Queue()
    def datagram_received(self, data, addr):
        self.got.put_nowait(data)

async def main():
    port, sizes = int(sys.argv[1]), [int(n) for n in sys.argv[2:]]
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(Client, remote_addr=("127.0.0.1", port))
    for n in sizes:
        data = bytes(i * i % 251 for i in range(n))
        transport.sendto(data)
        print("same" if await client.got.get() == data else "another", end=" ")
    transport.close()

asyncio.run(main())
`

const pythonDatagramServer = `
import asyncio, sys

class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, addr):
        self.transport.sendto(data, addr)

async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Echo, local_addr=("127.0.0.1", int(sys.argv[1])))
    await asyncio.Event().wait()

asyncio.run(main())
`

// eachDatagramNetwork is eachNetwork for datagrams.
func eachDatagramNetwork(t *testing.T, test func(t *testing.T, ctx context.Context, network string)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, network := range []string{"udp", "unixgram"} {
			t.Run(network, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) { test(t, ctx, network) })
				rec.None(t)
			})
		}
	})
}

// anyAddress is one to bind an endpoint to.
func anyAddress(t *testing.T, network string) string {
	if network == "unixgram" {
		return filepath.Join(t.TempDir(), "s")
	}
	return "127.0.0.1:0"
}

// withDatagramEcho runs body while an endpoint sends back what comes.
func withDatagramEcho(t *testing.T, ctx context.Context, network string, body func(at net.Addr)) {
	t.Helper()
	e, err := asyncio.OpenDatagram(ctx, network, anyAddress(t, network))
	require.NoError(t, err)
	echoes := testkit.Start(ctx, func(ctx context.Context) error {
		for {
			data, from, err := e.Receive(ctx)
			if err != nil {
				return err
			}
			if err := e.SendTo(data, from); err != nil {
				return err
			}
			if err := e.Drain(ctx); err != nil {
				return err
			}
		}
	})
	body(e.LocalAddr())
	require.NoError(t, e.Close())
	require.NoError(t, e.WaitClosed(ctx))
	_, err = echoes.Await(ctx)
	require.ErrorIs(t, err, net.ErrClosed)
}

func portOf(addr net.Addr) string { return strconv.Itoa(addr.(*net.UDPAddr).Port) }

func TestDatagramsOfPythonAsClient(t *testing.T) {
	python := installed(t, "python3", "-c", "import asyncio")
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			withDatagramEcho(t, ctx, "udp", func(at net.Addr) {
				args := []string{"-c", pythonDatagramClient, portOf(at)}
				for _, n := range pythonDatagramSizes {
					args = append(args, strconv.Itoa(n))
				}
				out, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) { return exec.Command(python, args...).CombinedOutput() })
				require.NoError(t, err, "%s", out)
				require.Equal(t, string(bytes.Repeat([]byte("same "), len(pythonDatagramSizes))), string(out))
			})
		})
	})
}

// Netcat sends its standard input in one datagram, and ends with the first that comes.
func TestDatagramsOfNetcatAsClient(t *testing.T) {
	nc := installed(t, "nc", "-N", "-h")
	eachDatagramNetwork(t, func(t *testing.T, ctx context.Context, network string) {
		withDatagramEcho(t, ctx, network, func(at net.Addr) {
			args := []string{"-u", "-W", "1", "-U", at.String()}
			if network == "udp" {
				args = []string{"-u", "-W", "1", "127.0.0.1", portOf(at)}
			}
			out, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
				cmd := exec.Command(nc, args...)
				cmd.Stdin = bytes.NewReader(randomBytes(1)[:1000])
				return cmd.Output()
			})
			require.NoError(t, err)
			require.Equal(t, randomBytes(1)[:1000], out)
		})
	})
}

func TestDatagramsOfPackageNetAsClient(t *testing.T) {
	eachDatagramNetwork(t, func(t *testing.T, ctx context.Context, network string) {
		withDatagramEcho(t, ctx, network, func(at net.Addr) {
			local := &net.UnixAddr{Net: "unixgram", Name: anyAddress(t, network)}
			_, err := asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
				var c net.Conn
				var err error
				if network == "udp" {
					c, err = net.Dial("udp", at.String())
				} else {
					c, err = net.DialUnix(network, local, at.(*net.UnixAddr))
				}
				if err != nil {
					return asyncio.None{}, err
				}
				defer c.Close()
				p := make([]byte, 1<<16)
				for _, size := range datagramSizes {
					if _, err := c.Write(randomBytes(1)[:size]); err != nil {
						return asyncio.None{}, err
					}
					n, err := c.Read(p)
					if err != nil {
						return asyncio.None{}, err
					}
					if !bytes.Equal(randomBytes(1)[:size], p[:n]) {
						return asyncio.None{}, errors.New("another datagram came back")
					}
				}
				return asyncio.None{}, nil
			})
			require.NoError(t, err)
		})
	})
}

// asks sends datagrams to a program that may not listen yet, each when the one before has
// come back.
func asks(t *testing.T, ctx context.Context, network string, to net.Addr, sizes []int) {
	t.Helper()
	var opts []asyncio.DatagramOption
	if network == "udp" { // connected, it hears that nobody is there
		opts, to = []asyncio.DatagramOption{asyncio.WithRemoteAddr(to.String())}, nil
	}
	e, err := asyncio.OpenDatagram(ctx, network, anyAddress(t, network), opts...)
	require.NoError(t, err)
	for _, size := range sizes {
		want := randomBytes(size)[:size]
		require.NoError(t, asyncio.Timeout(ctx, asynciotest.HangLimit, func(ctx context.Context) error {
			for {
				if err := e.SendTo(want, to); err != nil {
					return err
				}
				got, _, err := e.Receive(ctx)
				if err == nil {
					require.True(t, bytes.Equal(want, got), "%d bytes came back for %d", len(got), size)
					return nil
				}
				if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
				if err := asyncio.Sleep(ctx, time.Millisecond); err != nil {
					return err
				}
			}
		}))
	}
	require.NoError(t, e.Close())
	require.NoError(t, e.WaitClosed(ctx))
}

func TestDatagramsOfPythonAsServer(t *testing.T) {
	python := installed(t, "python3", "-c", "import asyncio")
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		asynciotest.InTask(t, asynciotest.New(t, opts...), func(ctx context.Context) {
			to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: testkit.UnusedPort(t)}
			started(t, exec.Command(python, "-c", pythonDatagramServer, portOf(to)))
			asks(t, ctx, "udp", to, pythonDatagramSizes)
		})
	})
}

// Socat starts a program for each datagram, which reads it from its standard input.
func TestDatagramsOfSocatAsServer(t *testing.T) {
	socat := installed(t, "socat", "-V")
	eachDatagramNetwork(t, func(t *testing.T, ctx context.Context, network string) {
		var to net.Addr = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: testkit.UnusedPort(t)}
		at := ""
		if network == "udp" {
			at = "UDP-RECVFROM:" + portOf(to) + ",bind=127.0.0.1"
		} else {
			to = &net.UnixAddr{Net: network, Name: anyAddress(t, network)}
			at = "UNIX-RECVFROM:" + to.String()
		}
		started(t, exec.Command(socat, at+",fork", "EXEC:cat"))
		asks(t, ctx, network, to, []int{1, 100, 1472, 8000})
	})
}

func TestDatagramsOfPackageNetAsServer(t *testing.T) {
	eachDatagramNetwork(t, func(t *testing.T, ctx context.Context, network string) {
		c, err := net.ListenPacket(network, anyAddress(t, network))
		require.NoError(t, err)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for p := make([]byte, 1<<16); ; {
				n, from, err := c.ReadFrom(p)
				if err != nil {
					return
				}
				_, _ = c.WriteTo(p[:n], from)
			}
		}()
		asks(t, ctx, network, c.LocalAddr(), datagramSizes)
		require.NoError(t, c.Close())
		<-ended
	})
}
