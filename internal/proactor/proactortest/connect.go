package proactortest

// Cases about Connect.

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// attempt is a Connect under way.
type attempt struct {
	r      *rig
	calls  int
	rec    *recorder
	err    error
	cancel func()
}

// connect checks that done is called once, by a later Poll, with a stream or an error.
func (r *rig) connect(addr net.Addr, opt proactor.ConnectOptions) *attempt {
	a := &attempt{r: r}
	a.cancel = r.p.Connect(addr, opt, func(s proactor.Stream, err error) {
		defer r.handler("done")()
		a.calls++
		if a.calls > 1 {
			r.t.Errorf("done was called %d times", a.calls)
		}
		if (s == nil) == (err == nil) {
			r.t.Errorf("done(%v, %v)", s, err)
		}
		a.err = err
		if s != nil {
			a.rec = r.record(s)
		}
	})
	return a
}

func (a *attempt) wait() {
	a.r.t.Helper()
	a.r.until("the end of a connect", func() bool { return a.calls > 0 })
}

// peerListener is a listener of package net that answers "hello" and ends, to each
// connection.
func (r *rig) peerListener(network string) net.Listener {
	ln, err := net.Listen(network, r.freeAddr(network).String())
	require.NoError(r.t, err)
	r.own(ln)
	r.spawn(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			r.own(c)
			r.spawn(func() { _, _ = c.Write([]byte("hello")); _ = c.Close() })
		}
	})
	return ln
}

