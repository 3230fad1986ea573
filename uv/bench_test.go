//go:build cgo

package uv_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// A turn that finds nothing: one crossing and one epoll_wait.
func BenchmarkEmptyTurn(b *testing.B) {
	l := newLoop(b, uv.WithWait(uv.WaitAdaptive))
	b.ReportAllocs()
	for b.Loop() {
		l.Poll(0)
	}
}

// A turn with nothing but a posted function.
func BenchmarkPost(b *testing.B) {
	l := newLoop(b, uv.WithWait(uv.WaitAdaptive))
	n := 0
	f := func() { n++ }
	b.ReportAllocs()
	for b.Loop() {
		l.Post(f)
		l.Poll(0)
	}
}

// Sends that coalesce, from the loop's own goroutine.
func BenchmarkAsyncSend(b *testing.B) {
	l := newLoop(b)
	a, err := l.NewAsync(func() {})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		a.Send()
	}
	l.Poll(0)
	a.Close()
}

// Two loops on two goroutines wake each other; one operation is there and back.
func BenchmarkAsyncPingPong(b *testing.B) {
	for name, w := range waits {
		b.Run(name, func(b *testing.B) {
			ours, theirs := newLoop(b, uv.WithWait(w)), newLoop(b, uv.WithWait(w))
			var ping, pong *uv.Async
			n := 0
			pong, _ = ours.NewAsync(func() {
				if n++; n < b.N {
					ping.Send()
				} else {
					ours.Stop()
				}
			})
			ping, _ = theirs.NewAsync(func() { pong.Send() })
			done := make(chan struct{})
			go func() { defer close(done); theirs.Run(uv.RunDefault) }()
			b.ResetTimer()
			ping.Send()
			ours.Run(uv.RunDefault)
			b.StopTimer()
			theirs.Stop()
			<-done
		})
	}
}

func BenchmarkTimerStartStop(b *testing.B) {
	l := newLoop(b)
	t, err := l.NewTimer()
	require.NoError(b, err)
	f := func() {}
	b.ReportAllocs()
	for b.Loop() {
		t.Start(time.Hour, 0, f)
		t.Stop()
	}
	t.Close()
}

// One operation is 1 KiB there and back on one connection between two streams of one
// loop.
func BenchmarkEcho(b *testing.B) {
	for name, w := range waits {
		b.Run(name, func(b *testing.B) {
			l := newLoop(b, uv.WithWait(w))
			client, server := connectedPair(b, l)
			server.ReadStart(func(p []byte, err error) {
				if err == nil {
					server.Write(p, nil)
				}
			})
			msg := make([]byte, 1024)
			got, n := 0, 0
			client.ReadStart(func(p []byte, err error) {
				if got += len(p); got < len(msg) || err != nil {
					return
				}
				if got, n = 0, n+1; n < b.N {
					client.Write(msg, nil)
				} else {
					l.Stop()
				}
			})
			b.ReportAllocs()
			b.ResetTimer()
			client.Write(msg, nil)
			l.Run(uv.RunDefault)
		})
	}
}

// One operation is a datagram there and back between two sockets of one loop, 32 of them
// under way.
func BenchmarkUDPEcho(b *testing.B) {
	for _, size := range []int{64, 1400} {
		for name, opt := range ways {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				const underWay = 32
				l := newLoop(b, uv.WithWait(uv.WaitAdaptive))
				client, _ := boundUDP(b, l, opt)
				server, addr := boundUDP(b, l, opt)
				require.NoError(b, server.RecvStart(func(d uv.Datagram, err error) { server.Send(d.Data, d.Addr, nil) }))
				n := 0
				require.NoError(b, client.RecvStart(func(d uv.Datagram, err error) {
					if n++; n <= b.N-underWay {
						client.Send(d.Data, addr, nil)
					}
				}))
				msg := make([]byte, size)
				b.ReportAllocs()
				b.ResetTimer()
				for range min(underWay, b.N) {
					client.Send(msg, addr, nil)
				}
				for n < b.N {
					l.Poll(patience)
				}
			})
		}
	}
}

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// A connection is made and closed; both ends read in between.
func BenchmarkConnect(b *testing.B) {
	l := newLoop(b)
	served, ended := 0, 0
	ignore := func([]byte, error) {}
	ln := listen(b, l, func(c *uv.TCP, err error) {
		require.NoError(b, err)
		served++
		c.ReadStart(func(_ []byte, err error) {
			if err != nil {
				c.Close()
				ended++
			}
		})
	})
	addr := addrOf(b, ln)
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		c := newTCP(b, l)
		connected := false
		require.NoError(b, c.Connect(addr, func(err error) {
			require.NoError(b, err)
			connected = true
			c.ReadStart(ignore)
		}))
		for !connected || served < n {
			l.Poll(patience)
		}
		c.Close()
		for ended < n {
			l.Poll(patience)
		}
	}
}
