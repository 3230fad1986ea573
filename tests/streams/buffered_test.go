package streams_test

// BufferedProtocols that receive much: the driver may write straight into their memory.

import (
	"context"
	"math/rand/v2"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// bulkTap is a BufferedProtocol with hooks; what it checks is a sequence of bytes that
// does not repeat within a buffer.
type bulkTap struct {
	*testkit.Tap
	size  func(hint int) int
	onGet func()
	buf   []byte
	on    func()
	off   *int // of the sequence, shared by protocols that follow each other
	t     *testing.T
	hints map[int]bool
}

func newBulkTap(t *testing.T, l *asyncio.Loop, off *int) *bulkTap {
	p := &bulkTap{Tap: testkit.NewTap(l), off: off, t: t, hints: make(map[int]bool)}
	p.size = func(int) int { return 64 << 10 }
	return p
}

func (p *bulkTap) factory() asyncio.Protocol { return p }

func (p *bulkTap) GetBuffer(hint int) []byte {
	p.hints[hint] = true
	if p.onGet != nil {
		p.onGet()
	}
	p.buf = make([]byte, p.size(hint))
	return p.buf
}

func (p *bulkTap) BufferUpdated(n int) {
	checkBulk(p.t, p.buf[:n], p.off)
	if !p.Transport.IsReading() || p.Transport.Protocol() != asyncio.Protocol(p) {
		p.t.Error("BufferUpdated after GetBuffer has stopped that")
	}
	if p.on != nil {
		p.on()
	}
}

// plainTap is the same as a plain protocol.
type plainTap struct {
	*testkit.Tap
	off *int
	t   *testing.T
	on  func()
}

func (p *plainTap) DataReceived(b []byte) {
	checkBulk(p.t, b, p.off)
	p.on()
}

const bulkPeriod = 65521

func bulkByte(i int) byte { i %= bulkPeriod; return byte(i ^ i>>8) }

func bulkBytes(from, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = bulkByte(from + i)
	}
	return b
}

func checkBulk(t *testing.T, b []byte, off *int) {
	if len(b) == 0 {
		t.Error("nothing was brought")
	}
	for i, c := range b {
		if c != bulkByte(*off+i) {
			t.Errorf("byte %d is wrong", *off+i)
			break
		}
	}
	*off += len(b)
}

// sendBulk sends n bytes from another goroutine, and the end of the stream.
func sendBulk(t *testing.T, peer *net.TCPConn, n int) {
	sent := make(chan error, 1)
	go func() {
		_, err := peer.Write(bulkBytes(0, n))
		if err == nil {
			err = peer.CloseWrite()
		}
		sent <- err
	}()
	t.Cleanup(func() { <-sent })
}

// eachBulk connects a BufferedProtocol to a peer that sends n bytes and the end.
func eachBulk(t *testing.T, n int, prepare func(p *bulkTap), after func(t *testing.T, ctx context.Context, p *bulkTap, rec *asynciotest.Reports)) {
	t.Helper()
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p := newBulkTap(t, l, new(int))
			prepare(p)
			_, peer := testkit.ConnectToNet(t, ctx, p.factory)
			sendBulk(t, peer, n)
			after(t, ctx, p, rec)
			_ = peer.Close()
		})
	})
}

const bulkTotal = 4 << 20

func TestBufferedBulk(t *testing.T) {
	arrives := func(t *testing.T, ctx context.Context, p *bulkTap, rec *asynciotest.Reports) {
		require.NoError(t, p.End(t, ctx))
		require.Equal(t, bulkTotal, *p.off)
		require.Equal(t, 1, p.Count("eof"))
		rec.None(t)
		for hint := range p.hints {
			require.Positive(t, hint, "make([]byte, sizeHint) works")
		}
	}
	for name, size := range map[string]func(int) int{
		"large buffers":      func(int) int { return 300_000 },
		"what the hint says": func(hint int) int { return hint },
		"small buffers":      func(int) int { return 5000 },
		"any buffers":        func(int) int { return 1 + rand.IntN(1<<(1+rand.IntN(18))) },
	} {
		t.Run(name, func(t *testing.T) {
			eachBulk(t, bulkTotal, func(p *bulkTap) { p.size = size }, arrives)
		})
	}
	t.Run("pauses", func(t *testing.T) {
		eachBulk(t, bulkTotal, func(p *bulkTap) {
			pause := func() {
				if rand.IntN(3) == 0 {
					p.Transport.PauseReading()
					p.Loop.CallSoon(p.Transport.ResumeReading)
				}
			}
			p.onGet, p.on = pause, pause
			p.size = func(int) int { return 1 + rand.IntN(100_000) }
		}, arrives)
	})
	t.Run("protocols of either kind take turns", func(t *testing.T) {
		eachBulk(t, bulkTotal, func(p *bulkTap) {
			plain := &plainTap{Tap: p.Tap, off: p.off, t: p.t}
			swap := func(to asyncio.Protocol) func() {
				return func() {
					if rand.IntN(3) == 0 {
						p.Transport.SetProtocol(to)
					}
				}
			}
			p.on, p.onGet, plain.on = swap(plain), swap(plain), swap(p)
		}, arrives)
	})
}

