package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programsOnce compiles what the tests need, for all of them.
var programsOnce = sync.OnceValues(func() (builder, error) {
	dirs, err := findDirs()
	if err != nil {
		return builder{}, err
	}
	out, err := os.MkdirTemp("", "asyncio-bench-test")
	return builder{dirs: dirs, out: out}, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if b, err := programsOnce(); err == nil {
		os.RemoveAll(b.out)
	}
	os.Exit(code)
}

func newBuilder(t *testing.T) builder {
	t.Helper()
	b, err := programsOnce()
	require.NoError(t, err)
	return b
}

func newClient(t *testing.T) string {
	t.Helper()
	client, err := newBuilder(t).cc("client", "-Werror")
	require.NoError(t, err)
	return client
}

// serve runs handle for every connection to the returned port, until the test ends.
func serve(t *testing.T, handle func(net.Conn)) (port string) {
	t.Helper()
	_, port, err := net.SplitHostPort(serveOn(t, "tcp", "127.0.0.1:0", handle).String())
	require.NoError(t, err)
	return port
}

func serveOn(t *testing.T, network, address string, handle func(net.Conn)) net.Addr {
	t.Helper()
	ln, err := net.Listen(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				handle(conn)
			}()
		}
	}()
	return ln.Addr()
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// measured runs the client for 0.3 s, unless args say otherwise.
func measured(t *testing.T, client, port string, args ...string) sample {
	t.Helper()
	args = append([]string{"-t", "0.3", "-w", "0.05", "-p", strconv.Itoa(os.Getpid())}, args...)
	out, err := runClient(clientGrace, client, "", append(args, "127.0.0.1", port)...)
	require.NoError(t, err)
	var s sample
	require.NoError(t, json.Unmarshal(out, &s))
	require.Positive(t, s.Requests)
	require.InEpsilon(t, float64(s.Requests)/s.Seconds, s.Rate, 0.01)
	require.Positive(t, s.ServerCPU)
	require.Positive(t, s.P50)
	require.LessOrEqual(t, s.P50, s.P99)
	require.LessOrEqual(t, s.P99, s.P999)
	require.LessOrEqual(t, s.P999, s.Max)
	return s
}

func TestClientClosedLoop(t *testing.T) {
	client := newClient(t)
	t.Run("sizes", func(t *testing.T) {
		port := serve(t, echo)
		for _, size := range []string{"1", "1024", "300000"} {
			s := measured(t, client, port, "-s", size, "-c", "5")
			require.GreaterOrEqual(t, s.Seconds, 0.25)
		}
	})
	t.Run("many connections", func(t *testing.T) {
		measured(t, client, serve(t, echo), "-c", "1200", "-s", "64")
	})
	t.Run("as many requests outstanding as asked for", func(t *testing.T) {
		const depth, size = 8, 64
		port := serve(t, func(c net.Conn) {
			for b := make([]byte, depth*size); ; {
				if _, err := io.ReadFull(c, b); err != nil { // would wait for ever for the eighth
					return
				}
				_, _ = c.Write(b)
			}
		})
		measured(t, client, port, "-c", "3", "-s", strconv.Itoa(size), "-d", strconv.Itoa(depth))
	})
	t.Run("answers in pieces", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.CopyBuffer(c, struct{ io.Reader }{c}, make([]byte, 7)) })
		measured(t, client, port, "-c", "2", "-s", "100", "-d", "4")
	})
}

func TestClientOpenLoop(t *testing.T) {
	t.Parallel() // parts of it wait for seconds
	client := newClient(t)
	t.Run("keeps the rate", func(t *testing.T) {
		for _, depth := range []string{"1", "16"} {
			s := measured(t, client, serve(t, echo), "-c", "7", "-r", "2000", "-d", depth)
			require.InEpsilon(t, 2000, s.Rate, 0.2)
		}
	})
	t.Run("counts what a stall delays", func(t *testing.T) {
		const stall = 200 * time.Millisecond
		var once sync.Once
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 1024)
			for n := 0; ; n++ {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				if n == 100 {
					once.Do(func() { time.Sleep(stall) }) // the server is slow once
				}
				_, _ = c.Write(b)
			}
		})
		s := measured(t, client, port, "-c", "1", "-r", "1000", "-w", "0")
		require.InDelta(t, 300, s.Requests, 2, "all that were due are counted")
		require.Greater(t, s.Max, 0.9*float64(stall.Microseconds()))
		require.Greater(t, s.P50, 1000.0, "more than half of the requests were due in the stall or while it was made up for")
	})
	t.Run("a server that cannot keep up", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.CopyN(c, c, 50*1024); _, _ = io.Copy(io.Discard, c) })
		_, err := runClient(clientGrace, client, "", "-c", "1", "-r", "1000", "-t", "0.2", "-w", "0", "127.0.0.1", port)
		require.ErrorContains(t, err, "could not keep up with 1000 requests a second: 150 of 200 are not answered")
	})
}

