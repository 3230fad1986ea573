//go:build linux || darwin

package goproactor

// Echo over TCP, the server on the driver against the server that package net's
// documentation would write: a goroutine for each connection. The clients are the same,
// on their own goroutines. cpu-ns/op is the whole process, clients included.

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// idleConnections is enough for the memory of one to show.
const idleConnections = 1000

// BenchmarkIdleConnection reports the memory of a connection that is open and reads,
// after it has echoed once.
func BenchmarkIdleConnection(b *testing.B) {
	var most float64 // the first round; the later ones find free stacks
	for b.Loop() {
		p, err := New()
		if err != nil {
			b.Fatal(err)
		}
		ln, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, proactor.ListenOptions{Backlog: idleConnections})
		if err != nil {
			b.Fatal(err)
		}
		var peers []net.Conn
		for range idleConnections {
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := c.Write([]byte("hello")); err != nil {
				b.Fatal(err)
			}
			peers = append(peers, c)
		}
		before := memoryInUse()
		if err := ln.Start(&echoer{b: b}); err != nil {
			b.Fatal(err)
		}
		var echoed sync.WaitGroup
		var all atomic.Bool
		echoed.Go(func() {
			for _, c := range peers {
				if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
					b.Error(err)
				}
			}
			all.Store(true)
			p.Wake()
		})
		for !all.Load() {
			if err := p.Poll(proactor.Forever); err != nil {
				b.Fatal(err)
			}
		}
		most = max(most, float64(memoryInUse()-before)/idleConnections)
		if err := p.Close(); err != nil {
			b.Fatal(err)
		}
		for _, c := range peers {
			_ = c.Close()
		}
	}
	b.ReportMetric(most, "B/conn")
}

func memoryInUse() uint64 {
	runtime.GC()
	runtime.GC() // the first one only sets pooled memory aside
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// echoer is the server's side of one connection.
type echoer struct {
	s proactor.Stream
	b *testing.B
}

func (e *echoer) Accepted(s proactor.Stream) {
	h := &echoer{s: s, b: e.b}
	s.SetHandler(h)
	s.ReadStart()
}

func (e *echoer) AcceptFailed(err error) { e.b.Error(err) }
func (e *echoer) Data(p []byte)          { e.s.Write(p) }
func (e *echoer) EOF()                   { e.s.Close() }
func (e *echoer) Drained()               {}
func (e *echoer) Failed(error)           { e.s.Close() }
func (e *echoer) Closed()                {}

// serveDriver runs a loop until stop.
func serveDriver(b *testing.B) (addr net.Addr, stop func()) {
	p, err := New()
	if err != nil {
		b.Fatal(err)
	}
	ln, err := p.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, proactor.ListenOptions{Backlog: 1024})
	if err != nil {
		b.Fatal(err)
	}
	addr = ln.Addr()
	var over sync.WaitGroup
	quit := make(chan struct{})
	over.Go(func() {
		if err := ln.Start(&echoer{b: b}); err != nil {
			b.Error(err)
		}
		for {
			select {
			case <-quit:
				_ = p.Close()
				return
			default:
			}
			if err := p.Poll(proactor.Forever); err != nil {
				b.Error(err)
			}
		}
	})
	return addr, func() { close(quit); p.Wake(); over.Wait() }
}

func serveNet(b *testing.B) (addr net.Addr, stop func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var over sync.WaitGroup
	over.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			over.Go(func() {
				buf := make([]byte, 64<<10)
				for {
					n, err := c.Read(buf)
					if err != nil {
						_ = c.Close()
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						b.Error(err)
					}
				}
			})
		}
	})
	return ln.Addr(), func() { _ = ln.Close(); over.Wait() }
}

func BenchmarkEcho(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10} {
		for _, conns := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("bytes=%d/conns=%d/driver", size, conns), func(b *testing.B) { benchEcho(b, size, conns, serveDriver) })
			b.Run(fmt.Sprintf("bytes=%d/conns=%d/net", size, conns), func(b *testing.B) { benchEcho(b, size, conns, serveNet) })
		}
	}
}

func benchEcho(b *testing.B, size, conns int, serve func(*testing.B) (net.Addr, func())) {
	addr, stop := serve(b)
	var peers []net.Conn
	for range conns {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			b.Fatal(err)
		}
		peers = append(peers, c)
	}
	b.ResetTimer()
	before := processorTime(b)
	var over sync.WaitGroup
	for i, c := range peers {
		over.Go(func() {
			msg := make([]byte, size)
			for n := i; n < b.N; n += conns {
				if _, err := c.Write(msg); err != nil {
					b.Error(err)
				}
				if _, err := io.ReadFull(c, msg); err != nil {
					b.Error(err)
				}
			}
		})
	}
	over.Wait()
	b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	for _, c := range peers {
		_ = c.Close()
	}
	stop()
}

func processorTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
