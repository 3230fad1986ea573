package names_test

// Attempts side by side, and connects that are cancelled at any moment.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestAttemptsSideBySide(t *testing.T) {
	t.Run("HPY-01", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			there := testkit.ListenNet(t).Addr()
			s.addrs = []net.Addr{testkit.Blackhole(t, "tcp4"), there}
			p := testkit.NewTap(l)
			testkit.Took(t, 100*time.Millisecond, func() {
				tr, _, err := l.CreateConnection(ctx, p.Factory, "tcp", "name.invalid:80", asyncio.WithHappyEyeballs(100*time.Millisecond, 1))
				require.NoError(t, err)
				require.Equal(t, there.String(), tr.RemoteAddr().String())
			})
			p.Transport.Abort()
			require.NoError(t, p.End(t, ctx))
			err := asyncio.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
				_, _, err := asyncio.OpenConnection(ctx, "tcp", "name.invalid:80")
				return err
			})
			require.ErrorIs(t, err, asyncio.ErrTimeout, "one after the other it hangs")
		})
	})
	t.Run("HPY-03", func(t *testing.T) {
		eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
			for _, delay := range []time.Duration{0, time.Millisecond, asyncio.Forever} {
				s.addrs = []net.Addr{tcpAddr(fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t)))}
				_, _, err := asyncio.OpenConnection(ctx, "tcp", "name.invalid:80", asyncio.WithHappyEyeballs(delay, 1))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.NotContains(t, err.Error(), "Multiple")
				s.addrs = append(s.addrs, tcpAddr(fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t))))
				_, _, err = asyncio.OpenConnection(ctx, "tcp", "name.invalid:80", asyncio.WithHappyEyeballs(delay, 1))
				require.ErrorIs(t, err, syscall.ECONNREFUSED)
				require.Len(t, attempts(t, err), 2)
			}
		})
	})
}

// openPeers is a listener that closes each connection when its other side has ended, and
// knows how many there are.
type openPeers struct {
	ln   *net.TCPListener
	open sync.WaitGroup
}

func listenForPeers(t *testing.T) *openPeers {
	p := &openPeers{ln: testkit.ListenNet(t)}
	p.open.Add(1)
	go func() {
		defer p.open.Done()
		for {
			c, err := p.ln.Accept()
			if err != nil {
				return
			}
			p.open.Add(1)
			go func() {
				defer p.open.Done()
				_, _ = io.Copy(io.Discard, c)
				_ = c.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		_ = p.ln.Close()
		p.open.Wait()
	})
	return p
}

// sockets counts this process's.
func sockets(t *testing.T) (n int) {
	t.Helper()
	dir, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range dir {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// TestCancelConnect cancels a connect in each of its turns: nothing is left, and nothing
// is closed twice.
func TestCancelConnect(t *testing.T) {
	const turnsMax = 30
	dead := func(t *testing.T) net.Addr { return tcpAddr(fmt.Sprintf("127.0.0.1:%d", testkit.UnusedPort(t))) }
	for _, c := range []struct {
		name  string
		addrs func(t *testing.T, there net.Addr) []net.Addr
		opts  []asyncio.ConnectOption
	}{
		{"one", func(_ *testing.T, there net.Addr) []net.Addr { return []net.Addr{there} }, nil},
		{"the second", func(t *testing.T, there net.Addr) []net.Addr { return []net.Addr{dead(t), there} }, nil},
		{"none", func(t *testing.T, _ net.Addr) []net.Addr { return []net.Addr{dead(t), dead(t)} }, nil},
		{"side by side", func(t *testing.T, there net.Addr) []net.Addr {
			return []net.Addr{testkit.Blackhole(t, "tcp4"), there, dead(t)}
		}, []asyncio.ConnectOption{asyncio.WithHappyEyeballs(0, 1)}},
		{"a black hole", func(t *testing.T, _ net.Addr) []net.Addr { return []net.Addr{testkit.Blackhole(t, "tcp4"), dead(t)} }, []asyncio.ConnectOption{asyncio.WithHappyEyeballs(time.Millisecond, 0)}},
		{"from a local address", func(_ *testing.T, there net.Addr) []net.Addr { return []net.Addr{there} }, []asyncio.ConnectOption{asyncio.WithLocalAddr("127.0.0.1:0")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachDriver(t, func(t *testing.T, ctx context.Context, l *asyncio.Loop, s *script) {
				peers := listenForPeers(t)
				s.addrs = c.addrs(t, peers.ln.Addr())
				connect := func(ctx context.Context, p *testkit.Tap) error {
					_, _, err := l.CreateConnection(ctx, p.Factory, "tcp", "name.invalid:80", c.opts...)
					return err
				}
				cancelled, before := 0, sockets(t)
				for turns := range turnsMax {
					s.turns = turns % 3
					p := testkit.NewTap(l)
					connects := testkit.Start(ctx, func(ctx context.Context) error { return connect(ctx, p) })
					asynciotest.Yield(t, ctx, turns)
					if connects.Cancel() {
						cancelled++
					}
					_, err := connects.Await(ctx)
					if err == nil {
						p.Transport.Abort()
					} else {
						require.True(t, errors.Is(err, asyncio.ErrCancelled) || errors.Is(err, syscall.ECONNREFUSED), "%v", err)
					}
					if p.Count("made") > 0 {
						_ = p.End(t, ctx)
						p.Equal(t, "made", "lost")
					}
					require.NoError(t, asynciotest.Until(ctx, func() bool { return l.Stats().Handles == 0 && sockets(t) <= before }))
				}
				require.NotZero(t, cancelled)
			})
		})
	}
}

// TestCloseWhileConnecting closes the loop in each turn of a connect.
func TestCloseWhileConnecting(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		peers := listenForPeers(t)
		for turns := range 12 {
			s := &script{addrs: []net.Addr{testkit.Blackhole(t, "tcp4"), peers.ln.Addr()}, turns: turns % 2}
			before := sockets(t)
			l, err := asyncio.NewEventLoop(append(opts, asyncio.WithResolver(s))...)
			require.NoError(t, err)
			connects := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
				_, _, err := l.CreateConnection(ctx, testkit.NewEchoes, "tcp", "name.invalid:80", asyncio.WithHappyEyeballs(0, 1))
				return err
			}))
			asynciotest.Turns(t, l, turns+1)
			require.NoError(t, l.Close())
			if connects.Done() {
				_, err := connects.Result()
				require.True(t, err == nil || errors.Is(err, asyncio.ErrLoopClosed), "%v", err)
			}
			require.Eventually(t, func() bool { return sockets(t) <= before }, asynciotest.HangLimit, time.Millisecond, "the peer's side")
		}
	})
}
