package tls_test

// Bytes on their way: early ones, many, from several tasks, held back, files.

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// slowConn gives and takes little at a time.
type slowConn struct {
	net.Conn
	piece int
	delay time.Duration
}

func (c *slowConn) Read(p []byte) (int, error) {
	time.Sleep(c.delay)
	return c.Conn.Read(p[:min(len(p), c.piece)])
}

func (c *slowConn) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		time.Sleep(c.delay)
		var m int
		m, err = c.Conn.Write(p[:min(len(p), c.piece)])
		n, p = n+m, p[m:]
	}
	return n, err
}

func TestEarlyBytes(t *testing.T) {
	t.Run("TLS-05", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			ln := testkit.ListenNet(t)
			got := make(chan string, 1)
			whenAccepted(t, ln, func(below net.Conn) {
				c := tls.Server(&slowConn{below, 100, 20 * time.Millisecond}, testkit.Certs().ServerConfig())
				buf := make([]byte, 5)
				_, _ = io.ReadFull(c, buf)
				got <- string(buf)
				_ = c.Close()
			})
			var r *asyncio.StreamReader
			var w *asyncio.StreamWriter
			testkit.Took(t, 100*time.Millisecond, func() {
				var err error
				r, w, err = asyncio.OpenConnection(ctx, "tcp", ln.Addr().String(), asyncio.WithTLS(testkit.Certs().ClientConfig()))
				require.NoError(t, err)
				_, err = w.Write([]byte("hello"))
				require.NoError(t, err)
			})
			require.Equal(t, "hello", eventually(t, ctx, got))
			_, err := r.ReadAll(ctx)
			require.NoError(t, err)
			w.Close()
			require.NoError(t, w.WaitClosed(ctx))
		})
	})
	t.Run("TLS-06", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			// A server of TLS 1.3 may send with the end of its handshake.
			ln := testkit.ListenNet(t)
			netPeer(t, ln, func(c *tls.Conn, _ *net.TCPConn) {
				_, _ = c.Write([]byte("welcome\n"))
				readToEnd(c)
			})
			r, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String(), asyncio.WithTLS(testkit.Certs().ClientConfig()))
			require.NoError(t, err)
			asynciotest.Yield(t, ctx, 20)
			line, err := r.ReadLine(ctx)
			require.NoError(t, err)
			require.Equal(t, "welcome\n", string(line))
			w.Close()
			require.NoError(t, w.WaitClosed(ctx))
		})
	})
	t.Run("in pieces", func(t *testing.T) {
		// Every record comes byte by byte, handshake and all.
		eachTask(t, func(t *testing.T, ctx context.Context) {
			ln := testkit.ListenNet(t)
			whenAccepted(t, ln, func(below net.Conn) {
				_ = below.(*net.TCPConn).SetNoDelay(true)
				c := tls.Server(&slowConn{below, 7, 50 * time.Microsecond}, testkit.Certs().ServerConfig())
				_, _ = io.Copy(c, c)
				_ = c.Close()
			})
			p := testkit.NewTap(testkit.LoopOf(ctx))
			tr, err := connect(ctx, p, ln)
			require.NoError(t, err)
			data := pattern(5000)
			_, err = tr.Write(data)
			require.NoError(t, err)
			p.Receive(t, ctx, len(data))
			require.True(t, bytes.Equal(data, p.Received))
			tr.Close()
			require.NoError(t, p.End(t, ctx))
		})
	})
}

