//go:build unix

package streams_test

// Sendfile over the transports of each driver.

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

// sendBytes is more than the kernel keeps of a connection whose buffers are small, and
// large enough for a kernel that keeps pages of files.
const sendBytes = 1024*17*64 + 1

// patternFile is a file with n bytes of bulk, at its beginning.
func patternFile(t *testing.T, n int) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, bulkBytes(0, n), 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func position(t *testing.T, f *os.File) int {
	t.Helper()
	at, err := f.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	return int(at)
}

// sending is one end of a connection that sends files, and its peer.
type sending struct {
	*testkit.Tap
	loop *asyncio.Loop
	peer net.Conn
	file *os.File
	sent int64 // by the last call
}

// send sends the file, or a part of it.
func (s *sending) send(ctx context.Context, offset, count int64) (int64, error) {
	n, err := s.loop.Sendfile(ctx, s.Transport, s.file, offset, count, true)
	s.sent = n // a task that fails has no result
	return n, err
}

// start begins to send, up to the first wait.
func (s *sending) start(t *testing.T, ctx context.Context) *asyncio.Task[int64] {
	t.Helper()
	task := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return s.send(ctx, 0, -1) })
	asynciotest.Yield(t, ctx, 3)
	return task
}

// shrink makes the kernel keep little of the connection.
func (s *sending) shrink(t *testing.T) {
	t.Helper()
	require.NoError(t, s.peer.(interface{ SetReadBuffer(int) error }).SetReadBuffer(64<<10))
	shrinkSendBuffer(t, s.Transport)
}

// eachSending runs test on connections of each kind, over each driver.
func eachSending(t *testing.T, test func(t *testing.T, ctx context.Context, s *sending), opts ...asyncio.StreamOption) {
	t.Helper()
	eachSendingOver(t, []string{"tcp4", "tcp6", "unix", "socketpair"}, test, opts...)
}

func eachSendingOver(t *testing.T, networks []string, test func(t *testing.T, ctx context.Context, s *sending), opts ...asyncio.StreamOption) {
	t.Helper()
	eachAcceptedOver(t, networks, func(t *testing.T, ctx context.Context, conn, peer net.Conn) {
		s := &sending{loop: testkit.LoopOf(ctx), peer: peer, file: patternFile(t, sendBytes)}
		s.Tap = testkit.NewTap(s.loop)
		_, _, err := s.loop.ConnectAccepted(ctx, s.Factory, conn, opts...)
		require.NoError(t, err)
		test(t, ctx, s)
		s.Transport.Abort()
		_, err = s.Lost.Await(ctx)
		require.NoError(t, err)
	})
}

// received reads the peer to its end in the background.
func (s *sending) received(ctx context.Context) *asyncio.Task[[]byte] {
	return asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
		return asyncio.ToThread(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(s.peer) })
	})
}

// finish ends the stream and requires that the peer has got want.
func (s *sending) finish(t *testing.T, ctx context.Context, received *asyncio.Task[[]byte], want []byte) {
	t.Helper()
	s.Transport.Close()
	got, err := received.Await(ctx)
	require.NoError(t, err)
	require.Equal(t, len(want), len(got))
	require.True(t, string(want) == string(got), "every byte in its place")
}

func join(pieces ...[]byte) (all []byte) {
	for _, p := range pieces {
		all = append(all, p...)
	}
	return all
}