func TestClientNoticesFailures(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	run := func(port, connections string, args ...string) error {
		args = append(args, "-s", "1000", "-t", "0.3", "-w", "0.05", "-c", connections, "127.0.0.1", port)
		_, err := runClient(clientGrace, client, "", args...)
		return err
	}
	t.Run("a server that closes", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.CopyN(c, c, 100_000) })
		err := run(port, "2")
		require.Error(t, err)
		require.Regexp(t, "closed a connection|reset by peer|Broken pipe", err.Error())
	})
	t.Run("a server that changes a byte", func(t *testing.T) {
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 1000)
			_, _ = io.ReadFull(c, b)
			b[999]++
			_, _ = c.Write(b)
		})
		require.ErrorContains(t, run(port, "1"), "other bytes than it was to")
	})
	t.Run("a server that answers with an old request", func(t *testing.T) {
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 1000)
			for first := []byte(nil); ; {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				if first == nil {
					first = bytes.Clone(b)
				}
				_, _ = c.Write(first)
			}
		})
		require.ErrorContains(t, run(port, "1"), "other bytes than it was to")
	})
	t.Run("a server that swaps pipelined requests", func(t *testing.T) {
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 2000)
			_, _ = io.ReadFull(c, b)
			_, _ = c.Write(append(bytes.Clone(b[1000:]), b[:1000]...))
		})
		require.ErrorContains(t, run(port, "1", "-d", "2"), "other bytes than it was to")
	})
	t.Run("a server that sends too much", func(t *testing.T) {
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 1000)
			_, _ = io.ReadFull(c, b)
			_, _ = c.Write(append(b, 0))
			_, _ = io.Copy(io.Discard, c)
		})
		require.ErrorContains(t, run(port, "1"), "more bytes than it got")
	})
	t.Run("a server that is silent", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		require.ErrorContains(t, run(port, "1"), "the server sent nothing for 5 s")
	})
	t.Run("no server", func(t *testing.T) {
		port, err := freePort("tcp")
		require.NoError(t, err)
		require.ErrorContains(t, run(port, "1"), "connect to 127.0.0.1:"+port)
	})
	t.Run("wrong arguments", func(t *testing.T) {
		require.ErrorContains(t, run("1", "0"), `"0" is not a number of at least 1`)
		require.ErrorContains(t, run("1", "1", "-p", "4194305"), "no process 4194305")
		_, err := runClient(clientGrace, client, "")
		require.ErrorContains(t, err, "usage")
	})
}

func TestClientFreshConnections(t *testing.T) {
	client := newClient(t)
	t.Run("a connection for each request", func(t *testing.T) {
		var accepted atomic.Int64
		s := measured(t, client, serve(t, func(c net.Conn) { accepted.Add(1); echo(c) }), "-x", "-s", "1", "-c", "4")
		require.GreaterOrEqual(t, accepted.Load(), s.Requests)
	})
	t.Run("from many addresses", func(t *testing.T) {
		var mu sync.Mutex
		sources := map[string]bool{}
		measured(t, client, serve(t, func(c net.Conn) {
			host, _, _ := net.SplitHostPort(c.RemoteAddr().String())
			mu.Lock()
			sources[host] = true
			mu.Unlock()
			echo(c)
		}), "-x", "-s", "1", "-c", "4")
		mu.Lock()
		defer mu.Unlock()
		require.Greater(t, len(sources), 1, "so that ports do not run out")
	})
}

func TestClientUnixSocket(t *testing.T) {
	client := newClient(t)
	path := filepath.Join(t.TempDir(), "echo.sock")
	serveOn(t, "unix", path, echo)
	for _, args := range [][]string{{"-c", "3"}, {"-s", "300000", "-c", "2"}, {"-x", "-s", "1"}} {
		args = append([]string{"-t", "0.1", "-w", "0.01"}, args...)
		out, err := runClient(clientGrace, client, "", append(args, path)...)
		require.NoError(t, err)
		var s sample
		require.NoError(t, json.Unmarshal(out, &s))
		require.Positive(t, s.Requests)
	}
	_, err := runClient(clientGrace, client, "", path+".none")
	require.ErrorContains(t, err, "No such file")
	_, err = runClient(clientGrace, client, "", "/"+strings.Repeat("x", 200))
	require.ErrorContains(t, err, "too long")
}