// TestManyTasks has tasks read, write, drain and close one connection at once.
func TestManyTasks(t *testing.T) {
	const writers, each = 8, 300 << 10
	eachTask(t, func(t *testing.T, ctx context.Context) {
		a, b := testkit.ConnectStreams("tcp4", bothEnds())(t, ctx)
		send := func(e *testkit.End, who int) *asyncio.Task[asyncio.None] {
			return testkit.Start(ctx, func(ctx context.Context) error {
				random := rand.New(rand.NewPCG(uint64(who), 1))
				for left := each; left > 0; {
					n := min(left, 1+random.IntN(40_000))
					if _, err := e.Transport.Write(bytes.Repeat([]byte{byte(who)}, n)); err != nil {
						return err
					}
					left -= n
					if err := e.Drain(ctx); err != nil {
						return err
					}
					if err := asyncio.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return nil
			})
		}
		var tasks []*asyncio.Task[asyncio.None]
		for who := range writers {
			tasks = append(tasks, send(a, who), send(b, who))
		}
		count := func(e *testkit.End) *asyncio.Task[[writers]int] {
			return asyncio.CreateTask(ctx, func(ctx context.Context) (n [writers]int, err error) {
				for total := 0; total < writers*each; {
					got, err := e.Reader.ReadExactly(ctx, 1+total%7000%(writers*each-total))
					if err != nil {
						return n, err
					}
					for _, who := range got {
						n[who]++
					}
					total += len(got)
				}
				return n, nil
			})
		}
		for _, counted := range []*asyncio.Task[[writers]int]{count(a), count(b)} {
			n, err := counted.Await(ctx)
			require.NoError(t, err)
			for who := range writers {
				require.Equal(t, each, n[who])
			}
		}
		for _, task := range tasks {
			_, err := task.Await(ctx)
			require.NoError(t, err)
		}
		late := []*asyncio.Task[asyncio.None]{send(a, 0), send(a, 1), send(b, 2)}
		reading := asyncio.CreateTask(ctx, a.Reader.ReadAll)
		asynciotest.Yield(t, ctx, 2)
		a.Close()
		b.Close()
		for _, task := range late {
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
		}
		_, err := reading.Await(ctx)
		require.NoError(t, err)
		require.NoError(t, a.Lost(ctx))
		require.NoError(t, b.Lost(ctx))
	})
}

func TestFlowControl(t *testing.T) {
	t.Run("writing", func(t *testing.T) {
		release := make(chan struct{}, 10)
		received := make(chan int64, 10)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			<-release
			n, _ := io.Copy(io.Discard, c)
			received <- n
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			tr := p.Transport
			low, high := tr.WriteBufferLimits()
			require.Equal(t, 512<<10, high)
			require.Equal(t, 128<<10, low)
			sent := testkit.Fill(t, tr)
			for tr.WriteBufferSize() <= high {
				p.Equal(t, "made")
				n, err := tr.Write(make([]byte, 10_000))
				require.NoError(t, err)
				sent += n
			}
			p.Equal(t, "made", "pause")
			tr.SetWriteBufferLimits(2*tr.WriteBufferSize(), -1)
			release <- struct{}{}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Count("resume") == 1 }))
			tr.SetWriteBufferLimits(-1, -1)
			_, high = tr.WriteBufferLimits()
			require.Equal(t, 512<<10, high)
			requireMisuse(t, func() { tr.SetWriteBufferLimits(1, 2) })
			p.Equal(t, "made", "pause", "resume")
			tr.Close()
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, int64(sent), eventually(t, ctx, received))
		})
	})
	t.Run("marks of one's own", func(t *testing.T) {
		release := make(chan struct{}, 10)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			<-release
			readToEnd(c)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			low, high := p.Transport.WriteBufferLimits()
			require.Equal(t, []int{1000, 100}, []int{high, low})
			_, err := p.Transport.Write(make([]byte, 20<<20))
			require.NoError(t, err)
			p.Equal(t, "made", "pause")
			release <- struct{}{}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Count("resume") > 0 }))
			require.LessOrEqual(t, p.Transport.WriteBufferSize(), 100)
			require.Equal(t, p.Count("pause"), p.Count("resume"))
		}, asyncio.WithWriteBufferLimits(1000, 100))
	})
	t.Run("reading", func(t *testing.T) {
		const size = 30 << 20
		wrote := make(chan error, 10)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			_, err := c.Write(make([]byte, size))
			wrote <- err
			readToEnd(c)
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			p.Transport.PauseReading()
			before := len(p.Received)
			require.NoError(t, asyncio.Sleep(ctx, 100*time.Millisecond))
			require.Len(t, p.Received, before)
			require.Empty(t, wrote, "the peer is held back")
			held, _ := p.Loop.Buffered()
			require.Less(t, held, 2<<20, "what is kept has a bound")
			for len(p.Received) < size { // in steps
				p.Transport.ResumeReading()
				asynciotest.Yield(t, ctx, 2)
				p.Transport.PauseReading()
			}
			require.NoError(t, eventually(t, ctx, wrote))
			require.Len(t, p.Received, size)
		})
	})
	t.Run("Buffered and Stats", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			hold := asyncio.NewEvent()
			s, err := asyncio.StartServer(ctx, func(ctx context.Context, r *asyncio.StreamReader, w *asyncio.StreamWriter) error {
				defer w.Close()
				return hold.Wait(ctx)
			}, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			_, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
			require.NoError(t, err)
			testkit.WriteUntilPaused(t, w)
			require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().ReadBuffered > 128<<10 }))
			require.NoError(t, asynciotest.Until(ctx, func() bool { return s.Stats().ReadsPaused == 1 }))
			hold.Set()
			s.AbortClients()
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
			w.Close()
			_ = w.WaitClosed(ctx)
		})
	})
}