func TestSendfile(t *testing.T) {
	data := bulkBytes(0, sendBytes)
	t.Run("SND-01", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			received := s.received(ctx)
			n, err := s.send(ctx, 0, -1)
			require.NoError(t, err)
			require.EqualValues(t, sendBytes, n)
			require.Equal(t, sendBytes, position(t, s.file))
			n, err = s.send(ctx, 1000, 100)
			require.NoError(t, err)
			require.EqualValues(t, 100, n)
			require.Equal(t, 1100, position(t, s.file))
			n, err = s.send(ctx, sendBytes-10, 1<<40)
			require.NoError(t, err)
			require.EqualValues(t, 10, n, "to the end at the most")
			n, err = s.send(ctx, sendBytes+1, -1)
			require.NoError(t, err)
			require.Zero(t, n, "behind the end")
			require.True(t, s.Transport.IsReading())
			s.finish(t, ctx, received, join(data, data[1000:1100], data[sendBytes-10:]))
		})
		prefix, suffix := bulkBytes(7, 8<<10), bulkBytes(99, 8<<10)
		t.Run("before and after", func(t *testing.T) {
			eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
				s.shrink(t)
				_, err := s.Transport.Write(prefix)
				require.NoError(t, err)
				full := testkit.Fill(t, s.Transport) // so that the buffer has to be emptied first
				received := s.received(ctx)
				n, err := s.send(ctx, 0, -1)
				require.NoError(t, err)
				require.EqualValues(t, sendBytes, n)
				_, err = s.Transport.Write(suffix)
				require.NoError(t, err)
				s.finish(t, ctx, received, join(prefix, make([]byte, full), data, suffix))
			})
		})
	})
	t.Run("SND-03", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.shrink(t)
			_, err := s.Transport.Write([]byte("before"))
			require.NoError(t, err)
			task := s.start(t, ctx)
			require.False(t, task.Done())
			_, err = s.Transport.Write([]byte("data"))
			inProgress := func(err error) {
				t.Helper()
				require.ErrorIs(t, err, asyncio.ErrInvalidState)
				testkit.ErrorSays(t, err, "sendfile is in progress")
			}
			inProgress(err)
			inProgress(s.Transport.WriteV([][]byte{{1}, {2}}))
			inProgress(s.Transport.WriteEOF())
			_, err = s.send(ctx, 0, -1)
			inProgress(err)
			require.False(t, s.Transport.IsReading())
			require.Zero(t, s.Transport.WriteBufferSize())
			received := s.received(ctx)
			n, err := task.Await(ctx)
			require.NoError(t, err)
			require.EqualValues(t, sendBytes, n)
			require.True(t, s.Transport.IsReading())
			_, err = s.Transport.Write([]byte("after"))
			require.NoError(t, err)
			require.NoError(t, s.Transport.WriteEOF())
			s.finish(t, ctx, received, join([]byte("before"), data, []byte("after")))
		})
	})
	t.Run("SND-07", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.file = patternFile(t, 0)
			n, err := s.send(ctx, 0, -1)
			require.NoError(t, err)
			require.Zero(t, n)
			require.Zero(t, position(t, s.file))
		})
	})
}

func TestSendfileRefuses(t *testing.T) {
	eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
		for _, c := range [][2]int64{{-1, -1}, {0, 0}, {0, -2}, {-5, 10}} {
			n, err := s.send(ctx, c[0], c[1])
			require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
			require.Zero(t, n)
		}
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = s.loop.Sendfile(ctx, nil, s.file, 0, -1, true) })
		testkit.PanicsWith(t, asyncio.ErrInvalidArgument, func() { _, _ = s.loop.Sendfile(ctx, s.Transport, nil, 0, -1, true) })
		_, err := s.loop.Sendfile(ctx, struct{ asyncio.Transport }{s.Transport}, s.file, 0, -1, true)
		require.ErrorIs(t, err, asyncio.ErrInvalidArgument)
		testkit.ErrorSays(t, err, "not supported")
		_, err = s.send(context.Background(), 0, -1)
		require.ErrorIs(t, err, asyncio.ErrNotCurrentTask)
		other := asynciotest.New(t)
		_, err = other.Sendfile(ctx, s.Transport, s.file, 0, -1, true)
		require.ErrorIs(t, err, asyncio.ErrWrongLoop)

		require.NoError(t, s.Transport.WriteEOF())
		_, err = s.send(ctx, 0, -1)
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		s.Transport.Close()
		_, err = s.send(ctx, 0, -1)
		require.ErrorIs(t, err, asyncio.ErrInvalidState)
		require.ErrorIs(t, err, net.ErrClosed)
		testkit.ErrorSays(t, err, "is closing")
		require.Zero(t, position(t, s.file))
		require.Empty(t, testkit.ReadAll(t, ctx, s.peer))
	})
}

