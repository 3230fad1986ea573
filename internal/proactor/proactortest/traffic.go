package proactortest

// Cases with many connections, and the traffic that all cases use.

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

var trafficCases = []testCase{
	{name: "echo on many connections", eachLink: func(r *rig, l link) {
		const conns, rounds = 100, 20
		closed := 0
		for i := range conns {
			rec, peer := r.pair(l, true)
			rec.onData = rec.write
			rec.onEOF = rec.close
			rec.onClosed = func() { closed++ }
			r.spawn(func() {
				back := make([]byte, 4096)
				for round := range rounds {
					msg := patternAt(i*1000+round, 1+round*200)
					if _, err := peer.Write(msg); err != nil {
						r.t.Errorf("write: %v", err)
					}
					if _, err := io.ReadFull(peer, back[:len(msg)]); err != nil {
						r.t.Errorf("read: %v", err)
					}
					if !bytes.Equal(msg, back[:len(msg)]) {
						r.t.Errorf("connection %d, round %d: another connection's bytes", i, round)
					}
				}
				_ = peer.Close()
			})
		}
		r.until("all closed", func() bool { return closed == conns })
	}},
	{name: "connections come and go", run: func(r *rig) {
		const peers, rounds = 8, 60
		closed := 0
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		r.start(ln, func(s proactor.Stream) {
			rec := r.record(s)
			rec.onData = rec.write
			rec.onEOF = rec.close
			rec.onClosed = func() { closed++ }
			rec.readStart()
		})
		for range peers {
			r.spawn(func() {
				for range rounds {
					c, err := net.Dial("tcp", ln.Addr().String())
					if err != nil {
						r.t.Errorf("dial: %v", err)
						return
					}
					if _, err = c.Write([]byte("ping")); err == nil {
						_, err = io.ReadFull(c, make([]byte, 4))
					}
					if err != nil {
						r.t.Errorf("ping: %v", err)
					}
					_ = c.Close()
				}
			})
		}
		r.until("all closed", func() bool { return closed == peers*rounds })
	}},
	{name: "two streams of one driver", run: func(r *rig) {
		// Both ends in one loop: a driver that waits for one of them inside a call of the
		// other stands still here.
		const total = 16 << 20
		var a, b *recorder
		ln := r.listen(r.freeAddr("tcp"), listenOptions)
		r.start(ln, func(s proactor.Stream) { b = r.record(s) })
		c := r.connect(ln.Addr(), proactor.ConnectOptions{})
		r.until("both ends", func() bool { return c.rec != nil && b != nil })
		a = c.rec
		var got checker
		b.onData = got.check
		b.onEOF = func() { b.write([]byte("received")); b.s.CloseWrite() }
		for off := 0; off < total; off += 1 << 15 {
			a.write(patternAt(off, 1<<15))
		}
		a.s.CloseWrite()
		a.readStart()
		b.readStart()
		r.until("the answer", a.isEOF)
		require.Equal(r.t, "received", string(a.got))
		require.Equal(r.t, total, got.off)
		require.False(r.t, got.wrong)
	}},
	{name: "anything in any order", eachLink: func(r *rig, l link) {
		for seed := range uint64(12) {
			r.anything(l, rand.New(rand.NewPCG(seed, 0)))
		}
	}},
}

// anything does what random says to a connection until both directions have ended, and
// looks at every byte.
func (r *rig) anything(l link, random *rand.Rand) {
	rec, peer := r.pair(l, true)
	if random.IntN(2) == 0 {
		shrinkBuffers(r.t, rec, peer)
	}
	total := random.IntN(3 << 20)
	var there, back checker
	rec.onData = func(b []byte) {
		back.check(b)
		if random.IntN(4) == 0 {
			rec.readStop()
		}
	}
	received := r.spawn(func() { receivePattern(peer, &there, total) })
	small := 1 + random.IntN(100)
	r.spawn(func() { sendPattern(peer, total, small, 5000, 70000); _ = peer.CloseWrite() })
	off := 0
	for off < total || !rec.eof {
		require.Positive(r.t, time.Until(r.deadline))
		switch random.IntN(8) {
		case 0, 1:
			n := min(random.IntN(3000), total-off)
			rec.write(patternAt(off, n))
			off += n
		case 2:
			n := min(random.IntN(60000), total-off)
			rec.writeV(patternAt(off, n/2), patternAt(off+n/2, n-n/2))
			off += n
		case 3:
			rec.s.Flush()
		case 4:
			rec.readStop()
		case 5:
			rec.readStart()
		case 6:
			r.poll(0)
		default:
			r.poll(100 * time.Microsecond)
		}
	}
	r.until("everything received", received)
	rec.close()
	r.until("closed", rec.isClosed)
	require.Equal(r.t, []int{total, total}, []int{there.off, back.off})
	require.False(r.t, there.wrong || back.wrong)
}

// sendPattern writes total bytes of the pattern in pieces of the given sizes in turn.
func sendPattern(w io.Writer, total int, sizes ...int) {
	for off, i := 0, 0; off < total; i++ {
		p := patternAt(off, min(sizes[i%len(sizes)], total-off))
		n, err := w.Write(p)
		if off += n; err != nil {
			return // the receiver's count tells
		}
	}
}

// receivePattern reads total bytes, or fewer if there are not so many.
func receivePattern(r io.Reader, c *checker, total int) {
	buf := make([]byte, 64<<10)
	for c.off < total {
		n, err := r.Read(buf[:min(len(buf), total-c.off)])
		c.check(buf[:n])
		if err != nil {
			return
		}
	}
}

func sendUntilClosed(w io.Writer) {
	for off := 0; ; {
		n, err := w.Write(patternAt(off, 10000))
		if off += n; err != nil {
			return
		}
	}
}

// reset closes c so that the other side is reset.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// requirer is what require needs, so that helpers fit goroutines too.
type requirer interface {
	require.TestingT
	Helper()
}

// requireRest requires that what is left to read is want. For peers: it does not end the
// goroutine.
func requireRest(t *testing.T, peer io.Reader, want string) {
	t.Helper()
	got, err := io.ReadAll(peer)
	assert.NoError(t, err)
	assert.Equal(t, []byte(want), got)
}

// requireNext requires that the next bytes are want, and waits for them without a Poll.
func requireNext(t *testing.T, peer interface {
	io.Reader
	SetReadDeadline(time.Time) error
}, want string) {
	t.Helper()
	require.NoError(t, peer.SetReadDeadline(time.Now().Add(caseTimeout)))
	got := make([]byte, len(want))
	_, err := io.ReadFull(peer, got)
	require.NoError(t, err)
	require.Equal(t, []byte(want), got)
	require.NoError(t, peer.SetReadDeadline(time.Time{}))
}
