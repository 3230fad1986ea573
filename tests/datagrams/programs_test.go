package datagrams_test

// Other programs as peers: CPython's asyncio and uvloop at either end, package net,
// netcat and socat. Every datagram has its number and its bytes, and none may be lost:
// never more are under way than a socket's buffer holds.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

const (
	exchanged = 3000 // datagrams each way
	window    = 16   // of them under way
)

// payload is datagram i. Some are empty but for the number, some as long as a window's
// share of a socket's buffer.
func payload(i int) []byte {
	return append(fmt.Appendf(nil, "%d:", i), bytes.Repeat([]byte{byte('a' + i%26)}, i*37%4000)...)
}

// The same in Python, for both of its ends. An argument names the event loop.
const pythonCommon = `
import asyncio, sys
COUNT, WINDOW = 3000, 16

def payload(i):
    return b"%d:" % i + bytes([97 + i % 26]) * (i * 37 % 4000)

def run(main):
    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(main)
`

// A client that sends every datagram, and wants each back in upper case.
const pythonClient = pythonCommon + `
class Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.next = self.sent = 0
        self.done = asyncio.get_running_loop().create_future()
    def connection_made(self, transport):
        self.transport = transport
        self.send()
    def send(self):
        while self.sent < COUNT and self.sent < self.next + WINDOW:
            self.transport.sendto(payload(self.sent))
            self.sent += 1
    def datagram_received(self, data, addr):
        if data != payload(self.next).upper() and not self.done.done():
            self.done.set_result(f"datagram {self.next} is {data[:20]}")
        self.next += 1
        if self.next == COUNT and not self.done.done():
            self.done.set_result("same")
        self.send()
    def error_received(self, exc):
        if not self.done.done():
            self.done.set_exception(exc)

async def main():
    transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
        Client, remote_addr=("127.0.0.1", int(sys.argv[2])))
    print(await asyncio.wait_for(client.done, 60))
    transport.close()

run(main())
`

// A server that answers in upper case, until it gets the datagram "end".
const pythonServer = pythonCommon + `
class Server(asyncio.DatagramProtocol):
    def __init__(self):
        self.end = asyncio.get_running_loop().create_future()
    def connection_made(self, transport):
        self.transport = transport
    def datagram_received(self, data, addr):
        if data == b"end":
            self.end.set_result(None)
        else:
            self.transport.sendto(data.upper(), addr)

async def main():
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        Server, local_addr=("127.0.0.1", 0))
    print(transport.get_extra_info("sockname")[1], flush=True)
    await server.end
    transport.close()

run(main())
`

// pythons are the event loops of Python, each with an interpreter that has it.
func pythons(t *testing.T) map[string]func(t *testing.T) string {
	t.Helper()
	find := func(module string) func(t *testing.T) string {
		return func(t *testing.T) string {
			t.Helper()
			for _, python := range []string{"python3", "/usr/bin/python3"} {
				if path, err := exec.LookPath(python); err == nil && exec.Command(path, "-c", "import "+module).Run() == nil {
					return path
				}
			}
			t.Skipf("there is no Python with %s", module)
			return ""
		}
	}
	return map[string]func(t *testing.T) string{"asyncio": find("asyncio"), "uvloop": find("uvloop")}
}

// installed is the path of a program; the test is skipped where there is none.
func installed(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: %v", name, err)
	}
	return path
}

// shout answers every datagram in upper case until it is closed, and hears of no error.
func shout(t *testing.T, ctx context.Context, network, addr string) *asyncio.DatagramEndpoint {
	t.Helper()
	e, err := asyncio.OpenDatagram(ctx, network, addr)
	require.NoError(t, err)
	asyncio.CreateTask(ctx, asyncio.Do(func(ctx context.Context) error {
		for {
			data, from, err := e.Receive(ctx)
			if e.Transport().IsClosing() {
				return nil
			}
			if err == nil {
				err = e.SendTo(bytes.ToUpper(data), from)
			}
			if err != nil {
				return err
			}
		}
	}))
	return e
}