func TestSendfileOfOddFiles(t *testing.T) {
	eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
		closed := patternFile(t, 10)
		require.NoError(t, closed.Close())
		dir, err := os.Open(t.TempDir())
		require.NoError(t, err)
		defer dir.Close()
		only, err := os.OpenFile(filepath.Join(t.TempDir(), "w"), os.O_CREATE|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		defer only.Close()
		_, err = only.Write([]byte("secret"))
		require.NoError(t, err)
		for _, f := range []*os.File{closed, dir, only} {
			n, err := s.loop.Sendfile(ctx, s.Transport, f, 0, -1, true)
			require.Error(t, err)
			require.Zero(t, n)
			require.False(t, s.Transport.IsClosing(), "the file's fault: %v", err)
		}
		_, err = s.Transport.Write([]byte("usable"))
		require.NoError(t, err)
		s.finish(t, ctx, s.received(ctx), []byte("usable"))
	})
	t.Run("a closed file", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			f, err := os.Open("sendfile_test.go")
			require.NoError(t, err)
			require.NoError(t, f.Close())
			for _, fallback := range []bool{false, true} {
				_, err = s.loop.Sendfile(ctx, s.Transport, f, 0, -1, fallback)
				require.ErrorIs(t, err, os.ErrClosed)
				require.NotErrorIs(t, err, asyncio.ErrSendfile)
			}
		})
	})
	t.Run("a pipe", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			_, err = s.loop.Sendfile(ctx, s.Transport, r, 0, -1, false)
			require.ErrorIs(t, err, asyncio.ErrSendfile)
			_, err = s.loop.Sendfile(ctx, s.Transport, r, 10, -1, true)
			require.Error(t, err, "a pipe has no offsets")
			wrote := make(chan error, 1)
			go func() {
				_, err := w.Write(bulkBytes(0, sendBytes))
				wrote <- errors.Join(err, w.Close())
			}()
			s.shrink(t)
			received := s.received(ctx)
			n, err := s.loop.Sendfile(ctx, s.Transport, r, 0, 1000, true)
			require.NoError(t, err)
			require.EqualValues(t, 1000, n)
			n, err = s.loop.Sendfile(ctx, s.Transport, r, 0, -1, true)
			require.NoError(t, err)
			require.EqualValues(t, sendBytes-1000, n)
			require.NoError(t, <-wrote)
			s.finish(t, ctx, received, bulkBytes(0, sendBytes))
		})
	})
	t.Run("a peer that ends while a pipe is sent", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			s.file = r
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				_, _ = w.Write(bulkBytes(0, 8<<20)) // until nobody reads any more
				_ = w.Close()
			}()
			s.shrink(t)
			task := s.start(t, ctx)
			testkit.ReadFull(t, ctx, s.peer, 1024)
			require.NoError(t, s.peer.Close())
			_, err = task.Await(ctx)
			require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
			require.True(t, 1024 <= s.sent && s.sent < 8<<20, s.sent)
			require.NoError(t, r.Close())
			<-wrote
		})
	})
	t.Run("a regular file that the kernel may not send", func(t *testing.T) {
		const path = "/proc/version"
		want, err := os.ReadFile(path)
		if err != nil {
			t.Skipf("no such file: %v", err)
		}
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.file, err = os.Open(path)
			require.NoError(t, err)
			defer s.file.Close()
			received := s.received(ctx)
			if n, err := s.loop.Sendfile(ctx, s.Transport, s.file, 0, 5, false); err != nil {
				require.ErrorIs(t, err, asyncio.ErrSendfile)
				require.Zero(t, n)
				require.Zero(t, position(t, s.file))
				_, err := s.send(ctx, 0, 5)
				require.NoError(t, err)
			}
			n, err := s.send(ctx, 5, -1)
			require.NoError(t, err)
			require.EqualValues(t, len(want)-5, n)
			require.Equal(t, len(want), position(t, s.file))
			s.finish(t, ctx, received, want)
		})
	})
	t.Run("a file that shrinks", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.file = patternFile(t, 8<<20)
			s.shrink(t)
			task := s.start(t, ctx)
			const left = 5 << 20
			require.NoError(t, s.file.Truncate(left))
			received := s.received(ctx)
			n, err := task.Await(ctx)
			require.NoError(t, err)
			require.EqualValues(t, left, n)
			s.finish(t, ctx, received, bulkBytes(0, left))
		})
	})
}

