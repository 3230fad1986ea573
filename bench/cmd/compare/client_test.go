package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
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
	client, err := newBuilder(t).cc("client/client.c", "-Werror")
	require.NoError(t, err)
	return client
}

// serve runs handle for every connection to the returned port, until the test ends.
func serve(t *testing.T, handle func(net.Conn)) (port string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
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
	_, port, err = net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	return port
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
		require.ErrorContains(t, run(port, "1"), "other bytes than it got")
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
		require.ErrorContains(t, run(port, "1"), "other bytes than it got")
	})
	t.Run("a server that swaps pipelined requests", func(t *testing.T) {
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 2000)
			_, _ = io.ReadFull(c, b)
			_, _ = c.Write(append(bytes.Clone(b[1000:]), b[:1000]...))
		})
		require.ErrorContains(t, run(port, "1", "-d", "2"), "other bytes than it got")
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
		port, err := freePort()
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

func TestClientHasALimit(t *testing.T) {
	require.Equal(t, 100*time.Second+clientGrace, load{seconds: 90, warmup: 10}.limit(), "beyond its seconds")
	_, err := runClient(10*time.Millisecond, "sleep", "", "60")
	require.ErrorContains(t, err, "sleep 60: not ended after 10ms")
}