// exchange sends every datagram to a server that shouts, and wants each back.
func exchange(t *testing.T, ctx context.Context, e *asyncio.DatagramEndpoint) {
	t.Helper()
	sent := 0
	for i := range exchanged {
		for ; sent < min(exchanged, i+window); sent++ {
			require.NoError(t, e.SendTo(payload(sent), nil))
		}
		data, _, err := e.Receive(ctx)
		require.NoError(t, err)
		require.True(t, bytes.Equal(bytes.ToUpper(payload(i)), data), "datagram %d is %.20q", i, data)
	}
	require.Zero(t, e.Dropped())
}

func closeEndpoint(t *testing.T, ctx context.Context, e *asyncio.DatagramEndpoint) {
	t.Helper()
	require.NoError(t, e.Close())
	require.NoError(t, e.WaitClosed(ctx))
	asynciotest.Yield(t, ctx, 2) // the task that shouts ends
}

func portOf(e *asyncio.DatagramEndpoint) string {
	return fmt.Sprint(e.LocalAddr().(*net.UDPAddr).Port)
}

func TestPeerIsPythonClient(t *testing.T) {
	for name, find := range pythons(t) {
		t.Run(name, func(t *testing.T) {
			python := find(t)
			eachDriver(t, func(t *testing.T, ctx context.Context) {
				e := shout(t, ctx, "udp4", "127.0.0.1:0")
				out, err := asyncio.ToThread(ctx, func(context.Context) ([]byte, error) {
					return exec.Command(python, "-c", pythonClient, name, portOf(e)).CombinedOutput()
				})
				require.NoError(t, err, "%s", out)
				require.Equal(t, "same", strings.TrimSpace(string(out)))
				require.Zero(t, e.Dropped())
				closeEndpoint(t, ctx, e)
			})
		})
	}
}

func TestPeerIsPythonServer(t *testing.T) {
	for name, find := range pythons(t) {
		t.Run(name, func(t *testing.T) {
			python := find(t)
			eachDriver(t, func(t *testing.T, ctx context.Context) {
				cmd := exec.Command(python, "-c", pythonServer, name)
				port := startAndRead(t, ctx, cmd)
				e, err := asyncio.OpenDatagram(ctx, "udp4", "", asyncio.WithRemoteAddr("127.0.0.1:"+port))
				require.NoError(t, err)
				exchange(t, ctx, e)
				require.NoError(t, e.SendTo([]byte("end"), nil))
				_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) { return asyncio.None{}, cmd.Wait() })
				require.NoError(t, err)
				closeEndpoint(t, ctx, e)
			})
		})
	}
}

// startAndRead starts a program and returns the first line that it prints.
func startAndRead(t *testing.T, ctx context.Context, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := asyncio.ToThread(ctx, func(context.Context) (string, error) { return bufio.NewReader(out).ReadString('\n') })
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

func TestPeerIsPackageNet(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			e := shout(t, ctx, network, freeAddr(t, network))
			c := peer(t, network)
			_, err := asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
				return asyncio.None{}, exchangeNet(c, e.LocalAddr(), underWay(network))
			})
			require.NoError(t, err)
			closeEndpoint(t, ctx, e)
		})
	})
	t.Run("server", func(t *testing.T) {
		eachNetwork(t, func(t *testing.T, ctx context.Context, network string) {
			if network == "unixgram" {
				t.Skip("more would be under way than the line of a Unix socket holds")
			}
			c := peer(t, network)
			done := make(chan struct{})
			go func() {
				defer close(done)
				b := make([]byte, 1<<16)
				for {
					n, from, err := c.ReadFrom(b)
					if err != nil {
						return // the end of the test
					}
					_, _ = c.WriteTo(bytes.ToUpper(b[:n]), from)
				}
			}()
			e, err := asyncio.OpenDatagram(ctx, network, freeAddr(t, network), asyncio.WithRemoteAddr(c.LocalAddr().String()))
			require.NoError(t, err)
			exchange(t, ctx, e)
			closeEndpoint(t, ctx, e)
			require.NoError(t, c.Close())
			<-done
		})
	})
}