func TestBufferedBulkEnds(t *testing.T) {
	// after lets a few bytes of the bulk come before fn runs, once.
	after := func(p *bulkTap, fn func()) func() {
		return func() {
			if *p.off > 1<<20 {
				fn()
			}
		}
	}
	for name, end := range map[string]func(asyncio.Transport){"Close": asyncio.Transport.Close, "Abort": asyncio.Transport.Abort} {
		ended := func(t *testing.T, ctx context.Context, p *bulkTap, rec *asynciotest.Reports) {
			require.NoError(t, p.End(t, ctx))
			require.Less(t, *p.off, bulkTotal)
			require.Zero(t, p.Count("eof"))
			rec.None(t)
		}
		t.Run(name+" in GetBuffer", func(t *testing.T) {
			eachBulk(t, bulkTotal, func(p *bulkTap) { p.onGet = after(p, func() { end(p.Transport) }) }, ended)
		})
		t.Run(name+" in BufferUpdated", func(t *testing.T) {
			eachBulk(t, bulkTotal, func(p *bulkTap) { p.on = after(p, func() { end(p.Transport) }) }, ended)
		})
	}
	t.Run("panic in GetBuffer", func(t *testing.T) {
		eachBulk(t, bulkTotal, func(p *bulkTap) { p.onGet = after(p, func() { panic(testkit.ErrBoom) }) }, failed("get_buffer"))
	})
	t.Run("panic in BufferUpdated", func(t *testing.T) {
		eachBulk(t, bulkTotal, func(p *bulkTap) { p.on = after(p, func() { panic(testkit.ErrBoom) }) }, failed("buffer_updated"))
	})
	t.Run("an empty buffer", func(t *testing.T) {
		eachBulk(t, bulkTotal, func(p *bulkTap) {
			p.onGet = after(p, func() { p.size = func(int) int { return 0 } })
		}, func(t *testing.T, ctx context.Context, p *bulkTap, rec *asynciotest.Reports) {
			require.ErrorIs(t, p.End(t, ctx), asyncio.ErrInvalidState)
			require.Equal(t, "Fatal error: protocol.get_buffer() call failed.", rec.One(t).Message)
		})
	})
	t.Run("reset", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := newBulkTap(t, l, new(int))
				_, peer := testkit.ConnectToNet(t, ctx, p.factory)
				p.on = func() {
					if *p.off >= 1<<20 && p.Count("reset") == 0 {
						p.Add("reset")
						reset(t, peer)
					}
				}
				_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { return peer.Write(bulkBytes(0, 1<<20)) })
				require.NoError(t, err)
				require.Error(t, p.End(t, ctx))
				require.Equal(t, 1<<20, *p.off)
				p.Equal(t, "made", "reset", "lost")
			})
		})
	})
}

// failed is the end of a connection whose callback has panicked.
func failed(callback string) func(*testing.T, context.Context, *bulkTap, *asynciotest.Reports) {
	return func(t *testing.T, ctx context.Context, p *bulkTap, rec *asynciotest.Reports) {
		var panicked *asyncio.PanicError
		require.ErrorAs(t, p.End(t, ctx), &panicked)
		require.Equal(t, "Fatal error: protocol."+callback+"() call failed.", rec.One(t).Message)
		require.Equal(t, 1, p.Count("lost"))
	}
}
