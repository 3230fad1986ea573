package testkit

// What holds for every connection of bytes, however it was made and whoever looks at it.

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
)

// endCase is a promise. It gets two ends of its own, which are aborted afterwards.
type endCase struct {
	name string
	run  func(t *testing.T, ctx context.Context, a, b *End)
}

var endCases = []endCase{
	{"one reader at a time", oneReader},
	{"Close wakes who reads", closeWakes},
	{"the peer's Close wakes who reads", peerCloseWakes},
	{"Abort wakes who reads", abortWakes},
	{"cancel, then read, then close", cancelThenRead},
	{"write, then close", writeThenClose},
	{"half-close", halfClose},
	{"the end of one direction, then write", endThenWrite},
	{"reset", resetByPeer},
	{"pause", pauseReading},
	{"much both ways", muchBothWays},
	{"many small writes", smallWrites},
	{"both close at once", bothClose},
	{"write after the end", writeAfterLost},
}

// CheckEnds checks what holds for every connection, on every driver. Without are the
// names of promises that connections of a kind do not make.
func CheckEnds(t *testing.T, connect Connect, without ...string) {
	t.Helper()
	for _, name := range without {
		require.True(t, slices.ContainsFunc(endCases, func(c endCase) bool { return c.name == name }), name)
	}
	for _, c := range endCases {
		if slices.Contains(without, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
				l := asynciotest.New(t, opts...)
				rec := asynciotest.RecordReports(l)
				asynciotest.InTask(t, l, func(ctx context.Context) {
					a, b := connect(t, ctx)
					c.run(t, ctx, a, b)
					for _, end := range []*End{a, b} {
						end.Transport.Abort()
						end.Close()
						_ = end.Lost(ctx) // by the case, or by this
					}
				})
				rec.None(t)
			})
		})
	}
}

// pieces is n bytes that do not repeat within a buffer.
func pieces(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// reading starts a Read.
func reading(ctx context.Context, e *End) *asyncio.Task[[]byte] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
		p := make([]byte, 1000)
		n, err := e.Reader.Read(ctx, p)
		return p[:n], err
	})
}

func write(t *testing.T, e *End, b []byte) {
	t.Helper()
	n, err := e.Transport.Write(b)
	require.NoError(t, err)
	require.Equal(t, len(b), n)
}

// expect reads what must come next.
func expect(t *testing.T, ctx context.Context, e *End, want string) {
	t.Helper()
	got, err := e.Reader.ReadExactly(ctx, len(want))
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

func expectEOF(t *testing.T, ctx context.Context, e *End) {
	t.Helper()
	n, err := e.Reader.Read(ctx, make([]byte, 10))
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, n)
	require.True(t, e.Reader.AtEOF())
}

// same compares much without printing it.
func same(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	require.True(t, string(want) == string(got), "every byte in its place")
}

// broken reports whether err is what a reset leaves.
func broken(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}

func oneReader(t *testing.T, ctx context.Context, a, b *End) {
	first := reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	_, err := a.Reader.Read(ctx, make([]byte, 1))
	require.ErrorIs(t, err, asyncio.ErrConcurrentRead)
	write(t, b, []byte("for the first"))
	got, err := first.Await(ctx)
	require.NoError(t, err)
	require.Equal(t, "for the first", string(got))
}

func closeWakes(t *testing.T, ctx context.Context, a, b *End) {
	waits := reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	a.Close()
	a.Close()
	_, err := waits.Await(ctx)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, a.Lost(ctx))
	expectEOF(t, ctx, b)
}

func peerCloseWakes(t *testing.T, ctx context.Context, a, b *End) {
	waits := reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	b.Close()
	_, err := waits.Await(ctx)
	require.ErrorIs(t, err, io.EOF)
	require.False(t, a.Transport.IsClosing(), "it may still write")
}

func abortWakes(t *testing.T, ctx context.Context, a, b *End) {
	waits := reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	a.Transport.Abort()
	_, err := waits.Await(ctx)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, a.Lost(ctx))
	_, err = b.Reader.ReadAll(ctx)
	require.True(t, err == nil || broken(err), err)
}

func cancelThenRead(t *testing.T, ctx context.Context, a, b *End) {
	for turns := range 5 {
		waits := reading(ctx, a)
		asynciotest.Yield(t, ctx, turns)
		waits.Cancel()
		_, err := waits.Await(ctx)
		require.ErrorIs(t, err, asyncio.ErrCancelled)
	}
	waits := reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	write(t, b, []byte("not lost"))
	waits.Cancel()
	_, err := waits.Await(ctx)
	require.ErrorIs(t, err, asyncio.ErrCancelled)
	expect(t, ctx, a, "not lost")
	waits = reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	waits.Cancel()
	a.Close()
	_, err = waits.Await(ctx)
	require.ErrorIs(t, err, asyncio.ErrCancelled)
	require.NoError(t, a.Lost(ctx))
}

