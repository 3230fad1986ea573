package goproactor

// What the conformance suite does not promise for every driver.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// step is a completion that a test makes.
type step struct {
	run       func()
	discarded *int
}

func (s step) complete() { s.run() }
func (s step) discard()  { *s.discarded++ }

func open(t *testing.T) *driver {
	t.Helper()
	p, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p.(*driver)
}

func TestPanicInHandlerLosesNoOtherCompletion(t *testing.T) {
	d := open(t)
	var heard []int
	hear := func(i int) step { return step{run: func() { heard = append(heard, i) }} }
	d.later(hear(1))
	d.later(step{run: func() { d.later(hear(4)); panic("handler") }})
	d.later(hear(2))
	d.post(hear(0))
	require.PanicsWithValue(t, "handler", func() { _ = d.Poll(0) })
	require.Equal(t, []int{0, 1}, heard)
	d.post(hear(3))
	require.NoError(t, d.Poll(proactor.Forever))
	require.Equal(t, []int{0, 1, 2}, heard, "the rest of the batch, without waiting")
	require.NoError(t, d.Poll(proactor.Forever))
	require.Equal(t, []int{0, 1, 2, 3, 4}, heard)
}

func TestCloseInHandler(t *testing.T) {
	d := open(t)
	discarded := 0
	d.later(step{run: func() { require.NoError(t, d.Close()) }})
	d.later(step{run: func() { t.Error("a handler after Close") }, discarded: &discarded})
	d.post(step{run: func() {}})
	require.NoError(t, d.Poll(0))
	require.Equal(t, 1, discarded)
}

func TestClosed(t *testing.T) {
	d := open(t)
	ln, err := d.Listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, proactor.ListenOptions{})
	require.NoError(t, err)
	cancel := d.Connect(ln.Addr(), proactor.ConnectOptions{}, func(proactor.Stream, error) { t.Error("done") })
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())

	require.ErrorIs(t, d.Poll(0), net.ErrClosed)
	_, err = d.Listen(ln.Addr(), proactor.ListenOptions{})
	require.ErrorIs(t, err, net.ErrClosed)
	d.Connect(ln.Addr(), proactor.ConnectOptions{}, func(proactor.Stream, error) { t.Error("done") })()
	require.ErrorIs(t, ln.Start(nil), net.ErrClosed)
	ln.Stop()
	ln.Close()
	cancel()
}

func TestUnsupportedAddress(t *testing.T) {
	d := open(t)
	addr := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}
	_, err := d.Listen(addr, proactor.ListenOptions{})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	calls := 0
	done := func(s proactor.Stream, err error) {
		calls++
		require.Nil(t, s)
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	d.Connect(addr, proactor.ConnectOptions{}, done)
	cancel := d.Connect(addr, proactor.ConnectOptions{}, func(_ proactor.Stream, err error) {
		calls++
		require.ErrorIs(t, err, context.Canceled)
	})
	cancel()
	require.NoError(t, d.Poll(proactor.Forever))
	require.Equal(t, 2, calls)
}

// TestChunks compares the queue with a bytes.Buffer.
func TestChunks(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var c chunks
			var model bytes.Buffer
			sizes := []int{0, 1, 100, smallBufferBytes - 1, smallBufferBytes, smallBufferBytes + 1, largeBufferBytes, 200000}
			for range random.IntN(100) {
				if random.IntN(2) == 0 {
					p := make([]byte, sizes[random.IntN(len(sizes))])
					for i := range p {
						p[i] = byte(i + len(p))
					}
					c.add(p)
					model.Write(p)
				} else {
					over := random.IntN(3)
					n := random.IntN(model.Len() + 1)
					if random.IntN(4) == 0 {
						n = model.Len()
					}
					if n < model.Len() {
						over = 0
					}
					require.Equal(t, over, c.consume(n+over))
					model.Next(n)
				}
				require.Equal(t, model.Len() == 0, c.empty())
			}
			require.True(t, bytes.Equal(model.Bytes(), bytes.Join(c.appendTo(nil, len(c.bufs)), nil)))
			c.drop()
			require.True(t, c.empty())
		})
	}
}

// TestGate lets a reader and a loop play with a gate: never two results at once, never a
// lost one.
func TestGate(t *testing.T) {
	const results = 20000
	g := gate{bell: make(chan struct{}, 1)}
	var outstanding atomic.Int32
	arrived := make(chan struct{}, 2)
	go func() {
		defer close(arrived)
		for i := 0; g.enter(); i++ {
			if i%3 == 0 {
				g.leave()
				continue
			}
			if outstanding.Add(1) != 1 {
				t.Error("two results at once")
			}
			g.pass()
			arrived <- struct{}{}
		}
	}()
	for i := range results {
		<-arrived
		outstanding.Add(-1)
		g.let()
		if i%2 == 0 && g.shut() {
			g.let()
		}
	}
	g.close()
	for range arrived {
	}
}
