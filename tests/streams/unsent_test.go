package streams_test

// When what was written leaves: before the next turn begins, however short the turns are.

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func TestWrittenBytesLeaveBeforeTheNextTurn(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			ln := testkit.ListenNet(t)
			_, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String())
			require.NoError(t, err)
			peer, err := ln.Accept()
			require.NoError(t, err)
			for range 200 { // quick turns, so that polls are left out
				require.NoError(t, asyncio.Sleep(ctx, 0))
			}
			for i := range 20 {
				_, err = w.Write([]byte{byte(i)})
				require.NoError(t, err)
				require.NoError(t, asyncio.Sleep(ctx, 0))
				require.Equal(t, byte(i), readBlocking(t, peer), "the loop stands still, and the byte has left")
			}
			require.NoError(t, w.Close())
			require.NoError(t, w.WaitClosed(ctx))
			require.NoError(t, peer.Close())
		})
	})
}

// readBlocking reads a byte, and holds the loop up meanwhile.
func readBlocking(t *testing.T, peer net.Conn) byte {
	t.Helper()
	require.NoError(t, peer.SetReadDeadline(time.Now().Add(asynciotest.HangLimit)))
	var b [1]byte
	_, err := peer.Read(b[:])
	require.NoError(t, err)
	return b[0]
}

func TestTheEndLeavesBeforeTheNextTurn(t *testing.T) {
	ends := map[string]func(w *asyncio.StreamWriter) error{
		"Close":    (*asyncio.StreamWriter).Close,
		"WriteEOF": (*asyncio.StreamWriter).WriteEOF,
	}
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		for name, end := range ends {
			t.Run(name, func(t *testing.T) {
				l := asynciotest.New(t, opts...)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					ln := testkit.ListenNet(t)
					_, w, err := asyncio.OpenConnection(ctx, "tcp", ln.Addr().String())
					require.NoError(t, err)
					peer, err := ln.Accept()
					require.NoError(t, err)
					for range 200 {
						require.NoError(t, asyncio.Sleep(ctx, 0))
					}
					require.NoError(t, end(w))
					require.NoError(t, asyncio.Sleep(ctx, 0))
					require.NoError(t, peer.SetReadDeadline(time.Now().Add(asynciotest.HangLimit)))
					n, err := peer.Read(make([]byte, 1))
					require.Zero(t, n)
					require.EqualError(t, err, "EOF")
					require.NoError(t, w.Close())
					require.NoError(t, peer.Close())
					require.NoError(t, w.WaitClosed(ctx))
				})
			})
		}
	})
}

// What ResumeWriting writes to a transport that is closing leaves too, and then the
// connection is lost.
func TestResumeWritingWritesWhileClosing(t *testing.T) {
	asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
		l := asynciotest.New(t, opts...)
		asynciotest.InTask(t, l, func(ctx context.Context) {
			p, lastWords := testkit.NewTap(l), []byte("the last words")
			p.OnResume = func() {
				_, err := p.Transport.Write(lastWords)
				require.NoError(t, err)
			}
			ln := testkit.ListenNet(t)
			_, _, err := l.CreateConnection(ctx, p.Factory, "tcp", ln.Addr().String())
			require.NoError(t, err)
			peer, err := ln.Accept()
			require.NoError(t, err)
			sent := make([]byte, 16<<20)
			_, err = p.Transport.Write(sent)
			require.NoError(t, err)
			p.Transport.Close()
			require.False(t, p.Lost.Done(), "there is something to flush")
			require.Len(t, testkit.ReadAll(t, ctx, peer), len(sent)+len(lastWords))
			lost, err := p.Lost.Await(ctx)
			require.NoError(t, err)
			require.NoError(t, lost)
			require.NoError(t, peer.Close())
		})
	})
}
