package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
	"github.com/stretchr/testify/require"
)

// newMeter has a client and the control, built once for all tests.
func newMeter(t *testing.T) *meter {
	t.Helper()
	dirs, err := findDirs()
	require.NoError(t, err)
	s := settings{rounds: 1, seconds: 0.2, warmup: 0.05, idle: 50, only: []string{result.LibuvC}}
	b := builder{dirs: dirs, out: t.TempDir()}
	m := &meter{settings: s, report: &result.Report{}, progress: newProgress()}
	m.client, err = b.cc("client", "client/client.c", "-Werror")
	require.NoError(t, err)
	m.contenders, err = prepare(b, s, m.report)
	require.NoError(t, err)
	m.contenders = m.contenders[:1]
	return m
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

func TestClient(t *testing.T) {
	m := newMeter(t)
	run := func(port, size, connections string) ([]byte, error) {
		return m.runClient("127.0.0.1", port, size, connections, "0.3", "0.05", strconv.Itoa(os.Getpid()))
	}
	t.Run("measures an echo", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
		for _, size := range []string{"1", "1024", "300000"} {
			out, err := run(port, size, "5")
			require.NoError(t, err)
			var s sample
			require.NoError(t, json.Unmarshal(out, &s))
			require.Positive(t, s.Requests)
			require.InEpsilon(t, float64(s.Requests)/s.Seconds, s.Rate, 0.01)
			require.GreaterOrEqual(t, s.Seconds, 0.3)
			require.Positive(t, s.ServerCPU)
			require.Positive(t, s.P50)
			require.LessOrEqual(t, s.P50, s.P99)
			require.LessOrEqual(t, s.P99, s.P999)
		}
	})
	t.Run("a server that closes", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.CopyN(c, c, 100_000) })
		_, err := run(port, "1000", "2")
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
		_, err := run(port, "1000", "1")
		require.ErrorContains(t, err, "other bytes than it got")
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
		_, err := run(port, "1000", "1")
		require.ErrorContains(t, err, "other bytes than it got")
	})
	t.Run("a server that sends too much", func(t *testing.T) {
		port := serve(t, func(c net.Conn) {
			b := make([]byte, 1000)
			_, _ = io.ReadFull(c, b)
			_, _ = c.Write(append(b, 0))
			_, _ = io.Copy(io.Discard, c)
		})
		_, err := run(port, "1000", "1")
		require.ErrorContains(t, err, "more bytes than it got")
	})
	t.Run("a server that is silent", func(t *testing.T) {
		port := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
		_, err := run(port, "1000", "1")
		require.ErrorContains(t, err, "no request was answered")
	})
	t.Run("no server", func(t *testing.T) {
		port, err := freePort()
		require.NoError(t, err)
		_, err = run(port, "1000", "1")
		require.ErrorContains(t, err, "connect to 127.0.0.1:"+port)
	})
	t.Run("wrong arguments", func(t *testing.T) {
		_, err := run("1", "0", "1")
		require.ErrorContains(t, err, `"0" is not a number of at least 1`)
		_, err = m.runClient("127.0.0.1")
		require.ErrorContains(t, err, "usage")
	})
}
