package streams_test

// runtime.Goexit in a protocol's callback, as t.FailNow calls it: it ends the run, as in
// any callback, and the connection, as a panic does.

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// exiting calls runtime.Goexit in the callback of that name.
type exiting struct {
	asyncio.NullProtocol
	in   string
	lost bool
}

func (p *exiting) at(callback string) {
	if p.in == callback {
		runtime.Goexit()
	}
}

func (p *exiting) ConnectionMade(asyncio.Transport) { p.at("ConnectionMade") }
func (p *exiting) DataReceived([]byte)              { p.at("DataReceived") }
func (p *exiting) EOFReceived() bool {
	p.at("EOFReceived")
	return p.in != "ConnectionLost"
}

func (p *exiting) ConnectionLost(error) {
	p.lost = true
	p.at("ConnectionLost")
}

// exitingBuffers is the same as a BufferedProtocol.
type exitingBuffers struct{ exiting }

func (p *exitingBuffers) GetBuffer(int) []byte {
	p.at("GetBuffer")
	return make([]byte, 16)
}

func (p *exitingBuffers) BufferUpdated(int) { p.at("BufferUpdated") }

func TestGoexitInAProtocolEndsTheConnection(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for _, in := range []string{"ConnectionMade", "DataReceived", "EOFReceived", "ConnectionLost", "GetBuffer", "BufferUpdated", "factory"} {
			t.Run(in, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				reports := asynciotest.RecordReports(l)
				p := &exitingBuffers{exiting{in: in}}
				factory := func() asyncio.Protocol {
					p.at("factory")
					if in == "DataReceived" {
						return &p.exiting
					}
					return p
				}
				var s *asyncio.Server
				asynciotest.InTask(t, l, func(ctx context.Context) {
					var err error
					s, err = l.CreateServer(ctx, factory, "tcp", "127.0.0.1:0")
					require.NoError(t, err)
				})
				peer := testkit.DialNet(t, s)
				_, err := peer.Write([]byte("hello"))
				require.NoError(t, err)
				if in == "EOFReceived" || in == "ConnectionLost" {
					require.NoError(t, peer.CloseWrite())
				}
				testkit.Unwinds(t, func() { _ = l.RunForever() })
				asynciotest.InTask(t, l, func(ctx context.Context) {
					seesTheEnd(t, ctx, peer)
					s.Close()
					require.NoError(t, s.WaitClosed(ctx), "the connection is lost")
				})
				require.Equal(t, in != "factory", p.lost)
				require.Len(t, reports.All(), 1)
				require.ErrorContains(t, reports.All()[0].Exception, "runtime.Goexit")
				require.Zero(t, l.Stats().Handles)
			})
		}
	})
}

func TestGoexitInConnectionMadeOfAClient(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.RecordReports(l)
		p := &exiting{in: "ConnectionMade"}
		ln := testkit.ListenNet(t)
		connecting := asyncio.CreateTask(l.Context(), asyncio.Do(func(ctx context.Context) error {
			_, _, err := l.CreateConnection(ctx, func() asyncio.Protocol { return p }, "tcp", ln.Addr().String())
			return err
		}))
		testkit.Unwinds(t, func() { _ = l.RunForever() })
		_, err := asyncio.RunUntilComplete[asyncio.None](l, connecting)
		require.NoError(t, err, "the connection was made, and then lost")
		asynciotest.InTask(t, l, func(ctx context.Context) {
			require.NoError(t, asynciotest.Until(ctx, func() bool { return p.lost }))
		})
	})
}

// seesTheEnd requires that nothing comes but the end of the connection, which is a reset
// if something that the peer has sent was not read.
func seesTheEnd(t *testing.T, ctx context.Context, peer net.Conn) {
	t.Helper()
	_, err := asyncio.ToThread(ctx, func(context.Context) (int, error) { return peer.Read(make([]byte, 1)) })
	if !errors.Is(err, syscall.ECONNRESET) {
		require.ErrorIs(t, err, io.EOF)
	}
}