// TestBusyCache has a callback that crypto/tls calls while it reads write and close.
func TestBusyCache(t *testing.T) {
	for _, closes := range []bool{false, true} {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l := testkit.LoopOf(ctx)
			s, err := l.CreateServer(ctx, testkit.NewEchoes, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			p := testkit.NewTap(l)
			cfg := testkit.Certs().ClientConfig()
			puts := 0
			cfg.ClientSessionCache = &busyCache{put: func() {
				puts++
				_, err := p.Transport.Write([]byte("from within"))
				require.NoError(t, err)
				p.Transport.PauseReading()
				p.Transport.ResumeReading()
				require.NotNil(t, p.Transport.ExtraInfo("cipher"))
				if closes {
					p.Transport.Close()
				}
			}}
			_, _, err = l.CreateConnection(ctx, p.Factory, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(cfg))
			require.NoError(t, err)
			if !closes {
				p.Receive(t, ctx, len("from within"))
				require.Equal(t, "from within", string(p.Received))
				p.Transport.Close()
			}
			require.NoError(t, p.End(t, ctx))
			require.Equal(t, 1, puts)
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	}
}

type busyCache struct{ put func() }

func (c *busyCache) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (c *busyCache) Put(string, *tls.ClientSessionState)        { c.put() }

func TestSendfile(t *testing.T) {
	t.Run("SND-01", func(t *testing.T) {
		const size = 1_114_113
		data, frame := pattern(size), pattern(8<<10)
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, data, 0o600))
		got := make(chan []byte, 10)
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			b, err := io.ReadAll(c)
			assert.NoError(t, err)
			got <- b
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			f, err := os.Open(path)
			require.NoError(t, err)
			defer f.Close()
			_, err = p.Transport.Write(frame)
			require.NoError(t, err)
			_, err = p.Loop.Sendfile(ctx, p.Transport, f, 0, -1, false)
			require.ErrorIs(t, err, asyncio.ErrSendfile)
			sending := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) {
				return p.Loop.Sendfile(ctx, p.Transport, f, 0, -1, true)
			})
			asynciotest.Yield(t, ctx, 1)
			_, err = p.Transport.Write([]byte("x"))
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			_, err = p.Loop.StartTLS(ctx, p.Transport, p, clientConfig(), false)
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			n, err := sending.Await(ctx)
			require.NoError(t, err)
			require.Equal(t, int64(size), n)
			n, err = p.Loop.Sendfile(ctx, p.Transport, f, 1000, 100, true)
			require.NoError(t, err)
			require.Equal(t, int64(100), n)
			at, err := f.Seek(0, io.SeekCurrent)
			require.NoError(t, err)
			require.Equal(t, int64(1100), at)
			_, err = p.Transport.Write(frame)
			require.NoError(t, err)
			p.Transport.Close()
			_, err = p.Loop.Sendfile(ctx, p.Transport, f, 0, -1, true)
			require.ErrorIs(t, err, asyncio.ErrInvalidState)
			require.NoError(t, p.End(t, ctx))
			want := slicesOf(frame, data, data[1000:1100], frame)
			require.True(t, bytes.Equal(want, eventually(t, ctx, got)))
		})
	})
	t.Run("the peer closes when it has all", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, pattern(1<<20), 0o600))
		eachPeer(t, func(c *tls.Conn, _ *net.TCPConn) {
			_, err := io.ReadFull(c, make([]byte, 1<<20))
			assert.NoError(t, err)
			_ = c.Close()
		}, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			f, err := os.Open(path)
			require.NoError(t, err)
			defer f.Close()
			n, err := p.Loop.Sendfile(ctx, p.Transport, f, 0, -1, true)
			require.NoError(t, err)
			require.Equal(t, int64(1<<20), n)
			require.NoError(t, p.End(t, ctx))
		})
	})
	t.Run("closed meanwhile", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "f")
		require.NoError(t, os.WriteFile(path, make([]byte, 20<<20), 0o600))
		hold := make(chan struct{})
		eachPeer(t, func(*tls.Conn, *net.TCPConn) { <-hold }, func(t *testing.T, ctx context.Context, p *testkit.Tap, _ <-chan struct{}) {
			f, err := os.Open(path)
			require.NoError(t, err)
			defer f.Close()
			sending := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) {
				return p.Loop.Sendfile(ctx, p.Transport, f, 0, -1, true)
			})
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Count("pause") > 0 }))
			p.Transport.Abort()
			_, err = sending.Await(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
			hold <- struct{}{}
		})
	})
}

func slicesOf(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// TestCycles opens and closes one connection after the other.
func TestCycles(t *testing.T) {
	t.Run("TLS-18", func(t *testing.T) {
		eachTask(t, func(t *testing.T, ctx context.Context) {
			l := testkit.LoopOf(ctx)
			s, err := asyncio.StartServer(ctx, echo, "tcp", "127.0.0.1:0", asyncio.WithTLS(testkit.Certs().ServerConfig()))
			require.NoError(t, err)
			handles := l.Stats().Handles
			heap := func() uint64 {
				runtime.GC()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc + m.StackInuse
			}
			var before uint64
			for i := range 1000 {
				if i == 200 {
					before = heap()
				}
				r, w, err := asyncio.OpenConnection(ctx, "tcp", testkit.ServerAddr(t, s), asyncio.WithTLS(testkit.Certs().ClientConfig()))
				require.NoError(t, err)
				_, err = w.Write([]byte("x"))
				require.NoError(t, err)
				_, err = r.ReadExactly(ctx, 1)
				require.NoError(t, err)
				w.Close()
				require.NoError(t, w.WaitClosed(ctx))
			}
			require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == handles }))
			require.Less(t, int64(heap())-int64(before), int64(5<<20))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
		})
	})
}