func TestClientDownloads(t *testing.T) {
	client := newClient(t)
	content := make([]byte, 1<<20+5)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	answer := func(content []byte) func(net.Conn) {
		return func(c net.Conn) {
			for b := make([]byte, 1); ; {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				_, _ = c.Write(content)
			}
		}
	}
	measured(t, client, serve(t, answer(content)), "-f", name, "-c", "1")
	measured(t, client, serve(t, answer(content)), "-f", name, "-c", "3")
	fails := func(content []byte, what string) {
		t.Helper()
		port := serve(t, answer(content))
		_, err := runClient(clientGrace, client, "", "-f", name, "-c", "1", "-t", "0.1", "127.0.0.1", port)
		require.ErrorContains(t, err, what)
	}
	fails(content[1:], "other bytes than it was to")
	fails(append(bytes.Clone(content), 0), "more bytes than it was asked for")
	_, err := runClient(clientGrace, client, "", "-f", name+".none", "127.0.0.1", "1")
	require.ErrorContains(t, err, "No such file")
	_, err = runClient(clientGrace, client, "", "-f", name, "-d", "2", "127.0.0.1", "1")
	require.ErrorContains(t, err, "one request at a time")
}

// serveDatagrams answers every datagram with what answer returns, until the test ends.
func serveDatagrams(t *testing.T, answer func(n int, b []byte) []byte) (port string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 64<<10)
		for n := 0; ; n++ {
			got, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if out := answer(n, b[:got]); out != nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	_, port, err = net.SplitHostPort(conn.LocalAddr().String())
	require.NoError(t, err)
	return port
}

func TestClientDatagrams(t *testing.T) {
	t.Parallel() // parts of it wait for seconds
	client := newClient(t)
	same := func(_ int, b []byte) []byte { return b }
	t.Run("sizes", func(t *testing.T) {
		for _, size := range []string{"9", "64", "1400", "60000"} {
			s := measured(t, client, serveDatagrams(t, same), "-u", "-s", size, "-c", "3")
			require.Less(t, s.P50, 50_000.0, "each counts from its own sending")
		}
		measured(t, client, serveDatagrams(t, same), "-u", "-s", "64", "-c", "3", "-d", "8")
	})
	t.Run("lost ones are sent again", func(t *testing.T) {
		s := measured(t, client, serveDatagrams(t, func(n int, b []byte) []byte {
			if n%100 == 99 {
				return nil
			}
			return b
		}), "-u", "-s", "64", "-c", "2", "-w", "0")
		require.Positive(t, s.Resent)
		require.Greater(t, s.Max, 50_000.0, "a latency counts from the first sending")
	})
	t.Run("doubled ones count once", func(t *testing.T) {
		var last []byte
		s := measured(t, client, serveDatagrams(t, func(n int, b []byte) []byte {
			if n%2 == 1 {
				return last // the client has it already, and waits for the other
			}
			last = bytes.Clone(b)
			return b
		}), "-u", "-s", "64", "-c", "1", "-w", "0")
		require.Positive(t, s.Resent)
		require.Less(t, s.Requests, int64(20), "every second one takes 50 ms")
	})
	fails := func(what string, answer func(n int, b []byte) []byte) {
		t.Run(what, func(t *testing.T) {
			port := serveDatagrams(t, answer)
			_, err := runClient(clientGrace, client, "", "-u", "-s", "64", "-c", "2", "-t", "0.2", "127.0.0.1", port)
			require.ErrorContains(t, err, what)
		})
	}
	fails("of another size", func(_ int, b []byte) []byte { return b[1:] })
	fails("other bytes than it was to", func(_ int, b []byte) []byte { b[len(b)-1]++; return b })
	fails("the server sent nothing for 5 s", func(int, []byte) []byte { return nil })
	t.Run("no server", func(t *testing.T) {
		port, err := freePort("udp")
		require.NoError(t, err)
		_, err = runClient(clientGrace, client, "", "-u", "127.0.0.1", port)
		require.ErrorContains(t, err, "refused")
	})
	t.Run("wrong arguments", func(t *testing.T) {
		_, err := runClient(clientGrace, client, "", "-u", "-s", "8", "127.0.0.1", "1")
		require.ErrorContains(t, err, "more than 8 bytes")
		_, err = runClient(clientGrace, client, "", "-u", "-r", "10", "127.0.0.1", "1")
		require.ErrorContains(t, err, "exclude each other")
	})
}

func TestClientHasALimit(t *testing.T) {
	require.Equal(t, 100*time.Second+clientGrace, load{seconds: 90, warmup: 10}.limit(), "beyond its seconds")
	_, err := runClient(10*time.Millisecond, "sleep", "", "60")
	require.ErrorContains(t, err, "sleep 60: not ended after 10ms")
}