// underWay is how many datagrams may be under way to a peer.
func underWay(network string) int {
	if network == "unixgram" {
		return 4
	}
	return window
}

// exchangeNet is exchange for a socket of package net.
func exchangeNet(c net.PacketConn, to net.Addr, window int) error {
	b := make([]byte, 1<<16)
	sent := 0
	for i := range exchanged {
		for ; sent < min(exchanged, i+window); sent++ {
			if _, err := c.WriteTo(payload(sent), to); err != nil {
				return err
			}
		}
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return err
		}
		if !bytes.Equal(bytes.ToUpper(payload(i)), b[:n]) || from.String() != to.String() {
			return fmt.Errorf("datagram %d is %.20q from %v", i, b[:n], from)
		}
	}
	return nil
}

// converse sends lines to a program, one at a time, and wants each back in upper case. A
// datagram is what one write of the program's brings.
func converse(t *testing.T, ctx context.Context, cmd *exec.Cmd) {
	t.Helper()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, err = asyncio.ToThread(ctx, func(context.Context) (asyncio.None, error) {
		lines := bufio.NewReader(out)
		for i := range 200 {
			if _, err := fmt.Fprintf(in, "line %d\n", i); err != nil {
				return asyncio.None{}, err
			}
			line, err := lines.ReadString('\n')
			if want := fmt.Sprintf("LINE %d\n", i); err != nil || line != want {
				return asyncio.None{}, fmt.Errorf("%q instead of %q: %w", line, want, err)
			}
		}
		return asyncio.None{}, nil
	})
	require.NoError(t, err)
}

func TestPeerIsNetcat(t *testing.T) {
	nc := installed(t, "nc")
	eachDriver(t, func(t *testing.T, ctx context.Context) {
		e := shout(t, ctx, "udp4", "127.0.0.1:0")
		converse(t, ctx, exec.Command(nc, "-u", "127.0.0.1", portOf(e)))
		closeEndpoint(t, ctx, e)
	})
}

func TestPeerIsSocat(t *testing.T) {
	socat := installed(t, "socat")
	t.Run("client over UDP", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			for network, to := range map[string]string{"udp4": "UDP4:127.0.0.1:", "udp6": "UDP6:[::1]:"} {
				needs(t, network)
				e := shout(t, ctx, network, freeAddr(t, network))
				converse(t, ctx, exec.Command(socat, "-", to+portOf(e)))
				closeEndpoint(t, ctx, e)
			}
		})
	})
	t.Run("client over a Unix socket", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			path := freeAddr(t, "unixgram")
			e := shout(t, ctx, "unixgram", path)
			converse(t, ctx, exec.Command(socat, "-", "UNIX-SENDTO:"+path+",bind="+path+"-client"))
			closeEndpoint(t, ctx, e)
		})
	})
	t.Run("server over a Unix socket", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context) {
			path := freeAddr(t, "unixgram")
			server := path + "-server"
			cmd := exec.Command(socat, "UNIX-RECVFROM:"+server+",fork", "EXEC:cat")
			require.NoError(t, cmd.Start())
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			var e *asyncio.DatagramEndpoint
			require.NoError(t, asynciotest.Until(ctx, func() bool { // it listens in its own time
				var err error
				e, err = asyncio.OpenDatagram(ctx, "unixgram", path, asyncio.WithRemoteAddr(server))
				return err == nil
			}))
			for i := range 20 {
				want := strings.Repeat(fmt.Sprint(i), 1000)
				require.NoError(t, e.SendTo([]byte(want), nil))
				data, _, err := e.Receive(ctx)
				require.NoError(t, err)
				require.Equal(t, want, string(data))
			}
			closeEndpoint(t, ctx, e)
		})
	})
}