func TestSendfileEnds(t *testing.T) {
	for name, end := range map[string]func(asyncio.Transport){"Close": asyncio.Transport.Close, "Abort": asyncio.Transport.Abort} {
		t.Run(name, func(t *testing.T) {
			eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
				s.shrink(t)
				task := s.start(t, ctx)
				end(s.Transport)
				_, err := task.Await(ctx)
				n := s.sent
				require.ErrorIs(t, err, net.ErrClosed)
				require.Less(t, n, int64(sendBytes))
				require.Equal(t, int(n), position(t, s.file))
				require.NoError(t, s.End(t, ctx))
				got := testkit.ReadAll(t, ctx, s.peer)
				require.True(t, string(bulkBytes(0, int(n))) == string(got), "what was sent arrives")
			})
		})
	}
	t.Run("Close before it begins", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			full := testkit.Fill(t, s.Transport)
			task := s.start(t, ctx)
			require.False(t, task.Done(), "it waits until the buffer is empty")
			s.Transport.Close()
			_, err := task.Await(ctx)
			require.ErrorIs(t, err, net.ErrClosed)
			require.Zero(t, s.sent)
			require.Zero(t, position(t, s.file))
			require.Equal(t, full, len(testkit.ReadAll(t, ctx, s.peer)), "what was written arrives")
			require.NoError(t, s.End(t, ctx))
		})
	})
	t.Run("the peer ends in the middle", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.shrink(t)
			task := s.start(t, ctx)
			testkit.ReadFull(t, ctx, s.peer, 1024)
			require.NoError(t, s.peer.Close())
			_, err := task.Await(ctx)
			n := s.sent
			require.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET), "%v", err)
			require.True(t, 1024 <= n && n < sendBytes, n)
			require.Equal(t, int(n), position(t, s.file))
			require.True(t, s.Transport.IsClosing())
			lost := s.End(t, ctx)
			require.True(t, errors.Is(lost, syscall.EPIPE) || errors.Is(lost, syscall.ECONNRESET), "%v", lost)
		})
	})
	t.Run("the peer ends after all", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.KeepOpen = true
			done := asyncio.CreateTask(ctx, func(ctx context.Context) ([]byte, error) {
				return testkit.ReadFull(t, ctx, s.peer, sendBytes), s.peer.Close()
			})
			n, err := s.send(ctx, 0, -1)
			require.NoError(t, err)
			require.EqualValues(t, sendBytes, n)
			got, err := done.Await(ctx)
			require.NoError(t, err)
			require.True(t, string(bulkBytes(0, sendBytes)) == string(got))
		})
	})
	t.Run("cancelled at any moment", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.shrink(t)
			received := s.received(ctx)
			at := int64(0)
			for turns := 0; at < sendBytes; turns = (turns + 1) % 7 {
				s.sent = 0
				task := asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) { return s.send(ctx, at, -1) })
				asynciotest.Yield(t, ctx, turns)
				task.Cancel()
				if _, err := task.Await(ctx); err != nil {
					require.ErrorIs(t, err, asyncio.ErrCancelled)
				}
				require.True(t, s.Transport.IsReading())
				at += s.sent
				if s.sent > 0 {
					require.EqualValues(t, at, position(t, s.file))
				}
			}
			s.finish(t, ctx, received, bulkBytes(0, sendBytes))
		})
	})
	t.Run("the loop closes", func(t *testing.T) {
		asynciotest.EachDriver(t, func(t *testing.T, opts ...asyncio.Option) {
			l := asynciotest.New(t, opts...)
			file := patternFile(t, 64<<20)
			var ended error
			asynciotest.InTask(t, l, func(ctx context.Context) {
				p := testkit.NewTap(l)
				_, _ = testkit.ConnectToNet(t, ctx, p.Factory)
				asyncio.CreateTask(ctx, func(ctx context.Context) (int64, error) {
					_, ended = l.Sendfile(ctx, p.Transport, file, 0, -1, true)
					return 0, ended
				})
				asynciotest.Yield(t, ctx, 20)
			})
			_ = l.Close()
			require.ErrorIs(t, ended, asyncio.ErrLoopClosed)
		})
	})
}

func TestSendfileAndReading(t *testing.T) {
	t.Run("what comes meanwhile comes later", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.shrink(t)
			task := s.start(t, ctx)
			_, err := s.peer.Write([]byte("hello"))
			require.NoError(t, err)
			asynciotest.Yield(t, ctx, 3)
			require.Empty(t, s.Received)
			received := s.received(ctx)
			_, err = task.Await(ctx)
			require.NoError(t, err)
			s.Tap.Receive(t, ctx, 5)
			s.finish(t, ctx, received, bulkBytes(0, sendBytes))
		})
	})
	t.Run("a pause stays", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.Transport.PauseReading()
			_, err := s.send(ctx, 0, 1000)
			require.NoError(t, err)
			require.False(t, s.Transport.IsReading())
		})
	})
	t.Run("no timeout while it moves", func(t *testing.T) {
		const idle = time.Second
		eachSendingOver(t, []string{"tcp4"}, func(t *testing.T, ctx context.Context, s *sending) {
			s.shrink(t)
			began := s.loop.Time()
			task := s.start(t, ctx)
			for read, piece := 0, sendBytes/5; read < sendBytes; read += piece {
				piece = min(piece, sendBytes-read)
				testkit.ReadFull(t, ctx, s.peer, piece)
				require.NoError(t, asyncio.Sleep(ctx, idle/4))
			}
			_, err := task.Await(ctx)
			require.NoError(t, err)
			require.Greater(t, s.loop.Time()-began, idle)
		}, asyncio.WithIdleTimeout(idle))
	})
	t.Run("a timeout while nothing moves", func(t *testing.T) {
		eachSending(t, func(t *testing.T, ctx context.Context, s *sending) {
			s.shrink(t)
			n, err := s.send(ctx, 0, -1)
			require.ErrorIs(t, err, asyncio.ErrTimeout)
			require.Equal(t, int(n), position(t, s.file))
			require.ErrorIs(t, s.End(t, ctx), asyncio.ErrTimeout)
		}, asyncio.WithIdleTimeout(50*time.Millisecond))
	})
}