func writeThenClose(t *testing.T, ctx context.Context, a, b *End) {
	data := pieces(3 << 20)
	write(t, a, data)
	a.Close()
	require.True(t, a.Transport.IsClosing())
	got, err := b.Reader.ReadAll(ctx)
	require.NoError(t, err)
	same(t, data, got)
	require.NoError(t, a.Lost(ctx))
}

func halfClose(t *testing.T, ctx context.Context, a, b *End) {
	require.True(t, a.Transport.CanWriteEOF())
	write(t, a, []byte("question"))
	require.NoError(t, a.Transport.WriteEOF())
	require.NoError(t, a.Transport.WriteEOF(), "again, it does nothing")
	got, err := b.Reader.ReadAll(ctx)
	require.NoError(t, err)
	require.Equal(t, "question", string(got))
	data := pieces(1 << 20)
	write(t, b, data)
	b.Close()
	got, err = a.Reader.ReadAll(ctx)
	require.NoError(t, err)
	same(t, data, got)
}

func endThenWrite(t *testing.T, ctx context.Context, a, b *End) {
	require.NoError(t, b.Transport.WriteEOF())
	_, err := b.Transport.Write([]byte("x"))
	require.ErrorIs(t, err, asyncio.ErrInvalidState)
	expectEOF(t, ctx, a)
	write(t, a, []byte("still"))
	expect(t, ctx, b, "still")
	require.False(t, a.Transport.IsClosing())
}

// resetByPeer leaves bytes unread, for which the kernel resets the connection.
func resetByPeer(t *testing.T, ctx context.Context, a, b *End) {
	b.Transport.PauseReading()
	write(t, a, []byte("never read"))
	asynciotest.Yield(t, ctx, 3)
	waits := reading(ctx, a)
	asynciotest.Yield(t, ctx, 2)
	b.Transport.Abort()
	require.NoError(t, b.Lost(ctx))
	_, err := waits.Await(ctx)
	require.True(t, broken(err), err)
}

func pauseReading(t *testing.T, ctx context.Context, a, b *End) {
	a.Transport.PauseReading()
	a.Transport.PauseReading()
	require.False(t, a.Transport.IsReading())
	waits := reading(ctx, a)
	data := pieces(1 << 20)
	write(t, b, data)
	asynciotest.Yield(t, ctx, 10)
	require.False(t, waits.Done())
	a.Transport.ResumeReading()
	got, err := waits.Await(ctx)
	require.NoError(t, err)
	rest, err := a.Reader.ReadExactly(ctx, len(data)-len(got))
	require.NoError(t, err)
	same(t, data, append(got, rest...))
}

func muchBothWays(t *testing.T, ctx context.Context, a, b *End) {
	data := pieces(4 << 20)
	send := func(e *End) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 100_000)
				if _, err := e.Transport.Write(rest[:n]); err != nil {
					return err
				}
				rest = rest[n:]
				if err := e.Drain(ctx); err != nil {
					return err
				}
			}
			return e.Transport.WriteEOF()
		}
	}
	sending := []*asyncio.Task[asyncio.None]{Start(ctx, send(a)), Start(ctx, send(b))}
	other := asyncio.CreateTask(ctx, b.Reader.ReadAll)
	got, err := a.Reader.ReadAll(ctx)
	require.NoError(t, err)
	same(t, data, got)
	got, err = other.Await(ctx)
	require.NoError(t, err)
	same(t, data, got)
	for _, task := range sending {
		_, err := task.Await(ctx)
		require.NoError(t, err)
	}
}

func smallWrites(t *testing.T, ctx context.Context, a, b *End) {
	data := pieces(5000)
	for rest := data; len(rest) > 0; {
		n := min(len(rest), 1+len(rest)%37)
		if n%2 == 0 {
			require.NoError(t, a.Transport.WriteV([][]byte{rest[:n/2], nil, rest[n/2 : n]}))
		} else {
			write(t, a, rest[:n])
		}
		rest = rest[n:]
		if n%5 == 0 {
			asynciotest.Yield(t, ctx, 1)
		}
	}
	got, err := b.Reader.ReadExactly(ctx, len(data))
	require.NoError(t, err)
	same(t, data, got)
}

func bothClose(t *testing.T, ctx context.Context, a, b *End) {
	a.Close()
	b.Close()
	require.NoError(t, a.Lost(ctx))
	require.NoError(t, b.Lost(ctx))
	require.Zero(t, a.Transport.WriteBufferSize())
}

func writeAfterLost(t *testing.T, ctx context.Context, a, b *End) {
	a.Transport.Abort()
	require.NoError(t, a.Lost(ctx))
	_, err := a.Transport.Write([]byte("x"))
	require.ErrorIs(t, err, net.ErrClosed)
	require.ErrorIs(t, a.Transport.WriteV([][]byte{{1}}), net.ErrClosed)
	require.NoError(t, a.Transport.WriteEOF())
	a.Transport.PauseReading()
	a.Transport.ResumeReading()
	require.False(t, a.Transport.IsReading())
	_, err = b.Reader.ReadAll(ctx)
	require.True(t, err == nil || broken(err), err)
}
