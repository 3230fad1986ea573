package streams_test

// Contexts do not change in Go: what a protocol sees is what its factory, a closure, was
// made with.

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

type ctxKey struct{}

// ctxTap notes the value that its maker's context has, and that tasks made of it have.
type ctxTap struct {
	*testkit.Tap
	ctx   context.Context
	tasks []*asyncio.Task[any]
}

func newCtxTap(ctx context.Context) *ctxTap {
	p := &ctxTap{Tap: testkit.NewTap(testkit.LoopOf(ctx)), ctx: ctx}
	p.OnMade, p.OnData, p.OnPause, p.OnResume = p.note, p.note, p.note, p.note
	return p
}

func (p *ctxTap) factory() asyncio.Protocol { return p }

func (p *ctxTap) ConnectionLost(err error) {
	p.note()
	p.Tap.ConnectionLost(err)
}

func (p *ctxTap) note() {
	p.Addf("%v", p.ctx.Value(ctxKey{}))
	for _, ctx := range []context.Context{p.ctx, p.Loop.Context()} {
		p.tasks = append(p.tasks, asyncio.CreateTask(ctx, func(ctx context.Context) (any, error) {
			return ctx.Value(ctxKey{}), nil
		}))
	}
}

// check requires that the tasks have seen want, those of the loop's own context nothing.
func (p *ctxTap) check(t *testing.T, ctx context.Context, want any) {
	t.Helper()
	for i, task := range p.tasks {
		got, err := task.Await(ctx)
		require.NoError(t, err)
		if i%2 == 1 {
			require.Nil(t, got)
			continue
		}
		require.Equal(t, want, got)
	}
}

// ctxMade makes a connection in a task whose context has a value, and which then ends.
func ctxMade(t *testing.T, ctx context.Context, value string, make func(ctx context.Context, p *ctxTap) error) *ctxTap {
	t.Helper()
	p, err := asyncio.CreateTask(context.WithValue(ctx, ctxKey{}, value), func(ctx context.Context) (*ctxTap, error) {
		p := newCtxTap(ctx)
		return p, make(ctx, p)
	}).Await(ctx)
	require.NoError(t, err)
	return p
}

func TestContexts(t *testing.T) {
	t.Run("CTX-01", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				var s *asyncio.Server
				served := ctxMade(t, ctx, "server", func(ctx context.Context, p *ctxTap) (err error) {
					s, err = l.CreateServer(ctx, p.factory, "tcp", "127.0.0.1:0")
					return err
				})
				client := ctxMade(t, ctx, "client", func(ctx context.Context, p *ctxTap) error {
					_, _, err := l.CreateConnection(ctx, p.factory, "tcp", testkit.ServerAddr(t, s))
					return err
				})
				require.NoError(t, asynciotest.Until(ctx, func() bool { return served.Transport != nil }))
				conn, peer := acceptedPair(t, "tcp")
				accepted := ctxMade(t, ctx, "accepted", func(ctx context.Context, p *ctxTap) error {
					_, _, err := l.ConnectAccepted(ctx, p.factory, conn)
					return err
				})
				_, _ = client.Transport.Write([]byte("x"))
				_, _ = served.Transport.Write([]byte("x"))
				_, _ = peer.Write([]byte("x"))
				for value, p := range map[string]*ctxTap{"server": served, "client": client, "accepted": accepted} {
					p.Receive(t, ctx, 1)
					p.Transport.Close()
					require.NoError(t, p.End(t, ctx))
					require.Equal(t, 3, p.Count(value), "made, data, lost")
					p.check(t, ctx, value)
				}
				s.Close()
				require.NoError(t, s.WaitClosed(ctx))
			})
		})
	})
	t.Run("CTX-02", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			rec := asynciotest.RecordReports(l)
			asynciotest.InTask(t, l, func(ctx context.Context) {
				ctx = context.WithValue(ctx, ctxKey{}, "creator")
				var inFactory any
				s, err := l.CreateServer(ctx, func() asyncio.Protocol {
					inFactory = ctx.Value(ctxKey{})
					require.Nil(t, asyncio.CurrentTask(l.Context()), "no task runs")
					panic(testkit.ErrBoom)
				}, "tcp", "127.0.0.1:0")
				require.NoError(t, err)
				require.Empty(t, testkit.ReadAll(t, ctx, testkit.DialNet(t, s)))
				require.Equal(t, "creator", inFactory)
				require.Equal(t, "creator", rec.One(t).Context.Value(ctxKey{}))
				s.Close()
			})
		})
	})
	t.Run("CTX-03", func(t *testing.T) {
		eachAccepted(t, func(t *testing.T, ctx context.Context, conn, peer net.Conn) {
			p := ctxMade(t, ctx, "maker", func(ctx context.Context, p *ctxTap) error {
				_, _, err := p.Loop.ConnectAccepted(ctx, p.factory, conn)
				return err
			})
			testkit.Fill(t, p.Transport)
			p.Transport.SetWriteBufferLimits(0, 0)
			received := testkit.Start(ctx, func(ctx context.Context) error {
				testkit.ReadAll(t, ctx, peer)
				return nil
			})
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.Count("resume") == 1 }))
			p.Transport.Close()
			require.NoError(t, p.End(t, ctx))
			_, err := received.Await(ctx)
			require.NoError(t, err)
			p.Equal(t, "made", "maker", "pause", "maker", "resume", "maker", "maker", "lost")
			p.check(t, ctx, "maker")
		})
	})
}

// A report about a connection of a server, or the handler of one, has the context of who
// made the server.
func TestContextsOfReports(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		rec := asynciotest.RecordReports(l)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p := testkit.NewTap(l)
			p.OnData = func() { panic(testkit.ErrBoom) }
			s, err := l.CreateServer(context.WithValue(ctx, ctxKey{}, "protocol"), p.Factory, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			_, err = testkit.DialNet(t, s).Write([]byte("x"))
			require.NoError(t, err)
			require.Error(t, p.End(t, ctx))
			s.Close()
			handler := func(context.Context, *asyncio.StreamReader, *asyncio.StreamWriter) error { return testkit.ErrBoom }
			s, err = asyncio.StartServer(context.WithValue(ctx, ctxKey{}, "handler"), handler, "tcp", "127.0.0.1:0")
			require.NoError(t, err)
			require.Empty(t, testkit.ReadAll(t, ctx, testkit.DialNet(t, s)))
			s.Close()
			require.NoError(t, s.WaitClosed(ctx))
			client := testkit.NewTap(l)
			client.OnData = func() { panic(testkit.ErrBoom) }
			_, peer := testkit.ConnectToNet(t, ctx, client.Factory)
			_, err = peer.Write([]byte("x"))
			require.NoError(t, err)
			require.Error(t, client.End(t, ctx))
		})
		reports := rec.All()
		require.Len(t, reports, 3)
		require.Equal(t, "protocol", reports[0].Context.Value(ctxKey{}))
		require.Equal(t, "handler", reports[1].Context.Value(ctxKey{}))
		require.Nil(t, reports[2].Context, "its protocol has it")
	})
}
