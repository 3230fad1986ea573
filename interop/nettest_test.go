package interop_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// The tests that golang.org/x/net has for every net.Conn: with the methods called by
// goroutines at both ends, by tasks at both, and mixed.
func TestConn(t *testing.T) {
	worlds := map[string]struct{ one, two bool }{
		"goroutines": {false, false},
		"tasks":      {true, true},
		"mixed":      {true, false},
	}
	for world, inTasks := range worlds {
		for _, kind := range []string{"tcp", "unix", "tls"} {
			t.Run(world+"/"+kind, func(t *testing.T) {
				t.Parallel()
				asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
					nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
						l := running(t, opts...)
						c1, c2 = pair(t, l, kind)
						if inTasks.one {
							c1 = &taskConn{Conn: c1, loop: l}
						}
						if inTasks.two {
							c2 = &taskConn{Conn: c2, loop: l}
						}
						return c1, c2, func() {
							_ = c1.Close()
							_ = c2.Close()
						}, nil
					})
				})
			})
		}
	}
}

// pair is two ends of a connection, both on l.
func pair(t *testing.T, l *asyncio.Loop, kind string) (one, two net.Conn) {
	network, address := "tcp", "127.0.0.1:0"
	if kind == "unix" {
		network, address = "unix", filepath.Join(t.TempDir(), "s")
	}
	var serve []asyncio.ServerOption
	var connect []asyncio.ConnectOption
	if kind == "tls" {
		serve = append(serve, asyncio.WithTLS(testkit.Certs().ServerConfig()))
		connect = append(connect, asyncio.WithTLS(testkit.Certs().ClientConfig()))
	}
	ln, err := l.Listen(context.Background(), network, address, serve...)
	require.NoError(t, err)
	one = onLoop(t, l, func(ctx context.Context) (net.Conn, error) {
		r, w, err := asyncio.OpenConnection(ctx, network, ln.Addr().String(), connect...)
		if err != nil {
			return nil, err
		}
		return asyncio.NetConn(r, w), nil
	})
	two, err = ln.Accept()
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	return one, two
}

// taskConn has every call made by a task of the loop. Tasks that have nothing to do are
// used again, so that calls that follow each other are mostly those of one task.
type taskConn struct {
	net.Conn
	loop *asyncio.Loop
	idle []*asyncio.Queue[func()] // of tasks; the loop's
}

// do calls fn in a task, and waits for it. The error is the loop's.
func (c *taskConn) do(fn func()) error {
	_, err := asyncio.RunCoroutineThreadsafe(c.loop, func(ctx context.Context) (asyncio.None, error) {
		done := asyncio.NewEvent()
		job := func() {
			fn()
			done.Set()
		}
		if last := len(c.idle) - 1; last >= 0 {
			worker := c.idle[last]
			c.idle = c.idle[:last]
			_ = worker.PutNowait(job)
		} else {
			c.newWorker(job)
		}
		return asyncio.None{}, done.Wait(ctx)
	}).Result(context.Background())
	return err
}

// newWorker makes a task that does job, and then those that it is given.
func (c *taskConn) newWorker(job func()) {
	worker := asyncio.NewQueue[func()](0)
	_ = worker.PutNowait(job)
	asyncio.CreateTask(c.loop.Context(), func(ctx context.Context) (asyncio.None, error) {
		for {
			job, err := worker.Get(ctx)
			if err != nil {
				return asyncio.None{}, nil // the loop is closed
			}
			job()
			c.idle = append(c.idle, worker)
		}
	})
}

// move is a Read or Write in a task.
func (c *taskConn) move(fn func([]byte) (int, error), p []byte) (n int, err error) {
	if failed := c.do(func() { n, err = fn(p) }); failed != nil {
		return 0, failed
	}
	return n, err
}

// set is any other call in a task.
func (c *taskConn) set(fn func() error) (err error) {
	if failed := c.do(func() { err = fn() }); failed != nil {
		return failed
	}
	return err
}

func (c *taskConn) Read(p []byte) (int, error)  { return c.move(c.Conn.Read, p) }
func (c *taskConn) Write(p []byte) (int, error) { return c.move(c.Conn.Write, p) }
func (c *taskConn) Close() error                { return c.set(c.Conn.Close) }

func (c *taskConn) SetDeadline(d time.Time) error {
	return c.set(func() error { return c.Conn.SetDeadline(d) })
}

func (c *taskConn) SetReadDeadline(d time.Time) error {
	return c.set(func() error { return c.Conn.SetReadDeadline(d) })
}

func (c *taskConn) SetWriteDeadline(d time.Time) error {
	return c.set(func() error { return c.Conn.SetWriteDeadline(d) })
}