var connectCases = []testCase{
	{name: "connects", run: func(r *rig) {
		for _, network := range networks {
			ln := r.peerListener(network)
			a := r.connect(ln.Addr(), proactor.ConnectOptions{})
			require.Zero(r.t, a.calls)
			a.wait()
			require.NoError(r.t, a.err)
			require.Equal(r.t, ln.Addr().String(), a.rec.s.RemoteAddr().String())
			if unix, ok := a.rec.s.LocalAddr().(*net.UnixAddr); ok {
				require.Empty(r.t, unix.Name, "it was bound to no name")
			}
			require.Equal(r.t, ln.Addr().String(), a.rec.s.RemoteAddr().String())
			a.rec.readStart()
			r.until("the greeting", a.rec.isEOF)
			require.Equal(r.t, "hello", string(a.rec.got))
			requireOpen(r.t, a.rec.s.FD(), true)
			a.cancel() // does nothing any more
			a.rec.close()
			r.until("closed", a.rec.isClosed)
			a.cancel()
			r.settle()
			require.Equal(r.t, 1, a.calls)
		}
	}},
	{name: "IPv6", run: func(r *rig) {
		ln, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			r.t.Skipf("no IPv6 here: %v", err)
		}
		r.own(ln)
		a := r.connect(ln.Addr(), proactor.ConnectOptions{})
		a.wait()
		require.NoError(r.t, a.err)
		require.Equal(r.t, ln.Addr().String(), a.rec.s.RemoteAddr().String())
	}},
	{name: "refused", run: func(r *rig) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(r.t, err)
		require.NoError(r.t, ln.Close())
		a := r.connect(ln.Addr(), proactor.ConnectOptions{})
		require.Zero(r.t, a.calls)
		a.wait()
		require.ErrorIs(r.t, a.err, syscall.ECONNREFUSED)
		require.ErrorContains(r.t, a.err, ln.Addr().String(), "the error says on what")
	}},
	{name: "no such path", run: func(r *rig) {
		name := r.freeAddr("unix").String()
		a := r.connect(&net.UnixAddr{Net: "unix", Name: name}, proactor.ConnectOptions{})
		require.Zero(r.t, a.calls)
		a.wait()
		require.ErrorIs(r.t, a.err, syscall.ENOENT)
	}},
	{name: "local address", run: func(r *rig) {
		local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
		if runtime.GOOS == "linux" {
			local.IP = net.IPv4(127, 0, 0, 2)
		}
		a := r.connect(r.peerListener("tcp").Addr(), proactor.ConnectOptions{Local: local})
		a.wait()
		require.NoError(r.t, a.err)
		require.True(r.t, a.rec.s.LocalAddr().(*net.TCPAddr).IP.Equal(local.IP))
	}},
	{name: "a local address without a host", run: func(r *rig) {
		for _, network := range []string{"tcp4", "tcp6"} {
			ln, err := net.Listen(network, "localhost:0")
			if err != nil {
				continue // no IPv6 here
			}
			r.own(ln)
			a := r.connect(ln.Addr(), proactor.ConnectOptions{Local: &net.TCPAddr{}})
			a.wait()
			require.NoError(r.t, a.err)
			require.Equal(r.t, ln.Addr().(*net.TCPAddr).IP, a.rec.s.LocalAddr().(*net.TCPAddr).IP)
		}
	}},
	{name: "a local address of another kind", run: func(r *rig) {
		locals := map[string]net.Addr{
			"tcp":  &net.UnixAddr{Net: "unix", Name: "127.0.0.1:1"},
			"unix": &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1},
		}
		for _, network := range networks {
			a := r.connect(r.peerListener(network).Addr(), proactor.ConnectOptions{Local: locals[network]})
			a.wait()
			require.ErrorContains(r.t, a.err, "mismatched local address type")
			require.NoFileExists(r.t, "127.0.0.1:1")
		}
	}},
	{name: "a port that is none", run: func(r *rig) {
		for _, port := range []int{-1, 1 << 16, 70000} {
			none := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
			a := r.connect(none, proactor.ConnectOptions{})
			a.wait()
			require.ErrorContains(r.t, a.err, "invalid port")
			a = r.connect(r.peerListener("tcp").Addr(), proactor.ConnectOptions{Local: none})
			a.wait()
			require.Error(r.t, a.err)
			_, err := r.p.Listen(none, listenOptions)
			require.ErrorContains(r.t, err, "invalid port")
		}
	}},
	{name: "a local path, which stays", run: func(r *rig) {
		local, ln := r.freeAddr("unix"), r.peerListener("unix")
		a := r.connect(ln.Addr(), proactor.ConnectOptions{Local: local})
		a.wait()
		require.NoError(r.t, a.err)
		require.Equal(r.t, local.String(), a.rec.s.LocalAddr().String())
		a.rec.readStart()
		r.until("the peer's greeting and end", a.rec.isEOF)
		a.rec.close()
		r.until("closed", a.rec.isClosed)
		require.FileExists(r.t, local.String())
		again := r.connect(ln.Addr(), proactor.ConnectOptions{Local: local})
		again.wait()
		require.ErrorIs(r.t, again.err, syscall.EADDRINUSE)
		require.NoError(r.t, os.Remove(local.String()))
	}},
	{name: "a local path without standard input", run: func(r *rig) {
		ln, err := net.Listen("unix", r.freeAddr("unix").String())
		require.NoError(r.t, err)
		r.own(ln)
		local := r.freeAddr("unix")
		withoutStdin(r.t, func() {
			a := r.connect(ln.Addr(), proactor.ConnectOptions{Local: local})
			a.wait()
			require.NoError(r.t, a.err)
			a.rec.close()
			r.until("closed", a.rec.isClosed)
			requireOpen(r.t, 0, false)
		})
	}},
	{name: "a local address of another machine", run: func(r *rig) {
		local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}
		a := r.connect(r.peerListener("tcp").Addr(), proactor.ConnectOptions{Local: local})
		a.wait()
		require.ErrorIs(r.t, a.err, syscall.EADDRNOTAVAIL)
	}},
	{name: "TCP_NODELAY and SO_KEEPALIVE", run: func(r *rig) {
		ln := r.peerListener("tcp")
		for _, keepAlive := range []bool{false, true} {
			a := r.connect(ln.Addr(), proactor.ConnectOptions{KeepAlive: keepAlive})
			a.wait()
			require.NoError(r.t, a.err)
			requireNoDelay(r.t, a.rec.s.FD())
			requireKeepAlive(r.t, a.rec.s.FD(), keepAlive)
		}
	}},
	{name: "cancel at once", run: func(r *rig) {
		for _, network := range networks {
			ln := r.peerListener(network)
			a := r.connect(ln.Addr(), proactor.ConnectOptions{})
			a.cancel()
			a.cancel()
			require.Zero(r.t, a.calls, "no handler runs inside cancel")
			a.wait()
			require.ErrorIs(r.t, a.err, context.Canceled)
		}
	}},
	{name: "cancel at any moment", run: func(r *rig) {
		ln := r.peerListener("tcp")
		for i := range 200 {
			a := r.connect(ln.Addr(), proactor.ConnectOptions{})
			for range i % 5 {
				r.poll(0)
			}
			for range i * 7 {
				spin.Add(1)
			}
			over := a.calls > 0
			a.cancel()
			a.wait()
			if over {
				require.NoError(r.t, a.err)
				a.rec.close()
			} else {
				require.ErrorIs(r.t, a.err, context.Canceled)
			}
		}
	}},
	{name: "cancel after the connection is made", run: func(r *rig) {
		for _, network := range networks {
			ln, err := net.Listen(network, r.freeAddr(network).String())
			require.NoError(r.t, err)
			r.own(ln)
			for range 30 {
				a := r.connect(ln.Addr(), proactor.ConnectOptions{})
				c, err := ln.Accept()
				require.NoError(r.t, err)
				for range 100 {
					runtime.Gosched() // for drivers that connect on a goroutine
				}
				a.cancel()
				a.wait()
				require.ErrorIs(r.t, a.err, context.Canceled)
				requireEnd(r.t, c)
				require.NoError(r.t, c.Close())
			}
		}
	}},
	{name: "cancel while the peer does not answer", run: func(r *rig) {
		addr := r.deafAddr()
		a := r.connect(addr, proactor.ConnectOptions{})
		r.settle()
		require.Zero(r.t, a.calls)
		a.cancel()
		a.wait()
		require.ErrorIs(r.t, a.err, context.Canceled)
	}},
	{name: "Close while the peer does not answer", run: func(r *rig) {
		a := r.connect(r.deafAddr(), proactor.ConnectOptions{})
		r.settle()
		r.close()
		require.Zero(r.t, a.calls)
		a.cancel()
	}},
	{name: "Close with a result nobody has heard", run: func(r *rig) {
		for _, network := range networks {
			ln, err := net.Listen(network, r.freeAddr(network).String())
			require.NoError(r.t, err)
			r.own(ln)
			a := r.connect(ln.Addr(), proactor.ConnectOptions{})
			c, err := ln.Accept()
			require.NoError(r.t, err)
			r.own(c)
			defer func() {
				_, err := c.Read(make([]byte, 1))
				require.True(r.t, err == io.EOF || errors.Is(err, syscall.ECONNRESET), err)
				require.Zero(r.t, a.calls)
			}()
		}
		r.close()
	}},
	{name: "Connect and Close in done", run: func(r *rig) {
		ln := r.peerListener("tcp")
		const rounds = 50
		n := 0
		var next func()
		next = func() {
			r.p.Connect(ln.Addr(), proactor.ConnectOptions{}, func(s proactor.Stream, err error) {
				defer r.handler("done")()
				require.NoError(r.t, err)
				s.Close()
				if n++; n < rounds {
					next()
				}
			})
		}
		next()
		r.until("all rounds", func() bool { return n == rounds })
	}},
}

// deafAddr is an address whose backlog is full, so that connecting to it takes for ever.
func (r *rig) deafAddr() net.Addr {
	ln, err := net.Listen("tcp", r.freeAddr("tcp").String())
	require.NoError(r.t, err)
	r.own(ln)
	makeDeaf(r.t, ln)
	for range 20 {
		c, err := net.DialTimeout("tcp", ln.Addr().String(), 200*time.Millisecond)
		if err != nil {
			return ln.Addr()
		}
		r.own(c)
	}
	r.t.Fatal("the backlog is never full")
	return nil
}
